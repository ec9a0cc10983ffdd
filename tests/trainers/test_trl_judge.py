"""TRL waits for a judge that takes longer than the service that asked it lives: the step's job goes on in the next."""

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ROOT, stop_stack
from tests.trainers.mortal import Mortal
from tests.trainers.native import close_to
from tests.trainers.scripts import finish

RECIPES = """
rewards:
  judged:
    components: {quality: {score: judge_rubric, params: {judge: slow, low: 0, high: 10}}}
default: judged
"""
LIMIT_S = 240


def grade(response: str) -> int:
    """What the judge thinks of an answer: the number of its letters, modulo 11."""
    return len(response.strip()) % 11


class SlowJudge(ThreadingHTTPServer):
    """An OpenAI-compatible server that takes its time, until it is told to answer."""

    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Judging)
        self.asked, self.may_answer = threading.Event(), threading.Event()


class Judging(BaseHTTPRequestHandler):
    server: SlowJudge

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.set()
        assert self.server.may_answer.wait(LIMIT_S)
        (response,) = re.findall(r"<response-\w+>\n(.*?)\n</", asked["messages"][-1]["content"], re.DOTALL)
        message = {"role": "assistant", "content": json.dumps({"quality": grade(response)})}
        body = json.dumps({"choices": [{"message": message}]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        with contextlib.suppress(ConnectionError):  # who asked may be dead
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def judge() -> Iterator[SlowJudge]:
    server = SlowJudge()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.may_answer.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def service(judge: SlowJudge, tmp_path: Path) -> Iterator[Mortal]:
    (tmp_path / "rewards.yaml").write_text(RECIPES)
    (tmp_path / "judges.yaml").write_text(
        f"judges:\n  - {{name: slow, base_url: 'http://127.0.0.1:{judge.server_port}', model: m}}\n"
    )
    flags = ("--rewards-file", str(tmp_path / "rewards.yaml"), "--judges-file", str(tmp_path / "judges.yaml"))
    running = Mortal.begin(tmp_path, *flags, "--models", "text_preference")
    yield running
    stop_stack(running.stack)


def count_submissions(url: str) -> int:
    """How many jobs this life of the service has taken."""
    page = httpx.get(f"{url}/metrics", timeout=60).raise_for_status().text
    found = re.findall(r'^reward_gateway_requests_total{.*route="/v1/jobs",status="202"} (\S+)$', page, re.MULTILINE)
    return int(sum(map(float, found)))


def test_a_step_goes_on_with_its_job_when_the_service_dies_while_the_judge_thinks(
    service: Mortal, judge: SlowJudge, policy: Path, tmp_path: Path
) -> None:
    python, out = os.environ["TRAINERS_PYTHON"], tmp_path / "trained.jsonl"
    variables = {
        "REWARD_GATEWAY_URL": service.url,
        "REWARD_GATEWAY_JOBS": "1",
        "REWARD_GATEWAY_TIMEOUT_S": str(LIMIT_S),
        "PYTHONPATH": str(ROOT / "service"),
    }
    with ThreadPoolExecutor(1) as threads:
        training = threads.submit(finish, python, "trl_chatml.py", str(policy), str(out), "2", "judged", **variables)
        assert judge.asked.wait(LIMIT_S)
        while (
            not count_submissions(service.url) and training.running()
        ):  # the judge may be asked before TRL is answered
            time.sleep(0.05)
        service.kill()
        service.start()
        judge.may_answer.set()
        training.result()
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["step"] for row in rows] == [0] * 8 + [1] * 8
    assert [row["rewards"]["judged"] for row in rows] == close_to([grade(row["response"]) / 10 for row in rows])
    assert count_submissions(service.url) == 1, "that of the second step: the first one's job was still there"
