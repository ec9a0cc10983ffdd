"""Versions of a model: Triton's version numbers, each with its own card and content version.

Version 1 is described by ``card.yaml`` next to ``config.pbtxt``; every later version is a folder ``N/`` that contains
its card. A new version changes neither of the two files: which versions to serve, and all their cards, are written to
``configs/served.pbtxt``, which a server started with ``--model-config-name=served`` reads instead of ``config.pbtxt``
if it exists.

A version is moved into place by one rename and served once the configuration names it, so no server ever sees a
partial one. Files equal to those of another version are hard links: a new head does not copy the encoder. Version
numbers are never reused, and a published folder never changes.
"""

import fcntl
import json
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reward_models.repository import card as cards
from reward_models.repository import config, placement
from reward_models.repository.card import CARD, CONFIG, VERSION_FOLDER, Card, RepositoryError
from reward_models.repository.files import check_hash, link_file

SERVED = "served"
"""Name of the derived configuration: what follows ``--model-config-name=``."""

FOLDER = "configs"
NOTE = "versions.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}")
_POLICY = re.compile(r"^version_policy\s*:?\s*\{(?:[^{}]|\{[^{}]*\})*\}\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Version:
    """A version in the repository. ``served``: the configuration names it."""

    number: int
    card: Card
    served: bool

    @property
    def content_version(self) -> str:
        return self.card.version


def list_versions(repository: Path, name: str) -> list[Version]:
    """The versions of a model, lowest first. Raises RepositoryError if there is no such model."""
    folder = _find_model_folder(repository, name)
    withdrawn, _ = _read_note(folder)
    return [
        Version(number, _read_version_card(folder, number), number not in withdrawn) for number in _list_numbers(folder)
    ]


class Outdated(RepositoryError):
    """A newer version than the expected one was published in the meantime."""


def publish_version(repository: Path, name: str, staging: Path, *, after: int | None = None, own: bool = False) -> int:
    """Publish a staged folder as the next version of a model, or as a new model.

    Args:
        repository: the model repository; must be writable.
        name: of the model.
        staging: ``card.yaml``, for a new model ``config.pbtxt``, and the files, in the folder itself or in ``1/``. A
            file named in the card but missing here is taken from a version that has the same file, ``model.py`` from
            the latest version.
        own: the staged files are nobody else's and on the repository's file system, so they are linked, not copied.
        after: publish only if this is the newest served version; so of two concurrent changes one fails.

    Returns:
        The version's number. A running server must be told to load the model.

    Raises:
        Outdated: a newer version than ``after`` is served.
        RepositoryError: the folder does not match its card, or has other inputs, dimensions or flags than the
            existing versions.
    """
    if not NAME.fullmatch(name):
        raise RepositoryError(f"{name!r} is not a valid name: use letters, digits, dots, dashes and underscores.")
    staged = cards.read_card(staging)
    if staged.name != name:
        raise RepositoryError(f"The staged {CARD} names the model {staged.name}, not {name}.")
    if not (repository / name / CONFIG).is_file():
        return _create_model(repository, name, staging, staged, own)
    folder = repository / name
    with _lock_model(folder):
        numbers = _list_numbers(folder)
        for number in numbers:
            _check_same_tensors(number, _read_version_card(folder, number), staged)
        withdrawn, highest = _read_note(folder)
        newest = max(set(numbers) - withdrawn)
        if after not in (None, newest):
            raise Outdated(f"Version {newest} of {name} is newer than version {after}.")
        number = max([highest, *numbers]) + 1
        _write_served_config(folder, withdrawn, highest)  # a new folder is now not served by itself
        with _make_draft_folder(folder, f".{number}.") as draft:
            _fill_version(draft, folder, numbers, staging, staged, own)
            shutil.copy2(staging / CARD, draft / CARD)
            draft.rename(folder / str(number))
        _write_served_config(folder, withdrawn, number)
    return number


def withdraw_version(repository: Path, name: str, version: int) -> None:
    """Stop serving a version. Its files stay, and :func:`restore_version` serves it again.

    Raises RepositoryError if there is no such version, or it is the only served one.
    """
    _set_served(repository, name, version, served=False)


def restore_version(repository: Path, name: str, version: int) -> None:
    """Serve a version again. Raises RepositoryError if there is no such version."""
    _set_served(repository, name, version, served=True)


def prune_versions(repository: Path, name: str, keep: int, needed: Collection[int] = ()) -> list[int]:
    """Withdraw all served versions but the newest ``keep``; version 1 is never withdrawn.

    Args:
        needed: versions to keep as well.

    Returns:
        Their numbers. Once a server has reloaded the model, they can be deleted.
    """
    folder = _find_model_folder(repository, name)
    with _lock_model(folder):
        withdrawn, highest = _read_note(folder)
        serving = [n for n in _list_numbers(folder) if n not in withdrawn and _has_own_card(folder, n)]
        old = [number for number in serving[: -max(1, keep)] if number not in needed]
        if old:
            _write_served_config(folder, withdrawn | set(old), highest)
    return old


def delete_version(repository: Path, name: str, version: int) -> None:
    """Delete a withdrawn version that the server has unloaded. Raises RepositoryError for version 1 or a served one."""
    folder = _find_model_folder(repository, name)
    with _lock_model(folder):
        withdrawn, highest = _read_note(folder)
        if version not in withdrawn or not _has_own_card(folder, version):
            raise RepositoryError(f"{name}@{version} cannot be deleted: it is served, or described by {CARD}.")
        gone = folder / f".{version}.gone"
        (folder / str(version)).rename(gone)
        shutil.rmtree(gone)
        _write_served_config(folder, withdrawn - {version}, highest)


def refresh_config(repository: Path, name: str) -> None:
    """Derive the served configuration again, after a change of ``config.pbtxt``, version 1 or the placement."""
    folder = _find_model_folder(repository, name)
    if (folder / FOLDER / NOTE).is_file() or placement.read_placement(repository) is not None:
        with _lock_model(folder):
            _write_served_config(folder, *_read_note(folder))


def set_placement(repository: Path, placed: placement.Placement | None) -> None:
    """Set where all models of a repository run: on GPUs, or with None as their ``config.pbtxt`` says."""
    placement.write_placement(repository, placed)
    for path in sorted(repository.glob(f"*/{CONFIG}")):
        refresh_config(repository, path.parent.name)


def _create_model(repository: Path, name: str, staging: Path, staged: Card, own: bool) -> int:
    """Publish version 1 of a new model: its whole folder, by one rename."""
    if not (staging / CONFIG).is_file():
        raise RepositoryError(f"{name} is new to this repository: its staged folder needs a {CONFIG}.")
    if (repository / name).exists():
        raise RepositoryError(f"{repository / name} exists without a {CONFIG}: it is not a model. Remove it first.")
    with _make_draft_folder(repository, f".{name}.") as draft:
        (draft / VERSION_FOLDER).mkdir()
        _fill_version(draft / VERSION_FOLDER, draft, [], staging, staged, own)
        for file in (CARD, CONFIG):
            shutil.copy2(staging / file, draft / file)
        config.stamp_config(draft, staged)
        draft.rename(repository / name)
    refresh_config(repository, name)
    return 1


def _fill_version(draft: Path, folder: Path, numbers: list[int], staging: Path, staged: Card, own: bool) -> None:
    """Put a version's files into its folder, each checked against the card."""
    files = staging / VERSION_FOLDER if (staging / VERSION_FOLDER).is_dir() else staging
    for file in staged.files:
        target = draft / file.name
        if (files / file.name).is_file():
            check_hash(files / file.name, file.sha256, f"{file.name} of the staged folder")
            target.hardlink_to(files / file.name) if own else shutil.copy2(files / file.name, target)
            continue
        twin = next((n for n in reversed(numbers) if _find_hash(folder, n, file.name) == file.sha256), None)
        if twin is None or not (folder / str(twin) / file.name).is_file():
            raise RepositoryError(
                f"The staged folder lacks {file.name}, and no version of {folder.name} has the same file."
            )
        link_file(folder / str(twin) / file.name, target, file.sha256, f"{file.name} of version {twin}")
    known = {file.name for file in staged.files} | {CARD, CONFIG}
    for path in files.iterdir():
        if path.is_file() and path.name not in known and not path.name.startswith("."):
            shutil.copy2(path, draft / path.name)
    if not (draft / "model.py").exists() and numbers:
        latest = folder / str(numbers[-1]) / "model.py"
        if latest.is_file():
            shutil.copy2(latest, draft / "model.py")


def _set_served(repository: Path, name: str, version: int, *, served: bool) -> None:
    folder = _find_model_folder(repository, name)
    with _lock_model(folder):
        withdrawn, highest = _read_note(folder)
        numbers = set(_list_numbers(folder))
        if version not in numbers:
            raise RepositoryError(f"{name} has no version {version}; it has {', '.join(map(str, sorted(numbers)))}.")
        withdrawn = withdrawn - {version} if served else withdrawn | {version}
        if numbers <= withdrawn:
            raise RepositoryError(f"{name}@{version} is the only served version: unload the model instead.")
        _write_served_config(folder, withdrawn, highest)


def _write_served_config(folder: Path, withdrawn: set[int], highest: int) -> None:
    """Write the configuration for Triton and the note of withdrawn versions, each atomically."""
    numbers = _list_numbers(folder)
    serving = [number for number in numbers if number not in withdrawn]
    base = _POLICY.sub("", (folder / CONFIG).read_text("utf-8")).rstrip("\n")
    placed = placement.read_placement(folder.parent)
    base = placed.apply_to(base).rstrip("\n") if placed else base
    parts = [base, f"version_policy {{ specific {{ versions: [ {', '.join(map(str, serving))} ] }} }}"]
    parts += [
        config.format_parameters(_read_version_card(folder, n), suffix=f".{n}")
        for n in serving
        if _has_own_card(folder, n)
    ]
    (folder / FOLDER).mkdir(exist_ok=True)
    note = {"withdrawn": sorted(withdrawn), "highest": max([highest, *numbers])}
    _write_if_changed(folder / FOLDER / f"{SERVED}.pbtxt", "\n".join(parts) + "\n")
    _write_if_changed(folder / FOLDER / NOTE, json.dumps(note))


def _write_if_changed(path: Path, text: str) -> None:
    if path.is_file() and path.read_text("utf-8") == text:
        return  # an unchanged file keeps its time, so that Triton does not reload the model
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)


