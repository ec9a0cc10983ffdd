"""``state``: what a service keeps, listed, shown, reset and moved, and its loss accepted."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.client.conftest import Service

from .conftest import Run

SET = {"value": [1.0]}


@pytest.fixture
def stored(service: Service) -> Service:
    """The service with a set of the tenant and a stream of run A."""
    import httpx

    with httpx.Client(base_url=service.url, timeout=60) as client:
        assert client.put("/v1/state/sets/centroids/c", json=SET).status_code == 200
        value = {"value": {"count": 2.0, "mean": 0.0, "m2": 0.0}}
        assert client.put("/run/A/v1/state/moments/s", json=value).status_code == 200
    return service


def test_a_run_is_listed_with_what_its_tenant_has(stored: Service, run: Run) -> None:
    ended = run("state", "list", "--url", stored.url, "--run", "A", "--json")
    rows = [(row["kind"], row["name"], row["owner"]) for row in json.loads(ended.out)]
    assert (ended.code, rows) == (0, [("moments", "s", "run"), ("sets", "centroids/c", "tenant")])
    table = run("state", "list", "--url", stored.url).out
    assert "centroids/c" in table
    assert "moments" not in table


def test_the_runs_that_have_state_are_listed(stored: Service, run: Run) -> None:
    listed = json.loads(run("state", "runs", "--url", stored.url, "--json").out)
    assert {"run": "A", "kinds": ["moments"]} in listed
    assert "moments" in run("state", "runs", "--url", stored.url).out
    assert json.loads(run("state", "runs", "--url", stored.url, "--tenant", "other", "--json").out) == []


def test_a_value_is_shown_and_reset(stored: Service, run: Run) -> None:
    shown = run("state", "show", "moments", "s", "--url", stored.url, "--run", "A")
    assert json.loads(shown.out)["value"]["count"] == 2.0
    assert run("state", "reset", "moments", "s", "--url", stored.url, "--run", "A").code == 0
    gone = run("state", "show", "moments", "s", "--url", stored.url, "--run", "A")
    assert (gone.code, "not_found" in gone.err) == (3, True)


def test_a_coefficient_is_shown_and_reset(stored: Service, run: Run) -> None:
    import httpx

    body = {"items": [{"reward": 2.0, "cost": 0.5}], "params": {"name": "safe"}}
    httpx.post(f"{stored.url}/run/C/v1/combine/lagrangian", json=body, timeout=60).raise_for_status()
    at = ("coefficients", "safe", "--url", stored.url, "--run", "C")
    assert json.loads(run("state", "show", *at).out)["value"] == {"value": 1.05, "updates": 1.0}
    assert run("state", "reset", *at).code == 0
    assert run("state", "show", *at).code == 3


def test_there_is_nothing_to_move_in_a_store_of_one_process(stored: Service, run: Run) -> None:
    ended = run("state", "migrate", "--url", stored.url, "--tenant", "alice", "--discard")
    assert (ended.code, "moved" in ended.out) == (0, False)


def test_the_help_says_whose_state_is_whose(run: Run) -> None:
    said = " ".join(run("state", "--help").out.split())
    assert "shared by all runs of the tenant" in said
    assert "migrate" in said


@pytest.mark.parametrize(("accepted", "said"), [(True, "begins anew"), (False, "nothing was changed")])
def test_the_loss_of_state_is_accepted_through_the_service(run: Run, accepted: bool, said: str) -> None:
    asked: list[tuple[str, str | None]] = []

    class Stub(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append((self.path, self.headers["authorization"]))
            body = json.dumps({"accepted": accepted}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.handle_request).start()
    ended = run("state", "accept-reset", "--url", f"http://127.0.0.1:{server.server_port}", "--api-key", "secret-key")
    server.server_close()
    assert (ended.code, asked) == (0, [("/v1/state:accept-reset", "Bearer secret-key")])
    assert said in ended.err


def test_a_run_that_has_ended_is_reset(stored: Service, run: Run) -> None:
    assert "moments" in run("state", "reset-run", "A", "--url", stored.url).out
    assert "moments" not in run("state", "list", "--url", stored.url, "--run", "A").out
