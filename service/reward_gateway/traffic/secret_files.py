"""Files that decide who is trusted: which other users of this machine may write to them or read them."""

import stat
from pathlib import Path


def describe_writers(path: Path) -> str:
    """What is wrong with a file that every user may write to, and what to do; empty if nothing. Raises OSError."""
    if not path.stat().st_mode & stat.S_IWOTH:
        return ""
    return f"every user of this machine may write to {path}: let only its owner do so (chmod o-rwx {path})"


def describe_readers(path: Path) -> str:
    """What is wrong with a secret that every user may read, and what to do; empty if nothing. Raises OSError."""
    if not path.stat().st_mode & stat.S_IROTH:
        return ""
    return f"every user of this machine may read {path}, a secret: keep them out (chmod o-rwx {path})"
