"""A web server: one file or archive, or a folder with a ``SHA256SUMS`` that lists its files."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import quote, unquote, urlsplit

import httpx

from reward_gateway.model_sources.checksums import MANIFEST, read_manifest
from reward_gateway.model_sources.failures import SourceFailed, SourceUnusable
from reward_gateway.model_sources.files import RemoteFile
from reward_gateway.model_sources.reader import Limits
from reward_gateway.model_sources.retrying import Transient, with_attempts

T = TypeVar("T")

TOKEN_VARIABLE = "REWARD_GATEWAY_FETCH_TOKEN"  # noqa: S105
REDIRECTS = 5
MANIFEST_BYTES = 32 << 20
BUSY = (408, 425, 429, 500, 502, 503, 504)


class WebReader:
    """An ``https://`` address; ``http://`` only for what a checksum pins, or a mirror that is trusted.

    Args:
        url: without user and password; a query (of a signed address) is sent, but never shown.
        token: sent to the named host alone, and not over plain HTTP (this machine excepted).
        listed: the manifest that is given, for an address that ends with a slash.
        limits: of each transfer.
    """

    def __init__(self, url: str, token: str, listed: dict[str, str] | None, limits: Limits) -> None:
        parts = urlsplit(url)
        if parts.username or parts.password:
            raise SourceUnusable(
                f"an address must not have a password in it: put a token into {TOKEN_VARIABLE} or --token-file"
            )
        self._url, self._token, self._listed, self._limits = url, token, listed, limits
        self._origin = (parts.scheme, parts.hostname, parts.port)
        self._is_folder = parts.path.endswith("/")
        self.address = f"{parts.scheme}://{parts.netloc}{parts.path}"
        self.name = unquote(PurePosixPath(parts.path).name)
        self._client = httpx.Client(timeout=limits.timeout_s, follow_redirects=False)

    def find_identity(self) -> str:
        return self.address

    def find_unpinned(self) -> str:
        if self._origin[0] == "https":
            return ""
        return f"{self.address} comes over plain http, where anybody on the way can change it"

    def list_files(self) -> tuple[list[RemoteFile], bool]:
        if not self._is_folder:
            return [self._retry(lambda: self._look(self._url))], True
        if self._listed is None:
            text = self._retry(self._read_manifest)
            self._listed = read_manifest(text, f"{self.address}{MANIFEST}")
        return [RemoteFile(path, sha256=sha256) for path, sha256 in self._listed.items()], False

    def download(self, file: RemoteFile, target: Path) -> None:
        url = self._address_of(file.path) if self._is_folder else self._url
        self._retry(lambda: self._transfer(url, file, target), lambda: _size(target))

    def read_text(self) -> str:
        """The address's content, as a text of at most 32 MiB."""
        return self._retry(lambda: self._read(self._url))

    def _read_manifest(self) -> str:
        return self._read(self._address_of(MANIFEST))

    def _address_of(self, path: str) -> str:
        parts = urlsplit(self._url)
        return parts._replace(path=parts.path + quote(path)).geturl()

    def _retry(self, transfer: Callable[[], T], measure: Callable[[], int] = lambda: 0) -> T:
        try:
            return with_attempts(transfer, self._limits.attempts, measure)
        except Transient as error:
            raise SourceFailed(f"{error} (attempts: {self._limits.attempts})") from None

    def _read(self, url: str) -> str:
        with self._ask(url, {}) as answer:
            content = b""
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > MANIFEST_BYTES:
                    raise SourceFailed(f"{_shown(url)} is over {MANIFEST_BYTES >> 20} MiB: that is no {MANIFEST}")
            return content.decode("utf-8", "replace")

    def _look(self, url: str) -> RemoteFile:
        """Name, size and ETag; the body is not read."""
        with self._ask(url, {"Accept-Encoding": "identity"}) as answer:
            length = answer.headers.get("content-length", "")
            return RemoteFile(self.name, int(length) if length.isdecimal() else None, etag=_version(answer))

    def _transfer(self, url: str, file: RemoteFile, target: Path) -> None:
        there, version = _size(target), target.with_name(f".{target.name}.etag")
        headers = {"Accept-Encoding": "identity"}  # the bytes as they are stored, so that they can go on anywhere
        known = version.read_text() if there and version.is_file() else ""
        if known:
            headers |= {"Range": f"bytes={there}-", "If-Range": known}
        with self._ask(url, headers) as answer:
            if answer.status_code == 416:  # it ended just before the file was done: the sizes are equal
                version.unlink(missing_ok=True)
                return
            if answer.status_code != 206:
                there = 0
            version.write_text(_version(answer))
            with target.open("ab" if there else "wb") as copy:
                for piece in answer.iter_raw(1 << 20):
                    copy.write(piece)
            length = answer.headers.get("content-length", "")
            if length.isdecimal() and _size(target) - there != int(length):
                raise Transient(f"{_shown(url)} ended before its end")
        version.unlink(missing_ok=True)

    @contextmanager
    def _ask(self, url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """The answer to a GET, its body unread. Raises Transient or SourceFailed."""
        try:
            for _ in range(REDIRECTS + 1):
                with self._client.stream("GET", url, headers=headers | self._authorize(url)) as answer:
                    if not answer.is_redirect:
                        self._check(answer, url)
                        yield answer
                        return
                    following = str(httpx.URL(url).join(answer.headers["location"]))
                    if url.startswith("https://") and not following.startswith("https://"):
                        raise SourceFailed(f"{_shown(url)} redirects to an address without TLS, which is not followed")
                    url = following
            raise SourceFailed(f"{self.address} redirects more than {REDIRECTS} times")
        except httpx.TimeoutException:
            raise Transient(f"{_shown(url)} sent nothing for {self._limits.timeout_s:g} s") from None
        except httpx.HTTPError as error:
            raise _explain(error, url) from None

    def _authorize(self, url: str) -> dict[str, str]:
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or parts.hostname in ("127.0.0.1", "::1", "localhost")
        if not self._token or not is_safe or (parts.scheme, parts.hostname, parts.port) != self._origin:
            return {}
        return {"Authorization": f"Bearer {self._token}"}

    def _check(self, answer: httpx.Response, url: str) -> None:
        status, shown = answer.status_code, _shown(url)
        if answer.is_success or status == 416:
            return
        if status in BUSY:
            raise Transient(f"{shown} answered {status}")
        if status in (401, 403):
            what = "refuses the token" if self._token else "asks for a token"
            raise SourceFailed(
                f"{shown} {what} (it answered {status}): set {TOKEN_VARIABLE} or --token-file to one that may read it"
            )
        if status in (404, 410):
            raise SourceFailed(f"{shown} does not exist (it answered {status}): check the address")
        raise SourceFailed(f"{shown} answered {status}: check the address")


def read_web_text(url: str, token: str, limits: Limits) -> str:
    """The text of an address, for a manifest that stands elsewhere than its model."""
    return WebReader(url, token, None, limits).read_text()


def _explain(error: httpx.HTTPError, url: str) -> Exception:
    """The sentence for a connection that failed: Transient if another attempt may help."""
    shown, cause = _shown(url), _find_cause(error)
    if isinstance(cause, socket.gaierror):
        host = urlsplit(url).hostname
        return Transient(f"the host {host} of {shown} is not known: check its name, and the DNS of this machine or pod")
    if isinstance(cause, ssl.SSLCertVerificationError):
        return SourceFailed(
            f"the certificate of {shown} is not trusted ({cause.verify_message}): set SSL_CERT_FILE to the authority's"
        )
    return Transient(f"{shown} cannot be reached, or the connection broke ({type(error).__name__})")


def _find_cause(error: BaseException) -> BaseException | None:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
        if isinstance(error, socket.gaierror | ssl.SSLCertVerificationError):
            return error
    return None


def _version(answer: httpx.Response) -> str:
    """The strong ETag, or else the date of the last change; empty: the server names none."""
    etag: str = answer.headers.get("etag", "")
    changed: str = answer.headers.get("last-modified", "")
    return changed if not etag or etag.startswith("W/") else etag


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
