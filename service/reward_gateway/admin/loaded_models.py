"""Which models the embedded Triton serves, on disk: a Triton that is started again comes back with the same ones.

The stack writes the list when it starts; a gateway that loads or unloads a model while it runs keeps it up.
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
    """A list of names, one a line.

    Args:
        run_dir: folder of a stack's logs; where there is none, no embedded server runs and nothing is kept.
    """

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / FILE

    def write(self, names: Iterable[str]) -> None:
        """Begin with these."""
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
        """The names, written back on leaving; several gateways may change them at once."""
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
