"""``runs``: the history of runs of a service, listed, shown, written as a page, and forgotten."""

import json
from pathlib import Path

import pytest
from reward_gateway.cli.runs import draw_sparks
from reward_gateway.client import RewardClient

from tests.client.conftest import Service

from .conftest import Run


@pytest.fixture
def trained(service: Service) -> Service:
    """The service after three steps of a run."""
    with RewardClient(service.url, run="trained") as client:
        for step in range(3):
            client.score("p", ["one", "one two" + " more" * step], step=step)
    return service


def test_runs_are_listed(trained: Service, run: Run) -> None:
    ended = run("runs", "list", "--url", trained.url, "--json")
    (row,) = [row for row in json.loads(ended.out) if row["run"] == "trained"]
    assert (ended.code, row["rewards"], row["samples"] % 6) == (0, ["brief"], 0)
    assert "trained" in run("runs", "list", "--url", trained.url).out


def test_a_run_is_shown_by_its_newest_row_and_the_way_there(trained: Service, run: Run) -> None:
    shown = run("runs", "show", "trained", "--url", trained.url)
    assert shown.code == 0
    assert "brief" in shown.out
    assert "█▅▁" in shown.out or "█▄▁" in shown.out
    told = json.loads(run("runs", "show", "trained", "--bucket", "hour", "--url", trained.url, "--json").out)
    assert told["bucket"] == "hour"


def test_a_report_is_one_page(trained: Service, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.html"
    assert run("runs", "report", "trained", "--html", str(file), "--url", trained.url).code == 0
    page = file.read_text(encoding="utf-8")
    assert "trained" in page
    assert "uPlot" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_run_is_forgotten(trained: Service, run: Run) -> None:
    assert run("runs", "forget", "trained", "--url", trained.url).code == 0
    gone = run("runs", "show", "trained", "--url", trained.url)
    assert (gone.code, "not_found" in gone.err) == (3, True)


def test_sparks_go_from_the_least_to_the_greatest() -> None:
    assert draw_sparks([0.0, 0.5, None, 1.0]) == "▁▅ █"
    assert draw_sparks([2.0, 2.0]) == "▁▁"
    assert draw_sparks([None, None]) == draw_sparks([]) == ""
    assert len(draw_sparks([float(k) for k in range(500)], 60)) == 60
