"""One request in a dialect, after decoding and before encoding: its recipe, its policy, its scores."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

import msgspec
import numpy as np
from scipy.special import expit
from starlette.requests import Request

from reward_gateway.errors import GatewayError, InternalError, Unscorable
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.intake.chat_text import ChatText, TextReading, read_rendered
from reward_gateway.intake.idempotency import part_of
from reward_gateway.intake.request import SampleItem
from reward_gateway.jobs.request import JobOptions
from reward_gateway.operations.effects import RunSandboxed
from reward_gateway.operations.judge_questions import JudgeQuestion
from reward_gateway.operations.judged import ask_judge
from reward_gateway.operations.patterns import capture
from reward_gateway.operations.sandboxed import SandboxResult
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import FloatArray, Invalid, Scored
from reward_gateway.scoring.effects_runtime import run_effects
from reward_gateway.scoring.failure_policy import make_error
from reward_gateway.scoring.fixed_scores import FixedScores
from reward_gateway.scoring.joint_commit import JointCommit
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.settings import Settings
from reward_gateway.state.port import ResultStore, SessionStore

from ..call import call_of
from ..dependencies import deadline_of, dependencies_of, since_ms
from ..encode import timing
from .policy import Policy

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of the samples of a request.

    Attributes:
        failed: row -> reason, for rows without a number. Rows with the operator's default number are not in it.
    """

    policy: Policy
    plan: Plan
    scored: Scored
    failed: dict[int, Invalid]

    @property
    def raw(self) -> list[float]:
        """Rewards as the recipe answers them (its ``group.answer``); NaN in the rows that failed."""
        return self._numbers(self.scored.answered)

    @property
    def unit(self) -> list[float]:
        """Rewards in [0, 1]: unchanged if the recipe's range lies in it, else their sigmoid; NaN in failed rows."""
        reward = self.scored.answered
        return self._numbers(reward if self._in_unit else expit(reward))

    @property
    def _in_unit(self) -> bool:
        """Whether the recipe, or the card of the model that is meant, says that all rewards lie in [0, 1]."""
        low, high = self.plan.range or (-np.inf, np.inf)
        return low >= 0.0 and high <= 1.0

    def numbers(self, *, raw: bool | None = None) -> list[float]:
        """The rewards in the range of the policy; ``raw`` is the request's choice if the policy is ``as asked``."""
        if self.policy.score == "as asked":
            return self.raw if raw else self.unit
        return self.unit if self.policy.score == "unit" else self.raw

    @property
    def labels(self) -> tuple[str, ...]:
        """Of a served model that gives several numbers: their names; else empty."""
        return self.plan.labels

    def label_rows(self, *, raw: bool | None) -> list[list[float]]:
        """[n][K] the numbers of each sample, as they are if ``raw`` or in [0, 1], else the sigmoid of each."""
        columns = [self.scored.components[label].value for label in self.labels]
        table = np.stack(columns, axis=1) if raw or self._in_unit else expit(np.stack(columns, axis=1))
        rows: list[list[float]] = table.tolist()
        return rows

    @property
    def components(self) -> dict[str, list[float]]:
        """One number per sample for every component of the reward that is a single number; NaN in the rows that failed.

        The names are the same for every request to a recipe. If a sample got the operator's default number, so did its
        components.
        """
        return {
            name: self._numbers(np.where(np.isfinite(component.value), component.value, self.scored.reward))
            for name, component in self.scored.components.items()
            if component.vectors is None and name not in self.plan.audits
        }

    @property
    def verdicts(self) -> dict[str, list[float]]:
        """How rules judged: ``COMPONENT/VERDICT`` -> 1 or 0 per sample, NaN in the rows that failed.

        The names are the same for every request to a recipe.
        """
        return {
            f"{name}/{verdict}": self._numbers(column)
            for name, component in self.scored.components.items()
            for verdict, column in (component.verdicts or {}).items()
        }

    def verdict_row(self, i: int) -> dict[str, float]:
        """The verdicts of one sample."""
        return {name: column[i] for name, column in self.verdicts.items()}

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
        body_bytes: size of its body, an upper bound of the length of any text in it.
        takes_long: what is made of the body takes the event loop too long.
    """

    def __init__(self, request: Request, policy: Policy, body_bytes: int, takes_long: bool = False) -> None:
        self._http_request = request
        self.policy = policy
        self._started = perf_counter()
        self._body_bytes = body_bytes
        self._takes_long = takes_long
        self._scored_parts = 0
        self._dependencies = dependencies_of(request)
        self._gateway = self._dependencies.gateway
        self._fixed: list[FixedScores | None] = []
        self._asks_more = False

    @property
    def id(self) -> str:
        """The request's id, for responses that carry one."""
        return call_of(self.http_request.scope).id

    @property
    def started(self) -> float:
        """``perf_counter`` when the request began, for answers that tell what it took."""
        self._asks_more = True
        return self._started

    @property
    def http_request(self) -> Request:
        """The request itself. An answer that depends on more of it than body and address is made anew each time."""
        self._asks_more = True
        return self._http_request

    @property
    def gateway(self) -> Gateway:
        """What scores. An answer that needs more of it than scores is made anew each time."""
        self._asks_more = True
        return self._gateway

    def find_query(self, name: str) -> str | None:
        """A parameter of the address; None if it is not there."""
        return self._http_request.query_params.get(name)

    @property
    def fixed_scores(self) -> Sequence[FixedScores | None]:
        """The scores from which, and from body and address, the answer follows; empty if it depends on more."""
        failed = len(self._fixed) < self._scored_parts
        return () if self._asks_more or failed else self._fixed

    @property
    def named_recipe(self) -> str | None:
        """The recipe that the request's address names; the body's own choice goes before it, its model after it."""
        return call_of(self._http_request.scope).recipe

    async def learn_models(self, reward: str | None = None, model: str | None = None) -> None:
        """Ask the model server about the name that counts, where it means nothing yet: before :meth:`plan`.

        Handlers have done so for the ``reward`` and ``model`` of their body, and for the request's address.
        """
        await self._dependencies.intake.learn_models(reward, self.named_recipe, model)

    def plan(self, reward: str | None = None, model: str | None = None) -> Plan:
        """The recipe that scores this request. Raises NotFound for an unknown name."""
        return self._gateway.get_plan(self._dependencies.intake.resolve_reward(reward, self.named_recipe, model))

    async def read_rows(self, plan: Plan) -> Any:
        """The body as it was sent, with the keys of the caller's data that the dialect knows nothing of; None where the
        recipe looks at none."""
        if not plan.reads_metadata:
            return None
        body = await self._http_request.body()
        return await asyncio.to_thread(msgspec.json.decode, body) if self._takes_long else msgspec.json.decode(body)

    async def score(
        self,
        samples: Sequence[SampleItem],
        reward: str | None = None,
        model: str | None = None,
        *,
        vectors: bool = False,
        labels: bool = False,
        check: Callable[[Scores], None] | None = None,
    ) -> Scores:
        """Score samples under the dialect's policy. Each call within one request has its own idempotency key.

        Args:
            reward: the recipe that the body names, if any.
            model: the model that the body names; used if neither ``reward`` nor the address names a recipe.
            vectors: whether the dialect accepts a vector if the recipe gives one; else every sample needs one number.
            labels: whether the dialect answers all numbers of a served model that gives several.
            check: raises GatewayError if the dialect cannot encode these scores; then no state is written.

        Raises:
            GatewayError: the request failed, or one of its samples under the policy ``error``.
        """
        plan, scope = self.plan(reward, model), self._scope_of_next_part()
        part, options = self._scored_parts, self._make_options(plan, scope)
        options.labels = labels
        return await self._score_part(part, samples, options, plan, vectors=vectors, check=check)

    async def score_parts(
        self,
        parts: Sequence[tuple[Sequence[SampleItem], str]],
        check: Callable[[Sequence[Scores | GatewayError]], None],
    ) -> list[Scores | GatewayError]:
        """Score the parts of one request, each by its recipe, concurrently; their changes are committed together.

        Args:
            parts: samples, and the name of the recipe that scores them.
            check: called with the result of every part before any state is written; raises GatewayError if the
                request has no answer. A failed part alone does not stop the others.

        Raises:
            GatewayError: raised by ``check``; then no state has been written.
        """
        results: list[Scores | GatewayError] = [_UNFINISHED] * len(parts)
        refusals: list[GatewayError] = []

        def check_results() -> None:
            try:
                check(results)
            except GatewayError as error:
                refusals.append(error)
                raise

        joint = JointCommit[Scores](self._gateway.runtime, check_results)

        async def score_part(place: int, samples: Sequence[SampleItem], options: ScoreOptions, plan: Plan) -> Scores:
            def keep_result(scores: Scores) -> None:
                results[place] = scores

            options.commit = joint.commit
            try:
                return await self._score_part(first + place, samples, options, plan, check=keep_result)
            except GatewayError as error:
                results[place] = error
                raise

        # Keys go by the order of the parts, whichever is ready first.
        plans, first = [self.plan(reward) for _, reward in parts], self._scored_parts + 1
        options = [self._make_options(plan, self._scope_of_next_part()) for plan in plans]
        await joint.run([score_part(i, parts[i][0], options[i], plans[i]) for i in range(len(parts))])
        if refusals:
            raise refusals[-1]
        check(results)  # if no part reached its commit, the results were not checked yet
        return results

    async def _score_part(
        self,
        part: int,
        samples: Sequence[SampleItem],
        options: ScoreOptions,
        plan: Plan,
        *,
        vectors: bool = False,
        check: Callable[[Scores], None] | None = None,
    ) -> Scores:
        intake = self._dependencies.intake
        chosen = call_of(self._http_request.scope).chat_format
        read = await intake.read_chat_texts(samples, plan, chosen, self._body_bytes)
        batch = await intake.batches.make(samples, self._body_bytes, takes_long=self._takes_long)
        read.apply(batch)
        decoded_ms = since_ms(self._started)
        answers: list[Scores] = []
        fails = options.on_invalid == "fail"  # read here: options that hold a function which holds them are not freed

        def accept(scored: Scored) -> None:
            """Refuse scores that the dialect cannot encode, before any state is written."""
            failed = {
                i: scored.invalid.get(i, _NO_NUMBER)
                for i in _find_missing_rows(scored, vectors=vectors, labels=bool(plan.labels))
            }
            if failed and fails:
                raise Unscorable(f"samples[{min(failed)}]: {failed[min(failed)].message}")
            answers.append(Scores(self.policy, plan, scored, failed))
            if check is not None:
                check(answers[-1])

        options.accept = accept
        scored = await self._gateway.score(batch, plan.name, options)
        self._fixed.append(options.fixed)
        if not answers:  # a retry, answered from its recorded result
            accept(scored)
        call = call_of(self._http_request.scope)
        call.stages = timing(scored, decoded_ms, since_ms(call.arrived))
        call.flags[part] = len(samples), scored.flags
        return answers[-1]

    @property
    def settings(self) -> Settings:
        return self._dependencies.settings

    @property
    def fails(self) -> bool:
        """Whether the operator chose an error instead of the policy's mark."""
        return self._dependencies.settings.dialect_failures.get(self.policy.name) == "error"

    def is_judge(self, name: str) -> bool:
        """Whether this is the name of a configured judge, which the caller may use, and not of a recipe."""
        judges = self._gateway.runtime.judges
        if not self._gateway.book.allows(name):
            return False
        return judges is not None and name in judges.names and not self._gateway.has_reward(name)

    def asks_judge(self, model: str, reward: str | None = None) -> bool:
        """Whether ``model`` means a configured judge: neither the body nor the address names a recipe."""
        return reward is None and self.named_recipe is None and self.is_judge(model)

    async def judge(
        self,
        name: str,
        question: JudgeQuestion,
        parse: Callable[[str], T],
        temperature: float | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> T:
        """What ``parse`` reads in a judge's answer to a question.

        Raises GatewayError if there is none that it reads.

        Args:
            parse: raises ItemError.
            temperature: None: the judge's own.
            schema: JSON Schema of the answer; None for free text.
        """
        steps = ask_judge(name, {0: question}, parse, temperature, schema)
        judged = await run_effects(steps, self.gateway.runtime, self._make_context())
        if judged.invalid:
            reason = judged.invalid[0]
            raise make_error(reason) if 0 not in judged.answers else Unscorable(reason.message)
        return judged.values[0]

    async def run_python(self, program: str, value: Any) -> Any:
        """The result of a program's ``main(value)`` in the sandbox. Raises as :meth:`judge` does."""
        need = RunSandboxed("python", [program], [value])
        (answer,) = await self.gateway.runtime.answer_effect(need, self._make_context())
        if isinstance(answer, Invalid):
            raise make_error(answer)
        result = SandboxResult.of(answer)
        if not result.ok:
            raise Unscorable(f"the program failed: {result.error or 'no reason given'}")
        return result.value

    @property
    def deadline(self) -> float:
        """The moment the answer is due, on the loop's clock."""
        return deadline_of(self._http_request)

    def _make_context(self) -> RequestContext:
        return RequestContext(self.deadline, scope=call_of(self._http_request.scope).scope)

    async def capture(self, groups: Sequence[tuple[str, str]], text: str) -> list[str | None] | None:
        """What the named groups of patterns hold in a text, read in a worker process; None if that takes too long."""
        found: list[str | None] | None
        found = await self.gateway.runtime.compute(partial(capture, groups, text), b"", self._make_context())
        return found

    async def read_rendered(self, plan: Plan, text: str) -> ChatText | None:
        """The conversation that a chat template rendered as this text, in the recipe's or the request's format; None
        for other text. Raises InvalidRequest if there is no such format."""
        reading = TextReading.of(plan, self.settings, call_of(self._http_request.scope).chat_format)
        return await self.read_apart(partial(read_rendered, text, reading))

    async def read_apart(self, read: Callable[[], T]) -> T:
        """What a function makes of the body; in a thread if that takes the event loop too long."""
        return await asyncio.to_thread(read) if self._takes_long else read()

    @property
    def results(self) -> ResultStore:
        """The store of results that are fetched later. Raises StateUnavailable if there is none."""
        return self.gateway.runtime.state.results.within(call_of(self.http_request.scope).scope.space)

    @property
    def sessions(self) -> SessionStore:
        """The store of the caller's sessions."""
        return self.gateway.runtime.state.sessions.within(call_of(self.http_request.scope).scope.space)

    def _scope_of_next_part(self) -> RequestScope:
        """The first call of a request has the request's idempotency key; later ones have keys derived from it."""
        scope = call_of(self._http_request.scope).scope
        self._scored_parts += 1
        return scope if self._scored_parts == 1 else part_of(scope, str(self._scored_parts))

    def make_job_options(self, plan: Plan) -> JobOptions:
        """Options of a job under the dialect's policy, whose results are fetched as the dialect does."""
        options = self._make_options(plan, call_of(self.http_request.scope).scope)
        deadline_ms = None if self.policy.deadline_s is None else self.policy.deadline_s * 1e3
        return JobOptions(options.on_invalid, options.default_reward, None, False, deadline_ms, None, queue=False)

    def _make_options(self, plan: Plan, scope: RequestScope) -> ScoreOptions:
        options = ScoreOptions(explain=True, deadline=deadline_of(self._http_request), scope=scope)
        chosen = self._dependencies.settings.dialect_failures.get(self.policy.name)
        if isinstance(chosen, float):
            options.on_invalid, options.default_reward = "default", chosen
        elif chosen == "error":
            options.on_invalid = "fail"
        elif plan.on_invalid != "default":
            options.on_invalid = "fail" if self.policy.on_invalid == "error" else "null"
        return options


def _find_missing_rows(scored: Scored, *, vectors: bool, labels: bool) -> list[int]:
    """The rows without a finite number, or without a vector if vectors are accepted.

    ``labels``: the components are the numbers, each of which must be finite.
    """
    if vectors and scored.rewards is not None:
        return [i for i, vector in enumerate(scored.rewards) if vector is None]
    finite = np.isfinite(scored.reward)
    for component in scored.components.values() if labels else ():
        finite &= np.isfinite(component.value)
    missing: list[int] = np.flatnonzero(~finite).tolist()
    return missing


_UNFINISHED = InternalError("a part of the request has no result")
_NO_NUMBER = Invalid("not_finite", "the recipe gives this sample no single finite number")
