"""Answers kept for requests that come again, byte for byte, as retries and storms of equal samples do.

An answer is kept once its request has come for the second time, and where it follows from the body, the recipe and
cached scores alone; it is given again for as long as the memory level keeps scores, by the same recipe and the same
versions of its models. The samples are neither read nor
scored again; whatever is counted or monitored of a request is counted and monitored of each.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from reward_gateway.cache.tiered import NEAR_TTL_S
from reward_gateway.gateway import Gateway
from reward_gateway.sample.flags import PartFlags
from reward_gateway.scoring.fixed_scores import FixedScores
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.settings import Settings

SCORES_PER_ANSWER = 4
"""Scores that the memory level holds for each answer that is kept."""

AVERAGE_BYTES = 4096
"""Bytes that answers may have on average, with their requests, where there are as many as there may be."""

LARGEST = 64 << 10
"""Bytes of a request, and of an answer, above which it is not kept: few of them would take the place of many."""

OWN_BYTES = 2000
"""What a kept answer takes besides the bytes of its request and its own."""


class KeptAnswer(NamedTuple):
    """An answer and what made it.

    Attributes:
        content: its bytes; what is not the same every time is left out by the entry that keeps it.
        fixed: the scores that it tells.
        flags: part of the request -> its samples and their flags.
        name: what the request called the recipe, for entries that count by it.
    """

    content: bytes
    fixed: Sequence[FixedScores]
    flags: Mapping[int, PartFlags]
    name: str


class KeptAnswers:
    """The answers of one process, the least recently used dropped first; none where the memory level is off."""

    def __init__(self, gateway: Gateway, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._gateway = gateway
        self._limit = settings.cache_memory_entries // SCORES_PER_ANSWER
        self._max_bytes = self._limit * AVERAGE_BYTES
        self._ttl_s = min(NEAR_TTL_S, settings.cache_ttl_s)
        self._clock = clock
        self._bytes = 0
        self._seen: dict[int, bool] = {}  # hashes of requests -> whether they came more than once
        self._answers: OrderedDict[Hashable, tuple[float, int, KeptAnswer]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    async def find(self, key: Hashable, scope: RequestScope) -> KeptAnswer | None:
        """The answer to a request that came before, if it would be answered the same now; it counts as scored."""
        found = self._answers.get(key)
        if found is None:
            self._note_seen(hash(key))
            return None
        expires, _, answer = found
        if expires <= self._clock() or not await self._gateway.answer_again(answer.fixed, scope):
            self._drop(key)
            return None
        if key in self._answers:
            self._answers.move_to_end(key)
        return answer

    def keep(
        self,
        key: Hashable,
        body: bytes,
        content: bytes,
        fixed: Sequence[FixedScores | None],
        flags: Mapping[int, Any] | None = None,
        name: str = "",
    ) -> None:
        """Keep an answer, if all scores that it tells are fixed, and it was looked for before: most never come again.

        Args:
            key: everything of the request that its answer depends on, its body among it.
            body: counts with the answer's size.
            flags, name: as in :class:`KeptAnswer`.
        """
        scores = [found for found in fixed if found is not None]
        if not self._limit or not self._seen.get(hash(key)):
            return
        if not scores or len(scores) < len(fixed) or len(body) > LARGEST or len(content) > LARGEST:
            return
        self._drop(key)
        size = OWN_BYTES + len(body) + len(content)
        self._answers[key] = self._clock() + self._ttl_s, size, KeptAnswer(content, scores, dict(flags or {}), name)
        self._bytes += size
        while len(self._answers) > self._limit or self._bytes > self._max_bytes:
            self._drop(next(iter(self._answers)))

    def clear(self) -> None:
        """Forget all answers: scores that they tell are computed anew."""
        self._answers.clear()
        self._bytes = 0

    def _note_seen(self, request: int) -> None:
        if len(self._seen) > SCORES_PER_ANSWER * self._limit:
            self._seen.clear()
        self._seen[request] = request in self._seen

    def _drop(self, key: Hashable) -> None:
        if (dropped := self._answers.pop(key, None)) is not None:
            self._bytes -= dropped[1]
