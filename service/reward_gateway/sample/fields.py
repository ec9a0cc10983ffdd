"""The table of a sample's fields: all code that carries, keys, sends or reads samples is derived from it.

A row is an attribute of :class:`SampleItem`: its annotation is its form in JSON (for decoding, and for the
published schema), and its :class:`Field` describes the rest. To add a field, add a row here, its argument to
:class:`SampleColumns`, and a field of the same name to ``Sample`` in the .proto. Cache keys, the tensors of models, the
columns of recipes, HTTP, gRPC, the Open Inference Protocol, the client and the command line then carry it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, Union, get_args, get_type_hints

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from .messages import ChatMessage, MediaObject, StepItem

Form = Literal["name", "chat", "text", "answer", "media", "steps", "numbers", "objects", "opaque"]
"""What a value is, which decides how each part of the gateway carries it:

=========  ====================================  ==========================  ========================  ================
form       in JSON                               in a batch                  as an input tensor        in a cache key
=========  ====================================  ==========================  ========================  ================
name       string                                str                         none                      never
chat       string, or chat messages              str, or list of mappings    BYTES [n, 1], text        its text or JSON
text       string                                str or None                 BYTES [n, 1], text        its text
answer     string, number, boolean, list, object str, list, dict or None     BYTES [n, k], text        its text or JSON
media      base64, addresses, objects            list of Media               BYTES [n, k], encoded     hashes of bytes
steps      objects with a text                   list of str or None         BYTES [n, 1], JSON        their texts
numbers    object of numbers and lists of them   mapping                     BYTES [n, 1], JSON        canonical JSON
objects    list of objects                       list of dicts or None       BYTES [n, 1], JSON        canonical JSON
opaque     any object                            its JSON as bytes, or None  none                      never
=========  ====================================  ==========================  ========================  ================

Dicts of ``objects`` have every key: one that was not given, or null, has its default. A number or boolean that is an
``answer`` is its JSON text in a batch, and an answer of several texts has one tensor column for each.
"""


@dataclass(frozen=True, slots=True)
class Field:
    """One row.

    Attributes:
        form: what its values are.
        column: the batch's attribute; empty: the batch keeps it among its further columns.
        argument: the client's name of the column, if it differs from the batch's.
        scored: rewards are about it; a sample over tensors or from a file has at least one of these fields.
        required: a model that reads it needs it, unless its configuration says otherwise.
        outside_scores: no model's score depends on it.
        limit: the setting that bounds how many of them a sample may have.
        about: what it is, for the reference.
        example: a value for the pages.
        name: on the wire, in recipes and in a model's inputs (from the attribute).
        wire: the type that JSON is decoded into, without None (from the annotation).
    """

    form: Form
    column: str = ""
    argument: str = ""
    scored: bool = False
    required: bool = False
    outside_scores: bool = False
    limit: str = ""
    about: str = ""
    example: Any = None
    name: str = ""
    wire: Any = None

    @property
    def in_batch(self) -> bool:
        """False for fields that the gateway carries but never scores."""
        return self.form != "opaque"

    @property
    def tensor(self) -> bool:
        """An input of recipes over the Open Inference Protocol."""
        return self.form not in ("name", "opaque")

    @property
    def model_input(self) -> bool:
        """Models may read it, as the tensor of its name; it is then part of their cache keys."""
        return self.tensor and not self.outside_scores


_NoNumber = Annotated[str, Meta(description="No number: it makes its sample invalid.")] | None
Numbers = (
    float | list[float | list[float | list[float | list[float | _NoNumber] | _NoNumber] | _NoNumber] | _NoNumber] | None
)
"""A number, or a list of numbers; nested lists are well formed, too, for the few operations that read them: whether
a feature has the shape that a recipe reads is a matter of its sample. So is null: a feature that is null is missing,
and null or a text in a list makes its sample invalid."""


class Criterion(Struct, forbid_unknown_fields=True):
    """One criterion that a response is judged by.

    ``weight`` is a finite number (default 1), negative for what should not be there; ``tags`` name what it is about;
    where a criterion with ``veto`` is not met, the reward is 0.
    """

    text: Annotated[str, Meta(min_length=1)]
    weight: float | None = 1.0
    tags: list[str] | None = []
    veto: bool | None = False


class SampleItem(Struct, forbid_unknown_fields=True, gc=False):
    """One sample. Where the recipe reads the ``prompt`` or the ``response``, a missing one makes the sample invalid; an
    empty one is a prompt, and a response."""

    id: Annotated[
        str | None, Field("name", "ids", about='Its name in the answer. Unset: its place in the request ("0", "1", …).')
    ] = None
    prompt: Annotated[
        str | list[ChatMessage] | None,
        Field(
            "chat",
            "prompts",
            about="What the policy was asked: a text, or chat messages. Empty is a prompt, too.",
            example="How do I boil an egg?",
        ),
    ] = None
    response: Annotated[
        str | list[ChatMessage] | None,
        Field(
            "chat",
            "responses",
            scored=True,
            required=True,
            about="What the policy answered: a text, or the messages of several turns. Empty is a response, too.",
            example="Put it in boiling water for 8 minutes.",
        ),
    ] = None
    reference: Annotated[
        str | bool | int | float | list[Any] | dict[str, Any] | None,
        Field(
            "answer",
            "references",
            required=True,
            about="The right answer: a text or number, a list of accepted answers (the best one counts), or an object "
            "with the fields of a rule (`answer`, `choices`, `tests` …).",
            example="8 minutes",
        ),
    ] = None
    images: Annotated[
        list[str | MediaObject] | None,
        Field(
            "media",
            "images",
            scored=True,
            required=True,
            limit="max_images",
            about="Images: base64, a `data:` address, or, with the setting `media_urls`, an `https:` address.",
            example=["<base64>"],
        ),
    ] = None
    frames: Annotated[
        list[str | MediaObject] | None,
        Field(
            "media",
            "frames",
            scored=True,
            required=True,
            limit="max_frames",
            about="The frames of a video in their order, for video and robot rewards; as `images`.",
            example=["<base64>", "<base64>"],
        ),
    ] = None
    steps: Annotated[
        list[StepItem] | None,
        Field(
            "steps",
            "steps",
            about="The steps of a solution, for process rewards.",
            example=[{"text": "Boil water."}, {"text": "Add the egg."}],
        ),
    ] = None
    group: Annotated[
        str | None,
        Field(
            "text",
            "group_names",
            "groups",
            outside_scores=True,
            about="Names the samples that are compared with each other. Unset: those of the same prompt.",
            example="prompt-17",
        ),
    ] = None
    features: Annotated[
        dict[str, Numbers] | None,
        Field(
            "numbers",
            "features",
            about="Numbers, or lists of them, that rules and combiners read by their names.",
            example={"novelty": 0.3},
        ),
    ] = None
    rubric: Annotated[
        list[Criterion] | None,
        Field(
            "objects",
            required=True,
            about="Criteria that a judge checks the response by.",
            example=[{"text": "Says for how many minutes.", "weight": 5}],
        ),
    ] = None
    metadata: Annotated[
        Raw | UnsetType,
        Field(
            "opaque",
            argument="metadata",
            about="Any object. Conditions and cases of a recipe may choose by its keys what is computed; otherwise no "
            "reward depends on it.",
        ),
    ] = UNSET


Answer = str | bool | int | float | Sequence[Any] | Mapping[str, Any]
"""A ground truth: a text, a number, a list of accepted answers, or an object with the fields of a rule."""

Image = bytes | str | Path | Mapping[str, str]
"""Encoded bytes, a file, base64, a ``data:`` or ``https:`` address, or the wire's own ``{"b64"}`` / ``{"url"}``."""


