"""The port of a model server: what the gateway asks, whoever answers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from reward_gateway.sample import Batch, FloatArray, Invalid


@dataclass(frozen=True, slots=True)
class Device:
    """What a model's instances run on, as the server's configuration says it.

    Attributes:
        kind: ``cpu``, ``gpu``, ``model`` (its backend decides) or empty where it is not known.
        gpus: numbers of the GPUs.
        instances: how many there are, on each GPU where there are several.
    """

    kind: str = ""
    gpus: tuple[int, ...] = ()
    instances: int = 0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a model server says of a model: from its index, its configuration and its card.

    Attributes:
        name: as it is asked for, ``NAME`` or ``NAME@VERSION``.
        inputs: fields of a sample that the model reads (``prompt``, ``response``, ``images`` …).
        dimensions: names of the K numbers of its score, in order.
        version: version of the weights, the tokenizer and the template together; part of the cache key.
        flags: names of the bits of its ``flags`` output, lowest first.
        versions: every version that can be asked for as ``NAME@VERSION``, lowest first; the name alone is answered
            by the last one.
        vector: it also gives a number for each part of a response (a token, a step).
        device: what its instances run on.
        wanted: the server was told to serve it; False for one that its repository merely holds.
        expected: versions that the server was told to serve and does not serve yet, or no more.
    """

    name: str
    version: str
    ready: bool
    inputs: tuple[str, ...]
    dimensions: tuple[str, ...]
    max_batch: int
    flags: tuple[str, ...] = ()
    card: dict[str, Any] = field(default_factory=dict)
    versions: tuple[str, ...] = ()
    vector: bool = False
    device: Device = field(default_factory=Device)
    wanted: bool = True
    expected: tuple[str, ...] = ()

    def flag_names(self, bits: int) -> tuple[str, ...]:
        """The flags of a bit mask, as the cache keeps it; a bit without a name is ``flag_<n>``."""
        return tuple(
            self.flags[bit] if bit < len(self.flags) else f"flag_{bit}"
            for bit in range(bits.bit_length())
            if bits >> bit & 1
        )

    def flag_bits(self, names: Iterable[str]) -> int:
        """The bit mask of flags that :meth:`flag_names` gave."""
        return sum(
            1 << (self.flags.index(name) if name in self.flags else int(name.removeprefix("flag_"))) for name in names
        )


@dataclass(slots=True)
class ModelAnswer:
    """A model's scores for the rows that were asked, in their order: [n, K] float32 widened to float64.

    ``vectors`` holds, for models that give them, the numbers of a row's parts as little-endian float32, in the rows
    that have a score. ``version`` is the one that answered. It differs from the one that was looked up where the model
    was reloaded since, and is None where rows come from two versions or from none: such scores do not belong in the
    cache.
    """

    values: FloatArray
    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)
    vectors: dict[int, bytes] = field(default_factory=dict)
    calls: int = 0
    version: str | None = None


class ModelServer(Protocol):
    """A server of reward models."""

    async def models(self) -> list[ModelInfo]:
        """Every model once, ready or not, as its name alone is answered.

        Raises ModelUnavailable if the server is not there.
        """

    async def info(self, name: str) -> ModelInfo:
        """One model, or one version of it. Raises NotFound or ModelUnavailable.

        While the server is away, a model that was known before is answered with ``ready=False``: enough to look
        its scores up in the cache.
        """

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        """Score some rows of a batch.

        Rows that cannot be scored have a reason; nothing is raised for them. ``deadline`` is a time of
        the running loop's clock; rows that are late are ``deadline_exceeded``.
        """

    async def close(self) -> None:
        """Release connections."""
