"""Paths without spaces: Triton's Python backend starts its processes with ``bash -c`` without quoting paths."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from reward_gateway.local.private_folders import PLACES, private_folder

_PLAIN = re.compile(r"[\w./+@%:,-]+", re.ASCII)
_REFUSAL = (
    "Triton cannot work in a folder whose path has spaces or other special characters ({}), and no folder for links "
    f"without them can be made in {', '.join(PLACES)}: move the project elsewhere"
)


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
                link_folders.append(held.enter_context(private_folder(_REFUSAL.format(folder), accepts=is_plain)))
            link = link_folders[0] / str(len(list(link_folders[0].iterdir())))
            link.symlink_to(folder)
            return link

        yield plain_path