class SampleColumns(TypedDict, total=False):
    """Further columns of the samples, each of the responses' length; a None is a value that is missing.

    ``references``: ground truths: texts or numbers, lists of accepted answers, or objects with the fields of a rule.
    ``groups``: samples that are compared with each other (default: those of one
    prompt). ``images``, ``frames``: encoded bytes, files, base64 or addresses. ``steps``: texts of a solution's
    steps. ``features``: numbers by name, that recipes ask for. ``rubrics``: criteria that the responses are judged by,
    each with a ``text`` and, where wanted, ``weight``, ``tags`` and ``veto``. ``metadata``: what is carried through,
    and what recipes choose scorers by; no reward depends on it otherwise.
    """

    ids: Sequence[str] | None
    references: Sequence[Answer | None] | None
    groups: Sequence[str | None] | None
    images: Sequence[Sequence[Image] | None] | None
    frames: Sequence[Sequence[Image] | None] | None
    steps: Sequence[Sequence[str | Mapping[str, Any]] | None] | None
    features: Sequence[Mapping[str, Any] | None] | None
    rubrics: Sequence[Sequence[Mapping[str, Any]] | None] | None
    metadata: Sequence[Mapping[str, Any] | None] | None


def _make_field(name: str, annotation: Any) -> Field:
    held: Any
    row: Field
    held, row = get_args(annotation)
    types = tuple(member for member in get_args(held) if member not in (type(None), UnsetType))
    return replace(row, name=name, wire=Union[types], argument=row.argument or row.column or f"{name}s")  # noqa: UP007


FIELDS: tuple[Field, ...] = tuple(
    _make_field(name, annotation) for name, annotation in get_type_hints(SampleItem, include_extras=True).items()
)
"""The table, in the order of :class:`SampleItem`."""

BY_NAME: Mapping[str, Field] = {field.name: field for field in FIELDS}


def of_form(*forms: Form) -> tuple[Field, ...]:
    """The fields of these forms, in the table's order."""
    return tuple(field for field in FIELDS if field.form in forms)


METADATA = "metadata"
"""The field that is carried through. A batch has it as the bytes of its JSON, among its further columns, for recipes
that choose by it what is computed."""

OF_METADATA = f"{METADATA}."
"""What the paths of its keys begin with."""

MEDIA = tuple(field.name for field in of_form("media"))
"""Names of the fields that hold images."""

IMAGES = "images"
"""The field that the images of chat messages join."""

MESSAGES = "messages"
"""Prompt and response together as chat: no field of its own, but an input that models and operations may read."""

MODEL_INPUTS = (*(field.name for field in FIELDS if field.model_input), MESSAGES)
"""What a model may read of a sample; each is the name of its tensor."""
