"""Archives, unpacked so that nothing leaves the folder and no small archive fills a disk."""

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from reward_gateway.model_sources.failures import ContentRefused
from reward_gateway.model_sources.files import MAX_FILES, check_path

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")


def strip_suffix(name: str) -> str:
    """A name without the suffix of an archive."""
    found = max((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), key=len, default="")
    return name[: len(name) - len(found)]


def is_archive(name: str) -> bool:
    """Whether a file is an archive by its name."""
    return name.lower().endswith(SUFFIXES)


def unpack(archive: Path, name: str, folder: Path, max_bytes: int) -> None:
    """Unpack an archive into a new folder; if all of it is in one folder, that folder's content.

    Args:
        name: as the source calls it, for messages.
        max_bytes: of all files together.

    Raises:
        ContentRefused: it is damaged, encrypted or too large, or has links, devices or paths that leave the folder.
    """
    folder.mkdir(parents=True)
    try:
        members = _read_zip(archive, name) if archive.suffix.lower() == ".zip" else _read_tar(archive, name)
        count = written = 0
        for path, content in members:
            count += 1
            if count > MAX_FILES:
                raise ContentRefused(f"{name} has more than {MAX_FILES:,} files")
            target = folder / path
            if content is None:
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as copy:
                while piece := content.read(1 << 20):
                    written += len(piece)
                    if written > max_bytes:
                        raise ContentRefused(f"{name} is more than {max_bytes:,} bytes when unpacked: see --max-size")
                    copy.write(piece)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OverflowError, RuntimeError) as error:
        raise ContentRefused(f"{name} is no whole archive ({type(error).__name__}): nothing was installed") from None
    except FileExistsError:
        raise ContentRefused(f"{name} has a path twice: nothing was installed") from None
    entries = list(folder.iterdir())
    if len(entries) == 1 and entries[0].is_dir() and not entries[0].name.isdecimal():
        inner = folder.with_name(f"{folder.name}.inner")
        entries[0].rename(inner)
        shutil.rmtree(folder)
        inner.rename(folder)


def _read_tar(archive: Path, name: str) -> Iterator[tuple[str, IO[bytes] | None]]:
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.isdir():
                if member.name.strip("./"):
                    yield check_path(member.name.removeprefix("./"), name), None
            elif member.isfile():
                yield check_path(member.name.removeprefix("./"), name), opened.extractfile(member)
            else:
                raise ContentRefused(f"{name} has {member.name!r}, which is a link or a device: nothing was installed")


def _read_zip(archive: Path, name: str) -> Iterator[tuple[str, IO[bytes] | None]]:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            is_link = (member.external_attr >> 16) & 0o170000 == 0o120000
            if is_link:
                raise ContentRefused(f"{name} has {member.filename!r}, which is a link: nothing was installed")
            path = check_path(member.filename, name)
            if member.is_dir():
                yield path, None
            else:
                with opened.open(member) as content:
                    yield path, content
