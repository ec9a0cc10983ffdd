"""The dataplane: columns in, columns out. HTTP, gRPC, every dialect and the command line score here.

A request is one pass of keys, one cache lookup, one infer call per model for what is neither cached nor in flight, and
the recipe's arithmetic. Raw scores are written to the cache after the answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any, Literal

from reward_gateway.accounts import refuse_recipe, restricted_rewards
from reward_gateway.backends.port import ModelInfo, ModelsAway
from reward_gateway.errors import InvalidRequest, ModelUnavailable, NotFound, OverBudget
from reward_gateway.experiments.shadow import Shadow
from reward_gateway.metering.meter import Charge, Meter
from reward_gateway.metering.usage import Counts
from reward_gateway.observer import UNOBSERVED, Observer
from reward_gateway.recipes.book import RecipeBook, check_recipe_file
from reward_gateway.recipes.evaluate import score_ahead
from reward_gateway.recipes.implicit_recipes import find_implicit_recipe
from reward_gateway.recipes.plan import Plan
from reward_gateway.recipes.raw_component import ScoredAhead
from reward_gateway.recipes.trace import Trace
from reward_gateway.sample import Batch, FloatArray, Invalid, Scored, Usage, response_lengths, split_version
from reward_gateway.sample.fields import METADATA
from reward_gateway.sample.flags import FALLBACK
from reward_gateway.scoring.attempts import Attempt
from reward_gateway.scoring.body_digest import digest_batch
from reward_gateway.scoring.effects_runtime import EffectsRuntime, run_effects
from reward_gateway.scoring.failure_policy import FailurePolicy, OnInvalid
from reward_gateway.scoring.fixed_scores import FixedScores
from reward_gateway.scoring.merged_scores import describe_parts, join_scores, select_part
from reward_gateway.scoring.plan_scorer import PlanScores, fetch_raw_scores, refuse_samples, score_plan
from reward_gateway.scoring.readiness import Lack, Readiness, find_lacks, refuse_unready
from reward_gateway.scoring.recorded_answers import decode_scores, encode_scores, keep_answers
from reward_gateway.scoring.request_context import RequestContext
from reward_gateway.scoring.request_scope import NO_SCOPE, RequestScope
from reward_gateway.scoring.run_recorder import RunRecorder
from reward_gateway.scoring.sample_recorder import SampleRecorder
from reward_gateway.scoring.single_operations import SingleOperations
from reward_gateway.scoring.versions import can_complete, find_retried_rows, list_versions, score_parts, split_rows
from reward_gateway.state.epoch import Restart, allow_restart

STATE_RESET = "state_reset"
"""Flags samples whose recipe has begun anew in a store that had lost its state (``on_reset: restart``)."""

ANSWERED = Invalid("internal_error", "the sample was answered by an earlier attempt")
"""Excludes a row from a repeat; its recorded answer replaces this reason."""


UNKNOWN_S = 5.0
"""Seconds for which the model server is not asked again about a name that it does not know."""

VIEWS = 1024
"""Views of the recipes for callers who may use some only that are kept: one for each list of names in the keys file."""

UNKNOWN_NAMES = 1024
"""How many such names are remembered."""


@dataclass(slots=True)
class ScoreOptions:
    """Options of one request.

    Attributes:
        on_invalid: what to do with an unscorable sample; None: as the recipe says.
        deadline: time of the running loop's clock; None: no limit.
        scope: caller, run and idempotency key.
        accept: called with the scored batch before state is written, and with the recorded batch for a repeat; raises
            GatewayError if the caller's API cannot express it.
        commit: writes the request's changes, instead of :meth:`.ScoringServices.commit`.
        restart: of a recipe that goes on with a store that has lost its state: whether it had to.
        labels: the entry answers all numbers of a served model that gives several; else such a model is refused.
        counts: the batch counts for its run's history now; else whoever asks counts it later, by
            :meth:`Gateway.record`.
        is_trial: somebody looks what a recipe would answer: nothing is counted as scored, neither by metrics of
            rewards, the monitor, experiments, the history of runs nor kept samples, and no state is written.
        ahead: components that were scored before, by :meth:`Gateway.score_ahead`; no model is asked again.
        trace: notes what each step of the recipe makes of the samples; None: nobody asks.
        fixed: set by the gateway where the same samples would get the same scores again, without being scored.
    """

    on_invalid: OnInvalid | None = None
    default_reward: float | None = None
    cache: Literal["use", "refresh", "off"] = "use"
    explain: bool = True
    deadline: float | None = None
    scope: RequestScope = NO_SCOPE
    accept: Callable[[Scored], None] | None = None
    commit: Callable[..., Awaitable[None]] | None = None
    restart: Restart | None = None
    labels: bool = False
    counts: bool = True
    is_trial: bool = False
    ahead: ScoredAhead | None = None
    trace: Trace | None = None
    fixed: FixedScores | None = None


class Gateway:
    """Scores batches by recipes and applies single operations.

    Args:
        book: the recipes; replaced as a whole by :meth:`reload`.
        runtime: models, cache and state; answers effects.
        observer: notified of every scored batch.
        shadow: compares candidates of experiments with served scores.
        runs: is handed what counts for the history of training runs; None: nobody keeps it.
        samples: is offered samples to keep; None: nobody keeps any.
    """

    def __init__(
        self,
        book: RecipeBook,
        runtime: EffectsRuntime,
        observer: Observer = UNOBSERVED,
        shadow: Shadow | None = None,
        runs: RunRecorder | None = None,
        samples: SampleRecorder | None = None,
        meter: Meter | None = None,
    ) -> None:
        self.book = book
        self.runtime = runtime
        self.shadow = shadow or Shadow(runtime, observer)
        self.runs = runs
        self.samples = samples
        self.meter = meter or Meter()
        self._observer = observer
        self._unknown: dict[str, float] = {}
        self.operations = SingleOperations(runtime)

    # What the caller may use

    @property
    def book(self) -> RecipeBook:
        """The recipes that the caller of the running task may use; all where it works for nobody."""
        names = restricted_rewards()
        return self._book if names is None else self._views.get(names) or self._make_view(names)

    @book.setter
    def book(self, book: RecipeBook) -> None:
        self._book = book
        self._views: dict[frozenset[str], RecipeBook] = {}

    def _make_view(self, names: frozenset[str]) -> RecipeBook:
        if len(self._views) >= VIEWS:
            self._views.clear()
        return self._views.setdefault(names, self._book.limit_to(names))

    def check_use(self, name: str, param: str = "reward") -> None:
        """Refuse a name that the caller may not use, whether anything has it or not. Raises PermissionDenied."""
        if not self.book.allows(name):
            raise refuse_recipe(param)

    def check_unrestricted(self) -> None:
        """Refuse a caller who may use some recipes only: for what is no recipe of the file. Raises PermissionDenied."""
        if restricted_rewards() is not None:
            raise refuse_recipe()

    # Scoring

    async def score(self, batch: Batch, reward: str, options: ScoreOptions | None = None) -> Scored:
        """Score a batch by a recipe.

        Raises:
            NotFound: there is no such reward.
            PermissionDenied: the caller may not use the recipe.
            InvalidRequest: it is a served model that gives several numbers, and the entry answers one.
            Unscorable: ``on_invalid: fail`` and a sample could not be scored for a cause of the caller.
            ModelUnavailable, Overloaded, DeadlineExceeded: the same for a cause of the server, or no sample was scored.
            IdempotencyConflict: the request's key was sent with another body.
            NotSetUp: the recipe names a judge or a sandbox that is not configured.
        """
        return await self.score_by(self.book.plans.get(reward) or self.get_plan(reward), batch, options)

    async def score_by(self, plan: Plan, batch: Batch, options: ScoreOptions | None = None) -> Scored:
        """As :meth:`score`, by a compiled recipe: perhaps one that is no longer in the book.

        A caller who may use some recipes only needs one of the book, as it is now.
        """
        options = options or ScoreOptions()
        if restricted_rewards() is not None and self.find_plan(plan.name) is not plan:
            raise refuse_recipe()
        if plan.labels and not options.labels:
            names = ", ".join(plan.labels)
            message = f"this model gives {len(plan.labels)} numbers ({names}): name one, {plan.name}:{plan.labels[0]}"
            raise InvalidRequest(message, param="reward")
        versions = [plan] if options.is_trial else list_versions(plan)
        if len(versions) == 1:  # else what one lacks fails only its samples
            await refuse_unready(versions[0], self.runtime)
        _drop_unread_metadata(versions, batch)
        day = await self.meter.spend(batch.size)
        with self.meter.settle(batch.size, day) as charge:
            if plan.on_reset == "refuse":
                return await self._score_once(plan, batch, options, charge)
            with allow_restart() as restart:
                return await self._score_once(plan, batch, replace(options, restart=restart), charge)

    async def _score_once(self, plan: Plan, batch: Batch, options: ScoreOptions, charge: Charge) -> Scored:
        """Score a batch, or return the recorded scores of a repeated request, which counts nothing."""
        address = options.scope.make_attempt_address("score", plan.name)
        if address is None:
            scored = await self._score_batch(plan, batch, options)
            charge.counts = Counts.of(scored)
            if options.counts and not options.is_trial:
                self.record(batch, scored, options.scope)
            return scored
        answer_options = options.on_invalid, options.default_reward, options.cache, options.explain
        body, attempts = digest_batch(batch, *answer_options), self.runtime.attempts
        if not plan.stateful:
            answer = self._score_batch(plan, batch, options)
            scored, was_answered = await attempts.answer_if_same_body(address, body, answer)
            charge.counts = None if was_answered else Counts.of(scored)
            if options.counts and not was_answered:
                self.record(batch, scored, options.scope)
            return scored

        async def answer_first(attempt: Attempt) -> Scored:
            scored = await self._score_batch(plan, batch, options, attempt)
            charge.counts = Counts.of(scored) if attempt.recorded is None else None
            if options.counts and attempt.recorded is None:
                self.record(batch, scored, options.scope)
            return scored

        return await attempts.answer_once(
            address, body, options.deadline, answer_first, partial(_decode_recorded, options)
        )

    def record(self, batch: Batch | None, scored: Scored, scope: RequestScope) -> None:
        """Let a scored batch count for the history of its run, and offer its samples to who keeps some.

        Args:
            batch: None: its samples were offered when they were scored first.
        """
        if self.runs is not None:
            self.runs.record(scored, scope)
        if self.samples is not None and batch is not None and scope.keeps_samples:
            self.samples.offer(batch, scored, scope)

    async def _score_batch(
        self, plan: Plan, batch: Batch, options: ScoreOptions, attempt: Attempt | None = None
    ) -> Scored:
        """Score a batch and commit its changes of state.

        Args:
            attempt: of a request with a key. Recorded rows are answered as recorded; rows that failed for a cause of
                the server are scored now.
        """
        recorded = decode_scores(attempt.recorded) if attempt and attempt.recorded else None
        answered: list[int] = []
        if recorded is not None:
            if not can_complete(plan, recorded):
                return _accept_scores(options, recorded)
            retried = find_retried_rows(plan, recorded)
            answered = [row for row in range(batch.size) if row not in retried]
            batch = replace(batch, invalid={**batch.invalid, **dict.fromkeys(answered, ANSWERED)})
        started = perf_counter()
        size, lengths = batch.size, response_lengths(batch)  # now, while the texts are in the processor's cache
        usage = Usage(samples=size) if options.ahead is None else replace(options.ahead.scored.usage)
        timing = {"cache": 0.0, "inference": 0.0, "combine": 0.0}
        context = RequestContext(options.deadline, options.cache, usage, timing, options.scope)
        policy = FailurePolicy.of(plan, options.on_invalid, options.default_reward)
        parts = await self._score_versions(plan, batch, options, context, policy, recorded)
        scored = join_scores(plan, parts, size)
        scored.timing_ms["total"] = (perf_counter() - started) * 1e3
        scored.lengths = lengths
        scored.group_keys = None if self.runs is None and self.samples is None else batch.hash_groups()
        if options.restart is not None and options.restart.happened:
            scored.flags.update({row: (*scored.flags.get(row, ()), STATE_RESET) for row in range(size)})
        if recorded is not None:
            keep_answers(recorded, answered, scored)
        scored.groups = describe_parts(parts, scored)
        if options.is_trial:
            policy.settle_failures(scored)
            _accept_scores(options, scored)
            return scored
        self._observe_parts(parts, scored, lengths, options)
        policy.settle_failures(scored)
        _accept_scores(options, scored)
        commit = options.commit or self.runtime.commit
        for part in parts[1:]:
            if part.context.has_writes:
                parts[0].context.state.writes.merge(part.context.state.writes)
        context = parts[0].context
        if attempt is None:
            if options.commit is not None or context.has_writes:
                await commit(context.state.writes)
        else:
            complete = not find_retried_rows(plan, scored)
            await commit(context.state.writes, attempt, encode_scores(scored), complete=complete)
        if self._is_fixed(plan, batch, context, scored):
            options.fixed = FixedScores.of(plan, scored, lengths)
        return scored

    async def score_ahead(self, plan: Plan, batch: Batch, options: ScoreOptions) -> ScoredAhead:
        """The components of a plan without stages that are scored before all state. No state is read or changed.

        Raises:
            ModelUnavailable, Overloaded, DeadlineExceeded: a server did not answer.
        """
        _drop_unread_metadata([plan], batch)
        refuse_samples(plan, batch)
        usage = Usage(samples=batch.size)
        context = RequestContext(options.deadline, options.cache, usage, {}, options.scope)
        raw = await fetch_raw_scores(self.runtime, plan, batch, context)
        outcome, parts = await run_effects(score_ahead(plan, batch, raw), self.runtime, context)
        scored = Scored(
            recipe=plan.name,
            version=plan.version,
            reward=outcome.reward,
            components=outcome.components,
            invalid=outcome.invalid,
            flags=outcome.flags,
            usage=usage,
        )
        dimensions = {name: part.dimension for name, part in parts.items()}
        return ScoredAhead(scored, dimensions, {name: part.fallback for name, part in parts.items()})

    async def _score_versions(
        self,
        plan: Plan,
        batch: Batch,
        options: ScoreOptions,
        context: RequestContext,
        policy: FailurePolicy,
        recorded: Scored | None,
    ) -> list[PlanScores]:
        """What the recipe, and its canary, make of the samples that each scores."""
        runtime, size = self.runtime, batch.size
        parts = [(plan, None)] if options.is_trial else split_rows(plan, batch, recorded)
        if len(parts) == 1:
            plan = parts[0][0]
            check = partial(policy.refuse_failed, size)
            ahead, trace = options.ahead, options.trace
            return [await score_plan(runtime, plan, batch, context, check, ahead=ahead, trace=trace)]

        async def score_part(plan: Plan, part: Batch, own: RequestContext) -> PlanScores:
            def check(invalid: Mapping[int, Invalid]) -> None:
                rows = own.rows or ()
                policy.refuse_failed(size, {rows[row]: reason for row, reason in invalid.items()})

            await refuse_unready(plan, runtime)
            return await score_plan(runtime, plan, part, own, check)

        return await score_parts(parts, batch, context, score_part, fails=policy.on_invalid == "fail")

    def _observe_parts(
        self, parts: Sequence[PlanScores], scored: Scored, lengths: FloatArray, options: ScoreOptions
    ) -> None:
        """Tell of what each version scored, under its own name."""
        for part in parts:
            own = lengths if part.rows is None else lengths[list(part.rows)]
            self._observer.batch_scored(part.plan, select_part(part, scored), own)
            if self._book.experiments and part.raw:
                self.shadow.offer_batch(self._book.experiments, part.plan, part.batch, part.raw, options.scope)

    def _is_fixed(self, plan: Plan, batch: Batch, context: RequestContext, scored: Scored) -> bool:
        """Whether the scores follow from the samples, the recipe and cached scores alone."""
        usage = context.usage
        if usage.model_calls or usage.cache_misses or not usage.cache_hits or scored.invalid or batch.has_media:
            return False
        if plan.stateful or context.effects or context.scope.idempotency_key is not None:
            return False
        if plan.active_canary is not None:
            return False
        if any(FALLBACK in flags for flags in scored.flags.values()):
            return False
        return not self._book.experiments

    async def answer_again(self, fixed: Sequence[FixedScores], scope: RequestScope) -> bool:
        """Whether scores are what their requests would get now; if so, they count as scored once more."""
        for scores in fixed:
            name = scores.plan.name
            if (self.book.plans.get(name) or self.find_plan(name)) is not scores.plan or self._book.experiments:
                return False
            for model, version in scores.versions:
                try:
                    if (await self.runtime.models.info(model)).version != version:
                        return False
                except (NotFound, ModelUnavailable):
                    return False
        size = sum(len(scores.scored.reward) for scores in fixed)
        try:
            day = await self.meter.spend(size)
        except OverBudget:
            return False  # it is refused where it is scored
        with self.meter.settle(size, day) as charge:
            charge.counts = Counts.of_all(scores.scored for scores in fixed)
        for scores in fixed:
            self._observer.cache_looked_up("memory", scores.scored.usage.cache_hits, 0, None)
            self._observer.batch_scored(scores.plan, scores.scored, scores.lengths)
            self.record(None, scores.scored, scope)
        return True

    # Recipes

    def find_plan(self, name: str) -> Plan | None:
        """The recipe of that name, or of that alias, or of the served model; None if nothing has the name."""
        models, book = self.runtime.known_models(), self.book
        plan = book.find(name)
        if plan is not None or not models or not book.allows(name):
            return plan
        return find_implicit_recipe(book.resolve_alias(name), models)

    def get_plan(self, name: str) -> Plan:
        """As :meth:`find_plan`. Raises NotFound if nothing has the name, and PermissionDenied if the caller may not use
        it."""
        return self.find_plan(name) or self.book.get(name)

    def has_reward(self, name: str) -> bool:
        """Whether a recipe, an alias or a served model has the name."""
        return self.find_plan(name) is not None

    async def learn_model(self, name: str) -> None:
        """Ask the model server about a name that means nothing yet: the model may have been loaded just now.

        A name that means nothing to the server either is not asked about again for a few seconds.

        Raises:
            ModelUnavailable: no model is known yet, and the server does not answer.
        """
        now = asyncio.get_running_loop().time()
        if self._unknown.get(name, now) > now or not self.book.allows(name):
            return
        wanted = self.book.resolve_alias(name)
        try:
            if await self._is_served(wanted) or await self._is_served(wanted.rpartition(":")[0]):
                await self.runtime.refresh_models()
        except ModelUnavailable:
            if self.runtime.known_models() is None:
                raise
        if not self.has_reward(name):
            if len(self._unknown) >= UNKNOWN_NAMES:
                self._unknown.clear()
            self._unknown[name] = now + UNKNOWN_S

    async def _is_served(self, model: str) -> bool:
        try:
            return bool(model) and await self.runtime.models.info(model) is not None
        except NotFound:
            return False

    def resolve_reward(self, *names: str | None) -> str:
        """The first name that is not None, or the file's default.

        Raises:
            NotFound: there is no reward of that name.
            PermissionDenied: the caller may not use it.
        """
        name = next((name for name in names if name is not None), self._book.default)
        return self.get_plan(name).name

    def list_rewards(self) -> dict[str, Any]:
        """Body of ``GET /v1/rewards``."""
        return self.book.summary()

    def describe_reward(self, name: str) -> dict[str, Any]:
        """Body of ``GET /v1/rewards/{name}``."""
        return self.get_plan(name).describe()

    async def validate_rewards(
        self, body: bytes, read: Callable[[bytes], str], deadline: float | None = None
    ) -> dict[str, Any]:
        """Body of ``POST /v1/rewards:validate``: whether a recipe file would load, and every fault with its place.

        Args:
            read: decodes the body to the file's text; can be pickled.

        Raises:
            DeadlineExceeded, TooLarge, Unavailable: a worker did not end in time, needed too much memory, or was lost.
        """
        known, judges = self.runtime.known_models(), self.runtime.judge_fallbacks
        check = partial(check_recipe_file, known, read, judges=judges)
        checked: dict[str, Any] = await self.runtime.compute(check, body, RequestContext(deadline))
        return checked

    # The servers behind

    async def list_models(self) -> list[ModelInfo]:
        """Every model of the model servers that answer. Raises ModelUnavailable if none does.

        A caller who may use some recipes only is told of the models that they ask, and of those it may name.
        """
        try:
            models = await self.runtime.models.models()
        except ModelsAway as away:
            if not away.known:
                raise
            models = away.known
        if (book := self.book).only is None:
            return models
        named = [*book.only, *(name.rpartition(":")[0] for name in book.only)]  # MODEL, MODEL@VERSION, MODEL:NUMBER
        asked = {split_version(model)[0] for model in (*named, *(model for plan in book for model in plan.models))}
        return [model for model in models if model.name in asked]

    async def check_readiness(self) -> Readiness:
        """Which recipes can answer now, and why the others cannot."""
        return Readiness(self.book.default, await find_lacks(self.book, self.runtime))

    async def find_lack(self, reward: str) -> Lack | None:
        """Why one recipe cannot answer now; None if it can.

        Raises:
            NotFound: there is no such reward.
        """
        plan = self.get_plan(reward)
        return (await find_lacks([plan], self.runtime)).get(plan.name)

    async def close(self) -> None:
        await self.shadow.close()
        await self.runtime.close()


def _drop_unread_metadata(plans: Sequence[Plan], batch: Batch) -> None:
    if batch.further and not any(plan.reads_metadata for plan in plans):
        batch.set_column(METADATA, None)


def _accept_scores(options: ScoreOptions, scored: Scored) -> Scored:
    """The scores, after the entry has accepted them."""
    if options.accept is not None:
        options.accept(scored)
    return scored


def _decode_recorded(options: ScoreOptions, record: bytes) -> Scored:
    """The scores that an earlier attempt recorded."""
    return _accept_scores(options, decode_scores(record))
