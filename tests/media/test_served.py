"""The models that read images, on the real stack: over HTTP, gRPC and the command line, beside hostile neighbours."""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from reward_gateway.proto import reward_pb2 as pb
from reward_gateway.proto.reward_pb2_grpc import RewardServiceStub
from reward_models.evaluate.rendering import draw_text

pytestmark = pytest.mark.stack

PROMPTS = {"image_alignment": "a street sign", "text_in_image": 'A street sign that says "STOP"'}
SIGN, DOOR = draw_text("STOP", 90, 0, "white", "darkred"), draw_text("PULL", 90, 0, "white", "navy")


def data_url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def http(stack: Any, reward: str, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = httpx.post(f"{stack.http}/v1/score", json={"reward": reward, "samples": samples}, timeout=120)
    assert answer.status_code == 200, answer.text[:500]
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


@pytest.fixture(params=PROMPTS)
def reward(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def ways(stack: Any, reward: str) -> tuple[float, float]:
    """The scores of one image, and of two together, as plain base64 over HTTP: what every other way must give."""
    sign, door = (base64.b64encode(data).decode() for data in (SIGN, DOOR))
    first, both = http(
        stack, reward, [{"prompt": PROMPTS[reward], "images": images} for images in ([sign], [sign, door])]
    )
    assert first["valid"]
    assert both["valid"]
    return first["reward"], both["reward"]


def test_the_form_of_an_image_makes_no_difference(stack: Any, reward: str, ways: tuple[float, float]) -> None:
    one, two = ways
    text = {"type": "text", "text": PROMPTS[reward]}
    parts = [{"type": "image_url", "image_url": {"url": data_url(data)}} for data in (SIGN, DOOR)]
    folded = base64.encodebytes(SIGN).decode()
    samples: list[dict[str, Any]] = [
        {"prompt": PROMPTS[reward], "images": [data_url(SIGN)]},
        {"prompt": PROMPTS[reward], "images": [{"b64": folded}]},
        {"prompt": [{"role": "user", "content": [parts[0], text]}]},
        {"prompt": [{"role": "user", "content": [parts[0], text, parts[1]]}]},
        {"prompt": [{"role": "user", "content": [parts[0], text]}], "images": [data_url(DOOR)]},
    ]
    found = [result["reward"] for result in http(stack, reward, samples)]
    assert found == pytest.approx([one, one, one, two, two], abs=1e-5)


def test_bytes_over_grpc_give_the_same(stack: Any, reward: str, ways: tuple[float, float]) -> None:
    sign, door = pb.Media(data=SIGN), pb.Media(url=data_url(DOOR))
    parts = [pb.Part(text=PROMPTS[reward]), pb.Part(image_url=data_url(SIGN))]
    seen = pb.Conversation(messages=[pb.Message(role="user", parts=pb.Parts(parts=parts))])
    samples = [
        pb.Sample(prompt=PROMPTS[reward], images=[sign]),
        pb.Sample(prompt=PROMPTS[reward], images=[sign, door]),
        pb.Sample(prompt_messages=seen),
        pb.Sample(prompt=PROMPTS[reward], images=[pb.Media(data=SIGN[:200])]),
        pb.Sample(prompt=PROMPTS[reward], images=[pb.Media(url="https://127.0.0.1/a.png")]),
    ]
    with grpc.insecure_channel(stack.grpc) as channel:
        stub: Any = RewardServiceStub(channel)  # type: ignore[no-untyped-call]
        results = stub.Score(pb.ScoreRequest(reward=reward, samples=samples), timeout=60).results
    one, two = ways
    assert [result.reward for result in results[:3]] == pytest.approx([one, two, one], abs=1e-5)
    assert [result.error.code for result in results[3:]] == ["invalid_media"] * 2


def test_files_over_the_command_line_give_the_same(
    stack: Any, reward: str, ways: tuple[float, float], tmp_path: Path
) -> None:
    (tmp_path / "sign.png").write_bytes(SIGN)
    (tmp_path / "door.png").write_bytes(DOOR)
    rows: list[list[Any]] = [
        [{"path": "sign.png"}],
        [{"path": "sign.png"}, data_url(DOOR)],
        [{"path": "gone.png"}],
        [base64.b64encode(SIGN).decode()],
    ]
    lines = [json.dumps({"prompt": PROMPTS[reward], "images": images}) for images in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    command = [sys.executable, "-m", "reward_gateway.cli.main", "score", "rows.jsonl", "--reward", reward]
    ended = subprocess.run([*command, "--url", stack.http], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    scored = [json.loads(line) for line in (tmp_path / "rows.scored.jsonl").read_text().splitlines()]
    one, two = ways
    assert [scored[k]["reward"] for k in (0, 1, 3)] == pytest.approx([one, two, one], abs=1e-5)
    assert scored[2]["error"].startswith("invalid_media: images[0]: ")


def test_a_good_image_among_all_hostile_ones_keeps_its_score(
    stack: Any, reward: str, ways: tuple[float, float], files: dict[str, tuple[bytes, str | None]]
) -> None:
    good = {"prompt": PROMPTS[reward], "images": [data_url(SIGN)]}
    bad = [{"prompt": PROMPTS[reward], "images": [data_url(data)]} for data, _ in files.values()]
    results = http(stack, reward, [good, *bad, good])
    assert [results[0]["reward"], results[-1]["reward"]] == pytest.approx([ways[0]] * 2, abs=1e-5)
    told = {name: result["error"] and result["error"]["code"] for name, result in zip(files, results[1:], strict=False)}
    assert told == {name: code for name, (_, code) in files.items()}
    assert httpx.get(f"{stack.http}/readyz", timeout=60).status_code == 200


def test_the_gateway_answers_others_while_it_reads_large_images(stack: Any, picture: Callable[..., bytes]) -> None:
    large = data_url(picture("BMP", (2500, 2000)))

    def ask_meanwhile(prompt: str) -> tuple[float, float]:
        """Seconds that the slowest of the other answers took, and those of the one with the images."""
        body = {"reward": "image_alignment", "samples": [{"prompt": prompt, "images": [large, large]}]}
        content, slowest, began = json.dumps(body).encode(), 0.0, time.perf_counter()
        with httpx.Client(timeout=120) as client, ThreadPoolExecutor(1) as pool:
            job = pool.submit(httpx.post, f"{stack.http}/v1/score", content=content, timeout=120)
            while not job.done():
                started = time.perf_counter()
                assert client.get(f"{stack.http}/livez").status_code == 200
                slowest = max(slowest, time.perf_counter() - started)
        assert job.result().json()["results"][0]["valid"]
        return slowest, time.perf_counter() - began

    # A busy machine may make one answer wait, but not each time; a gateway that reads on its event loop does.
    attempts = (ask_meanwhile(f"noise {attempt}") for attempt in range(5))
    assert any(slowest < max(1.5, whole / 4) for slowest, whole in attempts)
