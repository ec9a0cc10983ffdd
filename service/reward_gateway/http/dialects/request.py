"""One request in a dialect, between its decoding and its encoding: which recipe, whose policy, which numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from scipy.special import expit
from starlette.requests import Request

from reward_gateway.errors import GatewayError, ModelUnavailable, Unscorable
from reward_gateway.gateway import ScoreOptions
from reward_gateway.intake.idempotency import part_of
from reward_gateway.intake.request import SampleItem
from reward_gateway.operations.effects import AskJudge, RunSandboxed
from reward_gateway.operations.sandboxed import SandboxResult
from reward_gateway.recipes.plan import Plan
from reward_gateway.recipes.templates import strip_special_tokens
from reward_gateway.sample import FloatArray, Invalid, Scored
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.state.port import ResultStore

from ..call import call_of
from ..dependencies import deadline_of, dependencies_of, since_ms
from ..encode import timing
from .policy import Policy


@dataclass(frozen=True, slots=True)
class Scores:
    """What the samples of a request got.

    Attributes:
        failed: row -> reason, for rows without a number. Rows that got the operator's number are not among them.
    """

    policy: Policy
    plan: Plan
    scored: Scored
    failed: dict[int, Invalid]

    @property
    def raw(self) -> list[float]:
        """Rewards as the recipe gives them; NaN in the rows that failed."""
        return self._numbers(self.scored.reward)

    @property
    def unit(self) -> list[float]:
        """Rewards in [0, 1], their order kept: as they are where the recipe's range lies there, else their sigmoid."""
        low, high = self.plan.range or (-np.inf, np.inf)
        reward = self.scored.reward
        return self._numbers(reward if low >= 0.0 and high <= 1.0 else expit(reward))

    def numbers(self, *, raw: bool | None = None) -> list[float]:
        """The rewards in the range that the policy says; ``raw`` says it where the request does."""
        if self.policy.score == "as asked":
            return self.raw if raw else self.unit
        return self.unit if self.policy.score == "unit" else self.raw

    @property
    def components(self) -> dict[str, list[float]]:
        """A number a sample for every component that is one number; NaN in the rows that failed.

        The same names for every request to a recipe. Where a sample got the operator's number, so did its components.
        """
        return {
            name: self._numbers(np.where(np.isfinite(component.value), component.value, self.scored.reward))
            for name, component in self.scored.components.items()
            if component.vectors is None
        }

    def component_row(self, i: int) -> dict[str, float]:
        """The components of one sample."""
        return {name: column[i] for name, column in self.components.items()}

    def _numbers(self, values: FloatArray) -> list[float]:
        numbers: list[float] = values.tolist()
        for i in self.failed:
            numbers[i] = float("nan")
        return numbers


