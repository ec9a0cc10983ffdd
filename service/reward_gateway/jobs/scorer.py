"""Scores one piece of a job, by the recipe as it was when the job was submitted."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import orjson

from reward_gateway.accounts import working_for
from reward_gateway.errors import InvalidRecipe, RequestError
from reward_gateway.fair_queue import Share, charge_to
from reward_gateway.gateway import Gateway, ScoreOptions
from reward_gateway.intake.request import SampleItem, ScoreRequest
from reward_gateway.intake.score_intake import PreparedRequest, ScoreIntake
from reward_gateway.recipes.book import compile_source
from reward_gateway.recipes.plan import Canary, Plan
from reward_gateway.recipes.raw_component import ScoredAhead
from reward_gateway.sample import Batch, Scored
from reward_gateway.sample.scores import LARGE_ANSWER
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.settings import Settings
from reward_gateway.state.jobs import TakenPiece
from reward_gateway.traffic.admission import Admission

from .pieces import Head, Piece, encode_piece, read_request, read_samples
from .results import Row, split_answer

LONGEST_S = 3600.0
"""Seconds that one piece may take where the job has no deadline."""

LONG_PIECE = 4 << 20
"""Bytes of samples that are decoded in a worker process, and then in a thread."""

MOST_PLANS = 64
"""Recipes of jobs that are no longer in the file, which are kept compiled."""


@dataclass(frozen=True, slots=True)
class ScoredPiece:
    """What ``/v1/score`` would answer for the samples of a piece.

    Attributes:
        rows: one per sample.
        groups: of every sample, None: it is in no group; empty where no queue tells of them.
    """

    rows: Sequence[Row]
    samples: Sequence[SampleItem]
    groups: Sequence[str | None]
    usage: dict[str, int]
    described: bytes
    """What its groups are like, as JSON; empty where the recipe compares no samples."""
    batch: Batch
    scored: Scored
    scope: RequestScope
    """What is recorded of it once the piece is."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    plan: Plan
    request: PreparedRequest
    samples: Sequence[SampleItem]
    options: ScoreOptions


class PieceScorer:
    """Scores pieces of jobs in the slots of this process.

    Args:
        encode: gives the body of ``/v1/score`` for a scored batch, as :func:`reward_gateway.http.encode.encode_scored`.
    """

    def __init__(
        self, gateway: Gateway, settings: Settings, admission: Admission, encode: Callable[..., bytes]
    ) -> None:
        self._gateway = gateway
        self._admission = admission
        self._encode = encode
        self._intake = ScoreIntake(gateway, settings.for_jobs())
        self._plans: dict[tuple[str, str], Plan] = {}

    async def score(self, taken: TakenPiece, head: Head, piece: Piece, ahead: ScoredAhead | None = None) -> ScoredPiece:
        """Score a piece.

        Args:
            ahead: what :meth:`score_ahead` gave for the same samples.

        Raises:
            GatewayError: as :meth:`.Gateway.score`.
        """
        async with self._prepare(taken, head, piece) as prepared:
            batch, options = prepared.request.batch, replace(prepared.options, ahead=ahead, counts=False)
            scored = await self._gateway.score_by(prepared.plan, batch, options)
        encode = partial(self._encode, batch, scored, {}, explain=head.explain)
        body = await asyncio.to_thread(encode) if scored.count_numbers() > LARGE_ANSWER else encode()
        groups: list[str | None] = []
        if head.queued:
            groups = [None if group.startswith("\0") else group for group in batch.groups()]
        described = b"" if scored.groups is None else orjson.dumps(scored.groups)
        return ScoredPiece(
            split_answer(body), prepared.samples, groups, asdict(scored.usage), described, batch, scored, options.scope
        )

    async def score_ahead(self, taken: TakenPiece, head: Head, piece: Piece) -> ScoredAhead:
        """Score the components of a piece whose samples are combined with those of others later. Raises as that."""
        async with self._prepare(taken, head, piece) as prepared:
            return await self._gateway.score_ahead(prepared.plan, prepared.request.batch, prepared.options)

    @asynccontextmanager
    async def _prepare(self, taken: TakenPiece, head: Head, piece: Piece) -> AsyncIterator[_Prepared]:
        """Hold a slot, with what is scored in it."""
        plan = self._find_plan(head)
        # The job's id is its idempotency key: what changes state is done once.
        key = f"job {taken.job}" if head.whole else None
        scope = RequestScope(taken.tenant, head.run, key, head.step, head.keeps_samples)
        now = asyncio.get_running_loop().time()
        takes_long = len(piece.samples) > LONG_PIECE
        samples = await asyncio.to_thread(read_samples, piece) if takes_long else read_samples(piece)
        with charge_to(Share(taken.tenant, taken.priority)), working_for(None):
            async with self._admission.enter():
                if takes_long:
                    read = partial(read_request, plan.name, head.options)
                    body = taken.input or await asyncio.to_thread(encode_piece, piece)
                    request = await self._intake.read_and_prepare(
                        read, body, scope, now, chat_format=head.chat_format, takes_long=True
                    )
                else:
                    asked = ScoreRequest(samples, plan.name, None, head.options)
                    request = await self._intake.prepare(asked, scope, now, chat_format=head.chat_format)
                left_s = LONGEST_S if head.due_at is None else head.due_at - time.time()
                options = replace(request.options, deadline=now + max(0.001, left_s))
                yield _Prepared(plan, request, samples, options)

    def _find_plan(self, head: Head) -> Plan:
        """The recipe as it was when the job was submitted; a served model's own, which has no source, as it is now.

        Its canary and the weight are those of then, too, so that no group of the job is scored by two versions.
        """
        current = self._gateway.find_plan(head.recipe)
        if head.source is None and (current is None or current.version != head.version):
            return current or self._gateway.get_plan(head.recipe)
        plan = self._find_version(head.recipe, head.version, head.source or {})
        pinned = head.canary
        if pinned is None:
            return plan if plan.canary is None else replace(plan, canary=None)
        new = self._find_version(pinned.recipe, pinned.version, pinned.source)
        if plan.canary is not None and plan.canary.plan is new and plan.canary.weight == pinned.weight:
            return plan
        return replace(plan, canary=Canary(new, pinned.weight))

    def _find_version(self, name: str, version: str, source: Mapping[str, Any]) -> Plan:
        """A version of a recipe: the current one, or as it was."""
        current = self._gateway.find_plan(name)
        if current is not None and current.version == version:
            return current
        address = name, version
        if address not in self._plans:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            try:
                models, judges = self._gateway.runtime.known_models(), self._gateway.runtime.judge_fallbacks
                self._plans[address] = compile_source(name, source, models, judges)
            except InvalidRecipe as error:
                raise RequestError(f"the job's recipe can no longer be compiled: {error.message}") from None
        return self._plans[address]
