"""What an address names before its path: the training run (``/run/NAME/``) and the recipe (``/r/NAME/``).

Many trainers take only an address, and append a path of their own to it. Both names may stand before any path, in
either order, each once.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote

RUN_PATH, RECIPE_PATH = "/run/", "/r/"

PREFIXES = (RUN_PATH, RECIPE_PATH)
"""How a path begins that names something."""


_WITHOUT_SCHEME = re.compile(r"([^/@\s]*@)?(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d+)?(/\S*)?")


def add_scheme(url: str, scheme: str = "http") -> str:
    """An address that begins with its host (``localhost:8080``) with a scheme before it; any other as it is."""
    return f"{scheme}://{url}" if _WITHOUT_SCHEME.fullmatch(url) else url


class Address(NamedTuple):
    """A path that is taken apart.

    Attributes:
        run, recipe: the names, decoded; None: the path names none.
        path: the rest, percent-encoded as it came.
    """

    run: str | None
    recipe: str | None
    path: str


def split_address(path: str) -> Address:
    """Take a path apart; a name is one segment.

    Args:
        path: as it was sent, percent-encoded: a name may hold an encoded slash.
    """
    names: dict[str, str] = {}
    while prefix := next((each for each in PREFIXES if path.startswith(each) and each not in names), None):
        name, _, rest = path[len(prefix) :].partition("/")
        names[prefix] = unquote(name)
        path = f"/{rest}"
    return Address(names.get(RUN_PATH), names.get(RECIPE_PATH), path)
