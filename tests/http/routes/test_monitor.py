"""``/v1/monitor``: reward health over what was scored, for people; its reset needs the right ``state``."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from reward_gateway.http.wire.monitor import MonitorReport

from tests.ports import free_port
from tests.valkey import Valkey

pytestmark = pytest.mark.anyio

CANARY = "CANARY-7261"


async def told(served: Any) -> dict[str, Any]:
    answer = await served.client.get("/v1/monitor")
    assert answer.status_code == 200, answer.text
    msgspec.json.decode(answer.content, type=MonitorReport, strict=True)
    return answer.json()["rewards"]  # type: ignore[no-any-return]


async def test_nothing_scored_nothing_told(served: Any) -> None:
    assert await told(served) == {}


async def test_each_recipe_is_told_with_its_components_flags_and_reasons(served: Any) -> None:
    samples = [{"response": "x" * (i + 1)} for i in range(149)] + [{"response": ""}]
    await served.score({"reward": "mixed", "samples": samples})
    await served.score({"reward": "plain", "samples": [*samples[:9], {}]})
    rewards = await told(served)
    assert set(rewards) == {"mixed", "plain"}
    mixed = rewards["mixed"]
    assert mixed["samples"] == 150
    assert mixed["reward"]["count"] == 150
    assert set(mixed["components"]) == {"quality", "brevity"}
    quality = mixed["components"]["quality"]
    raw = np.arange(150)
    assert quality["raw"]["mean"] == pytest.approx(raw.mean())
    assert quality["value"]["mean"] == pytest.approx((0.5 * raw + 1).mean())
    assert "raw" not in mixed["components"]["brevity"]
    assert mixed["components"]["brevity"]["value"]["saturated"] == 1.0
    assert mixed["flagged"] == {"empty_response": pytest.approx(1 / 150)}
    assert mixed["invalid"] == {}
    assert rewards["plain"]["invalid"] == {"missing_field": 0.1}
    assert rewards["plain"]["reward"]["count"] == 9
    assert mixed["length_correlation"] == pytest.approx(1.0), "this model counts letters"
    assert rewards["plain"]["length_correlation"] is None, "ten samples are too few"


async def test_chat_messages_have_the_length_of_their_text(served: Any) -> None:
    samples = [{"response": [{"role": "assistant", "content": "x" * i}]} for i in range(120)]
    await served.score({"samples": samples})
    assert (await told(served))["plain"]["length_correlation"] == pytest.approx(1.0)


async def test_rewards_that_move_are_told_as_drift_and_a_reset_makes_them_normal(served: Any) -> None:
    async def send(longest: int, count: int = 2048) -> None:
        lengths = np.random.default_rng(count).integers(1, longest, count)
        await served.score({"samples": [{"response": "x" * int(length)} for length in lengths]})

    await send(40)
    await send(20)
    moved = (await told(served))["plain"]
    assert moved["reference_samples"] == 2048
    assert moved["reward"]["drift"]["psi"] > 0.25
    assert await served.metric("reward_gateway_score_drift{") != 0
    assert (await served.client.delete("/v1/monitor")).json() == {"reset": True}
    assert (await told(served))["plain"]["reward"]["drift"] is None
    await send(20)
    await send(20, 1000)
    assert (await told(served))["plain"]["reward"]["drift"]["psi"] < 0.1


async def test_all_processes_are_told_of_together_and_reset_together(serve: Any, valkey_process: Valkey) -> None:
    with valkey_process.client() as client:
        client.flushall()
    async with serve() as one, serve() as other:
        shared = [served.telemetry.metrics.health.share_windows(valkey_process.url) for served in (one, other)]
        for served, count in ((one, 2000), (other, 1000)):
            await served.score({"samples": [{"response": "x" * (i % 40)} for i in range(count)]})
            await told(served)  # a process writes what it saw before it answers, and every few seconds
        answer = (await one.client.get("/v1/monitor")).json()
        assert answer["shared"] is True
        assert answer["rewards"]["plain"]["samples"] == 3000
        assert answer["rewards"]["plain"]["reference_samples"] == 2048
        assert (await other.client.delete("/v1/monitor")).status_code == 200
        assert (await told(one))["plain"]["reference_samples"] == 0
        for monitor in shared:
            await monitor.close()


async def test_while_the_store_is_away_a_process_tells_what_it_saw_itself(served: Any) -> None:
    shared = served.telemetry.metrics.health.share_windows(f"redis://127.0.0.1:{free_port()}")
    await served.score({"samples": [{"response": "a"}] * 3})
    assert (await told(served))["plain"]["samples"] == 3
    assert (await served.client.get("/v1/monitor")).json()["shared"] is False
    assert await served.metric("reward_gateway_monitor_store_errors_total") >= 1
    error = served.refused(await served.client.delete("/v1/monitor"), 503)
    assert error["code"] == "state_unavailable"
    await shared.close()


async def test_everybody_who_may_score_may_look_and_only_who_keeps_state_may_reset(serve: Any, tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text(
        "keys:\n"
        "  - {name: trainer, key: trainer-key, rights: [score]}\n"
        "  - {name: keeper, key: keeper-key, rights: [score, state]}\n"
    )
    async with serve(api_keys_file=keys) as served:
        trainer, keeper = {"x-api-key": "trainer-key"}, {"x-api-key": "keeper-key"}
        assert (await served.client.get("/v1/monitor", headers=trainer)).status_code == 200
        served.refused(await served.client.get("/v1/monitor"), 401)
        served.refused(await served.client.delete("/v1/monitor", headers=trainer), 403)
        assert (await served.client.delete("/v1/monitor", headers=keeper)).status_code == 200


async def test_no_text_of_a_sample_is_told(served: Any) -> None:
    sample = {"id": CANARY, "prompt": CANARY, "response": CANARY, "group": CANARY, "features": {CANARY: 1.0}}
    await served.score({"reward": "mixed", "samples": [sample]})
    assert CANARY not in (await served.client.get("/v1/monitor")).text


async def test_a_missing_number_is_null_and_never_nan(served: Any) -> None:
    await served.score({"samples": [{}, {"response": "a"}]})
    text = (await served.client.get("/v1/monitor")).text
    assert "NaN" not in text
    assert "Infinity" not in text
