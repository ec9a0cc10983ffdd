"""Each client's own code against the running service: the native scores, in order, and no number for a failure."""

import json
import os
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from reward_gateway.client.frames import encode_picture

from tests.clients.clients import CLIENTS, GUIDES, OUTCOMES, RESULTS, ROOT, Client, documented_lines
from tests.conftest import Stack
from tests.ports import free_port

SAMPLES = [
    {"prompt": "What is 6 times 7?", "response": "42", "reference": "42"},
    {"prompt": "How do I boil an egg?", "response": "I have no idea at all", "reference": "eight minutes"},
    {"prompt": "Which number comes after one?", "response": "number two", "reference": "two"},
    {"prompt": "Count to four.", "response": "one two three four", "reference": "four"},
]
INSTRUCTIONS = ("open the drawer", "press the button", "close the door", "push the puck to the goal")
FILMS = [
    {"prompt": said, "response": "", "pixels": [[[[40 * k, 30 * t, 90]] * 8] * 8 for t in (1, 5)]}
    for k, said in enumerate(INSTRUCTIONS)
]
"""Instructions with two frames each, [2, 8, 8, 3] of 0 to 255."""


class Refusing(BaseHTTPRequestHandler):
    """Answers 503 to everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.dumps({"error": {"code": "overloaded", "message": "busy", "type": "Unavailable", "param": None}})
        self.send_response(503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    """The address of a service that answers 503."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def encode_film(sample: dict[str, Any], recipe: str) -> dict[str, Any]:
    """A film as its clients send it: both frames as JPEG of quality 95, or the last one as PNG."""
    frames = [np.array(frame, dtype=np.uint8) for frame in sample["pixels"]]
    if "aligned" in recipe:
        return {"prompt": sample["prompt"], "images": [b64encode(encode_picture(frames[-1], "PNG")).decode()]}
    encoded = [b64encode(encode_picture(frame, "JPEG", quality=95)).decode() for frame in frames]
    return {"prompt": sample["prompt"], "response": "", "frames": encoded}


def native(service: Stack, recipe: str, samples: list[dict[str, Any]]) -> list[float | None]:
    """What ``POST /v1/score`` answers."""
    sent = [encode_film(sample, recipe) if "pixels" in sample else sample for sample in samples]
    answer = httpx.post(f"{service.http}/v1/score", json={"reward": recipe, "samples": sent}, timeout=120)
    return [result["reward"] for result in answer.raise_for_status().json()["results"]]


@pytest.fixture(scope="module", params=CLIENTS, ids=lambda client: client.probe)
def client(request: pytest.FixtureRequest) -> Client:
    chosen: Client = request.param
    return chosen


@pytest.fixture(scope="module")
def asked(client: Client) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """The calls of a client: a recipe and samples each. Without labels, a rule that needs none stands for the first."""
    if not client.calls:
        return {}
    if client.media:
        rule, other = ("progress", "solved") if client.media == "frames" else ("aligned", "misaligned")
        return {
            "scored": (rule, FILMS),
            "preferred": (other, FILMS),
            "one_fails": (rule, [FILMS[0], {**FILMS[1], "prompt": ""}, FILMS[2]]),
            "unavailable": (rule, FILMS[:2]),
            "dead": (rule, FILMS[:2]),
        }
    rule = "right" if client.labels else "brief"
    samples = SAMPLES if client.labels else [{**sample, "reference": None} for sample in SAMPLES]
    samples = [{key: value for key, value in sample.items() if value is not None} for sample in samples]
    return {
        "scored": (rule, samples),
        "preferred": ("preferred", samples),
        "one_fails": (rule, [samples[0], {**samples[1], "response": ""}, samples[2]]),
        "unavailable": (rule, samples[:2]),
        "dead": (rule, samples[:2]),
    }


