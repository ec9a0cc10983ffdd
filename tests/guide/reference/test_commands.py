"""Every command is in the reference with its options, and the examples can be run as they are written."""

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer
from reward_gateway.cli.examples import EXAMPLES
from reward_gateway.cli.main import app
from reward_gateway.settings import Settings
from typer.testing import CliRunner

Read = Callable[[str], str]


def commands(group: typer.Typer, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield (*prefix, command.name or command.callback.__name__.replace("_", "-"))
    for below in group.registered_groups:
        assert below.typer_instance is not None
        yield from commands(below.typer_instance, (*prefix, str(below.name)))


COMMANDS = [*commands(app)]


def section(page: str, name: str) -> str:
    return re.split(r"^#{2,3} ", page.partition(f"# reward-gateway {name}\n")[2], flags=re.MULTILINE)[0]


def test_every_command_has_an_example_and_every_example_a_command() -> None:
    assert len(COMMANDS) > 30
    assert {" ".join(path) for path in COMMANDS} == set(EXAMPLES)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_has_a_section_with_its_options(read_page: Read, path: tuple[str, ...]) -> None:
    text = section(read_page("commands"), " ".join(path))
    shown = CliRunner().invoke(app, [*path, "--help"], terminal_width=400).output
    settings = {f"--{name.replace('_', '-')}" for name in Settings.model_fields}
    options = set(re.findall(r"^  (--[a-z-]+)", shown, flags=re.MULTILINE)) - {"--help"}
    for option in options - (settings if path[0] in ("serve", "doctor") else set()):
        assert f"`{option}" in text, option
    for variable in set(re.findall(r"env var: (REWARD_GATEWAY_\w+)", shown)):
        assert variable.replace("_", "\\_") in text
    assert EXAMPLES[" ".join(path)] in text
    assert EXAMPLES[" ".join(path)].removeprefix("reward-gateway ") in shown


@pytest.mark.parametrize("example", EXAMPLES.values())
def test_an_example_is_taken_by_its_command(example: str) -> None:
    program, *arguments = shlex.split(example)
    assert program == "reward-gateway"
    command: Any = typer.main.get_command(app)
    while getattr(command, "commands", None):
        command = command.commands[arguments.pop(0)]
    command.make_context(example, arguments)  # it would raise UsageError


def test_every_exit_code_is_explained(read_page: Read) -> None:
    page = read_page("commands")
    for code in (0, 1, 2, 3, 130):
        assert f"| `{code}` | " in page
