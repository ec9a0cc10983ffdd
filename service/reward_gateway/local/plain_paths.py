"""Paths without spaces: Triton's Python backend starts its processes with ``bash -c`` without quoting paths."""

import contextlib
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from reward_gateway.local.errors import StackError

_PLAIN = re.compile(r"[\w./+@%:,-]+", re.ASCII)
_SHORT_PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - a private folder is made in one of them


def is_plain(path: Path) -> bool:
    """True if a shell reads the unquoted path as one word."""
    return _PLAIN.fullmatch(str(path)) is not None


@contextlib.contextmanager
def plain_links() -> Iterator[Callable[[Path], Path]]:
    """Yield a function that returns a plain path of a folder: the folder itself, or a link that is removed at the end.

    The function raises StackError if no folder for links can be created.
    """
    with contextlib.ExitStack() as held:
        link_folders: list[Path] = []

        def plain_path(folder: Path) -> Path:
            if is_plain(folder):
                return folder
            if not link_folders:
                link_folders.append(Path(held.enter_context(_private_folder(folder))))
            link = link_folders[0] / str(len(list(link_folders[0].iterdir())))
            link.symlink_to(folder)
            return link

        yield plain_path


def _private_folder(wanted_by: Path) -> "tempfile.TemporaryDirectory[str]":
    for place in (tempfile.gettempdir(), *_SHORT_PLACES):
        if is_plain(Path(place)):
            with contextlib.suppress(OSError):
                return tempfile.TemporaryDirectory(prefix="reward-gateway-", dir=place)
    raise StackError(
        f"Triton cannot work in a folder whose path has spaces or other special characters ({wanted_by}), and no "
        f"folder for links without them can be created in {', '.join(_SHORT_PLACES)}: move the project elsewhere"
    )
