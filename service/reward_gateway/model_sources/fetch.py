"""Fetches one model: everything is downloaded and checked beside its place, then put there in one step."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from reward_gateway.model_sources.archives import is_archive, strip_suffix, unpack
from reward_gateway.model_sources.checksums import (
    check_sha256,
    compare_with_manifest,
    compare_with_pin,
    hash_blob,
    hash_file,
    hash_folder,
    read_manifest,
)
from reward_gateway.model_sources.failures import ContentRefused, SourceFailed, SourceUnusable
from reward_gateway.model_sources.files import RemoteFile, choose_files, refuse_pickles
from reward_gateway.model_sources.reader import Limits, Reader

Kind = Literal["", "model", "repository", "checkpoint"]

STAMP = ".fetched.json"
"""File in a model's folder that says what was fetched; without it the folder is not whole."""

LONGEST_MANIFEST = 32 << 20

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_POLL_S = 0.5

_KINDS: dict[str, tuple[tuple[str, ...], str]] = {
    "model": (
        ("config.pbtxt", "*/model.*"),
        "Triton model (it has no config.pbtxt and no version's folder)",
    ),
    "repository": (("*/config.pbtxt",), "Triton repository (no folder in it has a config.pbtxt)"),
    "checkpoint": (
        ("config.json", "*.safetensors", "*.gguf"),
        "checkpoint (it has no config.json, and no file of weights in safetensors or GGUF)",
    ),
}

Report = Callable[[str, int, int | None], None]
"""Called with what is done, and the bytes that are there of how many (None: not known)."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to fetch, and where to put it.

    Attributes:
        kind: what it must be: a folder of a Triton model, a whole repository of such, or a checkpoint; empty: anything.
        sha256: of the file or archive, or of a folder (:func:`.checksums.hash_folder`); empty: it is not pinned so.
        manifest: file or address of a ``SHA256SUMS``; empty: none.
        cache: folder that several machines or pods share; the model is a link into it.
        copy: put a copy, not a link, where there is a cache.
        verify: compare what is there already with its checksums.
        max_bytes: of the model.
        wait_s: seconds to wait for another process that fetches the same model.
    """

    source: str
    into: Path
    name: str = ""
    kind: Kind = ""
    sha256: str = ""
    manifest: str = ""
    cache: Path | None = None
    copy: bool = False
    token: str = field(default="", repr=False)
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    allow_unpinned: bool = False
    allow_pickle: bool = False
    verify: bool = False
    max_bytes: int = 500 << 30
    limits: Limits = field(default_factory=Limits)
    wait_s: float = 3600.0