class DialectRequest:
    """A decoded request of one dialect, ready to be scored.

    Args:
        body_bytes: size of its body; no text in it can be longer.
    """

    def __init__(self, request: Request, policy: Policy, body_bytes: int) -> None:
        self.request = request
        self.policy = policy
        self.started = perf_counter()
        self._body_bytes = body_bytes
        self._scored_parts = 0
        self._edge = dependencies_of(request)
        self.gateway = self._edge.gateway

    @property
    def id(self) -> str:
        """The request's id, which answers that carry one repeat."""
        return call_of(self.request.scope).id

    def plan(self, reward: str | None = None, model: str | None = None) -> Plan:
        """The recipe that answers. Raises NotFound for one that is named and not there."""
        query = self.request.query_params.get("reward") if self.request.scope["query_string"] else None
        return self.gateway.book.get(self._edge.intake.resolve_reward(reward, query, model))

    async def score(
        self,
        samples: Sequence[SampleItem],
        reward: str | None = None,
        model: str | None = None,
        *,
        vectors: bool = False,
        check: Callable[[Scores], None] | None = None,
    ) -> Scores:
        """Score samples as the policy says. Each call of one request is a part of it with a repeat of its own.

        Args:
            reward: the recipe that the body names, if it does.
            model: what the body calls its model; used where it names a recipe.
            vectors: the dialect takes a vector where the recipe gives one; else every sample needs one number.
            check: raises GatewayError where the dialect cannot answer with these scores; nothing is written then.

        Raises:
            GatewayError: the request failed, or, where the policy says so, one of its samples.
        """
        plan = self.plan(reward, model)
        if plan.strip_template is not None:
            for sample in samples:
                if isinstance(sample.prompt, str):
                    sample.prompt = strip_special_tokens(sample.prompt, plan.strip_template)
                if isinstance(sample.response, str):
                    sample.response = strip_special_tokens(sample.response, plan.strip_template)
        batch = await self._edge.intake.batches.make(samples, self._body_bytes)
        decoded_ms = since_ms(self.started)
        options = self._options(plan)
        answers: list[Scores] = []

        def accept(scored: Scored) -> None:
            """Refuse what the dialect has no answer for, before anything is written that outlives the request."""
            failed = {i: scored.invalid.get(i, _NO_NUMBER) for i in _missing(scored, vectors=vectors)}
            if failed and options.on_invalid == "fail":
                raise Unscorable(f"samples[{min(failed)}]: {failed[min(failed)].message}")
            answers.append(Scores(self.policy, plan, scored, failed))
            if check is not None:
                check(answers[-1])

        options.accept = accept
        scored = await self.gateway.score(batch, plan.name, options)
        if not answers:  # a repeat, which is answered by what was recorded
            accept(scored)
        call = call_of(self.request.scope)
        call.stages = timing(scored, decoded_ms, since_ms(call.arrived))
        return answers[-1]

    @property
    def fails(self) -> bool:
        """Whether the operator wants an error where the policy has a mark."""
        return self._edge.settings.dialect_failures.get(self.policy.name) == "error"

    def is_judge(self, name: str) -> bool:
        """Whether a configured judge has this name, and no recipe."""
        judges = self.gateway.runtime.judges
        return judges is not None and name in judges.names and not self.gateway.has_reward(name)

    async def judge(self, name: str, conversation: Sequence[dict[str, Any]], temperature: float | None = 0.0) -> str:
        """A judge's words. Raises ModelUnavailable or Unscorable where it has none."""
        need = AskJudge(name, [conversation], 0.0 if temperature is None else temperature)
        (answer,) = await self.gateway.runtime.answer_effect(need, RequestContext(deadline_of(self.request)))
        if isinstance(answer, Invalid):
            raise _refused(answer)
        words: str = answer
        return words

    async def run_python(self, program: str, value: Any) -> Any:
        """What a program's ``main(value)`` gives, in the sandbox. Raises as :meth:`judge` does."""
        need = RunSandboxed("python", [program], [value])
        (answer,) = await self.gateway.runtime.answer_effect(need, RequestContext(deadline_of(self.request)))
        if isinstance(answer, Invalid):
            raise _refused(answer)
        result = SandboxResult.of(answer)
        if not result.ok:
            raise Unscorable(f"the program did not end well: {result.error or 'no reason given'}")
        return result.value

    @property
    def results(self) -> ResultStore:
        """Where answers wait that are fetched later. Raises StateUnavailable where there is no store."""
        return self.gateway.runtime.state.results

    def _scope_of_next_part(self) -> RequestScope:
        """The first call of a request has the request's own key; later ones have keys made of it, in their order."""
        scope = call_of(self.request.scope).scope
        self._scored_parts += 1
        return scope if self._scored_parts == 1 else part_of(scope, str(self._scored_parts))

    def _options(self, plan: Plan) -> ScoreOptions:
        options = ScoreOptions(explain=True, deadline=deadline_of(self.request), scope=self._scope_of_next_part())
        chosen = self._edge.settings.dialect_failures.get(self.policy.name)
        if isinstance(chosen, float):
            options.on_invalid, options.default_reward = "default", chosen
        elif chosen == "error":
            options.on_invalid = "fail"
        elif plan.on_invalid != "default":
            options.on_invalid = "fail" if self.policy.on_invalid == "error" else "null"
        return options


def _refused(reason: Invalid) -> GatewayError:
    return (ModelUnavailable if reason.server_caused else Unscorable)(reason.message)


def _missing(scored: Scored, *, vectors: bool) -> list[int]:
    """The rows without an answer."""
    if vectors and scored.rewards is not None:
        return [i for i, vector in enumerate(scored.rewards) if vector is None]
    missing: list[int] = np.flatnonzero(~np.isfinite(scored.reward)).tolist()
    return missing


_NO_NUMBER = Invalid("not_finite", "the recipe gives this sample no single finite number")
