"""Scripts, styles and pictures that pages load, from this address alone.

All are below one path that holds the hash of all of them, so that a browser keeps them for good and a new version has
new addresses, those that one module imports of another included.
"""

import hashlib
from collections.abc import Iterator, Mapping

from starlette.responses import Response

from reward_gateway.errors import NotFound

TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png"}
_FOR_GOOD = "public, max-age=31536000, immutable"


class StaticFiles:
    """Files that are served as they are.

    Args:
        prefix: the path that they are below.
        files: name -> content.
    """

    def __init__(self, prefix: str, files: Mapping[str, bytes]) -> None:
        self._prefix = prefix
        self._files = files
        whole = hashlib.sha256()
        for name, content in sorted(files.items()):
            whole.update(f"{name} {len(content)} ".encode() + content)
        self.digest = whole.hexdigest()[:16]

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter(self._files.items())

    def link_to(self, name: str) -> str:
        """The path of a file. Raises KeyError if there is none."""
        self._files[name]
        return f"{self._prefix}{self.digest}/{name}"

    def answer(self, path: str) -> Response:
        """The file at a path. Raises NotFound.

        While pods of two versions answer, a page of one may ask the other: it gets what there is, for this time only.
        """
        digest, _, name = path.removeprefix(self._prefix).partition("/")
        content = self._files.get(name)
        if content is None:
            raise NotFound("there is no such file")
        kept = _FOR_GOOD if digest == self.digest else "no-store"
        headers = {"cache-control": kept, "x-content-type-options": "nosniff"}
        return Response(content, headers=headers, media_type=TYPES[name[name.rindex(".") :]])
