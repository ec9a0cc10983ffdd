"""``judges check``: one table of how far a judge can be trusted."""

import json
import math
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.cli.judge_agreement import self_consistency
from reward_gateway.cli.main import app
from reward_gateway.lab.intervals import wilson_interval
from reward_gateway.lab.kappa import cohens_kappa
from typer.testing import CliRunner

Serve = Callable[[Callable[[str], str]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server of chat completions whose answers a function makes from the question; its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(reply: Callable[[str], str]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                message = {"content": reply(body["messages"][-1]["content"])}
                usage = {"prompt_tokens": 90, "completion_tokens": 10}
                answer = json.dumps({"choices": [{"message": message}], "usage": usage}).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def check(folder: Path, url: str, rows: list[dict[str, Any]], *options: str, retries: int = 0) -> Any:
    judges, data = folder / "judges.yaml", folder / "data.jsonl"
    price = "{input: 10000, output: 10000}"
    judges.write_text(f"judges: [{{name: j, base_url: '{url}', model: m, price: {price}, retries: {retries}}}]")
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["judges", "check", "j", "--data", str(data), "--judges", str(judges), *options]
    return CliRunner().invoke(app, arguments)


def figures(*arguments: Any) -> dict[str, Any]:
    result = check(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_agreement_failures_and_costs_are_told(tmp_path: Path, serve: Serve) -> None:
    url = serve(lambda asked: "hm" if "\nodd\n" in asked else "YES" if "\n4\n</response" in asked else "NO")
    rows = [
        {"response": "4", "reference": "4", "label": "yes"},
        {"response": "5", "reference": "4", "label": False},
        {"response": "four", "reference": "4", "label": "yes"},
        {"response": "odd", "reference": "4", "label": "no"},
    ]
    found = figures(tmp_path, url, rows)
    assert (found["samples"], found["accuracy"], found["unread"]) == (4, pytest.approx(2 / 3), 0.25)
    assert found["kappa"] == pytest.approx(0.4)
    assert found["self_consistency"] == 1.0
    assert (found["tokens_per_sample"], found["cost_per_sample"]) == (100, 1.0)
    assert found["position_bias"] is None


def test_a_judge_that_goes_by_the_order_is_found_out(tmp_path: Path, serve: Serve) -> None:
    url = serve(lambda asked: "VERDICT: A")
    rows = [{"response": "x", "other": "y", "label": label} for label in ("A", "B", "tie")]
    found = figures(tmp_path, url, rows)
    assert found["position_bias"] == 1.0
    assert found["accuracy"] == pytest.approx(1 / 3)


def test_grades_are_compared_and_a_table_is_printed(tmp_path: Path, serve: Serve) -> None:
    grades = iter([7, 3, 8, 3])
    url = serve(lambda asked: "Score: 3" if "\nbad\n" in asked else f"Score: {next(grades)}")
    rows = [{"response": "good", "label": 7}, {"response": "bad", "label": 3}]
    result = check(tmp_path, url, rows)
    assert result.exit_code == 0, result.output
    table = dict(line.split(None, 1) for line in result.stdout.splitlines() if len(line.split()) == 2)
    assert (table["accuracy"], table["kappa"], table["self_consistency"]) == ("1", "1", "0.5")


def test_a_judge_is_checked_with_the_parameters_that_it_will_be_asked_with(tmp_path: Path, serve: Serve) -> None:
    asked: list[str] = []
    url = serve(lambda question: asked.append(question) or "[[4]]")  # type: ignore[func-returns-value]
    rows = [{"response": "good", "label": 4.0}]
    params = json.dumps({"low": 0, "high": 5, "reply": r"\[\[(\d)\]\]"})
    result = check(tmp_path, url, rows, "--params", params, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["accuracy"] == 1.0
    assert "from 0 (worst) to 5 (best)" in asked[0]
    for wrong in ("{", "[]", '{"nothing": 1}'):
        assert check(tmp_path, url, rows, "--params", wrong).exit_code != 0


def test_what_cannot_be_read_costs_what_it_took(tmp_path: Path, serve: Serve) -> None:
    result = check(tmp_path, serve(lambda asked: "hm"), [{"response": "x", "label": 1}], "--json")
    assert (result.exit_code, "no answer could be read" in result.stderr) == (1, True)
    found = json.loads(result.stdout)
    assert (found["unread"], found["tokens_per_sample"], found["cost_per_sample"]) == (1.0, 100, 1.0)


def test_what_is_logged_meanwhile_stands_beside_the_figures(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        away = f"http://127.0.0.1:{taken.getsockname()[1]}"
    result = check(tmp_path, away, [{"response": "4", "reference": "4", "label": "yes"}], "--json", retries=1)
    assert result.exit_code == 1, result.output
    assert json.loads(result.stdout)["unread"] == 1.0
    assert "retry_scheduled" in result.stderr


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"response": "x"}],
        [{"response": "x", "label": "fine"}],
        [{"response": "x", "other": "y", "label": "C"}],
        [{"response": "x", "reference": "y", "label": "maybe"}],
        [{"response": "x", "other": "y", "label": "A"}, {"response": "x", "label": 1}],
    ],
)
def test_data_that_cannot_be_used_is_refused(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    assert check(tmp_path, "http://127.0.0.1:9", rows).exit_code != 0


def test_figures_are_those_of_the_books() -> None:
    labels, answers = ["a"] * 25 + ["b"] * 25, ["a"] * 20 + ["b"] * 5 + ["a"] * 10 + ["b"] * 15
    kappa, (low, high) = cohens_kappa(labels, answers)
    assert kappa == pytest.approx(0.4)
    assert [low, high] == pytest.approx([0.1460, 0.6540], abs=1e-4)
    assert list(wilson_interval(0.5, 10)) == pytest.approx([0.2366, 0.7634], abs=1e-4)
    assert math.isnan(cohens_kappa(["a"], ["a"])[0])
    assert math.isnan(self_consistency([["a"]]))
    assert self_consistency([["a", "b", None], ["a", "a", "b"]]) == 0.5