@pytest.fixture(scope="module")
def answered(
    client: Client,
    asked: dict[str, tuple[str, list[dict[str, Any]]]],
    service: Stack,
    refusing: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What the client's own code made of the calls, in a process of its environment."""
    environment = Path(os.environ["CLIENTS_FOLDER"]) / client.environment
    if client.needs_newer_python and not (environment / ".ready").exists():
        pytest.skip(f"{client.environment} needs Python 3.13: make client-python, or CLIENT_PYTHON=… make test-clients")
    RESULTS[client.probe] = {"package": client.environment, "version": "did not run"}
    folder = tmp_path_factory.mktemp(client.probe)
    urls = {"unavailable": refusing, "dead": f"http://127.0.0.1:{free_port()}"}
    calls = {
        name: {"url": urls.get(name, service.http), "recipe": recipe, "samples": samples}
        for name, (recipe, samples) in asked.items()
    }
    guide = (GUIDES / f"{client.guide}.md").read_text() if client.guide else ""
    given = {"lines": documented_lines(client.rows[0]), "guide": guide, "calls": calls}
    (folder / "calls.json").write_text(json.dumps(given))
    run = Path(__file__).with_name("probes") / "run.py"
    command = [str(environment / "bin/python"), str(run), client.probe, "calls.json", "out.json"]
    variables = {
        "PYTHONPATH": str(ROOT / "service"),
        "REWARD_GATEWAY_TIMEOUT_S": "2",
        "HF_HUB_OFFLINE": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "OMP_NUM_THREADS": "1",
        "HOME": str(folder),
    }
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    record: dict[str, Any] = json.loads((folder / "out.json").read_text())
    return record


@pytest.fixture
def calls(client: Client) -> None:
    """Skips a client of which only the configuration can be read."""
    if not client.calls:
        pytest.skip("the caller itself is in no package")


@pytest.fixture
def row(client: Client, answered: dict[str, Any]) -> dict[str, Any]:
    """The client's row of the table."""
    found = RESULTS[client.probe]
    found.update(package=answered["package"], version=answered["version"], configuration=answered["parsed"])
    return found


def test_the_documented_lines_are_read_by_its_own_configuration(client: Client, row: dict[str, Any]) -> None:
    assert client.calls or row["configuration"]
    if not client.calls:
        row.update(dict.fromkeys(OUTCOMES, "-"))


def test_the_guide_is_read_by_its_own_configuration(client: Client, answered: dict[str, Any]) -> None:
    if not client.guide:
        pytest.skip("its guide, if it has one, is no configuration of its own")
    assert answered["guide"]


@pytest.mark.usefixtures("calls")
def test_the_scores_are_the_native_ones_in_their_order(
    client: Client, asked: Any, answered: dict[str, Any], service: Stack, row: dict[str, Any]
) -> None:
    for name in ("scored", "preferred"):
        rewards = answered["answers"][name].get("rewards")
        expected = native(service, *asked[name])
        if client.probe in UNIT_RANGE and name == "preferred":
            continue
        assert rewards == pytest.approx(expected, abs=1e-5), (name, answered["answers"][name])
        assert len(set(expected)) == len(expected), "order can be told"
    row["scored"] = "yes"


UNIT_RANGE = {"autoevals"}
"""Clients that refuse scores outside [0, 1]."""


@pytest.mark.usefixtures("calls")
def test_one_sample_without_a_score_is_no_number(
    client: Client, asked: Any, answered: dict[str, Any], service: Stack, row: dict[str, Any]
) -> None:
    first, _, last = native(service, *asked["one_fails"])
    answer = answered["answers"]["one_fails"]
    if client.one_fails == "raises":
        assert "raised" in answer, answer
    else:
        left = 0.0 if client.one_fails == "zero" else None
        assert answer.get("rewards") == [pytest.approx(first), left, pytest.approx(last)], answer
    row["one_fails"] = client.one_fails


@pytest.mark.parametrize("absence", ["unavailable", "dead"])
@pytest.mark.usefixtures("calls")
def test_a_service_that_is_away_gives_no_number(
    client: Client, answered: dict[str, Any], row: dict[str, Any], absence: str
) -> None:
    answer = answered["answers"][absence]
    if client.absent == "raises":
        assert "raised" in answer, answer
        assert "rewards" not in answer, answer
    else:
        assert set(answer.get("rewards", [""])) <= ({0.0} if client.absent == "zero" else {None}), answer
    row[absence] = client.absent
