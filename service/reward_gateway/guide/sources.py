"""What the reference reads of the layers above the guide: the commands, the HTTP API and its dialects.

The guide stands below ``http/`` and ``cli/`` and imports neither. They hand it functions that describe them: the HTTP
application when it is made, the commands at the composition root. Each is called when a page that needs it is written,
and not before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Command:
    """A command of ``reward-gateway``.

    Attributes:
        name: without the program's, for example ``models list``.
        usage: how it is called.
        text: its help.
        arguments, options: as they are written, and what each does.
        takes_settings: whether every setting is a flag of it, too; these are not among ``options``.
        example: a command line that it takes.
    """

    name: str
    usage: str
    text: str
    arguments: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]
    takes_settings: bool
    example: str


@dataclass(frozen=True, slots=True)
class CommandLine:
    """All commands, what each group of them is about, and the exit codes."""

    commands: tuple[Command, ...]
    groups: Mapping[str, str]
    exit_codes: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class HttpApi:
    """The HTTP API: its OpenAPI document, the rows of ``GET /v1/dialects``, and what each policy for failures means."""

    document: Mapping[str, Any]
    dialects: tuple[Mapping[str, Any], ...]
    failures: Mapping[str, str]


class NotHandedOver(RuntimeError):
    """Nothing described itself: the composition root left it out."""


_commands: Callable[[], CommandLine] | None = None
_http: Callable[[], HttpApi] | None = None


def hand_over_commands(describe: Callable[[], CommandLine]) -> None:
    """Set what describes the command line."""
    global _commands
    _commands = describe


def hand_over_http(describe: Callable[[], HttpApi]) -> None:
    """Set what describes the HTTP API."""
    global _http
    _http = describe


def read_commands() -> CommandLine:
    """The command line. Raises NotHandedOver."""
    if _commands is None:
        raise NotHandedOver("the command line")
    return _commands()


def read_http() -> HttpApi:
    """The HTTP API. Raises NotHandedOver."""
    if _http is None:
        raise NotHandedOver("the HTTP API")
    return _http()
