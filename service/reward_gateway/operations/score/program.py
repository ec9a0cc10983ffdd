"""Auto MC-Reward: reward programs written by a language model, of which only the signs count."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..effects import Effectful, RunSandboxed, SandboxAnswer, perform
from ..outcome import Outcome, invalid_field
from ..registry import OperationItem, OperationParams, operation
from ..sandboxed import SandboxResult
from ..stored_sets import read_sets
from ..time_limits import (
    ADAPTIVE_TIMEOUT,
    choose_limits,
    explain_timeout,
    find_limits,
    name_problem,
    note_passing,
    tell_limits,
)
from ..transform.sign_scale import SOURCE, signed

DRIVER = """

def main(observations):
    memory, results = {{}}, []
    for observation in observations:
        try:
            value = {name}(observation, memory)
            good = isinstance(value, (int, float)) and value == value and value - value == 0
            results.append([float(value), None] if good else [None, "it returned no finite number"])
        except Exception as error:
            results.append([None, type(error).__name__])
    return results
"""
"""Calls a program's function on each observation in turn, with a memory that lives as long as the episode."""


class Params(OperationParams):
    sparse_scale: float = Field(1.0, description="Size of the sparse reward.")
    dense_scale: float = Field(0.1, description="Size of the dense reward.")
    timeout_s: float = Field(5.0, gt=0, le=60, description="Time for an episode, without what it waits for a CPU.")
    adaptive_timeout: float | None = ADAPTIVE_TIMEOUT


class Item(OperationItem):
    observations: list[dict[str, Any]] = Field(description="Observations of the episode, in order; one reward each.")
    program: str | None = Field(
        None, description="Registered program, NAME or NAME@VERSION. If omitted: the two sources are used."
    )
    sparse_src: str | None = Field(None, description="Python source that defines sparse(observation, memory).")
    dense_src: str | None = Field(None, description="Python source that defines dense(observation, memory).")
    episode: str | None = Field(
        None, description="Episode that the item continues within the request. If omitted: one of its own."
    )


