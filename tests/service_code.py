"""The modules that a running service is made of, as syntax trees: for tests that hold over all of its code."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import reward_gateway

PACKAGE = Path(reward_gateway.__file__).parent
ENTRIES = ("reward_gateway.cli.serve", "reward_gateway.cli.worker")
"""What ``reward-gateway serve`` runs: the process that starts the others, and each of the others."""


@cache
def parse(module: str) -> ast.Module | None:
    """A module of the package; None for one that is not ours."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text()) if file.is_file() else None


def imported_by(module: str) -> Iterator[str]:
    """Names of modules that a module may import, wherever in it."""
    tree = parse(module)
    is_package = PACKAGE.parent.joinpath(*module.split(".")).is_dir()
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: None if is_package and node.level == 1 else -(node.level - is_package)]
            base = ".".join([*above, *filter(None, [node.module])]) if node.level else node.module or ""
            yield base
            yield from (f"{base}.{name.name}" for name in node.names)


@cache
def reachable_modules() -> frozenset[str]:
    """Modules of the package that the service imports, folders of routes included, which are imported by name."""
    found: set[str] = set()
    folders = [PACKAGE / "http" / "routes", PACKAGE / "http" / "dialects"]
    waiting = [*ENTRIES, *(f"reward_gateway.http.{f.name}.{p.stem}" for f in folders for p in f.glob("*.py"))]
    while waiting:
        module = waiting.pop()
        if module not in found and module.startswith("reward_gateway") and parse(module) is not None:
            found.add(module)
            waiting.extend(imported_by(module))
    return frozenset(found)
