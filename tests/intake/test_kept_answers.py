"""Answers kept for requests that come again: for how long, how many, and only while they are what would be answered."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from reward_gateway.intake.kept_answers import AVERAGE_BYTES, LARGEST, OWN_BYTES, SCORES_PER_ANSWER, KeptAnswers
from reward_gateway.sample import Scored
from reward_gateway.scoring.fixed_scores import FixedScores
from reward_gateway.scoring.request_scope import NO_SCOPE, RequestScope
from reward_gateway.settings import Settings

pytestmark = pytest.mark.anyio

FIXED = FixedScores(cast("Any", None), Scored("r", "1", np.zeros(1), {}), np.zeros(1), ())


class Unchanged:
    """Stands for a gateway: whether scores are what they were."""

    def __init__(self) -> None:
        self.same = True
        self.counted: list[FixedScores] = []

    async def answer_again(self, fixed: Sequence[FixedScores], scope: RequestScope) -> bool:
        if self.same:
            self.counted.extend(fixed)
        return self.same


class Kept:
    def __init__(self, entries: int = 4 * SCORES_PER_ANSWER, **settings: Any) -> None:
        self.now = 0.0
        self.gateway = Unchanged()
        given = Settings(cache_memory_entries=entries, **settings)
        self.answers = KeptAnswers(cast("Any", self.gateway), given, lambda: self.now)

    async def keep(self, key: str, content: bytes = b"{}", fixed: Sequence[FixedScores | None] = (FIXED,)) -> None:
        """Keep the answer to a request that comes for the second time."""
        for _ in range(2):
            await self.answers.find(key, NO_SCOPE)
        self.answers.keep(key, key.encode(), content, fixed, {})

    async def found(self, key: str) -> bytes | None:
        answer = await self.answers.find(key, NO_SCOPE)
        return None if answer is None else answer.content


async def test_an_answer_is_found_by_its_key_and_counts_as_scored() -> None:
    kept = Kept()
    await kept.keep("a", b"1")
    await kept.keep("b", b"2")
    assert [await kept.found(key) for key in "abc"] == [b"1", b"2", None]
    assert kept.gateway.counted == [FIXED, FIXED]


async def test_the_answer_to_a_request_that_comes_for_the_first_time_is_not_kept() -> None:
    kept = Kept()
    for _ in range(2):
        assert await kept.found("a") is None
        assert len(kept.answers) == 0
        kept.answers.keep("a", b"a", b"{}", (FIXED,), {})
    assert len(kept.answers) == 1


async def test_of_requests_that_never_come_again_little_is_remembered() -> None:
    kept = Kept()
    for number in range(1000):
        await kept.found(str(number))
    assert len(kept.answers._seen) <= 4 * SCORES_PER_ANSWER + 1


async def test_an_answer_that_would_be_another_one_now_is_dropped() -> None:
    kept = Kept()
    await kept.keep("a")
    kept.gateway.same = False
    assert await kept.found("a") is None
    kept.gateway.same = True
    assert await kept.found("a") is None
    assert len(kept.answers) == 0


@pytest.mark.parametrize(("settings", "seconds"), [({}, 60.0), ({"cache_ttl_s": 5.0}, 5.0)])
async def test_answers_are_kept_as_long_as_the_memory_level_keeps_scores(
    settings: dict[str, Any], seconds: float
) -> None:
    kept = Kept(**settings)
    await kept.keep("a")
    kept.now = seconds - 0.1
    assert await kept.found("a") is not None  # which keeps it no longer
    kept.now = seconds
    assert await kept.found("a") is None


@pytest.mark.parametrize("fixed", [(), (None,), (FIXED, None)])
async def test_no_answer_is_kept_that_may_come_out_otherwise(fixed: Sequence[FixedScores | None]) -> None:
    kept = Kept()
    await kept.keep("a", fixed=fixed)
    assert await kept.found("a") is None


async def test_the_least_recently_used_answers_make_room_for_new_ones() -> None:
    kept = Kept()
    for key in "abcd":
        await kept.keep(key)
    await kept.found("a")
    await kept.keep("e")
    assert [await kept.found(key) is not None for key in "abcde"] == [True, False, True, True, True]


async def test_answers_take_no_more_bytes_than_they_may() -> None:
    kept = Kept()
    room = 4 * AVERAGE_BYTES
    for key in "abcd":
        await kept.keep(key, b"x" * (room // 2 - OWN_BYTES - 1))
    assert [await kept.found(key) is not None for key in "abcd"] == [False, False, True, True]
    await kept.keep("d", b"")  # the same key: what it took before is free again
    await kept.keep("e", b"")
    assert [await kept.found(key) is not None for key in "cde"] == [True, True, True]


async def test_a_large_request_and_a_large_answer_are_not_kept() -> None:
    kept = Kept(entries=100_000)
    await kept.keep("a", b"x" * (LARGEST + 1))
    for _ in range(2):
        await kept.answers.find("b", NO_SCOPE)
    kept.answers.keep("b", b"x" * (LARGEST + 1), b"{}", (FIXED,), {})
    await kept.keep("c", b"x" * LARGEST)
    assert [await kept.found(key) is not None for key in "abc"] == [False, False, True]


async def test_nothing_is_kept_where_the_memory_level_is_off() -> None:
    kept = Kept(entries=0)
    await kept.keep("a")
    assert len(kept.answers) == 0


async def test_all_of_them_can_be_forgotten() -> None:
    kept = Kept()
    await kept.keep("a", b"x" * 3 * AVERAGE_BYTES)
    kept.answers.clear()
    assert await kept.found("a") is None
    for key in "bcd":  # their bytes are forgotten, too
        await kept.keep(key)
    assert len(kept.answers) == 3
