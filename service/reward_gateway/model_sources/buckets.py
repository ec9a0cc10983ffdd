"""Object stores: S3, what speaks its protocol (``AWS_ENDPOINT_URL``), and Google Cloud Storage."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from reward_gateway import extras
from reward_gateway.model_sources.failures import SourceFailed, SourceUnusable
from reward_gateway.model_sources.files import RemoteFile, check_path
from reward_gateway.model_sources.reader import Limits
from reward_gateway.model_sources.retrying import Transient, with_attempts

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")

ADVICE = {
    "s3": "give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY that may list and read it, or a role for the pod; for a "
    "public bucket AWS_SKIP_SIGNATURE=true",
    "gs": "give GOOGLE_SERVICE_ACCOUNT, the path of a key that may list and read it, or the pod a workload identity",
}


class BucketReader:
    """Every object below a prefix, or one object (``s3://BUCKET/KEY``, ``gs://BUCKET/KEY``).

    Credentials, region and endpoint come from the environment variables that the store's own tools read.
    """

    def __init__(self, url: str, limits: Limits) -> None:
        parts = urlsplit(url)
        self._scheme, self._prefix = parts.scheme, parts.path.strip("/")
        if not parts.hostname or not self._prefix or "@" in parts.netloc:
            raise SourceUnusable(f"an object store's address must be {parts.scheme}://BUCKET/PREFIX")
        self.address = f"{parts.scheme}://{parts.netloc}/{self._prefix}"
        self.name = PurePosixPath(self._prefix).name
        self._limits = limits
        self._single = False  # whether it is one object
        self._store = _open_store(parts.scheme, parts.netloc, limits)

    def find_identity(self) -> str:
        endpoint = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")
        return f"{self.address} {endpoint if self._scheme == 's3' else ''}".strip()

    def find_unpinned(self) -> str:
        return ""

    def list_files(self) -> tuple[list[RemoteFile], bool]:
        with self._explained(self.address):
            objects = [entry for chunk in self._store.list(self._prefix) for entry in chunk]
        if not objects:
            return [self._look_at_object()], True
        start = len(self._prefix) + 1
        paths = {entry["path"] for entry in objects}
        parents = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
        files = []
        for entry in objects:
            path = check_path(entry["path"][start:], self.address) if entry["path"] != self._prefix else ""
            if not path or entry["path"] in parents:  # what browsers of buckets make to show a folder
                continue
            is_folder = not entry["size"] and PurePosixPath(path).name.isdecimal()  # an ensemble's empty version
            files.append(RemoteFile(path, entry["size"], etag=entry["e_tag"] or "", folder=is_folder))
        return files, False

    def download(self, file: RemoteFile, target: Path) -> None:
        key = self._prefix if self._single else f"{self._prefix}/{file.path}"
        try:
            with_attempts(lambda: self._transfer(key, file, target), self._limits.attempts, lambda: _size(target))
        except Transient as error:
            raise SourceFailed(f"{error} (attempts: {self._limits.attempts})") from None

    def _look_at_object(self) -> RemoteFile:
        with self._explained(self.address):
            entry = self._store.head(self._prefix)
        self._single = True
        return RemoteFile(self.name, entry["size"], etag=entry["e_tag"] or "")

    def _transfer(self, key: str, file: RemoteFile, target: Path) -> None:
        there = _size(target)
        if there == file.size and there:
            return
        options: dict[str, Any] = {"range": {"offset": there}} if there else {}
        if file.etag:
            options["if_match"] = file.etag  # never two versions in one file
        with self._explained(f"{self.address} ({file.path})", transient=True):
            answer = self._store.get(key, options=options)
            with target.open("ab" if there else "wb") as copy:
                for piece in answer.stream(1 << 20):
                    copy.write(piece)
        if file.size is not None and _size(target) != file.size:
            raise Transient(f"{self.address} ({file.path}) ended before its end")

    @contextmanager
    def _explained(self, what: str, transient: bool = False) -> Iterator[None]:
        from obstore import exceptions

        try:
            yield
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError):
            raise SourceFailed(
                f"{what} may not be read with the credentials that are set: {ADVICE[self._scheme]}"
            ) from None
        except (exceptions.NotFoundError, FileNotFoundError):
            raise SourceFailed(f"{what} does not exist: check the bucket and the prefix") from None
        except exceptions.PreconditionError:
            raise SourceFailed(f"{what} was changed while it was fetched: fetch again") from None
        except (exceptions.BaseError, TimeoutError) as error:
            sentence = f"{what} cannot be read: {_first_cause(str(error))}"
            if transient:
                raise Transient(sentence) from None
            raise SourceFailed(
                f"{sentence}; check the endpoint, the region and the DNS of this machine or pod"
            ) from None


def _open_store(scheme: str, bucket: str, limits: Limits) -> Any:
    with extras.needed():
        from obstore import store
    client: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=limits.timeout_s),
        "read_timeout": timedelta(seconds=limits.timeout_s),
        "timeout": timedelta(days=7),  # of a whole transfer; a stalled one is ended by the read timeout
    }
    endpoint = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")
    if scheme == "s3" and endpoint.startswith("http://"):
        client["allow_http"] = True
    retries: Any = {
        "max_retries": limits.attempts - 1,
        "retry_timeout": timedelta(seconds=limits.timeout_s * limits.attempts),
    }
    options: Any = {"client_options": client, "retry_config": retries}
    if scheme == "s3":
        options |= {"endpoint": endpoint} if endpoint else {}
        return store.S3Store(bucket, **options)
    return store.GCSStore(bucket, **options)


def _first_cause(text: str) -> str:
    """The part of the library's message that a person can use: its first line, without what it prints for debugging."""
    return text.partition("\n")[0].partition("Debug source")[0].strip()[:300]


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
