"""Folders that only this user may enter, for as long as the stack runs: for sockets, links and shared counters.

They are made where temporary files are, not in ``$XDG_RUNTIME_DIR``, which is removed when its user logs out, while a
stack that was started with ``nohup`` runs on.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from reward_gateway.local.errors import StackError

PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - a private folder is made in one of them
_PREFIX = "reward-gateway-run-"


@contextlib.contextmanager
def private_folder(
    refusal: str, places: Iterable[Path] = (), accepts: Callable[[Path], bool] = lambda folder: True
) -> Iterator[Path]:
    """Make a folder of mode 0700 in the first place that can hold it, and remove it at the end.

    It is locked meanwhile: cleaners of temporary files (systemd-tmpfiles) leave a locked folder alone, and one that is
    not locked was left by a stack that was killed, and is removed by the next.

    Args:
        refusal: the error's message if no place will do; says what to do instead.
        places: folders to try, in this order; by default those for temporary files.
        accepts: whether a new folder will do; may raise OSError if not.

    Raises:
        StackError: no place will do.
    """
    for place in dict.fromkeys(places or map(Path, (tempfile.gettempdir(), *PLACES))):
        with contextlib.suppress(OSError):
            remove_left_folders(place)
        try:
            folder, lock = _make_locked(place)
        except OSError:
            continue
        try:
            if _is_accepted(folder, accepts):
                yield folder
                return
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
    raise StackError(refusal)


def remove_left_folders(place: Path) -> None:
    """Remove the private folders of this user in ``place`` whose stack has ended."""
    for folder in place.glob(f"{_PREFIX}*"):
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            continue
        with contextlib.suppress(OSError):
            lock = _lock_folder(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _make_locked(place: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))  # its mode is 0700
        try:
            lock = _lock_folder(folder)
        except (BlockingIOError, FileNotFoundError):  # another stack took it for one that was left
            continue
        except OSError:  # folders cannot be locked here
            folder.rmdir()
            raise
        if folder.exists():
            return folder, lock
        os.close(lock)


def _lock_folder(folder: Path) -> int:
    """Lock a folder until the descriptor is closed. Raises OSError if it is locked or gone."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _is_accepted(folder: Path, accepts: Callable[[Path], bool]) -> bool:
    try:
        return accepts(folder)
    except OSError:
        return False
