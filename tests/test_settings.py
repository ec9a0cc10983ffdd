"""Every setting is read by the code that starts the service; one that nobody reads would promise what does not hold."""

import ast

from reward_gateway.sample.fields import FIELDS
from reward_gateway.settings import Settings

from tests.service_code import parse, reachable_modules


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
    modules = reachable_modules()
    assert {"reward_gateway.gateway", "reward_gateway.http.routes.score", "reward_gateway.local.triton"} <= modules
    read = set().union(*map(read_in, modules))
    read |= {field.limit for field in FIELDS}  # intake/limits.py reads them by these names
    assert sorted(set(Settings.model_fields) - read) == []


def test_every_setting_says_what_it_does() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
