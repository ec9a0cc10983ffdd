"""A hub of checkpoints on a local port: the parts of the Hugging Face Hub's HTTP API that its client asks for.

Repositories have commits with files, branches and tags; one may be gated. A file's transfer can be cut halfway, once.
"""

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Files = Mapping[str, bytes]

TOKEN = "hf_of_the_test"
"""Whose bearer has accepted the terms of gated repositories."""


@dataclass
class Repository:
    """``revisions``: branch, tag or commit -> commit; ``commits``: commit -> its files."""

    commits: dict[str, Files]
    revisions: dict[str, str]
    gated: bool = False


@dataclass
class HubServer:
    """A server with ``repositories``, ``cuts`` (files that are cut halfway, once) and the ``requests`` that came."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    cuts: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        hub = self

        class Handler(HubHandler):
            served = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def publish(self, name: str, files: Files, *revisions: str, gated: bool = False) -> str:
        """Make a commit of files, the newest of ``main`` and of the revisions named. Gives its id."""
        commit = hashlib.sha1(repr(sorted(files.items())).encode(), usedforsecurity=False).hexdigest()
        repository = self.repositories.setdefault(name, Repository({}, {}, gated))
        repository.commits[commit] = files
        repository.revisions |= {commit: commit} | dict.fromkeys(revisions or ("main",), commit)
        return commit

    def fetched(self) -> list[str]:
        """The names of the files of which a part or all was asked for, in order."""
        return [path.rpartition("/")[2] for method, path, _ in self.requests if method == "GET" and "/resolve/" in path]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class HubHandler(BaseHTTPRequestHandler):
    """Answers one request."""

    served: HubServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.served.requests.append((self.command, path, self.headers.get("Range", "")))
        about = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(?:revision|tree)/(.+))?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        match = about or file
        if match is None:
            return self.fail(404, "EntryNotFound", "no such page")
        repository = self.served.repositories.get(match[1])
        if repository is None:
            return self.fail(404, "RepoNotFound", "Repository not found")
        commit = repository.revisions.get(match[2] or "main")
        if commit is None:
            return self.fail(404, "RevisionNotFound", "Invalid rev id")
        if "/tree/" in path:
            return self.list_files(repository.commits[commit])
        if file is None:
            return self.describe(match[1], repository, commit)
        if repository.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.fail(403, "GatedRepo", "Access to this model is restricted")
        if file[3] not in repository.commits[commit]:
            return self.fail(404, "EntryNotFound", "Entry not found")
        return self.send_file(file[3], repository.commits[commit][file[3]], commit)

    def describe(self, name: str, repository: Repository, commit: str) -> None:
        siblings = [{"rfilename": file} for file in repository.commits[commit]]
        said = {"id": name, "modelId": name, "sha": commit, "siblings": siblings, "private": False, "tags": []}
        self.answer(200, json.dumps({**said, "gated": "auto" if repository.gated else False}).encode(), {})

    def list_files(self, files: Files) -> None:
        rows = [
            {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha256(content).hexdigest()[:40]}
            for name, content in files.items()
        ]
        self.answer(200, json.dumps(rows).encode(), {})

    def send_file(self, name: str, content: bytes, commit: str) -> None:
        headers = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": commit,
            "Accept-Ranges": "bytes",
        }
        start, status = 0, 200
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, status = int(asked[1]), 206
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        cut = self.command == "GET" and name in self.served.cuts
        self.served.cuts -= {name} if cut else set()
        self.answer(status, content[start:], headers, cut=cut)

    def fail(self, status: int, code: str, message: str) -> None:
        self.answer(status, json.dumps({"error": message}).encode(), {"X-Error-Code": code, "X-Error-Message": message})

    def answer(self, status: int, body: bytes, headers: Mapping[str, str], *, cut: bool = False) -> None:
        """Send a body; one that is ``cut`` ends after its first half, and so does the connection."""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, *arguments: Any) -> None:
        """Nothing: the requests are kept."""