def _read_note(folder: Path) -> tuple[set[int], int]:
    """The withdrawn versions, and the highest version number ever used."""
    path = folder / FOLDER / NOTE
    if not path.is_file():
        return set(), 0
    note = json.loads(path.read_text("utf-8"))
    return set(note["withdrawn"]), int(note["highest"])


def _find_model_folder(repository: Path, name: str) -> Path:
    if not NAME.fullmatch(name) or not (repository / name / CONFIG).is_file():
        raise RepositoryError(f"There is no model {name} in {repository}.")
    return repository / name


def _list_numbers(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal() and path.is_dir())


def _has_own_card(folder: Path, number: int) -> bool:
    return (folder / str(number) / CARD).is_file()


def _read_version_card(folder: Path, number: int) -> Card:
    return cards.read_card(folder / str(number)) if _has_own_card(folder, number) else cards.read_card(folder)


def _find_hash(folder: Path, number: int, file: str) -> str | None:
    return next((held.sha256 for held in _read_version_card(folder, number).files if held.name == file), None)


def _check_same_tensors(number: int, held: Card, staged: Card) -> None:
    for what in ("inputs", "dimensions", "flags"):
        before, now = list(held.content[what]), list(staged.content[what])
        if before != now:
            raise RepositoryError(
                f"The staged version's {what} are {', '.join(now) or 'none'}; version {number} has "
                f"{', '.join(before) or 'none'}. All versions of a model must agree; give the model another name."
            )


@contextmanager
def _make_draft_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A temporary folder in ``parent``; removed on exit unless it was renamed."""
    draft = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    draft.chmod(0o755)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _lock_model(folder: Path) -> Iterator[None]:
    """Hold the model's lock: one change at a time, across processes."""
    with (folder / CONFIG).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
