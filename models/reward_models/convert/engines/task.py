"""What an engine is told when it starts, and what it does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from reward_models.convert.engines.batches import Outcome, TokenIds
from reward_models.convert.options import Options


@dataclass(frozen=True, slots=True)
class Task:
    """A checkpoint to run.

    Attributes:
        folder: holds the checkpoint.
        network: the card's ``settings.network``: ``engine``, ``dtype``, ``trust_remote_code``, ``options`` (what else
            ``models add`` was told).
        pad: the padding id.
        types: whether the network reads token types.
        tokens: of the longest row.
        device: ``CPU``, ``GPU`` (that of ``number``), or ``MODEL``: all the GPUs that this process sees.
        number: of the GPU.
        threads: of the CPU.
        token_budget: padded tokens per batch.
        arguments: further arguments of the engine, as its own documentation names them.
    """

    folder: Path
    network: Mapping[str, Any]
    pad: int
    types: bool
    tokens: int
    device: str
    number: int
    threads: int
    token_budget: int
    arguments: Mapping[str, Any]

    @classmethod
    def parse(cls, sent: Mapping[str, Any]) -> "Task":
        """A task as :class:`reward_models.runtime.engine.EngineProcess` sends it."""
        plain = {name: value for name, value in sent.items() if name not in ("folder", "device")}
        return cls(folder=Path(sent["folder"]), device=sent["device"]["kind"], number=sent["device"]["number"], **plain)

    def parse_options(self) -> Options:
        """The options that ``models add`` had; files that it named are in the folder."""
        said: Mapping[str, Any] = self.network["options"]
        lists = {name: tuple(value) for name, value in said.items() if isinstance(value, list)}
        head = {"head": self.folder / said["head"]} if "head" in said else {}
        return Options(**{**said, **lists, **head})


class Engine(Protocol):
    """A loaded checkpoint. ``described``: what runs it, for a log."""

    described: str

    def score_rows(self, rows: Sequence[TokenIds], /) -> Sequence[Outcome]:
        """Per row its numbers, [K] or [t], or its error."""

    def is_well(self) -> bool:
        """Whether the engine can go on after a failure."""
