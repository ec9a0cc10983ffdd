"""What a call survives: refusals for now, proxies, broken connections; always as one request, never past its time."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from reward_gateway.client import AsyncRewardClient, RewardClient
from reward_gateway.client.retry import RetryBudget, call_with_retries
from reward_gateway.errors import (
    DeadlineExceeded,
    InternalError,
    NotFound,
    RateLimited,
    RequestError,
    Unavailable,
)
from reward_gateway.proto import reward_pb2 as pb

from tests.client.conftest import ANSWERED_AND_BROKEN, BROKEN

PATIENT_S = 60.0
PASSING = [
    (503, {"retry-after": "0"}),
    (429, {"retry-after": "0"}),
    (503, {}),
    (502, {}),
    (504, {}),
    (503, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    (BROKEN, {}),
    (ANSWERED_AND_BROKEN, {}),
]


@pytest.mark.parametrize("fault", PASSING)
def test_what_may_pass_is_tried_again_as_the_same_request(service: Any, fault: Any) -> None:
    service.refusals += [fault, fault]
    with RewardClient(service.url, timeout_s=PATIENT_S) as client:
        assert client.score("p", ["one"]).valid.all()
        assert client.apply("score", "length_penalty", [{"response": "one"}])[0]["error"] is None

    first, second, third, other = service.keys
    assert first == second == third != other
    assert None not in service.keys


@pytest.mark.anyio
@pytest.mark.parametrize("fault", [(503, {"retry-after": "0"}), (BROKEN, {}), (ANSWERED_AND_BROKEN, {})])
async def test_the_awaited_calls_likewise(service: Any, fault: Any) -> None:
    async with AsyncRewardClient(service.url, timeout_s=PATIENT_S) as client:
        service.refusals.append(fault)
        assert (await client.score("p", ["one"])).valid.all()
        service.refusals.append(fault)
        assert (await client.score_one("p", "one")).valid
        service.refusals.append(fault)
        assert (await client.apply("score", "length_penalty", [{"response": "one"}]))[0]["error"] is None

    assert [service.keys.count(key) for key in service.keys] == [2] * 6


@contextlib.contextmanager
def closing_first(authority: trustme.CA) -> Iterator[str]:
    """An address that closes its first connection in the handshake, and answers 404 to the second."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def answer() -> None:
        with listener.accept()[0] as closed:
            closed.recv(1 << 16)
        with listener.accept()[0] as connection, context.wrap_socket(connection, server_side=True) as encrypted:
            encrypted.recv(1 << 16)
            encrypted.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}")
            while encrypted.recv(1 << 16):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(120)


@pytest.mark.anyio
async def test_a_connection_that_is_closed_before_tls_is_spoken_is_made_again(tmp_path: Path) -> None:
    authority, ca = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)

    def score(url: str) -> None:
        with RewardClient(url, ca_file=ca, timeout_s=PATIENT_S) as client:
            client.score("p", ["a"])

    with closing_first(authority) as url, pytest.raises(NotFound):
        await asyncio.to_thread(score, url)
    with closing_first(authority) as url, pytest.raises(NotFound):
        async with AsyncRewardClient(url, ca_file=ca, timeout_s=PATIENT_S) as client:
            await client.score("p", ["a"])


def test_listings_change_nothing_and_are_tried_again_without_a_key(service: Any) -> None:
    service.refusals.append((BROKEN, {}))
    with RewardClient(service.url, timeout_s=PATIENT_S) as client:
        assert client.rewards()
    assert service.keys == [None, None]


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (500, {"retry-after": "0"}, InternalError),
        (404, {"retry-after": "0"}, NotFound),
        (422, {"retry-after": "0"}, RequestError),
        (409, {"retry-after": "0"}, RequestError),
    ],
)
def test_what_will_not_pass_is_not_tried_again(
    service: Any, status: int, headers: dict[str, str], kind: type[Exception]
) -> None:
    service.refusals.append((status, headers))
    with RewardClient(service.url) as client, pytest.raises(kind, match=f"answered {status}"):
        client.score("p", ["one"])

    assert len(service.requests) == 1


def test_no_attempt_is_made_past_the_deadline(service: Any) -> None:
    service.refusals += [(503, {"retry-after": "3600"})]
    with RewardClient(service.url, timeout_s=PATIENT_S) as client, pytest.raises(Unavailable):
        client.score("p", ["one"])

    assert len(service.requests) == 1


