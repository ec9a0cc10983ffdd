"""Folders of the state directory, which no other user may have made or may write to.

Whoever may put files there decides what the embedded servers load, and so runs code as this user. A name like
``/tmp/gateway`` may have been taken by somebody else before the first start.
"""

import os
import stat
from pathlib import Path

from reward_gateway.local.errors import StackError

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_ANOTHER = "name another folder with --state-dir (REWARD_GATEWAY_STATE_DIR)"
_ADVICE = f"who writes there could run code as you: {_ANOTHER}"


def own_folder(top: Path, *names: str) -> Path:
    """Make the folder ``top/names[0]/names[1]/…``, and let no other user write to any of these; returns it.

    Raises:
        StackError: one of them is not this user's, is a link (``top`` may be one), or others write to it.
        OSError: it cannot be made.
    """
    folder = top.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("", *names):
        folder = folder / name
        if name:
            folder.mkdir(exist_ok=True)
        if fault := _find_fault(folder):
            raise StackError(fault)
        if folder.stat().st_mode & _OTHERS_WRITE and _may_change(folder.stat()):
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) & ~_OTHERS_WRITE)
    return folder


def foreign_folder_fault(top: Path, *names: str) -> str:
    """Why :func:`own_folder` would refuse folders that exist; empty if it would not. Changes nothing."""
    folder = top.resolve()
    for name in ("", *names):
        folder = folder / name
        if not folder.is_symlink() and not folder.exists():
            break
        if fault := _find_fault(folder):
            return fault
    return ""


def _find_fault(folder: Path) -> str:
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return f"{folder} is a link or a file, where a folder of the gateway's own is needed: {_ANOTHER}"
    if status.st_uid not in _trusted_users():
        return f"{folder} belongs to another user, and {_ADVICE}"
    others_write = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
    if others_write and not _may_change(status):
        return f"every user may write to {folder}, and {_ADVICE}"
    return ""


def _may_change(status: os.stat_result) -> bool:
    return os.geteuid() in (0, status.st_uid)


def _trusted_users() -> set[int]:
    """This user, root, and whoever owns this program: who could run code as this user anyway."""
    return {os.geteuid(), 0, Path(__file__).stat().st_uid}
