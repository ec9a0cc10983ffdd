"""The end of a job is told, signed, to an address that the operator lists."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.intake.webhooks import sign, target_of
from reward_gateway.jobs import callbacks
from reward_gateway.jobs.callbacks import CallbackSender
from reward_gateway.settings import Settings

from tests.jobs.conftest import Served

pytestmark = pytest.mark.anyio

SECRET = "a secret of the trainer"
HEADERS = {"authorization": "Bearer trainer-key"}


@dataclass
class Receiver:
    """A server that answers with the statuses it was given, then with 200.

    Attributes:
        received: headers and body of each message.
    """

    port: int = 0
    statuses: list[int] = field(default_factory=list)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        self.received.append((headers, await reader.readexactly(int(headers["content-length"]))))
        status = self.statuses.pop(0) if self.statuses else 200
        extra = "Location: http://127.0.0.1:1/\r\n" if status == 302 else ""
        writer.write(f"HTTP/1.1 {status} x\r\n{extra}Content-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@pytest.fixture
async def receiver(anyio_backend: str) -> AsyncIterator[Receiver]:
    found = Receiver()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()


@pytest.fixture
def settings(receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TRAINER_SECRET", SECRET)
    keys = tmp_path / "keys.yaml"
    keys.write_text(
        "keys:\n"
        "  - {name: trainer, key: trainer-key, callback_secret_env: TRAINER_SECRET}\n"
        "  - {name: plain, key: plain-key}\n"
    )
    keys.chmod(0o600)
    return Settings(workers=1, api_keys_file=keys, callback_targets=(f"http://127.0.0.1:{receiver.port}",))


@pytest.fixture
async def sender(served: Served, settings: Settings) -> AsyncIterator[CallbackSender]:
    deps = served.app.state.dependencies
    found = CallbackSender(served.gateway.runtime.state.jobs, deps.traffic.keys, settings)
    yield found
    await found.close()


async def submit(served: Served, callback: str, key: str = "trainer-key") -> Any:
    body = {"samples": [{"prompt": "p", "response": "a"}], "options": {"callback": callback}}
    return await served.client.post("/v1/jobs", json=body, headers={"authorization": f"Bearer {key}"})


async def finish(served: Served, job: str) -> None:
    params = {"wait_s": 30}
    page = (await served.client.get(f"/v1/jobs/{job}", params=params, headers=HEADERS)).json()
    assert page["status"] == "done"


async def test_the_end_of_a_job_is_told_signed_and_without_rewards(
    served: Served, receiver: Receiver, sender: CallbackSender
) -> None:
    job = (await submit(served, f"http://127.0.0.1:{receiver.port}/done?run=1")).json()["job"]
    await finish(served, job)
    await sender.send_due()
    ((headers, body),) = receiver.received
    assert json.loads(body) == {"job": job, "status": "done", "samples": 1, "completed": 1}
    assert headers["x-signature"] == sign(SECRET, headers["x-timestamp"], body)
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    await sender.send_due()
    assert len(receiver.received) == 1


async def test_it_is_sent_again_until_it_is_taken_note_of_and_no_redirect_is_followed(
    served: Served, receiver: Receiver, sender: CallbackSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "RETRY_S", (0.01, 0.01, 0.01))
    receiver.statuses += [503, 302]
    await finish(served, (await submit(served, f"http://127.0.0.1:{receiver.port}/")).json()["job"])
    async with asyncio.timeout(30):
        while len(receiver.received) < 3:
            await sender.send_due()
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.05)
    await sender.send_due()
    assert len(receiver.received) == 3


async def test_it_is_given_up_in_the_end(
    served: Served, receiver: Receiver, sender: CallbackSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "RETRY_S", (0.01,))
    receiver.statuses += [500] * 9
    await finish(served, (await submit(served, f"http://127.0.0.1:{receiver.port}/")).json()["job"])
    for _ in range(6):
        await sender.send_due()
        await asyncio.sleep(0.05)
    assert len(receiver.received) == 2


async def test_only_listed_addresses_of_callers_with_a_secret_are_told(served: Served, receiver: Receiver) -> None:
    own = f"http://127.0.0.1:{receiver.port}"
    for url in ("http://127.0.0.1:1/", f"https://127.0.0.1:{receiver.port}/", "ftp://x/", "http://u:p@127.0.0.1/", "x"):
        answer = await submit(served, url)
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, "options.callback"), url
    answer = await submit(served, own, key="plain-key")
    assert "callback_secret_env" in answer.json()["error"]["message"]


def test_an_address_is_known_by_scheme_host_and_port() -> None:
    assert target_of("HTTPS://Example.org/a?b") == target_of("https://example.org:443") == "https://example.org:443"
    assert target_of("http://example.org") == "http://example.org:80"
    for other in ("http://", "http://a:x/", "file:///x", "http://a#b", "http://u@a/"):
        assert target_of(other) is None
