"""The default tier is built unasked; the extra tier is left out, said to be, and built when it is asked for."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from reward_models.build import is_built, tiers
from reward_models.repository import REPOSITORY


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two models without files to fetch: one of each tier, the extra one's head not there."""
    for name, tier in (("small", ""), ("large", "tier: extra\n")):
        folder = tmp_path / name
        (folder / "1").mkdir(parents=True)
        files = "files: {head.npz: {sha256: 00}}\n" if tier else "files: {}\n"
        (folder / "card.yaml").write_text(
            f"name: {name}\n{tier}inputs: {{}}\ndimensions: {{}}\nflags: {{}}\nsettings: {{}}\n{files}"
        )
    return tmp_path


def test_the_extra_tier_is_left_out_until_it_is_built(repository: Path) -> None:
    assert tiers.list_default(repository) == ["small"]
    assert tiers.list_unbuilt_extra(repository) == ["large"]
    card = repository / "large" / "card.yaml"
    card.write_text(card.read_text().replace("files: {head.npz: {sha256: 00}}", "files: {}"))
    assert is_built("large", repository)
    assert tiers.list_unbuilt_extra(repository) == []


def test_what_is_left_out_is_named_with_the_way_to_get_it() -> None:
    said = tiers.describe_unbuilt(["large", "larger"])
    assert said.startswith("2 models of the extra tier are not built: large, larger;")
    assert "make models-all" in said
    assert tiers.describe_unbuilt(["large"]).startswith("1 model of the extra tier is not built: large;")


def test_a_build_without_names_leaves_the_extra_tier_alone(repository: Path) -> None:
    command = [sys.executable, "-m", "reward_models.build", "--repository", str(repository)]
    assert subprocess.run(command, timeout=240, check=False).returncode == 0
    wanted = subprocess.run([*command, "--all"], capture_output=True, text=True, timeout=240, check=False)
    assert wanted.returncode == 1
    assert "head.npz" in wanted.stderr


def test_what_is_left_out_of_an_image_is_removed_from_its_repository(repository: Path) -> None:
    command = [sys.executable, "-m", "reward_models.build", "--repository", str(repository), "--remove-unbuilt"]
    assert subprocess.run(command, timeout=240, check=False).returncode == 0
    assert [path.name for path in repository.iterdir()] == ["small"]


def test_the_text_models_that_recipes_start_with_are_of_the_default_tier() -> None:
    assert {"text_harmless", "text_preference"} <= set(tiers.list_default(REPOSITORY))


def test_make_knows_the_extra_tier() -> None:
    make = shutil.which("make") or "make"
    said = subprocess.run(
        [make, "-n", "models-all"], cwd=REPOSITORY.parents[1], capture_output=True, text=True, timeout=240
    )
    assert "models build --all" in said.stdout
