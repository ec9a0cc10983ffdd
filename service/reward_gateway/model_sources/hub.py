"""The hub, or a mirror that speaks its interface (``HF_ENDPOINT``), through its own client."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from reward_gateway import extras
from reward_gateway.model_sources.failures import SourceFailed, SourceUnusable
from reward_gateway.model_sources.files import RemoteFile, check_path
from reward_gateway.model_sources.reader import Limits
from reward_gateway.model_sources.retrying import Transient, with_attempts

_SOURCE = re.compile(r"hf://((?:[\w.-]+/)?[\w.-]+)(?:@([\w./-]+))?")
_COMMIT = re.compile("[0-9a-f]{40}")

WORK = ".cache"
"""Folder in which the hub's client keeps what it has not finished."""


class HubReader:
    """All files of a repository of the hub at one commit.

    Args:
        url: ``hf://ORG/NAME@REVISION``.
        token: empty: the one that the hub's client finds itself (``HF_TOKEN``).
        limits: of each transfer.
    """

    def __init__(self, url: str, token: str, limits: Limits) -> None:
        match = _SOURCE.fullmatch(url.rstrip("/"))
        if match is None:
            raise SourceUnusable("a model of the hub must be named hf://ORG/NAME@REVISION")
        self._repository, self._revision = match[1], match[2] or "main"
        self._token, self._limits = token, limits
        self.address = f"hf://{self._repository}@{self._revision}"
        self.name = self._repository.rpartition("/")[2]

    def find_identity(self) -> str:
        return f"hf://{self._repository}@{self._find_commit()}"

    def find_unpinned(self) -> str:
        if _COMMIT.fullmatch(self._revision):
            return ""
        return (
            f"{self._revision} of {self._repository} is a branch or tag, which its owner can change: name the commit "
            f"(hf://{self._repository}@ and 40 hex digits)"
        )

    def list_files(self) -> tuple[list[RemoteFile], bool]:
        files = []
        for entry in self._info.siblings or ():
            path = check_path(entry.rfilename, self.address)
            sha256 = entry.lfs.sha256 if entry.lfs else ""
            files.append(RemoteFile(path, entry.size, sha256, "" if sha256 else entry.blob_id or ""))
        return files, False

    def download(self, file: RemoteFile, target: Path) -> None:
        root = target.parents[file.path.count("/")]
        try:
            with_attempts(lambda: self._transfer(file, root), self._limits.attempts, lambda: _measure(root / WORK))
        except Transient as error:
            raise SourceFailed(f"{error} (attempts: {self._limits.attempts})") from None

    def _transfer(self, file: RemoteFile, root: Path) -> None:
        with self._explained(f"{self.address} ({file.path})"):
            self._api.hf_hub_download(
                self._repository, file.path, revision=self._find_commit(), local_dir=root, token=self._token or None
            )

    def _find_commit(self) -> str:
        return self._revision if _COMMIT.fullmatch(self._revision) else str(self._info.sha)

    @cached_property
    def _info(self) -> Any:
        def ask() -> Any:
            with self._explained(self.address):
                return self._api.model_info(
                    self._repository, revision=self._revision, files_metadata=True, timeout=self._limits.timeout_s
                )

        try:
            return with_attempts(ask, self._limits.attempts)
        except Transient as error:
            raise SourceFailed(f"{error} (attempts: {self._limits.attempts})") from None

    @cached_property
    def _api(self) -> Any:
        _prepare_client(self._limits)
        with extras.needed():
            from huggingface_hub import HfApi
            from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]
        disable_progress_bars()
        return HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=self._token or None)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        from huggingface_hub import errors

        try:
            yield
        except errors.GatedRepoError:
            raise SourceFailed(
                f"{what} is gated: accept its terms on the hub, and set HF_TOKEN or --token-file to a token of the "
                "account that did"
            ) from None
        except errors.RepositoryNotFoundError:
            raise SourceFailed(
                f"{what} does not exist on the hub, or is private: check the name, or set HF_TOKEN or --token-file"
            ) from None
        except (errors.RevisionNotFoundError, errors.EntryNotFoundError) as error:
            if isinstance(error, errors.LocalEntryNotFoundError):
                raise Transient(f"the hub cannot be reached for {what}: check the network and HF_ENDPOINT") from None
            raise SourceFailed(f"the hub has no {what}: check the revision") from None
        except errors.HfHubHTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            if status in (401, 403):
                raise SourceFailed(
                    f"the hub refuses {what} (it answered {status}): set HF_TOKEN or --token-file to a token that may "
                    "read it"
                ) from None
            if 400 <= status < 500 and status not in (408, 429):
                raise SourceFailed(f"the hub answered {status} for {what}") from None
            raise Transient(f"the hub answered {status or 'nothing'} for {what}") from None
        except errors.OfflineModeIsEnabled:
            raise SourceFailed("HF_HUB_OFFLINE is set, so that nothing can be fetched from the hub") from None
        except errors.HFValidationError:
            raise SourceUnusable(f"{what} is no name of the hub") from None
        except OSError as error:
            if error.errno is not None and error.filename is not None:
                raise
            raise Transient(
                f"the hub cannot be reached for {what} ({type(error).__name__}): check HF_ENDPOINT"
            ) from None
        except Exception as error:
            # The client lets through what its HTTP library raises, the name of which changes between its versions.
            if not type(error).__module__.partition(".")[0].startswith("http"):
                raise
            raise Transient(
                f"the hub cannot be reached for {what} ({type(error).__name__}): check the network, the DNS of this "
                "machine or pod, and HF_ENDPOINT"
            ) from None


def drop_work(root: Path) -> None:
    """Remove what the hub's client keeps beside the files."""
    shutil.rmtree(root / WORK / "huggingface", ignore_errors=True)
    if (root / WORK).is_dir() and not any((root / WORK).iterdir()):
        (root / WORK).rmdir()


def _prepare_client(limits: Limits) -> None:
    """Settings that the hub's client reads when it is imported."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", str(max(1, round(limits.timeout_s))))
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", str(max(1, round(limits.timeout_s))))
    if "HF_HOME" not in os.environ and not os.access(Path.home(), os.W_OK):  # as in the gateway's image
        os.environ["HF_HOME"] = str(Path(tempfile.gettempdir()) / "huggingface")


def _measure(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.incomplete")) if folder.is_dir() else 0
