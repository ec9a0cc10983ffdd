"""What an operation may ask from outside, as data: each effect's type says what it is answered with.

Operations do no I/O. One that needs a stored value, a model's score or a judge's words is a generator: it performs an
effect and goes on with the answer. Whoever runs it (the gateway, or a test) answers:

    def running_scale(columns, params):
        moments = yield from perform(MergeMoments(params.stream, batch_moments))
        return Outcome(reward=rewards / moments.std)

An effect that cannot be answered raises its :class:`reward_gateway.errors.GatewayError` where it is performed.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from reward_gateway.sample import Batch, FloatArray, Invalid, RawScores

A = TypeVar("A")


class Effect(Generic[A]):
    """Something that an operation asks for; ``A`` is the type of the answer."""

    __slots__ = ()


Effectful = Generator[Effect[Any], Any, A]
"""A computation that performs effects on its way to an ``A``."""


def perform(effect: Effect[A]) -> Effectful[A]:
    """Ask for an effect: ``answer = yield from perform(effect)``. This ties the answer's type to the effect's.

    Raises:
        GatewayError: it cannot be answered.
    """
    answer: A = yield effect
    return answer


Conversation = Sequence[dict[str, Any]]
"""Chat messages of one question to a judge: role and content (text, or a list of parts)."""

SandboxAnswer = dict[str, Any]
"""How a program ended; :class:`.sandboxed.SandboxResult` reads it."""


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
class MergeMoments(Effect[Moments]):
    """Merge a batch into a named stream's moments, once the request is answered.

    Answer: the stream's :class:`Moments` as they were read, with this batch and what the request merged before.
    """

    stream: str
    batch: Moments


@dataclass(frozen=True, slots=True)
class UpdateCoefficient(Effect[float]):
    """Change a named coefficient by a rule, once the request is answered: from the value that is stored then.

    Answer: the value as it was read, before all that this request changes; ``start`` if none is stored.

    Attributes:
        rule: add: v + a. grow: v exp(v a), which is ln v + v a. scale: v a.
        amount: a.
        least, most: the new value is at least and at most these.
    """

    name: str
    rule: Literal["add", "grow", "scale"]
    amount: float
    start: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class LookUpLabels(Effect[list[float | None]]):
    """The labels of messages in a named table. Unknown messages will be queued for annotation if ``enqueue``.

    Answer: list of float or None, one per message.
    """

    table: str
    messages: Sequence[str]
    enqueue: bool = True


@dataclass(frozen=True, slots=True)
class ReadArchive(Effect[FloatArray]):
    """All vectors of a named archive. Answer: [m, d] float64 (m may be 0)."""

    archive: str


@dataclass(frozen=True, slots=True)
class AppendToArchive(Effect[None]):
    """Append vectors [k, d] to a named archive, once the request is answered."""

    archive: str
    vectors: FloatArray


@dataclass(frozen=True, slots=True)
class DiscardWrites(Effect[None]):
    """Forget what this request was going to write: it is about to be computed again without some of its samples."""


@dataclass(frozen=True, slots=True)
class ReadReferences(Effect[list[FloatArray | None]]):
    """Stored reference rewards of prompts' groups for a reward or model, its version included.

    Answer: list of [m] float64 or None, one per group.
    """

    name: str
    groups: Sequence[str]


@dataclass(frozen=True, slots=True)
class ReadSet(Effect[Any]):
    """A named stored set: embeddings, centroids, exemplar statistics. Answer: the JSON value that was put."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class ScoreWithModel(Effect[RawScores]):
    """Scores of a hosted model over a batch. Answer: :class:`reward_gateway.sample.RawScores`."""

    model: str
    batch: Batch


@dataclass(frozen=True, slots=True)
class Within(Effect[bool]):
    """Run a computation that has so many seconds; what is not done by then answers ``deadline_exceeded``, as at the end
    of a request's time. Answered with whether that limit was nearer than the request's own.
    """

    computation: Effectful[Any]
    seconds: float