@operation("score", "program", item=Item, params=Params, source=SOURCE, fidelity="second-hand", returns="vector")
def program(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Rewards of an episode's observations by a registered pair of reward programs, run in the sandbox.

    R_t = 1 · sgn(sparse(s_t)) + 0.1 · sgn(dense(s_t)), sgn(0) = 0. The two Python sources define `sparse(observation,
    memory)` and `dense(observation, memory)`; memory is a dict that starts empty with the episode. Items of one
    program and episode continue it in their order within the request.

    `program` names registered sources (`POST /v1/programs`; `name` or `name@version`), or the item has `sparse_src`
    and `dense_src`. A step whose code fails, runs out of time or returns no finite number has reward 0 and is listed in
    `details.errors`; the item is flagged `program_error`, so that a 0 is never silent. A program that is not
    registered, or no sources, is an item error, and so is one that is stopped by its own limit (`adaptive_timeout`,
    from the times of its episodes that ended well): `timeout`. Details: `errors`, `limit_s` (of an episode, where its
    programs have limits of their own).
    """
    observations, names, episodes = (columns.objects(name) for name in ("observations", "program", "episode"))
    own = list(zip(columns.objects("sparse_src"), columns.objects("dense_src"), strict=True))
    registered = yield from read_sets("programs", names)
    invalid: dict[int, Invalid] = {}
    chains: dict[tuple[Any, ...], list[int]] = {}
    for i in range(columns.size):
        sources = _select_sources(registered.get(names[i]) if names[i] is not None else None, own[i])
        if sources is None:
            invalid[i] = invalid_field("name a registered program, or give sparse_src and dense_src", "program")
        else:
            chains.setdefault((*sources, episodes[i] if episodes[i] is not None else ("item", i)), []).append(i)
    programs, inputs = [], []
    for (sparse, dense, _), rows in chains.items():
        programs += [driven(sparse, "sparse"), driven(dense, "dense")]
        inputs += [[step for i in rows for step in observations[i]]] * 2
    answers, limits = yield from _run_programs(programs, inputs, params)
    own_limits: dict[int, float] = {}
    rewards: list[Any] = [None] * columns.size
    errors: list[Any] = [None] * columns.size
    for place, rows in enumerate(chains.values()):
        pair = answers[2 * place : 2 * place + 2]
        if found := [limits[k] for k in (2 * place, 2 * place + 1) if k in limits]:
            own_limits |= dict.fromkeys(rows, min(found))
        unrun = next((answer for answer in pair if isinstance(answer, Invalid)), None)
        if unrun is not None:
            invalid.update(dict.fromkeys(rows, unrun))
            continue
        lengths = [len(observations[i]) for i in rows]
        parts = [steps_of(answer, sum(lengths)) for answer in pair]
        values = signed(parts[0][0], parts[1][0], params.sparse_scale, params.dense_scale)
        faults = [a or b for a, b in zip(parts[0][1], parts[1][1], strict=True)]
        start = 0
        for i, length in zip(rows, lengths, strict=True):
            broken = faults[start : start + length]
            clean = np.array([fault is None for fault in broken], dtype=bool)
            rewards[i] = np.where(clean, values[start : start + length], 0.0).tolist()
            errors[i] = [{"step": t, "error": fault} for t, fault in enumerate(broken) if fault is not None]
            start += length
    flags: dict[int, tuple[str, ...]] = {i: ("program_error",) for i, found in enumerate(errors) if found}
    details = {"errors": errors, **tell_limits(columns.size, own_limits)}
    return Outcome(rewards=rewards, details=details, invalid=invalid, flags=flags)


def _run_programs(
    programs: list[str], inputs: list[list[Any]], params: Params
) -> Effectful[tuple[list[SandboxAnswer | Invalid], dict[int, float]]]:
    """What programs gave for their episodes, and their limits; :class:`reward_gateway.sample.Invalid` in place of one
    that its limit stopped."""
    if not programs:
        return [], {}
    factor = params.adaptive_timeout
    problems = {k: name_problem("program", program) for k, program in enumerate(programs) if factor is not None}
    limits = yield from find_limits(factor, params.timeout_s, problems)
    own = choose_limits(range(len(programs)), limits)
    answers = list((yield from perform(RunSandboxed("python", programs, inputs, params.timeout_s, limits=own))))
    seconds: dict[int, float] = {}
    for k, answer in enumerate(answers):
        if isinstance(answer, Invalid):
            continue
        if SandboxResult.of(answer).error == "timeout":
            answers[k] = explain_timeout(limits.get(k), params.timeout_s) or answer
        elif answer.get("slowest_s") is not None and not any(steps_of(answer, len(inputs[k]))[1]):
            seconds[k] = answer["slowest_s"]
    yield from note_passing(factor, problems, seconds)
    return answers, limits


def _select_sources(registered: Any, own: tuple[str | None, str | None]) -> tuple[str, str] | None:
    if isinstance(registered, Mapping):
        return str(registered["sparse_src"]), str(registered["dense_src"])
    return (own[0], own[1]) if own[0] is not None and own[1] is not None else None


def driven(source: str, name: str) -> str:
    """A source with what calls its function on each observation."""
    return source + DRIVER.format(name=name)


def steps_of(answer: Any, count: int) -> tuple[np.ndarray[Any, np.dtype[np.float64]], list[str | None]]:
    """[count] values, 0 where there is none, and why."""
    result = SandboxResult.of(answer)
    steps = result.value if result.ok and isinstance(result.value, list) and len(result.value) == count else None
    if steps is None:
        return np.zeros(count), [result.error or "the program did not end well"] * count
    values = np.array([step[0] if step[0] is not None else 0.0 for step in steps], dtype=np.float64)
    return values, [step[1] for step in steps]
