"""What a check is, and the registry of all: a function that looks at one thing and says what it found."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from reward_gateway.settings import Settings

Level = Literal["ok", "warning", "fault"]


class Finding(NamedTuple):
    """What a check found, as a sentence; of a warning or fault it says what to do. It holds no password and no key."""

    level: Level
    message: str


def ok(message: str) -> Finding:
    """A finding that all is well."""
    return Finding("ok", message)


def warning(message: str) -> Finding:
    """A finding that something is odd, slow or missing, while the gateway works."""
    return Finding("warning", message)


def fault(message: str) -> Finding:
    """A finding that keeps the gateway, or its default recipe, from working."""
    return Finding("fault", message)


def join_names(names: Sequence[str], most: int = 4) -> str:
    """A few names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined.

    Attributes:
        settings: those of the gateway that is to be started here.
        url: a running service; empty: this machine is examined, on which one is to be started.
        api_key: of the service.
        timeout_s: seconds that a check has.
    """

    settings: Settings
    url: str
    api_key: str | None
    timeout_s: float

    @property
    def server_s(self) -> float:
        """Seconds that a server has to answer, so that its check ends in time to say that it did not."""
        return 0.8 * self.timeout_s


Run = Callable[[Subject], Iterable[Finding]]


class Check(NamedTuple):
    """A registered check. It runs in a thread of its own, and what it has not found in time is left out."""

    name: str
    run: Run


MACHINE: list[Check] = []
"""Checks of this machine and its settings, in the order of their output."""
SERVICE: list[Check] = []
"""Checks of a running service."""


def machine_check(name: str) -> Callable[[Run], Run]:
    """Register a check of this machine and of the settings."""
    return _registrar(MACHINE, name)


def service_check(name: str) -> Callable[[Run], Run]:
    """Register a check of the running service that ``--url`` names."""
    return _registrar(SERVICE, name)


def _registrar(checks: list[Check], name: str) -> Callable[[Run], Run]:
    def register(run: Run) -> Run:
        checks.append(Check(name, run))
        return run

    return register
