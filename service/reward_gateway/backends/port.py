"""The port to a model server: the interface that every backend implements."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from reward_gateway.errors import ModelUnavailable
from reward_gateway.sample import Batch, FloatArray, Invalid


@dataclass(frozen=True, slots=True)
class Device:
    """The device that a model's instances run on, from the server's configuration.

    Attributes:
        kind: ``cpu``, ``gpu``, ``model`` (its backend decides), ``upstream`` (another server's) or empty if unknown.
        gpus: indices of the GPUs.
        instances: number of instances, on each GPU if there are several.
    """

    kind: str = ""
    gpus: tuple[int, ...] = ()
    instances: int = 0

    @property
    def parallel_calls(self) -> int:
        """How many calls the model computes at a time; 1 if unknown."""
        return max(1, self.instances) * max(1, len(self.gpus))


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model, as described by the model server's index, its configuration and its card.

    Attributes:
        name: as requested, ``NAME`` or ``NAME@VERSION``.
        inputs: fields of a sample that the model reads (``prompt``, ``response``, ``images`` …).
        dimensions: names of the K numbers of its score, in order.
        version: version of the weights, the tokenizer and the template together; part of the cache key.
        flags: names of the bits of its ``flags`` output, lowest first.
        versions: every version available as ``NAME@VERSION``, lowest first; ``NAME`` alone selects the last one.
        vector: it also returns one number per part of a response (a token, a step).
        device: the device of its instances.
        wanted: the server was told to serve it; False if the model is only in its repository.
        expected: versions that the server was told to serve but does not (yet or any more).
        fallback: the model that scores whole batches while this one is away; empty: none.
        fault: a sentence that says why it is not ready, where the server knows; names no address.
        idle: it is not ready because its pool of servers, which may be scaled to zero, has none at the moment.
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
    fault: str = ""
    fallback: str = ""
    idle: bool = False

    def flag_names(self, bits: int) -> tuple[str, ...]:
        """Names of the flags in a bit mask, as cached; a bit without a name is ``flag_<n>``."""
        return tuple(
            self.flags[bit] if bit < len(self.flags) else f"flag_{bit}"
            for bit in range(bits.bit_length())
            if bits >> bit & 1
        )

    def flag_bits(self, names: Iterable[str]) -> int:
        """The bit mask of flag names; the inverse of :meth:`flag_names`."""
        return sum(
            1 << (self.flags.index(name) if name in self.flags else int(name.removeprefix("flag_"))) for name in names
        )


@dataclass(slots=True)
class ModelAnswer:
    """A model's scores for the requested rows, in order: [n, K] float32 widened to float64.

    ``vectors`` holds, for models that return them, the numbers of a row's parts as little-endian float32, for rows with
    a score. ``version`` is the version that answered. It differs from the one that was looked up if the model was
    reloaded meanwhile, and is None if the rows come from two versions or from none: such scores must not be cached.
    """

    values: FloatArray
    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)
    vectors: dict[int, bytes] = field(default_factory=dict)
    calls: int = 0
    version: str | None = None


LONGEST_COLD_START_S = 3600.0
"""The most seconds that a server of a pool may be said to need to start."""


def explain_idle(model: str, cold_start_s: float) -> str:
    """Why a model of a pool without servers is not ready."""
    return f"The pool of {model} has no server at the moment; one needs about {cold_start_s:g} s to start."


class ModelsAway(ModelUnavailable):
    """One of several servers does not answer.

    Attributes:
        known: the models of the others.
    """

    def __init__(self, message: str, known: list[ModelInfo]) -> None:
        super().__init__(message)
        self.known = known


class ModelServer(Protocol):
    """A server of reward models."""

    async def models(self) -> list[ModelInfo]:
        """Every model once, ready or not, with the version that its name alone selects.

        Raises ModelUnavailable if the server is unreachable, ModelsAway if it stands for several and one of them is.
        """

    async def info(self, name: str) -> ModelInfo:
        """One model, or one version of it. Raises NotFound or ModelUnavailable.

        While the server is unreachable, a model that was known before is returned with ``ready=False``, which is
        enough to look up its cached scores.
        """

    async def score(self, name: str, batch: Batch, rows: list[int], deadline: float) -> ModelAnswer:
        """Score some rows of a batch.

        Rows that cannot be scored get a reason; no exception is raised for them. ``deadline`` is a time on
        the running loop's clock; rows not answered by then are ``deadline_exceeded``.
        """

    async def close(self) -> None:
        """Release connections."""
