"""``samples``: kept samples of a service, listed, marked, exported, deleted."""

import json
from pathlib import Path

import pytest
from reward_gateway.client import RewardClient

from tests.client.conftest import Service

from .conftest import Run


@pytest.fixture
def sampled(service: Service) -> Service:
    """The service after three samples of a run."""
    with RewardClient(service.url, run="kept") as client:
        client.score("p", ["one", "one two", "one two three"])
    return service


def delete(run: Run, service: Service) -> None:
    assert run("samples", "delete", "--run", "kept", "--url", service.url).code == 0


def test_samples_are_listed_and_deleted(sampled: Service, run: Run) -> None:
    ended = run("samples", "list", "--run", "kept", "--sort", "lowest", "--url", sampled.url, "--json")
    rows = json.loads(ended.out)
    assert [(row["response"], row["reward"]) for row in rows[:1]] == [("one two three", -1.0)]
    table = run("samples", "list", "--run", "kept", "--most", 2, "--url", sampled.url)
    assert (table.code, "brief" in table.out) == (0, True)
    ended = run("samples", "delete", rows[0]["id"], "--url", sampled.url)
    assert "1 sample deleted" in ended.err
    delete(run, sampled)
    with RewardClient(sampled.url, run="another") as client:
        assert client.list_samples(run="kept") == []
    assert run("samples", "delete", "--url", sampled.url).code == 2


def test_marks_decide_what_is_exported(sampled: Service, run: Run, tmp_path: Path) -> None:
    with RewardClient(sampled.url) as client:
        ids = {row["response"]: row["id"] for row in client.list_samples(run="kept")}
        file = tmp_path / "pairs.jsonl"
        assert run("samples", "export", "--run", "kept", "--out", file, "--url", sampled.url).code == 0
        (pair,) = map(json.loads, file.read_text().splitlines())
        assert (pair["chosen"], pair["rejected"]) == ("one", "one two three")
        assert run("samples", "mark", ids["one two"], "good", "--url", sampled.url).code == 0
        assert run("samples", "mark", ids["one"], "hack", "--url", sampled.url).code == 0
        assert [row["mark"] for row in client.list_samples(run="kept", mark="hack", most=1)] == ["hack"]
        run("samples", "export", "--run", "kept", "--min-margin", 5, "--out", file, "--url", sampled.url)
        (pair,) = map(json.loads, file.read_text().splitlines())
        assert (pair["chosen"], pair["rejected"]) == ("one two", "one")
    delete(run, sampled)


def test_what_is_not_there_is_said(sampled: Service, run: Run) -> None:
    ended = run("samples", "mark", "nothing", "good", "--url", sampled.url)
    assert (ended.code, "not_found" in ended.err) == (3, True)
    delete(run, sampled)
