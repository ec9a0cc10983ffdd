"""What is kept of a run besides its rows: when it was seen, how much was scored, and by which versions of recipes."""

from typing import Any, Self

import msgspec

from .store import RunName

MOST_VERSIONS = 64
"""Changes of version that are kept per recipe; the oldest goes first."""

SETTLES_S = 60.0
"""An earlier version that comes again within this time of a change is no change: workers that have not yet read the new
file take turns with those that have."""


class Version(msgspec.Struct, array_like=True):
    """A recipe's version, and when its first sample was scored for the run: seconds since 1970, and the step."""

    version: str
    since: float
    step: int | None = None


class Head(msgspec.Struct, array_like=True):
    """A run as a whole; ``rewards`` holds the versions of each recipe in the order of their beginning, and
    ``last_step`` is the one that was named last. ``alerts`` are those that have begun
    (:mod:`.alerts`), with the bucket in which they did."""

    caller: str
    run: str
    first_seen: float
    last_seen: float
    samples: int = 0
    invalid: int = 0
    rewards: dict[str, list[Version]] = {}
    last_step: int | None = None
    alerts: dict[str, int] = {}

    @classmethod
    def of(
        cls, name: RunName, now: float, samples: int, invalid: int, recipe: str, version: str, step: int | None
    ) -> Self:
        """The head of a run for which nothing else was scored."""
        return cls(name.caller, name.run, now, now, samples, invalid, {recipe: [Version(version, now, step)]}, step)

    def describe(self) -> dict[str, Any]:
        """As the API answers it, without the recipes."""
        return {
            "run": self.run,
            "caller": self.caller,
            "first_seen": self.first_seen,
            "last_seen": self.last_seen,
            "samples": self.samples,
            "invalid": self.invalid,
        }

    def describe_versions(self, recipe: str) -> list[dict[str, Any]]:
        """The versions of a recipe as the API answers them."""
        return [{"version": found.version, "since": found.since, "step": found.step} for found in self.rewards[recipe]]


def extend_head(head: Head, later: Head) -> Head:
    """The head of a run for which more was scored."""
    rewards = {recipe: list(versions) for recipe, versions in head.rewards.items()}
    for recipe, versions in later.rewards.items():
        known = rewards.setdefault(recipe, [])
        for found in versions:
            if known and known[-1].version == found.version:
                continue
            settles = bool(known) and found.since - known[-1].since < SETTLES_S
            if settles and any(old.version == found.version for old in known):
                continue
            known.append(found)
        del known[:-MOST_VERSIONS]
    return Head(
        head.caller,
        head.run,
        min(head.first_seen, later.first_seen),
        max(head.last_seen, later.last_seen),
        head.samples + later.samples,
        head.invalid + later.invalid,
        rewards,
        head.last_step if later.last_step is None else later.last_step,
        dict(head.alerts),
    )


encode_head = msgspec.msgpack.Encoder().encode
decode_head = msgspec.msgpack.Decoder(Head).decode
