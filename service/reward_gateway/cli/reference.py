"""Describes the commands for the guide's reference, from the very objects that parse them."""

from typing import Any

import typer

from reward_gateway.guide.sources import Command, CommandLine, hand_over_commands
from reward_gateway.settings import Settings

from .examples import EXAMPLES
from .output import EXIT_CODES

PROGRAM = "reward-gateway"


def hand_over() -> None:
    """Let the guide describe the commands."""
    hand_over_commands(describe_commands)


def describe_commands() -> CommandLine:
    """Every command, in the order of ``--help``."""
    from .main import app  # which imports the commands, of which one needs this module

    commands: list[Command] = []
    groups: dict[str, str] = {}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        if inner is None:
            commands.append(_describe(name, command))
            continue
        groups[name] = command.help or ""
        commands += [_describe(f"{name} {below}", each) for below, each in inner.items()]
    return CommandLine(tuple(commands), groups, EXIT_CODES)


def _describe(name: str, command: Any) -> Command:
    """``command`` is a command of click, of which typer may have a copy of its own."""
    context = command.make_context(f"{PROGRAM} {name}", [], resilient_parsing=True)
    shown: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
    settings = 0
    for parameter in command.params:
        if parameter.name in Settings.model_fields and getattr(parameter, "rich_help_panel", None):
            settings += 1
        elif (record := parameter.get_help_record(context)) is not None:
            shown[parameter.param_type_name].append(record)
    return Command(
        name=name,
        usage=command.get_usage(context).removeprefix("Usage: ").replace("\n", " "),
        text=command.help or "",
        arguments=tuple(shown["argument"]),
        options=tuple(shown["option"]),
        takes_settings=settings == len(Settings.model_fields),
        example=EXAMPLES.get(name, ""),
    )
