"""``models``: what the repository holds, with measured quality; what is built unasked and what is not."""

import json
from pathlib import Path

import pytest
from reward_gateway.cli.serve import _prepare
from reward_gateway.settings import Settings
from reward_models.repository import REPOSITORY

from tests.cli.conftest import Run


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A model that is built as it stands, and one of the extra tier that is not."""
    for name, card in (
        ("small", "files: {}\ntargets: {pairs: {held_out: '> 0.5'}}\nquality: {pairs: {held_out: 0.75}}\n"),
        ("large", "tier: extra\nfiles: {head.npz: {sha256: 00}}\n"),
    ):
        folder = tmp_path / "repository" / name
        (folder / "1").mkdir(parents=True)
        (folder / "config.pbtxt").write_text(f'name: "{name}"\n')
        (folder / "card.yaml").write_text(
            f"name: {name}\ninputs: {{}}\ndimensions: {{}}\nflags: {{}}\nsettings: {{}}\n{card}"
        )
    return tmp_path / "repository"


def test_the_list_shows_tiers_and_measured_quality(run: Run, repository: Path) -> None:
    rows = json.loads(run("models", "list", "--json", "--repository", repository).out)
    assert rows == [
        {"name": "large", "built": False, "tier": "extra", "quality": ""},
        {"name": "small", "built": True, "tier": "default", "quality": "pairs 0.75"},
    ]


def test_every_default_model_shows_its_quality(run: Run) -> None:
    rows = {row["name"]: row for row in json.loads(run("models", "list", "--json", "--repository", REPOSITORY).out)}
    assert "hh_harmless 0.6" in rows["text_harmless"]["quality"]


def test_a_build_without_names_says_what_it_leaves_out(run: Run, repository: Path) -> None:
    said = run("models", "build", "--repository", repository)
    assert said.code == 0
    assert "small: already built" in said.err
    assert "1 model of the extra tier is not built: large" in said.err
    assert "make models-all" in said.err


def test_all_and_a_name_reach_the_extra_tier(run: Run, repository: Path) -> None:
    for wanted in ("--all", "large"):
        said = run("models", "build", wanted, "--repository", repository)
        assert said.code == 1
        assert "large cannot be built" in said.err


def test_a_check_looks_at_what_is_there(run: Run, repository: Path) -> None:
    said = run("models", "check", "--repository", repository)
    assert "large" not in said.out
    assert "head.npz is missing" in run("models", "check", "large", "--repository", repository).out


def test_the_start_loads_what_is_built_and_says_what_it_leaves_out(
    repository: Path,
) -> None:
    told: list[str] = []
    assert _prepare(Settings(model_repository=repository), told.append) == ["small"]
    assert any("not built: large" in line for line in told)
