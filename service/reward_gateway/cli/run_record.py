"""What an output was begun with, kept in ``OUT.run.json`` beside it: rewards of two kinds never stand in one file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .output import Unusable
from .whole_files import write_whole

NAMES = {
    "service": "the service",
    "reward": "the recipe",
    "recipe_version": "the recipe's version",
    "models": "the version of the model of",
    "options": "the option",
    "file": "the file's",
}
"""How a sentence calls what is recorded."""


@dataclass(slots=True)
class RunRecord:
    """The facts of a run, each told once and compared with those of the run that began the output.

    Args:
        out: the output.
        resumed: rewards are held already, so that the record beside the output counts.
    """

    out: Path
    resumed: bool
    _facts: dict[str, Any] = field(default_factory=dict)
    _begun: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.resumed:
            return
        try:
            self._begun = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            said = f"{self.out} holds rewards, and {self.path.name}, which says what gave them, is not there"
            raise Unusable(f"{said}: remove {self.out} or name another --out") from None
        except (OSError, ValueError) as error:
            raise Unusable(f"{self.path} cannot be read ({type(error).__name__}); name another --out") from None

    @property
    def path(self) -> Path:
        """Where the record lies."""
        return self.out.with_name(f"{self.out.name}.run.json")

    def tell(self, **facts: Any) -> None:
        """Add facts of this run; those of a mapping one by one.

        Raises:
            Unusable: the output was begun with another, or this run had another before.
        """
        for name, value in facts.items():
            before = {**self._begun, **self._facts}.get(name)
            if isinstance(value, Mapping):
                for key, told in value.items():
                    if before is not None and key in before and before[key] != told:
                        raise self._refusal(f"{NAMES[name]} {key}", before[key], told)
                value = {**(before or {}), **value}
            elif before not in (None, value):
                raise self._refusal(NAMES[name], before, value)
            self._facts[name] = value

    def save(self) -> None:
        """Write the record, where it says more than the one on disk."""
        if self._facts != self._begun:
            write_whole(self.path, json.dumps(self._facts, indent=1).encode() + b"\n")
            self._begun = dict(self._facts)

    def _refusal(self, what: str, before: Any, now: Any) -> Unusable:
        return Unusable(
            f"{self.out} was begun with {what} {_shown(before)}, and now it is {_shown(now)}: give the same again, "
            f"remove {self.out} (of CSV and Parquet the folder {self.out.name}.parts), or name another --out"
        )


def _shown(value: Any) -> str:
    return value if value and isinstance(value, str) else json.dumps(value)
