"""The flags of ``serve``, one per setting, in groups; the help text is the setting's description."""

import contextlib
import inspect
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo
from typer.core import TyperCommand

from reward_gateway.settings import describe_default, flag_of, group_settings, variable_of

_KINDS: dict[Any, str] = {int: "INTEGER", float: "NUMBER", str: "TEXT", Path: "PATH"}


class GroupedCommand(TyperCommand):
    """A command whose help lists its options in their groups."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(parameter, "rich_help_panel", None) or "Help", []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def setting_flags() -> list[inspect.Parameter]:
    """A parameter of ``serve`` for each setting, in their order."""
    return [_flag(name, field, title) for title, fields in group_settings().items() for name, field in fields.items()]


def keep_flags(flags: Mapping[str, Any]) -> None:
    """Put the flags that were given into the environment: they are read and checked as variables are."""
    for name, value in flags.items():
        if value is not None:
            os.environ[variable_of(name)] = str(value)


@contextlib.contextmanager
def flags_kept(flags: Mapping[str, Any]) -> Iterator[None]:
    """As :func:`keep_flags`, and put the environment back."""
    before = dict(os.environ)
    keep_flags(flags)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _flag(name: str, field: FieldInfo, group: str) -> inspect.Parameter:
    """A setting as a flag. Its value is kept as text, or None; pydantic parses and checks it as it does a variable."""
    switch = field.annotation is bool
    default = f" Default: {shown}." if (shown := describe_default(field)) else ""
    option = typer.Option(
        f"{flag_of(name)}/--no-{flag_of(name)[2:]}" if switch else flag_of(name),
        help=f"{field.description}{default} [{variable_of(name)}]",
        show_default=False,
        metavar=None if switch else _KINDS.get(field.annotation, "TEXT"),
        rich_help_panel=group,
    )
    kind = Annotated[bool | None, option] if switch else Annotated[str | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
