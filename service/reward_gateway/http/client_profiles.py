"""How a path's clients want to be treated: the form of their errors, and how long they wait at all.

Known by the path alone, because a request may fail before its body is read: at its key, at the gate, at a limit.
Where several servers' clients share a path, the form is ours until the body has told who speaks.
"""

from dataclasses import dataclass

from .errors import ErrorForm, plain_form


@dataclass(frozen=True, slots=True)
class ClientProfile:
    """One path's: ``deadline_s`` stays under its clients' own timeout; None: they wait as long as we like."""

    form: ErrorForm = plain_form
    deadline_s: float | None = None


OURS = ClientProfile()
_profiles: dict[str, ClientProfile] = {}
_below: dict[str, ClientProfile] = {}


def register(path: str, profile: ClientProfile) -> None:
    """Say how a path's clients want to be treated. Paths that are shared get our form and the shortest deadline."""
    held = _profiles.setdefault(path, profile)
    if held != profile:
        waits = [m.deadline_s for m in (held, profile) if m.deadline_s is not None]
        form = held.form if held.form is profile.form else plain_form
        _profiles[path] = ClientProfile(form, min(waits, default=None))


def register_below(prefix: str, profile: ClientProfile) -> None:
    """The same for every path that begins so and was not registered by itself."""
    _below[prefix] = profile


def profile_of(path: str) -> ClientProfile:
    """The profile of a path; ours where nobody said."""
    held = _profiles.get(path)
    if held is not None:
        return held
    return next((profile for prefix, profile in _below.items() if path.startswith(prefix)), OURS)