@dataclass(frozen=True, slots=True)
class FetchMedia(Effect[Mapping[int, Invalid]]):
    """Images of the valid rows of a batch: those that are named by address are fetched and put in its place.

    Answer: the rows with an image that cannot be used, each with the reason.

    Attributes:
        fields: names of fields with images.
    """

    fields: Sequence[str]
    batch: Batch


@dataclass(frozen=True, slots=True)
class AskModels(Effect[Mapping[str, tuple[RawScores, Sequence[str]]]]):
    """What hosted models say of the valid rows of a batch, as components of a recipe.

    Answer: of each model :class:`reward_gateway.sample.RawScores` [n, K], NaN in the other rows, and the names of its K
    numbers.

    Attributes:
        fallbacks: where a model is away, its fallback scores the whole batch.
    """

    models: Sequence[str]
    batch: Batch
    fallbacks: bool = False


@dataclass(frozen=True, slots=True)
class Together(Effect[list[Any]]):
    """Computations that do not wait for each other: their effects are answered at the same time.

    Answer: their results, in the order of ``computations``.
    """

    computations: Sequence[Effectful[Any]]


@dataclass(frozen=True, slots=True)
class Vector:
    """What a hosted model says of the parts of a row: [t] numbers, the flags that it raised, and its version."""

    values: FloatArray
    flags: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True)
class ScoreSteps(Effect[list[Vector | Invalid]]):
    """A number for each step of the answers of a batch, by a hosted process reward model.

    Answer: list of :class:`Vector` or :class:`reward_gateway.sample.Invalid`, one per row.
    """

    model: str
    batch: Batch


@dataclass(frozen=True, slots=True)
class TokenLogprobs(Effect[list[Vector | Invalid]]):
    """Natural log-probabilities of continuations under the hosted language model.

    Answer: list of :class:`Vector` or :class:`reward_gateway.sample.Invalid`, one per pair.
    """

    contexts: Sequence[str]
    continuations: Sequence[str]
    model: str = "language_model"


Schema = Mapping[str, Any]
"""JSON Schema of a judge's answer."""


@dataclass(frozen=True, slots=True)
class AskJudge(Effect[list[str | Invalid]]):
    """Chat completions of a configured judge. Answer: list of str or :class:`reward_gateway.sample.Invalid`.

    Attributes:
        temperature: None: the judge's own. At 0, equal conversations are asked once.
        schema: of all answers, or a list with one for each, which servers keep to that can; None for free text.
        problems: of each conversation a name of what it is about beside the response, empty if that is not known; None:
            not told.
        limits: of each conversation how long a request may take, as :class:`FindJudgeLimits` told; None: as any.
        draws: of each conversation the number of its answer among those that are drawn, if it is known how many; with
            the same number it is the same answer.
    """

    judge: str
    conversations: Sequence[Conversation]
    temperature: float | None = None
    schema: Schema | Sequence[Schema] | None = None
    draws: Sequence[int] | None = None
    problems: Sequence[str] | None = None
    limits: Sequence[float | None] | None = None


@dataclass(frozen=True, slots=True)
class JudgeToken:
    """A token of a judge's answer.

    Attributes:
        alternatives: tokens that might have stood there, itself among them, with their natural log-probabilities.
    """

    text: str
    alternatives: Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class JudgeAnswer:
    """A judge's words, and the tokens that were generated: before them its reasoning, behind them an end."""

    text: str
    tokens: Sequence[JudgeToken]


@dataclass(frozen=True, slots=True)
class AskJudgeForTokens(Effect[list[JudgeAnswer | Invalid]]):
    """As :class:`AskJudge`, for words with their tokens. Answer: list of :class:`JudgeAnswer`, or
    :class:`reward_gateway.sample.Invalid`, which words without tokens are as well."""

    asked: AskJudge


