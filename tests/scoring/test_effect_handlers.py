"""Every effect that an operation may perform has one handler, for exactly that type."""

import inspect
from collections.abc import Sequence
from typing import Any, get_origin

import pytest
from reward_gateway.cache.null import NullCache
from reward_gateway.operations import effects
from reward_gateway.sample import Invalid
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effect_handlers import HANDLERS
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.state.store import StateStore


def effect_types() -> set[type]:
    return {
        value
        for value in vars(effects).values()
        if inspect.isclass(value) and issubclass(value, effects.Effect) and value is not effects.Effect
    }


def test_every_effect_has_a_handler() -> None:
    assert set(HANDLERS) == effect_types()


def test_a_handler_takes_the_effect_that_it_is_registered_for() -> None:
    for effect, handler in HANDLERS.items():
        taken = inspect.signature(handler).parameters["effect"].annotation
        assert (get_origin(taken) or taken) is effect


class EchoSandbox:
    """Answers each program with its input."""

    async def run(self, language: str, programs: Sequence[str], inputs: Sequence[Any], *_: object) -> list[Any]:
        return [{"ok": True, "value": given} for given in inputs]


@pytest.mark.anyio
async def test_a_query_gets_the_stored_database_that_it_names() -> None:
    state = StateStore.in_process()
    await state.sets.put("databases", "shop", {"schema": "CREATE TABLE t (x)"})
    await state.sets.put("databases", "other", {"schema": "CREATE TABLE u (y)"})
    runtime = EffectsRuntime(CachedScorer(None, NullCache()), state, sandbox=EchoSandbox())  # type: ignore[arg-type]
    given: Any = {"schema": "CREATE TABLE w (z)"}
    named = ["sqlite:shop", "other", given, "sqlite:nothing"]
    inputs = [{"database": database, "max_rows": 5} for database in named]
    query = effects.RunSandboxed("sql", ["SELECT 1"] * 4, inputs)
    answers = await runtime.answer_effect(query, RequestContext())
    assert {answer["value"]["max_rows"] for answer in answers if not isinstance(answer, Invalid)} == {5}
    assert [answer["value"]["database"] for answer in answers if not isinstance(answer, Invalid)] == [
        {"schema": "CREATE TABLE t (x)"},
        {"schema": "CREATE TABLE u (y)"},
        given,
        None,
    ]
