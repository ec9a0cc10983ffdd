"""What the cards of the media models claim is what their evaluations say, and it is above the bar and the baseline."""

import json
from typing import Any

import numpy as np
import pytest
from reward_models.evaluate.alignment import compute_figures
from reward_models.repository import REPOSITORY
from reward_models.train.popularity import area_under_curve, fit_ridge, spearman


def evaluation(model: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((REPOSITORY / model / "evaluation.json").read_text())
    return report


def test_titles_of_a_later_period_are_ranked_better_than_by_their_length() -> None:
    report = evaluation("social_popularity")
    assert report["period"]["trained_on"][1] <= report["period"]["held_out"][0]
    found = report["quality"]["title_alone"]
    assert found["spearman"] >= 0.26 > found["shorter_title_spearman"]
    assert found["top_quarter_auc"] >= 0.65 > found["shorter_title_top_quarter_auc"]


def test_images_of_known_things_score_higher_with_their_own_captions() -> None:
    for kind in ("known_short", "known_long"):
        found = evaluation("image_text_alignment")["quality"][kind]
        assert min(found["own_caption_wins"], found["own_image_wins"]) >= 0.95


def test_drawn_texts_are_read_exactly_and_misspellings_cost() -> None:
    found = evaluation("text_rendering")["quality"]
    assert found["plain"]["exact"] == 1
    assert min(found[kind]["own_over_misspelt"] for kind in ("plain", "varied")) >= 0.95
    assert found["blank_image"]["own"] == 0


def test_the_diagonal_wins_where_it_is_higher() -> None:
    scores = np.array([[3.0, 1.0], [2.0, 0.0]])
    assert compute_figures(scores) == {"own_caption_wins": 0.5, "own_image_wins": 0.5, "best_of_all": 0.5, "images": 2}


def test_ranks_and_areas_are_those_of_the_textbook() -> None:
    assert spearman(np.array([1.0, 2, 3, 4]), np.array([1.0, 4, 9, 16])) == pytest.approx(1)
    assert area_under_curve(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])) == pytest.approx(
        0.75
    )


def test_a_weak_penalty_finds_the_line_itself() -> None:
    x = np.random.default_rng(0).normal(size=(50, 2))
    weights, bias = fit_ridge(x, (x @ [2.0, -1.0] + 3)[:, None], 1e-9)
    assert weights[:, 0] == pytest.approx([2, -1], abs=1e-3)
    assert bias == pytest.approx([3], abs=1e-3)
