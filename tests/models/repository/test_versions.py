"""Versions side by side: numbered once, whole or absent, each with its own card, and nothing committed is touched."""

import hashlib
import json
import os
import threading
from pathlib import Path

import pytest
from reward_models.repository import RepositoryError, versions
from reward_models.runtime.instance import Instance

CONFIG = 'name: "tiny"\nbackend: "python"\nversion_policy { latest { num_versions: 1 } }\ndynamic_batching { }\n'


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def stage(folder: Path, head: bytes, encoder: bytes | None = b"encoder", dimensions: str = "good", **said: str) -> Path:
    """A staged version; ``encoder`` None leaves the file out, though the card names it."""
    folder.mkdir()
    (folder / "head.npz").write_bytes(head)
    (folder / "model.py").write_text("# the model\n")
    if encoder is not None:
        (folder / "encoder.onnx").write_bytes(encoder)
    (folder / "card.yaml").write_text(
        f"name: {said.get('name', 'tiny')}\ninputs: {{response: it}}\ndimensions: {{{dimensions}: it}}\nflags: {{}}\n"
        f"settings: {{a: 1}}\nfiles:\n  encoder.onnx: {{sha256: {digest(encoder or b'encoder')}}}\n"
        f"  head.npz: {{sha256: {said.get('sha256', digest(head))}}}\n"
    )
    (folder / "config.pbtxt").write_text(CONFIG)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the first version of one model."""
    (tmp_path / "repository").mkdir()
    assert versions.publish_version(tmp_path / "repository", "tiny", stage(tmp_path / "first", b"head 1")) == 1
    return tmp_path / "repository"


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    """A new head: its file and a card, the encoder being that of the version before."""
    return stage(tmp_path / "second", b"head 2", encoder=None)


def served(repository: Path) -> str:
    return (repository / "tiny" / "configs" / "served.pbtxt").read_text()


def numbers(repository: Path) -> dict[int, bool]:
    return {version.number: version.served for version in versions.list_versions(repository, "tiny")}


def test_a_new_model_is_a_whole_folder_with_its_card_stamped(repository: Path) -> None:
    folder = repository / "tiny"
    assert sorted(path.name for path in folder.iterdir()) == ["1", "card.yaml", "config.pbtxt"]
    assert sorted(path.name for path in (folder / "1").iterdir()) == ["encoder.onnx", "head.npz", "model.py"]
    content = versions.list_versions(repository, "tiny")[0].content_version
    assert f'"{content}"' in (folder / "config.pbtxt").read_text()


def test_the_next_version_stands_beside_it_and_changes_no_file_that_was_there(repository: Path, staged: Path) -> None:
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    assert versions.publish_version(repository, "tiny", staged) == 2
    assert numbers(repository) == {1: True, 2: True}
    assert all(path.read_bytes() == content for path, content in before.items())
    first, second = versions.list_versions(repository, "tiny")
    assert first.content_version != second.content_version
    assert "specific { versions: [ 1, 2 ] }" in served(repository)
    assert "latest" not in served(repository)


def test_a_new_head_copies_no_encoder(repository: Path, staged: Path) -> None:
    versions.publish_version(repository, "tiny", staged)
    files = [repository / "tiny" / number / "encoder.onnx" for number in ("1", "2")]
    assert files[0].samefile(files[1])
    assert (repository / "tiny" / "2" / "head.npz").read_bytes() == b"head 2"


def test_a_scorer_reads_the_card_of_its_own_version(repository: Path, staged: Path) -> None:
    versions.publish_version(repository, "tiny", staged)
    lines = served(repository).splitlines()
    keys = [line.split('"')[1] for line in lines if line.startswith("  key:")]
    values = [line.split("string_value: ")[1].rsplit(" }", 1)[0] for line in lines if line.startswith("  value:")]
    parameters = {key: {"string_value": json.loads(value)} for key, value in zip(keys, values, strict=True)}
    config = {"parameters": parameters}
    for version in versions.list_versions(repository, "tiny"):
        instance = Instance.from_triton(
            {
                "model_config": json.dumps(config),
                "model_version": str(version.number),
                "model_repository": str(repository / "tiny"),
                "model_instance_kind": "CPU",
                "model_instance_device_id": "0",
            }
        )
        assert instance.card["hashes"]["head.npz"] == digest(b"head %d" % version.number)
        assert instance.folder == repository / "tiny" / str(version.number)


def test_a_withdrawn_version_is_not_served_and_can_be_brought_back(repository: Path, staged: Path) -> None:
    versions.publish_version(repository, "tiny", staged)
    versions.withdraw_version(repository, "tiny", 2)
    assert numbers(repository) == {1: True, 2: False}
    assert "specific { versions: [ 1 ] }" in served(repository)
    versions.restore_version(repository, "tiny", 2)
    assert numbers(repository) == {1: True, 2: True}
    versions.withdraw_version(repository, "tiny", 1)
    with pytest.raises(RepositoryError, match="only served version"):
        versions.withdraw_version(repository, "tiny", 2)


def test_a_number_is_never_given_twice(repository: Path, staged: Path) -> None:
    versions.publish_version(repository, "tiny", staged)
    versions.withdraw_version(repository, "tiny", 2)
    versions.delete_version(repository, "tiny", 2)
    assert numbers(repository) == {1: True}
    assert versions.publish_version(repository, "tiny", staged) == 3


def test_only_what_is_withdrawn_and_was_published_is_deleted(repository: Path, staged: Path) -> None:
    versions.publish_version(repository, "tiny", staged)
    with pytest.raises(RepositoryError, match="cannot be deleted"):
        versions.delete_version(repository, "tiny", 2)
    versions.withdraw_version(repository, "tiny", 1)
    with pytest.raises(RepositoryError, match="cannot be deleted"):
        versions.delete_version(repository, "tiny", 1)


def test_the_newest_are_kept(repository: Path, staged: Path) -> None:
    for _ in range(4):
        versions.publish_version(repository, "tiny", staged)
    assert versions.prune_versions(repository, "tiny", 2) == [2, 3]
    assert numbers(repository) == {1: True, 2: False, 3: False, 4: True, 5: True}
    assert versions.prune_versions(repository, "tiny", 2) == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"head": b"head 2", "sha256": "0" * 64}, "not the pinned file"),
        ({"head": b"head 2", "name": "other"}, "names the model other"),
        ({"head": b"head 2", "dimensions": "bad"}, "dimensions are bad; version 1 has good"),
    ],
)
def test_a_folder_that_is_not_in_order_leaves_nothing_behind(
    repository: Path, tmp_path: Path, fault: dict[str, str], said: str
) -> None:
    with pytest.raises(RepositoryError, match=said):
        versions.publish_version(repository, "tiny", stage(tmp_path / "faulty", **fault))  # type: ignore[arg-type]
    assert numbers(repository) == {1: True}
    assert not [path for path in (repository / "tiny").iterdir() if path.name.startswith(".")]


def test_a_file_that_no_version_has_must_be_staged(repository: Path, tmp_path: Path) -> None:
    staged = stage(tmp_path / "lacking", b"head 2", encoder=b"another")
    (staged / "encoder.onnx").unlink()
    with pytest.raises(RepositoryError, match=r"lacks encoder\.onnx"):
        versions.publish_version(repository, "tiny", staged)


def test_names_do_not_leave_the_repository(repository: Path, staged: Path) -> None:
    for name in ("../tiny", ".tiny", "", "a/b"):
        with pytest.raises(RepositoryError):
            versions.publish_version(repository, name, staged)
        with pytest.raises(RepositoryError):
            versions.list_versions(repository, name)


def test_what_is_changed_by_hand_is_taken_over(repository: Path, staged: Path) -> None:
    versions.publish_version(repository, "tiny", staged)
    config = repository / "tiny" / "config.pbtxt"
    config.write_text(
        config.read_text().replace("dynamic_batching { }", "dynamic_batching { preferred_batch_size: 8 }")
    )
    versions.refresh_config(repository, "tiny")
    assert "preferred_batch_size: 8" in served(repository)


def test_a_model_with_one_version_needs_no_derived_configuration(repository: Path) -> None:
    versions.refresh_config(repository, "tiny")
    assert not (repository / "tiny" / "configs").exists()


def test_many_who_publish_at_once_get_a_number_each(repository: Path, staged: Path) -> None:
    given: list[int] = []
    threads = [
        threading.Thread(target=lambda: given.append(versions.publish_version(repository, "tiny", staged)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == [2, 3, 4, 5, 6, 7]
    assert "[ 1, 2, 3, 4, 5, 6, 7 ]" in served(repository)


def test_nobody_ever_sees_half_a_version(repository: Path, staged: Path) -> None:
    torn: list[str] = []
    ends = threading.Event()

    def look() -> None:
        while not ends.is_set():
            for entry in os.scandir(repository / "tiny"):
                if entry.name.isdecimal() and not {"head.npz", "encoder.onnx", "model.py"} <= set(os.listdir(entry)):
                    torn.append(entry.name)

    watcher = threading.Thread(target=look)
    watcher.start()
    for _ in range(20):
        versions.publish_version(repository, "tiny", staged)
    ends.set()
    watcher.join()
    assert not torn
