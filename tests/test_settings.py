"""Every setting is read by the code that starts the service; one that nobody reads would promise what does not hold."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import reward_gateway
from reward_gateway.settings import Settings

PACKAGE = Path(reward_gateway.__file__).parent
ENTRIES = ("reward_gateway.cli.serve", "reward_gateway.cli.worker")
"""What ``reward-gateway serve`` runs: the process that starts the others, and each of the others."""

READ_SOON = {"idempotency_ttl_s"}


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


def reachable() -> set[str]:
    """Modules of the package that the service imports, folders of routes included, which are imported by name."""
    found: set[str] = set()
    folders = [PACKAGE / "http" / "routes", PACKAGE / "http" / "dialects"]
    waiting = [*ENTRIES, *(f"reward_gateway.http.{f.name}.{p.stem}" for f in folders for p in f.glob("*.py"))]
    while waiting:
        module = waiting.pop()
        if module not in found and module.startswith("reward_gateway") and parse(module) is not None:
            found.add(module)
            waiting.extend(imported_by(module))
    return found


def settings_names(tree: ast.AST) -> set[str]:
    """Names by which a module knows the settings: ``settings``, and what it annotates as ``Settings``."""
    arguments = [node for node in ast.walk(tree) if isinstance(node, ast.arg) and node.annotation is not None]
    return {"settings"} | {a.arg for a in arguments if a.annotation and "Settings" in ast.unparse(a.annotation)}


def read_in(module: str) -> set[str]:
    """Attributes of the settings that a module reads."""
    tree = parse(module)
    assert tree is not None
    names = settings_names(tree) | ({"self"} if module == "reward_gateway.settings" else set())
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and ast.unparse(node.value).rpartition(".")[2].strip("_") in names
    }


def test_every_setting_is_read_by_the_code_that_starts_the_service() -> None:
    modules = reachable()
    assert {"reward_gateway.gateway", "reward_gateway.http.routes.score", "reward_gateway.local.triton"} <= modules
    read = set().union(*map(read_in, modules))
    assert set(Settings.model_fields) - read <= READ_SOON


def test_every_setting_says_what_it_does() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
