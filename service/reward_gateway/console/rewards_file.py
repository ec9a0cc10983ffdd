"""The recipe file that the gateway was started with: read, and written as a whole where it may be.

A recipe is written over the text that its editor was opened with, and over no other: who saves second is told.
"""

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reward_gateway.errors import Conflict
from reward_gateway.settings import Settings

BUILT_IN = Path(str(Settings.model_fields["rewards_file"].default))
"""The recipes that ship."""


def digest_text(text: str) -> str:
    """Tells one text from another."""
    return hashlib.sha256(text.encode()).hexdigest()


class RewardsFile:
    """The file at a path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def is_built_in(self) -> bool:
        return self.path.resolve() == BUILT_IN.resolve()

    def read(self) -> str:
        """Its text. Raises Conflict if it cannot be read."""
        try:
            return self.path.read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            raise Conflict(
                f"the recipe file {self.name} cannot be read any more; what it held is still in use"
            ) from None

    def explain_unwritable(self) -> str:
        """Why nothing can be saved here, and what to do instead; empty if it can."""
        instead = "download the recipe, and start the gateway with --rewards-file FILE"
        if self.is_built_in:
            return f"This gateway runs with the recipes that ship, which are not changed: {instead}."
        if self.path.is_symlink():
            return f"{self.name} is a link, as of a mounted ConfigMap: change it where it comes from, or {instead}."
        if not os.access(self.path, os.W_OK) or not os.access(self.path.parent, os.W_OK):
            return f"{self.name} cannot be written by this gateway: {instead}."
        return ""

    def replace(self, expected: str, text: str) -> bool:
        """Write a new text in the place of the expected one, as a whole; False: the file holds another by now.

        Raises:
            Conflict: the file cannot be written.
        """
        if reason := self.explain_unwritable():
            raise Conflict(reason)
        try:
            with self._locked():
                if self.path.read_bytes() != expected.encode():
                    return False
                self._write(text.encode())
        except OSError as error:
            raise Conflict(f"{self.name} could not be written: {error.strerror}; download the recipe instead") from None
        return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, of all processes; the lock is the folder's, for the file itself is replaced."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
            os.fsync(folder)
        finally:
            os.close(folder)

    def _write(self, content: bytes) -> None:
        new = self.path.with_name(f".{self.name}.new")
        old = self.path.stat()
        try:
            with new.open("wb") as file:
                os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
                if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
        finally:
            new.unlink(missing_ok=True)
