"""Record of how an output was started, in ``OUT.run.json``, so that one file never mixes rewards of different runs."""

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
"""Name of each recorded fact in error messages."""


@dataclass(slots=True)
class RunRecord:
    """The facts of a run, compared with those of the run that started the output.

    Args:
        out: path of the output.
        resumed: True if the output already has rewards; the record on disk is then compared.
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
            message = f"{self.out} holds rewards, but its record {self.path.name} is missing"
            raise Unusable(f"{message}: remove {self.out} or choose another --out") from None
        except (OSError, ValueError) as error:
            raise Unusable(f"{self.path} cannot be read ({type(error).__name__}); choose another --out") from None

    @property
    def path(self) -> Path:
        """Path of the record."""
        return self.out.with_name(f"{self.out.name}.run.json")

    @property
    def facts(self) -> Mapping[str, Any]:
        """What is known of the run, and of the one that started the output."""
        return {**self._begun, **self._facts}

    def tell(self, **facts: Any) -> None:
        """Add facts of this run; the entries of a mapping are compared one by one.

        Raises:
            Unusable: a fact differs from that of the run that started the output, or from an earlier one of this run.
        """
        for name, value in facts.items():
            before = self.facts.get(name)
            if isinstance(value, Mapping):
                for key, current in value.items():
                    if before is not None and key in before and before[key] != current:
                        raise self._refusal(f"{NAMES[name]} {key}", before[key], current)
                value = {**(before or {}), **value}
            elif before not in (None, value):
                raise self._refusal(NAMES[name], before, value)
            self._facts[name] = value

    def save(self) -> None:
        """Write the record if it changed."""
        if self._facts != self._begun:
            write_whole(self.path, json.dumps(self._facts, indent=1).encode() + b"\n")
            self._begun = dict(self._facts)

    def _refusal(self, what: str, before: Any, now: Any) -> Unusable:
        return Unusable(
            f"{self.out} was begun with {what} {_shown(before)}, and now it is {_shown(now)}: use the same again, "
            f"remove {self.out} (for CSV and Parquet the folder {self.out.name}.parts), or choose another --out"
        )


def _shown(value: Any) -> str:
    return value if value and isinstance(value, str) else json.dumps(value)
