"""A web server and an S3-compatible store on local ports, which can break off transfers."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


@dataclass
class FileServer:
    """Serves ``files`` by their paths (``/bucket/key`` for S3).

    Attributes:
        cuts: how many of the next answers of a path end halfway.
        token: what the bearer must be, if set.
        requests: method, path and Range of what came.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cuts: Counter[str] = field(default_factory=Counter)
    token: str = ""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        served = self

        class Handler(_Handler):
            server_files = served

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_files: FileServer

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        served, parts = self.server_files, urlsplit(self.path)
        path, asked = unquote(parts.path), self.headers.get("Range", "")
        served.requests.append((self.command, path, asked))
        served.authorizations.append(self.headers.get("Authorization", ""))
        if served.token and self.headers.get("Authorization") != f"Bearer {served.token}":
            self._send(401, b"", with_body)
            return
        query = parse_qs(parts.query)
        if "list-type" in query:
            self._send(200, self._list(path.strip("/"), query.get("prefix", [""])[0]), with_body)
            return
        content = served.files.get(path)
        if content is None:
            self._send(404, b"", with_body)
            return
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        head = {"ETag": f'"{hash(content) & 0xFFFF:x}"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        if asked:
            head["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        cut = with_body and served.cuts[path] > 0
        served.cuts[path] -= cut
        self._send(206 if asked else 200, content[start:], with_body, head, cut=cut)

    def _send(
        self, status: int, body: bytes, with_body: bool, head: dict[str, str] | None = None, *, cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in (head or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True

    def _list(self, bucket: str, prefix: str) -> bytes:
        keys = [path.removeprefix(f"/{bucket}/") for path in self.server_files.files if path.startswith(f"/{bucket}/")]
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.server_files.files[f'/{bucket}/{key}'])}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for key in sorted(keys)
            if key.startswith(prefix)
        )
        text = f"<ListBucketResult><Name>{bucket}</Name><IsTruncated>false</IsTruncated>{found}</ListBucketResult>"
        return text.encode()
