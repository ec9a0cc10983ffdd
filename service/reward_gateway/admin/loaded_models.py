"""The list of models that the embedded Triton serves, on disk, so that a restarted Triton loads the same ones.

The stack writes the list at the start; a gateway updates it when it loads or unloads a model.
"""

import fcntl
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = "models.txt"


class LoadedModels:
    """A file of model names, one per line.

    Args:
        run_dir: folder of a stack's logs; without it, no embedded server runs and nothing is stored.
    """

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / FILE

    def write(self, names: Iterable[str]) -> None:
        """Replace the list."""
        self._path.write_text("".join(f"{name}\n" for name in names))

    def read(self) -> list[str]:
        return self._path.read_text().split() if self._path.is_file() else []

    def add(self, name: str) -> None:
        with self._edit_names() as names:
            names[name] = None

    def remove(self, name: str) -> None:
        with self._edit_names() as names:
            names.pop(name, None)

    @contextmanager
    def _edit_names(self) -> "Iterator[dict[str, None]]":
        """Yield the names and write them back at the end, under a lock, as several gateways may edit them."""
        if not self._path.is_file():
            yield {}
            return
        with self._path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            names = dict.fromkeys(file.read().split())
            yield names
            _rewrite_names(file, names)


def _rewrite_names(file: IO[str], names: Iterable[str]) -> None:
    file.seek(0)
    file.write("".join(f"{name}\n" for name in names))
    file.truncate()
