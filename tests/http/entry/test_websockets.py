"""A WebSocket is held to all that holds for HTTP: its handshake is a GET, and each of its messages a POST."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from reward_gateway.traffic.keys import ApiKey, KeyRing

from tests.clock import Clock, turns, until
from tests.http.entry.test_browsers import OWN
from tests.websocket import RESET, STATE, STEP, websocket

pytestmark = pytest.mark.anyio

KEYS = """keys:
  - {name: trainer, key: trainer-key}
  - {name: other, key: other-key}
  - {name: slow, key: slow-key-1, rate: 3/hour}
  - {name: keeper, key: keeper-key, rights: [state]}
"""


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.yaml"
    path.write_text(KEYS)
    return path


def error_of(frame: Any) -> str:
    assert frame["type"] == "error"
    code: str = frame["data"]["error"]
    return code


async def refused(app: Any, headers: dict[str, str], path: str = "/ws") -> tuple[int, str]:
    """Status and code of a handshake that is refused."""
    async with websocket(app, path, headers) as ws:
        return ws.status, error_of(ws.refusal)


def basic(login: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


# Keys


@pytest.mark.parametrize(
    "headers", [{"authorization": "Bearer trainer-key"}, {"x-api-key": "trainer-key"}, basic("x:trainer-key")]
)
async def test_a_known_key_opens_one_and_sends_its_messages(serve: Any, keys: Path, headers: dict[str, str]) -> None:
    async with serve(api_keys_file=keys) as served, websocket(served.app, "/ws", headers) as ws:
        await ws.ask(RESET)
        assert (await ws.ask(STEP))["data"]["reward"] == 3.0


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer nobody"}, {"x-api-key": ""}, basic("trainer-key:")])
async def test_no_key_or_a_wrong_one_opens_none(serve: Any, keys: Path, headers: dict[str, str]) -> None:
    async with serve(api_keys_file=keys) as served:
        async with websocket(served.app, "/ws", headers) as ws:
            assert (ws.status, error_of(ws.refusal)) == (401, "unauthenticated")
            assert ws.headers["www-authenticate"] == "Bearer"
        assert await served.metric('reward_gateway_requests_unauthorized_total{reason="unauthenticated"}') == 1
        assert (served.traffic.websockets.held, served.traffic.bodies.held) == (0, 0)


async def test_a_key_without_the_right_opens_none(serve: Any, keys: Path) -> None:
    async with serve(api_keys_file=keys) as served:
        assert await refused(served.app, {"x-api-key": "keeper-key"}) == (403, "permission_denied")


async def test_each_message_counts_against_the_rate_of_its_key(serve: Any, keys: Path) -> None:
    async with serve(api_keys_file=keys) as served, websocket(served.app, "/ws", {"x-api-key": "slow-key-1"}) as ws:
        assert (await ws.ask(STATE))["type"] == "state"
        assert error_of(await ws.ask("{")) == "malformed_body", "whatever it says"
        limited = await ws.ask(STATE)
        assert (error_of(limited), limited["data"]["code"]) == ("rate_limited", "CAPACITY_REACHED")
        assert limited["data"]["retry_after_s"] >= 1
        assert await refused(served.app, {"x-api-key": "slow-key-1"}) == (429, "rate_limited")


async def test_a_key_that_is_taken_away_ends_it(serve: Any, keys: Path) -> None:
    async with serve(api_keys_file=keys) as served, websocket(served.app, "/ws", {"x-api-key": "trainer-key"}) as ws:
        assert (await ws.ask(STATE))["type"] == "state"
        served.traffic.keys.replace(KeyRing([ApiKey(name="trainer", key="another-key")]))
        assert error_of(await ws.ask(STATE)) == "unauthenticated"
        assert await ws.next() == 1008


async def test_with_mutual_tls_one_without_a_certificate_is_refused(serve: Any, tmp_path: Path) -> None:
    async with serve(tls_client_ca=tmp_path / "ca.pem") as served:
        assert await refused(served.app, {}) == (403, "permission_denied")


# Web pages


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "rebound.example:8080"},
        {"host": "rebound.example", **OWN, "origin": "http://rebound.example"},
        {"origin": "http://evil.example"},
        {"origin": "http://evil.example", "sec-fetch-site": "cross-site", "sec-fetch-mode": "websocket"},
        {"origin": "http://localhost:9999", "sec-fetch-site": "same-site"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
    ],
    ids=lambda headers: " ".join(f"{name}={value}" for name, value in headers.items()),
)
@pytest.mark.parametrize("path", ["/ws", "/r/plain/ws", "/run/A/openenv/ws", "/nowhere"])
async def test_a_page_of_another_site_opens_none(serve: Any, headers: dict[str, str], path: str) -> None:
    async with serve() as served, websocket(served.app, path, headers) as ws:
        assert ws.status == 403
        assert served.traffic.websockets.held == 0


async def test_a_page_of_another_site_opens_none_with_a_key_either(serve: Any, keys: Path) -> None:
    async with serve(api_keys_file=keys) as served:
        known = {"origin": "http://evil.example", **basic("x:trainer-key")}
        assert await refused(served.app, known) == (403, "permission_denied")


async def test_a_page_of_the_gateway_may_open_one(served: Any) -> None:
    async with websocket(served.app, "/ws", OWN) as ws:
        assert (await ws.ask(STATE))["type"] == "state"


# What it is part of


async def test_each_message_is_a_request_with_an_id_and_a_count_of_its_own(served: Any) -> None:
    named = {"x-request-id": "mine", "idempotency-key": "once"}
    async with websocket(served.app, "/run/A/ws", named) as ws:
        assert ws.headers["x-request-id"] == "mine"
        await ws.ask(RESET)
        for _ in range(2):  # neither is a repeat of the other
            await ws.ask(RESET)
            assert (await ws.ask(STEP))["data"]["reward"] == 3.0
        await ws.ask("{")
    counted = 'reward_gateway_requests_total{protocol="websocket",route="/ws",status='
    assert await served.metric(f'{counted}"101"') == 1
    assert await served.metric(f'{counted}"200"') == 5
    assert await served.metric(f'{counted}"400"') == 1


async def test_run_and_deadline_of_the_handshake_hold_for_its_messages(serve: Any, clock: Clock) -> None:
    async with serve() as served:
        served.models.gate.shut()
        async with websocket(served.app, "/ws", {"x-request-deadline-ms": "30000"}) as ws:
            await ws.ask(RESET)
            await ws.send(STEP)
            await until(lambda: served.models.running)
            await clock.advance(31)
            assert error_of(await ws.next()) == "deadline_exceeded"
    async with serve() as served:
        assert await refused(served.app, {"x-run": "A"}, "/run/B/ws") == (400, "contradictory_run")


async def test_a_message_is_answered_before_its_client_gives_up(serve: Any, clock: Clock) -> None:
    """OpenEnv's clients wait for 60 seconds, whatever the gateway's default is."""
    async with serve(default_deadline_s=600) as served:
        served.models.gate.shut()
        async with websocket(served.app, "/ws") as ws:
            await ws.ask(RESET)
            await ws.send(STEP)
            await until(lambda: served.models.running)
            await clock.advance(51)
            assert error_of(await ws.next()) == "deadline_exceeded"
            served.models.gate.open()
            assert (await ws.ask(STEP))["data"]["reward"] == 3.0


async def test_a_message_waits_for_its_place_like_any_request(serve: Any) -> None:
    async with serve(max_in_flight=1, max_queued=0) as served, websocket(served.app, "/ws") as ws:
        await ws.ask(RESET)
        served.models.gate.shut()
        busy = asyncio.create_task(served.score({"samples": [{"response": "a"}]}))
        await until(lambda: served.models.running)
        full = await ws.ask(STEP)
        assert (error_of(full), full["data"]["code"]) == ("overloaded", "CAPACITY_REACHED")
        served.models.gate.open()
        assert (await busy).status_code == 200
        assert (await ws.ask(STEP))["data"]["reward"] == 3.0


async def test_messages_that_are_sent_at_once_are_answered_in_their_order(served: Any) -> None:
    async with websocket(served.app, "/ws") as ws:
        for message in (RESET, STEP, STEP, STATE, "{", {"type": "close"}, STATE):
            await ws.send(message)
        kinds = [(await ws.next())["type"] for _ in range(5)]
        assert kinds == ["observation", "observation", "error", "state", "error"]
        assert await ws.next() == 1000


async def test_the_work_of_a_client_that_left_is_dropped(served: Any) -> None:
    served.models.gate.shut()
    async with websocket(served.app, "/ws") as ws:
        await ws.ask(RESET)
        await ws.send(STEP)
        await until(lambda: served.models.running)
        await ws.leave()
        await until(lambda: served.models.cancelled)
        await until(lambda: served.traffic.admission.in_flight == 0)
    assert served.traffic.websockets.held == 0
    counted = 'reward_gateway_requests_total{protocol="websocket",route="/ws",status="499"}'
    assert await served.metric(counted) == 1


# Places, time, shutdown


async def test_a_caller_has_a_share_of_the_places(serve: Any, keys: Path) -> None:
    trainer, other = {"x-api-key": "trainer-key"}, {"x-api-key": "other-key"}
    async with serve(api_keys_file=keys, max_websockets=4) as served:
        async with websocket(served.app, "/ws", trainer), websocket(served.app, "/ws", trainer) as second:
            assert second.status == 101
            assert await refused(served.app, trainer) == (503, "overloaded")
            async with websocket(served.app, "/ws", other) as third:
                assert third.status == 101
            assert await served.metric('reward_gateway_admission_rejected_total{reason="websockets"}') == 1
        async with websocket(served.app, "/ws", trainer) as again:
            assert again.status == 101
        assert served.traffic.websockets.held == 0


async def test_one_without_messages_is_closed(serve: Any, clock: Clock) -> None:
    async with serve(websocket_idle_s=900) as served, websocket(served.app, "/ws") as ws:
        await ws.ask(RESET)
        for _ in range(3):
            await clock.advance(890)
            assert (await ws.ask(STATE))["type"] == "state", "a message begins the time anew"
        await clock.advance(901)
        assert await ws.next() == 1001
        await until(lambda: served.traffic.websockets.held == 0)


async def test_one_whose_answer_takes_longer_is_not_taken_for_idle(serve: Any, clock: Clock) -> None:
    async with serve(websocket_idle_s=10) as served, websocket(served.app, "/ws") as ws:
        await ws.ask(RESET)
        served.models.gate.shut()
        await ws.send(STEP)
        await until(lambda: served.models.running)
        await clock.advance(40)
        served.models.gate.open()
        assert (await ws.next())["data"]["reward"] == 3.0


@pytest.mark.parametrize("message", [b"{}", b""])
async def test_a_binary_message_closes_it(served: Any, message: bytes) -> None:
    async with websocket(served.app, "/ws") as ws:
        assert await ws.ask(message) == 1003


async def test_draining_closes_it_once_its_answer_is_sent_and_opens_no_other(served: Any) -> None:
    async with websocket(served.app, "/ws") as idle, websocket(served.app, "/ws") as busy:
        await busy.ask(RESET)
        served.models.gate.shut()
        await busy.send(STEP)
        await until(lambda: served.models.running)
        served.traffic.drain.begin()
        assert await idle.next() == 1012
        assert await refused(served.app, {}) == (503, "draining")
        await turns()
        served.models.gate.open()
        assert (await busy.next())["data"]["reward"] == 3.0
        assert await busy.next() == 1012


async def test_work_that_is_cut_off_is_an_error_and_no_number(served: Any) -> None:
    async with websocket(served.app, "/ws") as ws:
        await ws.ask(RESET)
        served.models.gate.shut()
        await ws.send(STEP)
        await until(lambda: served.models.running)
        served.traffic.drain.cut_off()
        assert error_of(await ws.next()) == "draining"
        assert await ws.next() == 1012


# Around it


async def test_a_websocket_to_another_path_is_refused_as_http_refuses_it(served: Any) -> None:
    for path, status in (("/nowhere", 404), ("/v1/score", 405), ("/reset", 405), ("/r/nobody/v1/score", 405)):
        async with websocket(served.app, path) as ws:
            assert ws.status == status, path
    async with websocket(served.app, "/livez") as ws:
        assert ws.status == 200, "an answer, and no WebSocket"


async def test_where_the_server_can_send_no_answer_the_handshake_is_closed(served: Any) -> None:
    sent: list[Any] = []
    ends = asyncio.Queue[Any]()
    await ends.put({"type": "websocket.connect"})
    scope: dict[str, Any] = {"type": "websocket", "scheme": "ws", "path": "/nowhere", "raw_path": b"/nowhere"}
    scope |= {"query_string": b"", "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1)}
    scope |= {"root_path": "", "subprotocols": []}

    async def send(message: Any) -> None:
        sent.append(message)

    await served.app(scope, ends.get, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_http_beside_it_is_untouched(served: Any) -> None:
    async with websocket(served.app, "/ws") as ws:
        answer: httpx.Response = await served.score({"samples": [{"response": "ab"}]})
        assert answer.json()["results"][0]["reward"] == 2.0
        assert (await ws.ask(STATE))["type"] == "state"