def test_a_key_of_the_callers_own_is_sent_as_it_is(service: Any) -> None:
    with RewardClient(service.url) as client:
        client.score("p", ["one"], idempotency_key="rollout 7")
        client.score_samples([{"response": "one"}], idempotency_key="rollout 8")
        client.apply("score", "length_penalty", [{"response": "one"}], idempotency_key="rollout 9")
    assert service.keys == ["rollout 7", "rollout 8", "rollout 9"]


@pytest.mark.anyio
async def test_a_single_call_with_a_key_travels_alone(service: Any) -> None:
    async with AsyncRewardClient(service.url) as client:
        assert (await client.score_one("p", "one two", idempotency_key="mine")).reward == -0.5
    assert service.keys == ["mine"]


@pytest.mark.parametrize(
    ("error", "least_s", "most_s"),
    [
        (Unavailable("x", retry_after_s=8.0), 8.0, 12.0),
        (RateLimited("x", retry_after_s=8.0), 8.0, 12.0),
        (Unavailable("x", retry_after_s=1000.0), False, False),
        (DeadlineExceeded("x"), False, False),
        (InternalError("x"), False, False),
        (ValueError("x"), False, False),
    ],
)
def test_pauses_are_those_that_the_service_asks_for(error: Exception, least_s: float, most_s: float) -> None:
    assert least_s <= RetryBudget(timeout_s=100.0).pause_s(error) <= most_s


def test_pauses_grow_up_to_a_bound_where_the_service_says_nothing() -> None:
    budget = RetryBudget(timeout_s=1e6)
    broken = Unavailable("broken")
    broken.retry_after_s = None
    pauses = [budget.pause_s(broken) for _ in range(12)]
    assert 0.075 <= pauses[0] <= 0.125
    assert all(3.75 <= pause <= 6.25 for pause in pauses[6:])


def test_the_last_failure_is_the_outcome() -> None:
    failures = iter([Unavailable("first", retry_after_s=0.0), NotFound("second")])

    def attempt(left_s: float) -> None:
        raise next(failures)

    with pytest.raises(NotFound, match="second"):
        call_with_retries(attempt, PATIENT_S)


REFUSALS = {
    "broken connection": (grpc.StatusCode.UNAVAILABLE, "Connection reset by peer", ()),
    "dropped by the server": (grpc.StatusCode.CANCELLED, "CANCELLED", ()),
    "overloaded": (grpc.StatusCode.UNAVAILABLE, "busy", (("error-code", "overloaded"), ("retry-after", "1"))),
    "over its rate": (grpc.StatusCode.RESOURCE_EXHAUSTED, "", (("error-code", "rate_limited"), ("retry-after", "1"))),
}


@pytest.fixture(params=REFUSALS)
def failing_grpc(request: pytest.FixtureRequest) -> Iterator[tuple[str, list[str]]]:
    """A server that refuses the first call of every key; and the keys that it saw."""
    status, details, metadata = REFUSALS[request.param]
    seen: list[str] = []

    def answer(request: bytes, context: Any) -> bytes:
        key = dict(context.invocation_metadata()).get("idempotency-key", "")
        seen.append(key)
        if seen.count(key) == 1:
            context.set_trailing_metadata(metadata)
            context.abort(status, details)
        return pb.ScoreResponse(results=[pb.Result(id="0", reward=1.0, valid=True)]).SerializeToString()

    handler = grpc.method_handlers_generic_handler(
        "reward_gateway.v1.RewardService", {"Score": grpc.unary_unary_rpc_method_handler(answer)}
    )
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"grpc://127.0.0.1:{port}", seen
    server.stop(None)


def test_a_call_over_grpc_survives_likewise(failing_grpc: tuple[str, list[str]]) -> None:
    url, keys = failing_grpc
    with RewardClient(url, timeout_s=PATIENT_S) as client:
        assert client.score("p", ["one"]).rewards[0] == 1.0
    first, second = keys
    assert first == second != ""


@pytest.mark.anyio
async def test_an_awaited_call_over_grpc_survives_likewise(failing_grpc: tuple[str, list[str]]) -> None:
    url, keys = failing_grpc
    async with AsyncRewardClient(url, timeout_s=PATIENT_S) as client:
        assert (await client.score("p", ["one"])).rewards[0] == 1.0
    first, second = keys
    assert first == second != ""
