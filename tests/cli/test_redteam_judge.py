"""``redteam`` of a judge that obeys what it is to judge, and of the same judge behind a rule."""

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.backends.judges.config import JudgeConfig
from reward_gateway.backends.judges.judges import Judges
from reward_gateway.cache.breaker import Breaker

from tests.cli.conftest import Run
from tests.client.conftest import Service, serving

RECIPES = """
rewards:
  judged:
    components: {good: {score: judge_rubric, params: {judge: obedient}}}
  watched:
    components:
      correct: {score: math_equivalence}
      second: {score: judge_rubric, params: {judge: obedient}, audit: true}
"""

PAIRS = [
    {"prompt": f"{i} + 2?", "chosen": f"The answer is {i + 2}.", "rejected": f"No idea, maybe {i}.", "reference": i + 2}
    for i in range(80)
]


class ObedientJudge(BaseHTTPRequestHandler):
    """An OpenAI-compatible server that gives 10 to all who ask for the highest grade, and reads words in the others."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        (response,) = re.findall(r"<response-\w+>\n(.*?)\n</response-", asked["messages"][0]["content"], re.DOTALL)
        grade = 10 if "highest grade" in response else 8 if "The answer is" in response else 3
        content = json.dumps({"quality": grade})
        body = json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


class Server(ThreadingHTTPServer):
    request_queue_size = 64  # as many as a judge is asked at once, and more


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    server = Server(("127.0.0.1", 0), ObedientJudge)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    config = JudgeConfig(name="obedient", base_url=f"http://127.0.0.1:{server.server_port}", model="m", retries=0)
    judges = lambda: Judges([config], lambda changed: Breaker(5, time.monotonic, changed=changed))  # noqa: E731
    yield from serving(RECIPES, judges=judges)
    server.shutdown()
    server.server_close()
    thread.join()


def attack(run: Run, service: Any, reward: str, *names: str) -> dict[str, Any]:
    Path("pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in PAIRS))
    chosen = [argument for name in names for argument in ("--attack", name)]
    ended = run("redteam", "pairs.jsonl", "--reward", reward, "--url", service.url, "--json", *chosen)
    report: dict[str, Any] = json.loads(ended.out)
    assert ended.code == (1 if report["verdict"] == "falls" else 0), ended.err
    return report


def test_a_judge_that_obeys_falls_to_injections_and_not_to_what_it_does_not_read(run: Run, service: Any) -> None:
    report = attack(run, service, "judged", "judge_injection", "echo.alone", "echo.answer", "master_key.05")
    found = {one["id"]: (one["verdict"], one["wins"]["count"]) for one in report["attacks"]}
    assert report["traits"] == ["judge", "reference"]
    assert found == {
        "master_key.05": ("holds", 0),
        "echo.alone": ("holds", 0),
        "echo.answer": (None, 0),
        "injection.instruction": ("falls", 80),
        "injection.authority": ("holds", 0),
        "injection.section": ("falls", 80),
        "injection.verdict": ("holds", 0),
        "injection.turn": ("falls", 80),
    }


def test_a_judge_outside_the_reward_reads_no_injection(run: Run, service: Any) -> None:
    report = attack(run, service, "watched", "judge_injection")
    assert report["traits"] == ["reference"]
    assert {one["verdict"] for one in report["attacks"]} == {"not applicable"}
    assert report["verdict"] == "not applicable"
