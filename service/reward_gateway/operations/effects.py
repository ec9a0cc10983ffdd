"""What an operation may ask of the world, as data.

Operations do no I/O. One that needs a stored value, a model's score or a judge's words is a generator:
it yields a need and is resumed with the answer. Whoever runs it (the gateway, or a test) answers:

    def running_scale(columns, params):
        moments = yield UpdateMoments(params.stream, batch_moments)
        return Outcome(reward=rewards / moments.std)

Every answer's type stands at the need. A need that cannot be answered raises its
:class:`reward_gateway.errors.GatewayError` at the ``yield``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from reward_gateway.sample import Batch, FloatArray

Conversation = Sequence[dict[str, Any]]
"""Chat messages of one question to a judge: role and content (text, or a list of parts)."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean and sum of squared deviations of a stream (Chan, Golub and LeVeque 1983)."""

    count: float = 0.0
    mean: float = 0.0
    m2: float = 0.0

    def merged(self, other: "Moments") -> "Moments":
        """The moments of both streams together (Chan's parallel update)."""
        count = self.count + other.count
        if count == 0:
            return self
        delta = other.mean - self.mean
        mean = self.mean + delta * other.count / count
        return Moments(count, mean, self.m2 + other.m2 + delta * delta * self.count * other.count / count)


@dataclass(frozen=True, slots=True)
class UpdateMoments:
    """Merge a batch into a named stream's moments. Answer: :class:`Moments` after the merge."""

    stream: str
    batch: Moments


@dataclass(frozen=True, slots=True)
class LookUpLabels:
    """The labels of messages in a named table. Unknown messages are queued for annotation if ``enqueue``.

    Answer: list of float or None, one a message.
    """

    table: str
    messages: Sequence[str]
    enqueue: bool = True


@dataclass(frozen=True, slots=True)
class ReadArchive:
    """All vectors of a named archive. Answer: [m, d] float64 (m may be 0)."""

    archive: str


@dataclass(frozen=True, slots=True)
class AddToArchive:
    """Append vectors [k, d] to a named archive, atomically. Answer: None."""

    archive: str
    vectors: FloatArray


@dataclass(frozen=True, slots=True)
class ReadReferences:
    """Stored reference rewards of prompts' groups for a reward or model, its version included.

    Answer: list of [m] float64 or None, one a group.
    """

    name: str
    groups: Sequence[str]


@dataclass(frozen=True, slots=True)
class ReadSet:
    """A named stored set: embeddings, centroids, exemplar statistics. Answer: the JSON value that was put."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class ScoreWithModel:
    """Scores of a hosted model over a batch. Answer: :class:`reward_gateway.sample.RawScores`."""

    model: str
    batch: Batch


@dataclass(frozen=True, slots=True)
class Vector:
    """What a hosted model says of the parts of a row: [t] numbers, the flags that it raised, and its version."""

    values: FloatArray
    flags: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True)
class ScoreSteps:
    """A number for each step of the answers of a batch, by a hosted process reward model.

    Answer: list of :class:`Vector` or :class:`reward_gateway.sample.Invalid`, one a row.
    """

    model: str
    batch: Batch


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """Natural log-probabilities of continuations under the hosted language model.

    Answer: list of :class:`Vector` or :class:`reward_gateway.sample.Invalid`, one a pair.
    """

    contexts: Sequence[str]
    continuations: Sequence[str]
    model: str = "language_model"


@dataclass(frozen=True, slots=True)
class AskJudge:
    """Chat completions of a configured judge. Answer: list of str or :class:`reward_gateway.sample.Invalid`.

    ``temperature`` None is the judge's own. At 0, equal conversations are asked once.
    """

    judge: str
    conversations: Sequence[Conversation]
    temperature: float | None = 0.0


@dataclass(frozen=True, slots=True)
class JoinCohorts:
    """Each row joins the open cohort of its name, and waits until that is closed.

    Answer: list of ``(members [m, d] float64, own place)``, one a row.
    """

    names: Sequence[str]
    payloads: FloatArray
    size: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class RunSandboxed:
    """Run untrusted programs, each with its input, in the sandbox.

    Answer: list of SandboxResult mappings, or :class:`reward_gateway.sample.Invalid` for those that were not run.
    """

    language: str
    programs: Sequence[str]
    inputs: Sequence[Any]
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class CompareMath:
    """Whether responses equal references as mathematics, in processes of their own, with limits.

    Answer: list of bool or :class:`reward_gateway.sample.Invalid`, one a pair.
    """

    pairs: Sequence[tuple[str, str]]
    """(reference, response)."""


@dataclass(frozen=True, slots=True)
class RunInThread:
    """Work that would hold everybody up: done in a thread, while other requests go on. Answer: what it gives."""

    work: Callable[[], Any]


Effect = (
    UpdateMoments
    | LookUpLabels
    | ReadArchive
    | AddToArchive
    | ReadReferences
    | ReadSet
    | ScoreWithModel
    | ScoreSteps
    | TokenLogprobs
    | AskJudge
    | JoinCohorts
    | RunSandboxed
    | CompareMath
    | RunInThread
)
