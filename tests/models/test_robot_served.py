"""A robot's episode on the real stack: over HTTP, gRPC, the command line and robometer's protocol, all in agreement."""

import base64
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from PIL import Image
from reward_gateway.client.adapters.lerobot import RewardGatewayRewardModel
from reward_gateway.proto import reward_pb2
from reward_models.evaluate.robot import load_sample
from reward_models.train.robot_tasks import INSTRUCTIONS

pytestmark = pytest.mark.stack

EPISODE = next(episode for episode in load_sample() if episode["solved"][-1])
TASK: str = INSTRUCTIONS[EPISODE["task"]][0]
FRAMES: list[bytes] = EPISODE["frames"]
TEXTS = [base64.b64encode(frame).decode() for frame in FRAMES]
ROOT = Path(__file__).parents[2]


def over_http(stack: Any, reward: str, *samples: dict[str, Any]) -> list[dict[str, Any]]:
    given = [{"prompt": TASK, "response": "", "frames": TEXTS, **sample} for sample in samples or ({},)]
    answer = httpx.post(f"{stack.http}/v1/score", json={"reward": reward, "samples": given}, timeout=120)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def over_grpc(stack: Any, reward: str) -> Any:
    sample = reward_pb2.Sample(prompt=TASK, response="", frames=[reward_pb2.Media(data=frame) for frame in FRAMES])
    request = reward_pb2.ScoreRequest(reward=reward, samples=[sample])
    with grpc.insecure_channel(stack.grpc) as channel:
        score = channel.unary_unary(
            "/reward_gateway.v1.RewardService/Score",
            request_serializer=reward_pb2.ScoreRequest.SerializeToString,
            response_deserializer=reward_pb2.ScoreResponse.FromString,
        )
        return score(request, timeout=120).results[0]


def test_progress_at_each_frame_is_what_the_prefixes_say_and_close_to_the_truth(stack: Any) -> None:
    (dense,) = over_http(stack, "robot_progress_frames")
    prefixes = over_http(stack, "robot_progress", *({"frames": TEXTS[: k + 1]} for k in range(len(TEXTS))))
    assert dense["rewards"] == pytest.approx([each["reward"] for each in prefixes], abs=1e-5)
    assert np.abs(np.array(dense["rewards"]) - EPISODE["progress"]).mean() < 0.15


def test_the_steps_sum_to_what_was_gained_and_the_point_for_the_solved_task(stack: Any) -> None:
    dense, steps = (over_http(stack, f"robot_progress_{kind}")[0]["rewards"] for kind in ("frames", "steps"))
    (success,) = over_http(stack, "robot_success")
    assert success["reward"] >= 0.5
    assert sum(steps) == pytest.approx(dense[-1] - dense[0] + 1.0, abs=1e-5)
    (rating,) = over_http(stack, "robot_rating")
    assert round(rating["reward"]) == 5


def test_grpc_and_http_agree(stack: Any) -> None:
    assert over_grpc(stack, "robot_progress").reward == pytest.approx(
        over_http(stack, "robot_progress")[0]["reward"], abs=1e-5
    )
    dense = over_grpc(stack, "robot_progress_frames")
    assert list(dense.rewards) == pytest.approx(over_http(stack, "robot_progress_frames")[0]["rewards"], abs=1e-5)


def test_the_command_line_scores_a_file_of_episodes(stack: Any, tmp_path: Path) -> None:
    for k, frame in enumerate(FRAMES):
        (tmp_path / f"{k}.jpg").write_bytes(frame)
    row = {"prompt": TASK, "response": "", "frames": [{"path": f"{k}.jpg"} for k in range(len(FRAMES))]}
    file = tmp_path / "episodes.jsonl"
    file.write_text(json.dumps(row) + "\n")
    command = [sys.executable, "-m", "reward_gateway.cli.main", "score", str(file), "--reward", "robot_progress_frames"]
    done = subprocess.run(
        [*command, "--url", stack.http], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    scored = json.loads((tmp_path / "episodes.scored.jsonl").read_text())
    assert scored["rewards"] == pytest.approx(over_http(stack, "robot_progress_frames")[0]["rewards"], abs=1e-5)


def test_robometers_clients_get_one_progress_a_frame(stack: Any) -> None:
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(frame)).convert("RGB")) for frame in FRAMES])
    file = io.BytesIO()
    np.save(file, pixels)
    name = "sample_0_trajectory_frames"
    trajectory = {"frames": {"__numpy_file__": name}, "frames_shape": list(pixels.shape), "task": TASK, "id": "0"}
    answer = httpx.post(
        f"{stack.http}/evaluate_batch_npy?reward=robot_progress_frames",
        data={"sample_0": json.dumps({"sample_type": "progress", "trajectory": trajectory})},
        files={name: (f"{name}.npy", file.getvalue())},
        timeout=120,
    )
    assert answer.status_code == 200, answer.text
    (progress,) = answer.json()["outputs_progress"]["progress_pred"]
    assert progress == pytest.approx(over_http(stack, "robot_progress_frames")[0]["rewards"], abs=0.05)


def test_an_unknown_instruction_is_flagged_and_a_broken_frame_is_alone_in_its_error(stack: Any) -> None:
    broken = [TEXTS[0], base64.b64encode(b"no image").decode()]
    for reward in ("robot_progress", "robot_progress_frames"):
        strange, bad, good = over_http(stack, reward, {"prompt": "fold the towel twice"}, {"frames": broken}, {})
        assert "out_of_distribution" in strange["flags"]
        assert bad["error"]["code"] == "invalid_media"
        assert good["error"] is None
        assert good["flags"] == []


def test_lerobots_control_loop_is_told_when_the_task_is_solved(stack: Any) -> None:
    model = RewardGatewayRewardModel("robot_success", stack.http, task=TASK)
    told = []
    for frame in FRAMES:
        pixels = np.asarray(Image.open(io.BytesIO(frame)).convert("RGB"))
        told.append(model.predict_reward({"observation.images.front": pixels.transpose(2, 0, 1)[None]})[0])
    assert told[0] == 0
    assert told[-1] == 1
