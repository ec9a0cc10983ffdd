"""What every kind of source offers: a list of files, and each file's content."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reward_gateway.model_sources.files import RemoteFile


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how often a source is tried.

    Attributes:
        timeout_s: seconds without a byte before an attempt counts as failed.
        attempts: attempts in a row that got no further, at least 1.
    """

    timeout_s: float = 60.0
    attempts: int = 5


class Reader(Protocol):
    """A source of one model.

    Attributes:
        address: as it may be printed: without credentials.
        name: of the model, unless one is given.
    """

    address: str
    name: str

    def find_identity(self) -> str:
        """What a copy is known by: the address, and the commit where there is one.

        Raises:
            SourceFailed: a branch or tag had to be looked up, and could not be.
        """
        ...

    def find_unpinned(self) -> str:
        """Why the content could change under this address, as a sentence for who must pin it; empty: it cannot, or
        only a checksum could say so."""
        ...

    def list_files(self) -> tuple[list[RemoteFile], bool]:
        """The files, and whether the source is one single file (which may be an archive) rather than a folder.

        Raises:
            SourceFailed: it cannot be reached, refuses access, or is not there.
            ContentRefused: a path is unsafe.
        """
        ...

    def download(self, file: RemoteFile, target: Path) -> None:
        """Write one file, going on where an earlier attempt left ``target``.

        Raises:
            SourceFailed: all attempts failed.
        """
        ...
