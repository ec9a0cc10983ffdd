"""What is dialled: the addresses that one look-up gave, if every one of them is public, in their order."""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import httpcore
import pytest
from reward_gateway.intake.fetch.addresses import Address
from reward_gateway.intake.fetch.failures import FetchFault
from reward_gateway.intake.fetch.network import MOST_TRIED, PublicNetwork, resolve_host

from tests.clock import LONGEST_WAIT_S

pytestmark = pytest.mark.anyio


class Recorded(httpcore.AsyncNetworkBackend):
    """Connects to nothing but ``answers``, and remembers who was tried."""

    def __init__(self, answers: str = "") -> None:
        self.tried: list[str] = []
        self.answers = answers

    async def connect_tcp(self, host: str, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        self.tried.append(host)
        if host != self.answers:
            raise httpcore.ConnectError
        return httpcore.AsyncMockStream([])


def network(found: Sequence[str], answers: str = "") -> tuple[PublicNetwork, Recorded]:
    async def looked_up(host: str, port: int) -> list[Address]:
        return [ip_address(text) for text in found]

    made, tcp = PublicNetwork(1.0, looked_up), Recorded(answers)
    made._tcp = tcp  # type: ignore[assignment]
    return made, tcp


async def test_addresses_are_tried_in_their_order_until_one_answers() -> None:
    made, tcp = network(["2606:4700::1", "8.8.8.8", "9.9.9.9"], answers="8.8.8.8")
    await made.connect_tcp("a.example", 443)
    assert tcp.tried == ["2606:4700::1", "8.8.8.8"]


async def test_only_a_few_are_tried() -> None:
    made, tcp = network([f"8.8.8.{k}" for k in range(20)])
    with pytest.raises(FetchFault, match="cannot be reached") as found:
        await made.connect_tcp("a.example", 443)
    assert (len(tcp.tried), found.value.outcome) == (MOST_TRIED, "unreachable")


@pytest.mark.parametrize("closed", ["10.0.0.1", "::1", "fe80::1%eth0", "::ffff:8.8.8.8"])
async def test_one_closed_address_closes_the_name(closed: str) -> None:
    made, tcp = network([*(f"8.8.8.{k}" for k in range(20)), closed], answers="8.8.8.0")
    with pytest.raises(FetchFault) as found:
        await made.connect_tcp("a.example", 443)
    assert (tcp.tried, found.value.outcome) == ([], "unresolved")


async def test_a_numeric_host_is_never_looked_up() -> None:
    made, tcp = network(["10.0.0.1"], answers="8.8.8.8")
    await made.connect_tcp("8.8.8.8", 443)
    with pytest.raises(FetchFault):
        await made.connect_tcp("127.0.0.1", 443)
    assert tcp.tried == ["8.8.8.8"]


@pytest.mark.parametrize("error", [OSError("no such name"), UnicodeError("label too long")])
async def test_a_name_without_addresses_is_told_as_a_closed_one(error: Exception) -> None:
    async def fails(host: str, port: int) -> list[Address]:
        raise error

    made = PublicNetwork(1.0, fails)
    with pytest.raises(FetchFault, match="not only public") as found:
        await made.connect_tcp("a.example", 443)
    assert found.value.outcome == "unresolved"


async def test_the_resolver_of_this_machine_gives_each_address_once() -> None:
    found = await resolve_host("localhost", 443)
    assert found
    assert len(set(found)) == len(found)
    assert all(address.is_loopback for address in found)


async def test_this_machine_by_its_name_is_closed() -> None:
    with pytest.raises(FetchFault, match="not only public"):
        await PublicNetwork(1.0).connect_tcp("localhost", 443)


async def test_an_address_that_takes_no_connection_is_given_up_in_time() -> None:
    class Deaf(Recorded):
        async def connect_tcp(self, host: str, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
            self.tried.append(host)
            raise httpcore.ConnectTimeout

    made, _ = network(["8.8.8.8", "9.9.9.9"])
    made._tcp = deaf = Deaf()  # type: ignore[assignment]
    with pytest.raises(FetchFault):
        await asyncio.wait_for(made.connect_tcp("a.example", 443), LONGEST_WAIT_S)
    assert deaf.tried == ["8.8.8.8", "9.9.9.9"]
