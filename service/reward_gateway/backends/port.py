"""The port of a model server: what the gateway asks, whoever answers."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from reward_gateway.sample import Batch, FloatArray, Invalid


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a model server says of a model: from its index, its configuration and its card.

    Attributes:
        inputs: fields of a sample that the model reads (``prompt``, ``response``, ``images`` …).
        dimensions: names of the K numbers of its score, in order.
        version: version of the weights, the tokenizer and the template together; part of the cache key.
        flags: names of the bits of its ``flags`` output, lowest first.
    """

    name: str
    version: str
    ready: bool
    inputs: tuple[str, ...]
    dimensions: tuple[str, ...]
    max_batch: int
    flags: tuple[str, ...] = ()
    card: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class ModelAnswer:
    """A model's scores for the rows that were asked, in their order: [n, K] float32 widened to float64."""

    values: FloatArray
    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)
    calls: int = 0


class ModelServer(Protocol):
    """A server of reward models."""

    async def models(self) -> list[ModelInfo]:
        """Every model, ready or not. Raises ModelUnavailable if the server is not there."""

    async def info(self, name: str) -> ModelInfo:
        """One model. Raises NotFound or ModelUnavailable."""

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        """Score some rows of a batch.

        Rows that cannot be scored have a reason; nothing is raised for them. ``deadline`` is a time of
        the running loop's clock; rows that are late are ``deadline_exceeded``.
        """

    async def ready(self) -> bool:
        """True if the server is there and every model of it is ready."""

    async def close(self) -> None:
        """Release connections."""
