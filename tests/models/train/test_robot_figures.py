"""What the card of robot_progress claims: above the bar, above the clock, and measured on what it never saw."""

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from reward_models.evaluate import Subject, measure_model
from reward_models.evaluate.robot import compute_figures, load_sample, predict_by_clock
from reward_models.repository import REPOSITORY
from reward_models.runtime.instance import Instance
from reward_models.train.robot_tasks import HELD_OUT, INSTRUCTIONS, KNOWN, UNSEEN

REPORT: dict[str, Any] = json.loads((REPOSITORY / "robot_progress" / "evaluation.json").read_text())


def test_unseen_episodes_are_scored_better_than_by_the_task_and_the_clock() -> None:
    found = REPORT["quality"]["unseen_episodes"]
    assert found["mae"] <= 0.10 < found["clock_mae"]
    assert found["pair_accuracy"] >= 0.92 > found["clock_pair_accuracy"]
    assert found["success_auc"] >= 0.87
    assert found["success_auc"] > found["clock_success_auc"]


def test_the_sample_that_lies_here_measures_as_the_card_says(start: Callable[[str], Instance]) -> None:
    start("robot_progress")
    rows, found = measure_model(Subject("robot_progress", REPOSITORY), None)
    assert set(found) == {"sample"}
    assert {row.verdict for row in rows if row.part == "sample"} == {"ok"}


def test_unseen_tasks_are_said_not_to_work() -> None:
    found = REPORT["quality"]["unseen_tasks"]
    assert found["mae"] > 2 * REPORT["quality"]["unseen_episodes"]["mae"]
    assert 0 < found["missed"] < 0.5


def test_nothing_that_is_measured_was_trained_on() -> None:
    assert REPORT["never_trained_on"] == {"episodes_of_each_task": list(UNSEEN), "tasks": list(HELD_OUT)}
    assert not set(HELD_OUT) & set(KNOWN)
    assert len(INSTRUCTIONS) == len(KNOWN) + len(HELD_OUT) == 50
    assert all(episode["index"] in UNSEEN for episode in load_sample())


def test_every_phrase_belongs_to_one_task() -> None:
    phrases = [phrase for told in INSTRUCTIONS.values() for phrase in told]
    assert len(set(phrases)) == len(phrases) == 150


def test_the_figures_are_those_of_the_textbook() -> None:
    shown = [{"task": "t", "progress": [0.0, 0.5, 1.0], "solved": [False, False, True]}]
    found = compute_figures(shown, np.array([0.2, 0.1, 1.0]), np.array([0.1, 0.2, 0.9]))
    assert found == {"mae": 0.2, "pair_accuracy": 0.667, "success_auc": 1.0}


def test_the_clock_knows_the_trained_mean_around_a_step() -> None:
    trained = [{"task": "t", "moments": [0, 100], "progress": [0.0, p], "solved": [0, 1]} for p in (0.6, 1.0)]
    found = predict_by_clock(trained, [{"task": "t", "moments": [0, 100]}])
    assert found == pytest.approx(np.array([[0.0, 0.0], [0.8, 1.0]]), abs=1e-6)


def test_the_sample_holds_whole_frames_of_the_models_size() -> None:
    frames = [frame for episode in load_sample() for frame in episode["frames"]]
    assert {Image.open(io.BytesIO(frame)).size for frame in frames} == {(224, 224)}
    assert sum(map(len, frames)) < 300_000
