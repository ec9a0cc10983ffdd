"""A name and its addresses: who joins, who leaves, and what a name server that fails changes."""

import pytest
from reward_gateway.backends.followed_name import EMPTY_LOOK_UPS, FollowedName, resolve_addresses

pytestmark = pytest.mark.anyio

A, B = "http://10.0.0.1:8000", "http://10.0.0.2:8000"


class Resolver:
    """Answers with what a test says; None: no name server answers."""

    def __init__(self) -> None:
        self.found: list[str] | None = []

    async def look_up(self, url: str) -> list[str] | None:
        assert url == "http://rm.example:8000"
        return self.found


@pytest.fixture
def resolver() -> Resolver:
    return Resolver()


@pytest.fixture
def name(resolver: Resolver) -> FollowedName:
    return FollowedName("http://rm.example:8000", resolver.look_up)


async def test_servers_join_and_leave(name: FollowedName, resolver: Resolver) -> None:
    for found, changed in (([A], True), ([A], False), ([A, B], True), ([B], True)):
        resolver.found = list(found)
        assert await name.refresh() is changed
        assert name.addresses == found


async def test_a_name_server_that_fails_takes_no_server_away(name: FollowedName, resolver: Resolver) -> None:
    resolver.found = [A]
    await name.refresh()
    resolver.found = None
    for _ in range(5):
        assert not await name.refresh()
    assert name.addresses == [A]


async def test_the_last_server_has_left_when_the_name_has_no_address_again_and_again(
    name: FollowedName, resolver: Resolver
) -> None:
    resolver.found = [A]
    await name.refresh()
    resolver.found = []
    for _ in range(EMPTY_LOOK_UPS - 1):
        assert not await name.refresh()
        assert name.addresses == [A]
    assert await name.refresh()
    assert name.addresses == []


async def test_a_name_without_address_is_looked_up_more_often(name: FollowedName, resolver: Resolver) -> None:
    waiting = name.pause_s
    resolver.found = [A]
    await name.refresh()
    assert waiting < name.pause_s


async def test_labels_are_numbers_that_are_used_again(name: FollowedName) -> None:
    assert name.make_label(()) == "rm.example:8000#0"
    assert name.make_label({"rm.example:8000#0", "rm.example:8000#2"}) == "rm.example:8000#1"


async def test_addresses_of_a_name() -> None:
    assert "http://127.0.0.1:9000/v" in (await resolve_addresses("http://localhost:9000/v") or [])
    assert not await resolve_addresses("http://no-such-host.invalid:9000")
