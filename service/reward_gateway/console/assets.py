"""Scripts and styles that pages load, from this address alone.

All are below one path that holds the hash of all of them, so that a browser keeps them for good and a new version has
new addresses, those that one module imports of another included.
"""

import hashlib
from importlib.resources import files

from starlette.responses import Response

from reward_gateway.errors import NotFound

PREFIX = "/console/static/"

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOLDERS = ("reward_gateway.pages.static", "reward_gateway.console.static")
_FOR_GOOD = "public, max-age=31536000, immutable"


class Assets:
    """The files, read once."""

    def __init__(self) -> None:
        pages = files("reward_gateway.pages")
        shared = {"pages.css": "style.css", "plots.js": "plots.js"}
        self._files = {name: (pages / file).read_bytes() for name, file in shared.items()}
        for folder in _FOLDERS:
            package, _, name = folder.rpartition(".")
            for file in (files(package) / name).iterdir():
                if file.name.endswith(tuple(_TYPES)):
                    self._files[file.name] = file.read_bytes()
        whole = hashlib.sha256()
        for name, content in sorted(self._files.items()):
            whole.update(f"{name} {len(content)} ".encode() + content)
        self.digest = whole.hexdigest()[:16]

    def link_to(self, name: str) -> str:
        """The path of a file. Raises KeyError if there is none."""
        self._files[name]
        return f"{PREFIX}{self.digest}/{name}"

    def answer(self, path: str) -> Response:
        """The file at a path. Raises NotFound.

        While pods of two versions answer, a page of one may ask the other: it gets what there is, for this time only.
        """
        digest, _, name = path.removeprefix(PREFIX).partition("/")
        content = self._files.get(name)
        if content is None:
            raise NotFound("there is no such file")
        kept = _FOR_GOOD if digest == self.digest else "no-store"
        headers = {"cache-control": kept, "x-content-type-options": "nosniff"}
        return Response(content, headers=headers, media_type=_TYPES[name[name.rindex(".") :]])
