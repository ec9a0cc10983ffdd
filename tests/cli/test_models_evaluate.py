"""``models evaluate``: a table for people, lines for programs, JSON for scripts, and an exit code for CI."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from reward_gateway.cli.output import FAULTY, UNUSABLE
from reward_models.repository import REPOSITORY

from tests.cli.conftest import Run

HERE = ("--repository", REPOSITORY)


@pytest.fixture(autouse=True)
def built(built_models: Callable[[str], Path]) -> None:
    """The smallest model whose measurement needs some data."""
    built_models("text_harmless")


def test_figures_stand_beside_baselines_targets_and_the_card(run: Run) -> None:
    said = run("models", "evaluate", "text_harmless", "--json", *HERE)
    assert said.code == 0
    rows = {row["part"]: row for row in json.loads(said.out)}
    assert rows["harmful"]["verdict"] == "ok"
    assert rows["harmful"]["found"] == pytest.approx(rows["harmful"]["claimed"], abs=0.07)
    assert rows["harmful"]["baseline"] is not None
    assert rows["hh_harmless"]["found"] is None
    assert rows["hh_harmless"]["verdict"] == "needs --data DIR with hh_harmless_test.jsonl.gz"
    assert rows["hh_harmless"]["target"] == ">= 0.62"
    assert "text_harmless: harmful" in said.err


def test_a_figure_that_is_not_as_the_card_says_fails(run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "repository"
    shutil.copytree(REPOSITORY / "text_harmless", copy / "text_harmless")
    card = copy / "text_harmless" / "card.yaml"
    card.write_text(card.read_text().replace("harmful: {held_out: 0.812", "harmful: {held_out: 0.99"))
    said = run("models", "evaluate", "text_harmless", "--repository", copy)
    assert said.code == FAULTY
    assert "differs from the card" in said.out


def test_what_is_to_be_measured_must_be_said(run: Run) -> None:
    said = run("models", "evaluate", *HERE)
    assert said.code == UNUSABLE
    assert "--all" in said.err


def test_a_folder_that_is_not_there_is_named(run: Run) -> None:
    said = run("models", "evaluate", "text_harmless", "--data", "nowhere", *HERE)
    assert said.code == UNUSABLE
    assert "nowhere" in said.err
