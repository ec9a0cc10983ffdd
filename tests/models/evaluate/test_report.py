"""A figure is judged by what its card claims and what its target asks; what is not measured is never a number."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from reward_models.evaluate import Part, Subject, measure_model, write_figures
from reward_models.evaluate.report import compare_figures, judge_figure, list_evaluations, list_parts
from reward_models.repository import REPOSITORY, RepositoryError, list_models
from reward_models.repository import card as cards

MODELS = list_models()


@pytest.mark.parametrize("name", MODELS)
def test_every_model_names_an_evaluation_whose_parts_its_card_holds(name: str) -> None:
    subject = Subject(name, REPOSITORY)
    for part in list_parts(subject):
        entry = subject.quality[part.name]
        assert set(part.shown) <= set(entry)
        assert {beside for beside in part.shown.values() if isinstance(beside, str)} <= set(entry)
        assert part.count in entry


@pytest.mark.parametrize("name", MODELS)
def test_the_card_shows_the_figures_of_the_evaluation(name: str) -> None:
    report = json.loads((REPOSITORY / name / "evaluation.json").read_text())
    assert cards.read_card(REPOSITORY / name).content["quality"] == report["quality"]


@pytest.mark.parametrize("name", MODELS)
def test_the_committed_figures_reach_their_targets(name: str) -> None:
    subject = Subject(name, REPOSITORY)
    for part, targets in (subject.card.content.get("targets") or {}).items():
        for figure, target in targets.items():
            claimed = subject.quality[part][figure]
            assert judge_figure(claimed, claimed, target, None) == "ok", f"{part} {figure}"


@pytest.mark.parametrize(
    ("found", "claimed", "target", "count", "verdict"),
    [
        (0.62, 0.622, ">= 0.62", 468, "ok"),
        (0.61, 0.622, "", 468, "differs from the card"),
        (0.906, 0.938, "", 32, "ok"),  # one pair of 32 may tip on another machine
        (0.875, 0.938, "", 32, "differs from the card"),
        (0.61, 0.61, ">= 0.62", None, "misses its target"),
        (0.11, 0.11, "<= 0.10", None, "misses its target"),
        (0.5, 0.5, "> 0.5", None, "misses its target"),
        (0.5, None, "", None, "not in the card"),
    ],
)
def test_a_figure_is_judged(found: float, claimed: float | None, target: str, count: int | None, verdict: str) -> None:
    assert judge_figure(found, claimed, target, count) == verdict


def test_what_lacks_its_data_shows_the_card_and_says_what_it_needs(tmp_path: Path) -> None:
    rows, found = measure_model(Subject("social_popularity", REPOSITORY), tmp_path)
    assert found == {}
    assert {row.verdict for row in rows} == {"needs --data DIR with hacker_news_posts.csv.gz"}
    assert all(row.found is None and row.claimed is not None and not row.faulty for row in rows)


def test_a_figure_stands_beside_the_baseline_that_was_measured_with_it() -> None:
    part = Part("title_alone", lambda data: {}, {"spearman": "shorter_title_spearman"}, count="posts")
    subject = Subject("social_popularity", REPOSITORY)
    (row,) = compare_figures(subject, part, {"spearman": 0.5, "shorter_title_spearman": 0.25, "posts": 9}, "")
    assert (row.found, row.baseline, row.count) == (0.5, 0.25, 9)
    assert row.faulty
    assert row.verdict == "differs from the card"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The folder of a model, without what is built."""
    skipped = shutil.ignore_patterns("*.onnx", "*.safetensors", "tokenizer.json", ".built.json", "__pycache__")
    return Path(shutil.copytree(REPOSITORY / "text_harmless", tmp_path / "text_harmless", ignore=skipped))


def test_what_is_kept_stands_in_card_configuration_and_evaluation(copied: Path) -> None:
    write_figures(copied, {"harmful": {"held_out": 0.123}}, head_sha256="new")
    report: dict[str, Any] = json.loads((copied / "evaluation.json").read_text())
    card = yaml.safe_load((copied / "card.yaml").read_text())
    assert report["head_sha256"] == "new"
    assert card["quality"] == report["quality"]
    assert card["quality"]["harmful"]["held_out"] == 0.123
    assert card["quality"]["harmful"]["pairs"] == 16
    assert (
        card["quality"]["hh_harmless"]
        == cards.read_card(REPOSITORY / "text_harmless").content["quality"]["hh_harmless"]
    )
    assert '{\\"held_out\\": 0.123' in (copied / "config.pbtxt").read_text()


def test_keeping_what_is_kept_changes_nothing(copied: Path) -> None:
    before = {path.name: path.read_text() for path in copied.glob("*.*")}
    write_figures(copied, json.loads((copied / "evaluation.json").read_text())["quality"])
    assert {path.name: path.read_text() for path in copied.glob("*.*")} == before


def test_a_model_that_is_not_built_is_not_measured(copied: Path) -> None:
    with pytest.raises(RepositoryError, match="text_harmless is not built"):
        measure_model(Subject("text_harmless", copied.parent), None)


def test_an_evaluation_that_is_not_there_is_named_beside_those_that_are(copied: Path) -> None:
    card = copied / "card.yaml"
    card.write_text(card.read_text().replace("evaluation: preference", "evaluation: guesswork"))
    with pytest.raises(RepositoryError, match=r"names the evaluation guesswork; there are: .*preference"):
        list_parts(Subject("text_harmless", copied.parent))


def test_evaluations_are_found_by_their_files() -> None:
    assert {"alignment", "popularity", "preference", "rendering"} <= set(list_evaluations())
