"""Conversions need torch and transformers: `make test-convert` runs these with an environment that has them."""

from collections.abc import Callable
from pathlib import Path

import pytest

Make = Callable[[str], Path]

LIMIT_S = 1800
"""Of one test, of which some start three engines, each with imports of torch that take a busy machine minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent.as_posix() + "/"
    for item in items:
        if item.path.as_posix().startswith(folder):
            item.add_marker(pytest.mark.timeout(LIMIT_S))


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A tiny checkpoint with random weights, by its name; made once."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from reward_models.convert import tiny

    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp("checkpoint") / f"tiny-{name}"
            made[name].mkdir()
            tiny.everything()[name](made[name])
        return made[name]

    return make


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty model repository."""
    folder = tmp_path / "repository"
    folder.mkdir()
    return folder
