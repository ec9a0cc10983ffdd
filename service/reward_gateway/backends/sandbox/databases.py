"""The databases of the operator's folder: SQLite files, by name, as Spider and BIRD lay them out."""

import re
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\- ]{0,127}")
_ENDINGS = (".sqlite", ".db", ".sqlite3")


class DatabaseFolder:
    """Finds databases by name: ``NAME/NAME.sqlite``, else ``NAME.sqlite``.

    Args:
        folder: the folder; None: there are no databases.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = None if folder is None else folder.resolve()

    def find(self, name: str) -> Path | None:
        """The file of a database, within the folder; None if there is none of that name."""
        if self._folder is None or _NAME.fullmatch(name) is None:
            return None
        for path in (self._folder / name / name, self._folder / name):
            for ending in _ENDINGS:
                file = path.with_name(path.name + ending)
                if file.is_file() and file.resolve().is_relative_to(self._folder):
                    return file.resolve()
        return None
