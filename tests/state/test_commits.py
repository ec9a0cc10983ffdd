"""What one request changes is committed as a whole, once, with the record of its key."""

from typing import Any

import numpy as np
import pytest
from reward_gateway.errors import InvalidRequest
from reward_gateway.state.attempts import AttemptRecord, Begun, LeaseLost
from reward_gateway.state.coefficients import Update
from reward_gateway.state.commits import VersionTaken
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

pytestmark = pytest.mark.anyio


def every_kind() -> StateWrites:
    return (
        StateWrites()
        .merge_moments("m", 2.0, 2.0, 2.0)
        .update_coefficient("c", Update("add", 0.5, start=1.0))
        .append_to_archive("a", np.array([[1.0, 2.0]]))
        .queue_messages("l", ["new", "newer"])
        .add_references("r", {"p": [0.5, 0.25]})
        .add_set_version("programs", "s", 1, {"x": 1})
    )


async def contents(store: StateStore) -> dict[str, Any]:
    return {
        "moments": await store.moments.read("m"),
        "coefficient": await store.coefficients.read("c"),
        "archive": (await store.archives.read("a")).tolist(),
        "waiting": await store.labels.list_pending("l"),
        "references": [None if r is None else r.tolist() for r in await store.references.read("r", ["p"])],
        "versions": await store.sets.count_versions("programs", "s"),
        "names": [(row["kind"], row["name"], row["version"]) for row in await store.list_names()],
    }


async def test_every_kind_is_written_by_one_commit(store: StateStore) -> None:
    await store.commit(every_kind())
    assert await contents(store) == {
        "moments": (2.0, 2.0, 2.0),
        "coefficient": 1.5,
        "archive": [[1.0, 2.0]],
        "waiting": ["new", "newer"],
        "references": [[0.5, 0.25]],
        "versions": 1,
        "names": [
            ("moments", "m", 1),
            ("coefficients", "c", 1),
            ("references", "r", 1),
            ("archives", "a", 1),
            ("labels", "l", 1),
            ("sets", "programs/s", 2),
            ("sets", "programs/s@1", 1),
        ],
    }


async def test_a_commit_that_is_refused_has_changed_nothing(store: StateStore) -> None:
    await store.commit(every_kind())
    before = await contents(store)
    unequal = every_kind()
    unequal.archives["a"] = np.ones((1, 3))
    unequal.sets.clear()
    with pytest.raises(InvalidRequest, match="vectors of 2 numbers and these have 3"):
        await store.commit(unequal)
    with pytest.raises(VersionTaken):
        await store.commit(every_kind())
    with pytest.raises(LeaseLost):
        await store.commit(
            StateWrites().merge_moments("m", 1.0, 1.0, 0.0), AttemptRecord("nobody's", "token", b"", True, 9.0)
        )
    assert await contents(store) == before


async def test_nothing_to_write_leaves_no_trace(store: StateStore) -> None:
    writes = StateWrites().merge_moments("m", 0.0, 0.0, 0.0).append_to_archive("a", np.empty((0, 2)))
    writes.queue_messages("l", [])
    assert not writes
    await store.commit(writes)
    assert await store.list_names() == []


async def test_an_attempt_is_begun_by_one_and_answered_by_its_record(store: StateStore) -> None:
    begin = store.attempts.begin_attempt
    assert await begin("a", "body", "first", 60.0, 60.0) == Begun("begun")
    assert await begin("a", "body", "second", 60.0, 60.0) == Begun("busy")
    assert await begin("a", "other body", "second", 60.0, 60.0) == Begun("conflict")
    await store.commit(every_kind(), AttemptRecord("a", "first", b"\x00answer", True, 60.0))
    assert await begin("a", "body", "second", 60.0, 60.0) == Begun("done", b"\x00answer")
    assert await begin("a", "other body", "second", 60.0, 60.0) == Begun("conflict")
    assert await begin("b", "other body", "second", 60.0, 60.0) == Begun("begun")


async def test_an_attempt_that_was_recorded_in_part_is_begun_again(store: StateStore) -> None:
    await store.attempts.begin_attempt("a", "body", "first", 60.0, 60.0)
    await store.commit(StateWrites(), AttemptRecord("a", "first", b"half", False, 60.0))
    assert await store.attempts.begin_attempt("a", "body", "second", 60.0, 60.0) == Begun("begun", b"half")
    await store.attempts.release_lease("a", "second")
    assert await store.attempts.begin_attempt("a", "body", "third", 60.0, 60.0) == Begun("begun", b"half")


async def test_an_attempt_that_failed_is_forgotten(store: StateStore) -> None:
    await store.attempts.begin_attempt("a", "body", "first", 60.0, 60.0)
    await store.attempts.release_lease("a", "somebody else's")
    assert await store.attempts.begin_attempt("a", "body", "second", 60.0, 60.0) == Begun("busy")
    await store.attempts.release_lease("a", "first")
    assert await store.attempts.begin_attempt("a", "another body", "second", 60.0, 60.0) == Begun("begun")


async def test_a_lease_that_was_lost_commits_nothing(store: StateStore) -> None:
    await store.attempts.begin_attempt("a", "body", "first", 60.0, 60.0)
    assert await store.attempts.renew_lease("a", "first", 60.0)
    await store.attempts.release_lease("a", "first")
    assert not await store.attempts.renew_lease("a", "first", 60.0)
    await store.attempts.begin_attempt("a", "body", "second", 60.0, 60.0)
    with pytest.raises(LeaseLost):
        await store.commit(every_kind(), AttemptRecord("a", "first", b"", True, 60.0))
    assert await store.list_names() == []


async def test_several_attempts_are_recorded_together_or_not_at_all(store: StateStore) -> None:
    for address in ("a", "b"):
        await store.attempts.begin_attempt(address, "body", "first", 60.0, 60.0)
    records = [AttemptRecord(address, "first", address.encode(), True, 60.0) for address in ("a", "b")]
    await store.attempts.release_lease("b", "first")
    with pytest.raises(LeaseLost):
        await store.commit(every_kind(), *records)
    assert await store.list_names() == []
    assert await store.attempts.begin_attempt("a", "body", "second", 60.0, 60.0) == Begun("busy")
    await store.attempts.begin_attempt("b", "body", "first", 60.0, 60.0)
    await store.commit(every_kind(), *records)
    assert await store.attempts.begin_attempt("a", "body", "second", 60.0, 60.0) == Begun("done", b"a")
    assert await store.attempts.begin_attempt("b", "body", "second", 60.0, 60.0) == Begun("done", b"b")


async def test_a_request_that_changes_nothing_has_its_body_remembered(store: StateStore) -> None:
    remembered = [await store.attempts.remember_body("a", body, 60.0) for body in ("body", "body", "other body")]
    assert remembered == ["new", "same", "other"]
