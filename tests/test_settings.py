"""Every setting is read by the code that starts the service; one that nobody reads would promise what does not hold."""

import ast

import pytest
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


@pytest.mark.parametrize("url", ["triton:8001", "dns:///pool.ns.svc:8001", "unix:/s", "a:1,dns:///b:2,[::1]:3"])
def test_addresses_of_tritons_are_taken_as_they_are_documented(url: str) -> None:
    assert ",".join(Settings(triton_url=url).triton_urls) == url


@pytest.mark.parametrize("url", ["http://triton:8000", "triton", "dns:///pool", "dns://server/pool:1", "a:1,b:99999"])
def test_what_is_no_address_of_a_triton_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        Settings(triton_url=url)
