"""The arguments of a call, shared by both clients, and the request bodies built from them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from reward_gateway.sample import Text
from reward_gateway.sample.fields import FIELDS, SampleColumns

from .samples import Sample, of_columns, to_wire


class ScoreArguments(TypedDict, total=False):
    """How to score.

    ``reward``: name of the recipe; default: the server's. ``on_invalid``: what a sample without a score becomes:
    ``null`` (NaN, the default), ``fail`` or ``default`` (then ``default_reward``). ``cache``: ``use``, ``refresh``
    or ``off``. ``explain``: give the components (default). ``timeout_s``: seconds for this call, its repetitions
    included. ``idempotency_key``: a key of your own, where you repeat the call yourself; default: a random one.
    ``chat_format``: prompts and responses are texts that a chat template rendered, to be read back into messages: by
    the format that the recipe names (``recipe``), found by its marks (``auto``), or named here; default: they are taken
    as they are. ``step``: the trainer's step, by which the history of the run is told.
    """

    reward: str | None
    on_invalid: Literal["null", "fail", "default"] | None
    default_reward: float | None
    cache: Literal["use", "refresh", "off"] | None
    explain: bool
    timeout_s: float | None
    idempotency_key: str | None
    chat_format: str | None
    step: int | None


class JobOptions(TypedDict, total=False):
    """How a job is delivered.

    ``deliver``: what is delivered together: ``sample``, ``group`` or ``job``; default: as the recipe needs it.
    ``expires_s``: seconds without progress after which the job is forgotten (60 to 86,400; default: the server's).
    ``queue``: whether results go to the queue of the client's run, if it has one (default). ``deadline_s``: seconds
    from now after which samples that are not scored answer ``deadline_exceeded``; default: there is no such time.
    ``callback``: an address that is told of the job's end, of those that the operator lists.
    """

    deliver: Literal["sample", "group", "job"] | None
    expires_s: int | None
    queue: bool | None
    deadline_s: float | None
    callback: str | None


class JobArguments(ScoreArguments, JobOptions, total=False):
    """How to score, and how to deliver: see both bases. ``timeout_s`` is that of the submission alone."""


class JobColumns(SampleColumns, JobArguments, total=False):
    """Further columns of the samples of a job, and how to score and deliver them: see both bases."""


class Columns(SampleColumns, ScoreArguments, total=False):
    """Further columns of the samples, and how to score them: see both bases."""


_COLUMNS = {field.argument: field.name for field in FIELDS if field.argument in SampleColumns.__annotations__}
"""The argument of each column that a caller may give beside prompts and responses -> the field."""

_OPTIONS = ("on_invalid", "default_reward", "cache", "explain", "chat_format")
_JOB_OPTIONS = (*_OPTIONS, "deliver", "expires_s", "queue", "callback")


def columns_body(
    prompts: Text | Sequence[Text] | None, responses: Sequence[Text | None], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """The body of a score request over columns. Raises ValueError for columns of different lengths."""
    columns = {field: arguments.get(name) for name, field in _COLUMNS.items()}
    return _make_body(of_columns(prompts, responses, **columns), arguments, Columns, _OPTIONS)


def samples_body(samples: Sequence[Mapping[str, Any]], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a score request over samples of the API's form."""
    return _make_body([to_wire(sample) for sample in samples], arguments, Columns, _OPTIONS)


def job_columns_body(
    prompts: Text | Sequence[Text] | None, responses: Sequence[Text | None], arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """As :func:`columns_body`, of a job."""
    columns = {field: arguments.get(name) for name, field in _COLUMNS.items()}
    return _make_job_body(of_columns(prompts, responses, **columns), arguments)


def job_samples_body(samples: Sequence[Mapping[str, Any]], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """As :func:`samples_body`, of a job."""
    return _make_job_body([to_wire(sample) for sample in samples], arguments)


def _make_job_body(samples: list[Sample], arguments: Mapping[str, Any]) -> dict[str, Any]:
    body = _make_body(samples, arguments, JobColumns, _JOB_OPTIONS)
    if (deadline_s := arguments.get("deadline_s")) is not None:
        body["options"] = {**body.get("options", {}), "deadline_ms": deadline_s * 1e3}
    return body


def _make_body(
    samples: list[Sample], arguments: Mapping[str, Any], kind: Any, allowed: Sequence[str]
) -> dict[str, Any]:
    known = kind.__annotations__.keys()
    if unknown := arguments.keys() - known:
        raise TypeError(f"unknown arguments: {', '.join(sorted(unknown))}")
    body: dict[str, Any] = {"samples": samples}
    if arguments.get("reward") is not None:
        body["reward"] = arguments["reward"]
    options = {name: arguments[name] for name in allowed if arguments.get(name) is not None}
    return {**body, "options": options} if options else body
