"""state/references.py."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from reward_gateway.errors import InvalidRequest
from reward_gateway.state.references import CAP
from reward_gateway.state.store import StateStore
from reward_gateway.state.writes import StateWrites

pytestmark = pytest.mark.anyio


async def read(store: StateStore, name: str, *groups: str) -> list[list[float] | None]:
    return [None if a is None else a.tolist() for a in await store.references.read(name, groups)]


async def add(store: StateStore, name: str, rewards: Mapping[str, Sequence[float]], *, replace: bool = False) -> None:
    await store.commit(StateWrites().add_references(name, rewards, replace=replace))


async def test_rewards_are_kept_by_name_and_group_in_the_order_they_came(store: StateStore) -> None:
    await add(store, "rm@1", {"p1": [0.1, -2.5], "p2": [7.0]})
    await add(store, "rm@1", {"p1": [3.0]})
    assert await read(store, "rm@1", "p2", "p1", "p3", "p1") == [[7.0], [0.1, -2.5, 3.0], None, [0.1, -2.5, 3.0]]
    assert await read(store, "rm@2", "p1") == [None]
    assert await read(store, "rm@1") == []


async def test_a_put_replaces_the_named_groups_only(store: StateStore) -> None:
    await add(store, "rm", {"p1": [1.0], "p2": [2.0]})
    await add(store, "rm", {"p1": [9.0, 8.0]}, replace=True)
    assert await read(store, "rm", "p1", "p2") == [[9.0, 8.0], [2.0]]


async def test_the_newest_stay(store: StateStore) -> None:
    await add(store, "rm", {"p": [float(i) for i in range(CAP)]})
    await add(store, "rm", {"p": [-1.0, -2.0]})
    (kept,) = await read(store, "rm", "p")
    assert kept is not None
    assert len(kept) == CAP
    assert (kept[0], kept[-2:]) == (2.0, [-1.0, -2.0])


async def test_concurrent_appends_lose_nothing(store: StateStore) -> None:
    await asyncio.gather(*(add(store, "rm", {"p": [float(i)]}) for i in range(100)))
    (kept,) = await read(store, "rm", "p")
    assert sorted(kept or []) == [float(i) for i in range(100)]


@pytest.mark.parametrize("values", [[float("nan")], ["high"], [True], "12"])
async def test_what_is_no_list_of_finite_numbers_is_refused(store: StateStore, values: list[float]) -> None:
    with pytest.raises(InvalidRequest):
        await add(store, "rm", {"p": values})
    assert await store.references.list_versions() == {}


async def test_an_import_keeps_the_newest(store: StateStore) -> None:
    await store.references.restore_value("rm", {"p": [float(i) for i in range(CAP + 2)], "q": [1.0]})
    many, few = await read(store, "rm", "p", "q")
    assert many == [float(i) for i in range(2, CAP + 2)]
    assert few == [1.0]


async def test_rewards_of_one_request_add_up_by_group(store: StateStore) -> None:
    writes = StateWrites().add_references("rm", {"p": [1.0]}).add_references("rm", {"p": [2.0], "q": [3.0]})
    await store.commit(writes)
    assert await read(store, "rm", "p", "q") == [[1.0, 2.0], [3.0]]


async def test_references_that_are_not_there_are_no_empty_object(store: StateStore) -> None:
    assert await store.references.export_value("rm") is None
