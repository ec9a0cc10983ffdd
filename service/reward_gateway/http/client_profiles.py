"""What the clients of a path expect: the format of their errors, and how long they wait at all.

Known by the path alone, because a request may fail before its body is read: at its key, at the gate, at a limit.
Where several servers' clients share a path, the format is ours until the body has told whose it is.
"""

import re
from dataclasses import dataclass

from starlette.routing import compile_path

from .errors import OWN_FORMAT, ErrorFormat


@dataclass(frozen=True, slots=True)
class ClientProfile:
    """One path's: ``deadline_s`` stays under its clients' own timeout; None: they wait as long as we like."""

    error_format: ErrorFormat = OWN_FORMAT
    deadline_s: float | None = None

    def shorten(self, asked_s: float | None, default_s: float) -> float | None:
        """The deadline of a request that asks for ``asked_s`` (None: the default): no later than this client's."""
        return asked_s if self.deadline_s is None else min(self.deadline_s, asked_s or default_s)


OURS = ClientProfile()
_profiles: dict[str, ClientProfile] = {}
_below: dict[str, ClientProfile] = {}
_with_names: dict[str, list[tuple[re.Pattern[str], ClientProfile]]] = {}
"""Paths with names in them, such as ``/{environment}/tools``, by their last segment."""


def register(path: str, profile: ClientProfile) -> None:
    """Say what a path's clients expect. Paths that are shared get our error format and the longest deadline.

    The handler that the body chooses shortens the deadline to its own client's.
    """
    if "{" in path:
        _with_names.setdefault(path.rpartition("/")[2], []).append((compile_path(path)[0], profile))
        return
    held = _profiles.setdefault(path, profile)
    if held != profile:
        waits = (held.deadline_s, profile.deadline_s)
        longest = None if None in waits else max(seconds for seconds in waits if seconds is not None)
        error_format = held.error_format if held.error_format is profile.error_format else OWN_FORMAT
        _profiles[path] = ClientProfile(error_format, longest)


def register_below(prefix: str, profile: ClientProfile) -> None:
    """The same for every path that begins so and was not registered by itself."""
    _below[prefix] = profile


def profile_of(path: str) -> ClientProfile:
    """The profile of a path; ours where nobody said."""
    held = _profiles.get(path)
    if held is not None:
        return held
    for pattern, profile in _with_names.get(path.rpartition("/")[2], ()):
        if pattern.match(path):
            return profile
    return next((profile for prefix, profile in _below.items() if path.startswith(prefix)), OURS)
