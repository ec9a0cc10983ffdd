"""``docs build`` writes the pages as files."""

from pathlib import Path

from reward_gateway.cli.main import app
from typer.testing import CliRunner

RECIPES = "rewards: {mine: {components: {a: {score: length_penalty}}}}"


def test_the_pages_are_written_with_the_recipes_of_a_file(tmp_path: Path) -> None:
    recipes = tmp_path / "rewards.yaml"
    recipes.write_text(RECIPES)
    done = CliRunner().invoke(app, ["docs", "build", str(tmp_path / "out"), "--rewards-file", str(recipes)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "index.html").is_file()
    assert (tmp_path / "out" / "pages" / "rewards" / "mine.html").is_file()
    assert "pages; open" in done.stderr
    assert "reward-gateway models list" in (tmp_path / "out" / "reference" / "commands.html").read_text()
    assert "/v1/score" in (tmp_path / "out" / "reference" / "http-api.html").read_text()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    done = CliRunner().invoke(app, ["docs", "build", str(tmp_path / "out")])
    assert type(done.exception).__name__ == "Unusable"
    assert "cannot be used" in str(done.exception)