class Whole(NamedTuple):
    """A whole copy: how many files and bytes, the folder's SHA-256, and whether it was there before."""

    files: int
    bytes: int
    sha256: str
    was_there: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model that is in place.

    Attributes:
        folder: where it lies.
        source: without credentials.
        sha256: of the folder.
        was_there: nothing had to be fetched.
    """

    folder: Path
    source: str
    files: int
    bytes: int
    sha256: str
    was_there: bool


def fetch_model(request: Request, report: Report = lambda *_: None) -> Fetched:
    """Fetch a model, unless it is there.

    Raises:
        SourceUnusable: the arguments name no source that can be fetched, or one that could change.
        SourceFailed: it cannot be reached, refuses access, or does not have what was asked for.
        ContentRefused: the content is not what was promised, is unsafe, is no model, or does not fit.
    """
    pin = check_sha256(request.sha256) if request.sha256 else ""
    listed = _read_listed(request)
    reader = open_reader(request, listed)
    if (reason := reader.find_unpinned()) and not (request.allow_unpinned or pin or listed):
        raise SourceUnusable(f"{reason}; or pin the content by --sha256 or --manifest, or say --allow-unpinned")
    name = request.name or strip_suffix(reader.name)
    if not _NAME.fullmatch(name):
        raise SourceUnusable(f"the model's name must be of letters, digits, _, . and -, not {name!r}: give --name")
    key = _make_key(reader.find_identity(), pin, listed, request)
    root = request.into if request.cache is None else request.cache / key
    home = root / name
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ContentRefused(f"{root} cannot be made ({error.strerror}): look at the volume's owner") from None
    with _lock(root / f".{name}.lock", request.wait_s, report):
        found = _find_whole(home, key, request.verify)
        if found is None:
            found = _fetch(reader, request, home, key, pin, listed, report)
    if request.cache is not None:
        _put(home, request.into / name, copy=request.copy)
    return Fetched(request.into / name, reader.address, *found)


def open_reader(request: Request, listed: dict[str, str] | None) -> Reader:
    """The reader of a source. Raises SourceUnusable if it names none."""
    source, limits = request.source, request.limits
    scheme = urlsplit(source).scheme
    if scheme == "hf":
        from reward_gateway.model_sources.hub import HubReader

        return HubReader(source, request.token, limits)
    if scheme in ("s3", "gs"):
        from reward_gateway.model_sources.buckets import BucketReader

        return BucketReader(source, limits)
    if scheme in ("http", "https"):
        from reward_gateway.model_sources.web import WebReader

        return WebReader(source, request.token, listed, limits)
    if scheme in ("", "file"):
        from reward_gateway.model_sources.folders import FolderReader

        return FolderReader(Path(source.removeprefix("file://")))
    raise SourceUnusable(
        f"{source.partition('?')[0]} is no source: write a folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, "
        "https://HOST/PATH or hf://ORG/NAME@REVISION"
    )


def _read_listed(request: Request) -> dict[str, str] | None:
    if not request.manifest:
        return None
    if request.manifest.startswith(("http://", "https://")):
        from reward_gateway.model_sources.web import read_web_text

        return read_manifest(read_web_text(request.manifest, request.token, request.limits), "the manifest")
    try:
        path = Path(request.manifest)
        if path.stat().st_size > LONGEST_MANIFEST:
            raise SourceUnusable(f"--manifest {path} is over {LONGEST_MANIFEST >> 20} MiB: that is no SHA256SUMS")
        return read_manifest(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SourceUnusable(f"--manifest {request.manifest} cannot be read ({type(error).__name__})") from None


def _make_key(identity: str, pin: str, listed: dict[str, str] | None, request: Request) -> str:
    """What a fetched copy is known by: where it is from, what was asked of it, and what of it was wanted."""
    wanted = [identity, pin, sorted((listed or {}).items()), list(request.include), list(request.exclude)]
    return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()[:32]


def _find_whole(home: Path, key: str, verify: bool) -> "Whole | None":
    """What the stamp of a whole copy says; None if there is none, or another."""
    try:
        stamp = json.loads((home / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(stamp, dict) or stamp.get("key") != key:
        return None
    if verify and _hash_files(home) != stamp.get("sha256_of"):
        return None
    return Whole(int(stamp["files"]), int(stamp["bytes"]), str(stamp["sha256"]), True)


def _fetch(
    reader: Reader,
    request: Request,
    home: Path,
    key: str,
    pin: str,
    listed: dict[str, str] | None,
    report: Report,
) -> "Whole":
    files, is_single = reader.list_files()
    if not is_single:
        files = choose_files(files, request.include, request.exclude)
    if not any(not file.folder for file in files):
        raise SourceFailed(f"{reader.address} has no file that is wanted: check --include and --exclude")
    if not request.allow_pickle:
        refuse_pickles(files)
    size = None if any(file.size is None for file in files) else sum(file.size or 0 for file in files)
    if size is not None and size > request.max_bytes:
        raise ContentRefused(f"{reader.address} has {size:,} bytes, and --max-size allows {request.max_bytes:,}")
    work = home.with_name(f".{home.name}.part")
    _open_work(work, key)
    _check_space(work, reader.address, size)
    content = work / "content"
    try:
        _download(reader, files, content, size, request, report)
        report("checking", 0, size)
        content = _finish_content(reader, request, files, is_single, content, pin)
        sha256_of = _hash_files(content)
        if listed is not None and not (is_single and is_archive(files[0].path)):
            compare_with_manifest(sha256_of, listed, request.manifest)
        digest = hash_folder(sha256_of)
        if pin and not is_single:
            compare_with_pin(digest, pin, reader.address)
        _check_kind(content, request.kind, reader.address)
        return _install(content, home, work, key, reader.address, sha256_of, digest)
    except OSError as error:
        raise ContentRefused(
            f"{reader.address} cannot be written to {home.parent} ({error.strerror}): look at its room and owner"
        ) from None


def _open_work(work: Path, key: str) -> None:
    """The folder of an unfinished copy: that of an earlier attempt at the same content is gone on with."""
    marker = work / "key"
    if work.is_dir() and (not marker.is_file() or marker.read_text() != key):
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True)
    marker.write_text(key)


def _check_space(work: Path, address: str, size: int | None) -> None:
    free = shutil.disk_usage(work).free
    there = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    if size is not None and size - there > free:
        raise ContentRefused(
            f"{address} needs {size - there:,} bytes more, and {work.parent} has {free:,} free: give it a larger volume"
        )


def _download(
    reader: Reader, files: Sequence[RemoteFile], content: Path, size: int | None, request: Request, report: Report
) -> None:
    done = 0
    for file in files:
        target = content / file.path
        if file.folder:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        report(file.path, done, size)
        reader.download(file, target)
        there = target.stat().st_size
        if file.size is not None and there != file.size:
            target.unlink()
            raise SourceFailed(f"{reader.address} ({file.path}) has {there:,} bytes, and was listed with {file.size:,}")
        _check_file(target, file, reader.address)
        done += there
        if done > request.max_bytes:
            raise ContentRefused(f"{reader.address} has more than {request.max_bytes:,} bytes: see --max-size")
        report(file.path, done, size)


def _check_file(target: Path, file: RemoteFile, address: str) -> None:
    """Compare a file with what its source says of it."""
    if file.sha256 and (found := hash_file(target)) != file.sha256:
        target.unlink()
        raise ContentRefused(f"{address} ({file.path}) has the SHA-256 {found}, and its source says {file.sha256}")
    if file.git_sha1 and hash_blob(target) != file.git_sha1:
        target.unlink()
        raise ContentRefused(f"{address} ({file.path}) is not the content that the hub names")


def _finish_content(
    reader: Reader, request: Request, files: Sequence[RemoteFile], is_single: bool, content: Path, pin: str
) -> Path:
    """The folder of the model: an archive is compared with its pin and unpacked."""
    from reward_gateway.model_sources import hub

    hub.drop_work(content)
    if not is_single:
        return content
    file = content / files[0].path
    if pin:
        compare_with_pin(hash_file(file), pin, reader.address)
    if not is_archive(file.name):
        return content
    unpacked = content.with_name("unpacked")
    shutil.rmtree(unpacked, ignore_errors=True)
    unpack(file, file.name, unpacked, request.max_bytes)
    if not request.allow_pickle:
        refuse_pickles(
            RemoteFile(path.relative_to(unpacked).as_posix()) for path in unpacked.rglob("*") if path.is_file()
        )
    shutil.rmtree(content)
    return unpacked


def _check_kind(content: Path, kind: Kind, address: str) -> None:
    """Raise ContentRefused if a folder is not what it was said to be."""
    patterns, what = _KINDS.get(kind, ((), ""))
    if kind and not any(any(content.glob(pattern)) for pattern in patterns):
        raise ContentRefused(f"{address} is no {what}: nothing was installed; check the prefix, and --kind")


def _install(
    content: Path, home: Path, work: Path, key: str, address: str, sha256_of: dict[str, str], digest: str
) -> "Whole":
    size = 0
    for path in (content, *content.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
        size += path.stat().st_size if path.is_file() else 0
    stamp = {"key": key, "source": address, "files": len(sha256_of), "bytes": size, "sha256": digest}
    (content / STAMP).write_text(json.dumps(stamp | {"sha256_of": sha256_of}, indent=1), encoding="utf-8")
    (content / STAMP).chmod(0o644)
    old = home.with_name(f".{home.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if home.is_symlink():
        home.unlink()
    elif home.exists():
        home.rename(old)
    content.rename(home)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)
    return Whole(len(sha256_of), size, digest, False)


def _hash_files(folder: Path) -> dict[str, str]:
    """Path -> SHA-256 of each file of a model."""
    return {
        path.relative_to(folder).as_posix(): hash_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != STAMP
    }


def _put(home: Path, place: Path, *, copy: bool) -> None:
    """Make a model of the cache appear in its place, in one step."""
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_name(f".{place.name}.new")
    if new.is_symlink() or new.is_file():
        new.unlink()
    shutil.rmtree(new, ignore_errors=True)
    if not copy:
        if place.is_symlink() and Path(os.readlink(place)) == home.absolute():
            return
        new.symlink_to(home.absolute())
    else:
        shutil.copytree(home, new)
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    elif copy and place.is_symlink():
        place.unlink()
    new.replace(place)


@contextlib.contextmanager
def _lock(path: Path, wait_s: float, report: Report) -> Iterator[None]:
    """Wait until no other process fetches the same model."""
    end = time.monotonic() + wait_s
    with path.open("a") as opened:
        while True:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise SourceFailed(
                        f"another process has been fetching the same model for {wait_s:g} s ({path}): look at it, or "
                        "wait longer (--wait-s)"
                    ) from None
                report("waiting for another process that fetches it", 0, None)
                time.sleep(_POLL_S)
        yield
