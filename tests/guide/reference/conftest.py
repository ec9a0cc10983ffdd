"""The generated pages, as a whole site has them: with the command line and the HTTP API handed over."""

import importlib
from collections.abc import Callable

import pytest
from reward_gateway.cli import reference as commands
from reward_gateway.http import reference as http

NAMES = (
    *("settings", "commands", "errors", "metrics", "http_api", "dialects", "recipe_file", "upstreams_file"),
    *("judges_file", "api_keys_file", "sample_fields", "flags", "operations"),
)


@pytest.fixture(scope="session")
def read_page() -> Callable[[str], str]:
    """Gives a page by the name of its module."""
    commands.hand_over()
    http.hand_over_without_gateway()
    pages: dict[str, str] = {}

    def read(name: str) -> str:
        if name not in pages:
            pages[name] = importlib.import_module(f"reward_gateway.guide.reference.{name}").write_page()
        return pages[name]

    return read
