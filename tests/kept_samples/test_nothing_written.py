"""While samples are not kept, no text that is scored is written anywhere; where they are, only where they belong."""

import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from reward_gateway.cli.worker import build_gateway, make_run_history, make_sample_keeper
from reward_gateway.http.app import create_app
from reward_gateway.settings import Settings
from reward_gateway.telemetry.telemetry import Telemetry

from tests.valkey import Valkey

pytestmark = [pytest.mark.anyio, pytest.mark.stack]

RECIPES = """
rewards:
  plain:
    components:
      right: {score: exact_match}
      brevity: {score: length_penalty, params: {free_words: 1, per_word: 0.5}}
    guards: [empty_response]
    combine: {weighted_sum: {over: [right, brevity]}}
  stateful:
    components:
      brevity:
        score: length_penalty
        params: {free_words: 1, per_word: 0.5}
        transforms: [{running_normalise: {stream: s}}]
    group: {normalize: mean}
default: plain
"""
SAMPLES = 1000


@contextmanager
def watching(valkey: Valkey, seen: list[str]) -> Iterator[None]:
    """All commands that the server is sent, by MONITOR."""
    end = secrets.token_hex(8)
    began = threading.Event()

    def watch() -> None:
        with valkey.client() as client, client.monitor() as monitor:
            began.set()
            for command in monitor.listen():
                seen.append(command["command"])
                if end in command["command"]:
                    return

    thread = threading.Thread(target=watch)
    thread.start()
    assert began.wait(60)
    yield
    with valkey.client() as client:
        client.echo(end)
    thread.join(60)
    assert not thread.is_alive()


@asynccontextmanager
async def gateway(valkey: Valkey, folder: Path, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A worker's parts over real stores: cache, state, history of runs, monitoring windows."""
    (folder / "rewards.yaml").write_text(RECIPES)
    settings = Settings(
        redis_url=valkey.url,
        state_redis_url=valkey.url,
        state_dir=folder / "state",
        rewards_file=folder / "rewards.yaml",
        model_repository=folder / "models",
        **options,
    )
    telemetry = Telemetry.of(settings)
    runs, samples = make_run_history(settings, telemetry), make_sample_keeper(settings, telemetry)
    made = await build_gateway(settings, telemetry, runs, samples)
    shared = telemetry.metrics.health.share_windows(settings.state_store_url)
    app = create_app(made, settings, telemetry, runs=runs, samples=samples)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080", timeout=120) as client:
        yield client
    telemetry.metrics.health.monitor.read_noted()
    await shared.close()
    for keeper in (runs, samples):
        if keeper is not None:
            await keeper.close()
    await made.close()
    telemetry.close()


async def score_all(client: httpx.AsyncClient, marker: str) -> None:
    for start in range(0, SAMPLES, 100):
        rows = [
            {
                "prompt": f"{marker} {k // 4}",
                "response": [{"role": "assistant", "content": f"{marker} {k}"}] if k % 2 else f"{marker} {k}",
                "reference": marker,
                "rubric": [{"text": marker}],
                "metadata": {"note": marker},
                "features": {"novelty": 0.5},
                "group": f"group {k // 4}",
            }
            for k in range(start, start + 100)
        ]
        for reward in ("plain", "stateful"):
            headers = {"x-run": "r", "x-run-step": str(start), "idempotency-key": f"{reward} {start}"}
            answer = await client.post("/v1/score", json={"reward": reward, "samples": rows}, headers=headers)
            assert answer.status_code == 200, answer.text


def files_with(folder: Path, marker: str) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and marker.encode() in file.read_bytes()]


@pytest.mark.parametrize("kept", [False, True])
async def test_a_marker_in_a_thousand_samples_is_found_only_where_samples_are_kept(tmp_path: Path, kept: bool) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    valkey, marker = Valkey(folder), f"marker{secrets.token_hex(8)}"
    valkey.start("--appendonly", "yes")
    seen: list[str] = []
    try:
        with watching(valkey, seen):
            options = {"keep_samples": 500} if kept else {}
            async with gateway(valkey, tmp_path, **options) as client:
                await score_all(client, marker)
        with valkey.client() as client:
            client.config_set("appendfsync", "always")
            client.echo("written")
    finally:
        valkey.kill()
    assert any("reward_gateway:{runs}" in command for command in seen)
    told = [command for command in seen if marker in command]
    if kept:
        assert told
        assert all("reward_gateway:{samples}" in command for command in told)
        assert files_with(folder, marker)
        assert not any("note" in command for command in told)
    else:
        assert told == []
        assert files_with(tmp_path, marker) == []
        assert not any("{samples}" in command for command in seen)