@dataclass(frozen=True, slots=True)
class AskJudgeAgain(Effect[list[str | Invalid] | list[JudgeAnswer | Invalid] | None]):
    """The same, of questions whose answers could not be read. Answer: as to ``asked``; None if the judge is not asked
    again, because it would say the same (at temperature 0) or has been asked as often as it may.

    Attributes:
        attempt: how often they were asked before, at least 1.
    """

    asked: AskJudge | AskJudgeForTokens
    attempt: int


@dataclass(frozen=True, slots=True)
class FindJudgeLimits(Effect[list[float | None] | None]):
    """How long a judge may take for a question about each problem, by how long its answers took.

    Answer: seconds, None where too few were read; None at all where the judge has one limit for all.
    """

    judge: str
    problems: Sequence[str]


@dataclass(frozen=True, slots=True)
class FindFallbackJudge(Effect[str | None]):
    """The judge that scores in place of one that is away. Answer: its name, None if the operator named none."""

    judge: str


@dataclass(frozen=True, slots=True)
class ReadJudgeVersion(Effect[str]):
    """Model and version of a judge as its server told them last. Answer: empty if they are not known."""

    judge: str


@dataclass(frozen=True, slots=True)
class JoinCohorts(Effect[list[tuple[FloatArray, int]]]):
    """Samples join the open cohorts of their names, and wait until those are closed.

    A join cannot be taken back: it comes after everything that may fail.

    Answer: list of ``(members [m, d] float64, own place)``, one per sample.

    Attributes:
        rows: where the samples stand in the request; with its idempotency key, this makes a repeated join the same one.
        payloads: [n, d] what each sample brings.
    """

    rows: Sequence[int]
    names: Sequence[str]
    payloads: FloatArray
    size: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class RunSandboxed(Effect[list[SandboxAnswer | Invalid]]):
    """Run untrusted programs, each with its input, in the sandbox.

    Answer: list of SandboxResult mappings, or :class:`reward_gateway.sample.Invalid` for those that were not run.

    Attributes:
        sandbox: a remote one that runs them, by its name, or by its address and protocol; None: the gateway's own.
            ``stdio`` alone.
        limits: of each program a time in place of ``timeout_s``, as :class:`FindTimeLimits` told; None: that.
    """

    language: str
    programs: Sequence[str]
    inputs: Sequence[Any]
    timeout_s: float = 5.0
    sandbox: str | tuple[str, str] | None = None
    limits: Sequence[float | None] | None = None


@dataclass(frozen=True, slots=True)
class FindTimeLimits(Effect[list[float | None]]):
    """The time that a run has by how long right ones of its problem took, in seconds, at most ``most_s``.

    Answer: a limit per problem; None while too few runs have passed.

    Attributes:
        problems: names of problems, of this caller's.
        factor: of the p99 of passing runs.
    """

    problems: Sequence[str]
    factor: float
    most_s: float


@dataclass(frozen=True, slots=True)
class NotePassingRuns(Effect[None]):
    """Runs passed, each in so many seconds."""

    problems: Sequence[str]
    seconds: Sequence[float]


@dataclass(frozen=True, slots=True)
class CompareMath(Effect[list[tuple[bool, str] | Invalid]]):
    """Whether expressions in LaTeX are equal as mathematics, in processes of their own, with limits.

    Answer: list of (whether they are, by what: symbolic or numeric) or :class:`reward_gateway.sample.Invalid`, one per
    pair.
    """

    pairs: Sequence[tuple[str, str]]
    """(reference, response)."""
    rel_tol: float = 1e-6
    min_digits: int = 4
    strict: bool = False
    timeout_s: float = 3.0
    """Processor time for one pair."""


@dataclass(frozen=True, slots=True)
class RunInWorker(Effect[Any]):
    """Work that would hold everybody up: done in a worker process, under the request's deadline and a memory limit.

    Answer: its result, or :class:`reward_gateway.sample.Invalid` if it did not come to its end.

    Attributes:
        work: a function that can be pickled; it may be a generator of effects, which are answered as usual.
        body: the function's argument, if not empty.
    """

    work: Callable[..., Any]
    body: bytes = b""
