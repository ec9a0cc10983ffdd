"""The append-only files of a server of state that runs on this machine and leaves syncing to others."""

import contextlib
import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Have the disk hold what the server has written to its files. Raises OSError."""
    for path in folder.glob("*.aof"):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:  # those that are replaced are removed
            os.fsync(file.fileno())
