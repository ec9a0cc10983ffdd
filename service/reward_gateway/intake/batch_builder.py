"""A decoded request to a batch: columns, limits, images. The one place where the wire becomes the noun."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import UNSET, Raw, Struct, UnsetType

from reward_gateway.errors import InvalidRequest, MalformedBody
from reward_gateway.intake.limits import InputLimits
from reward_gateway.intake.media import MediaLimits, from_content
from reward_gateway.sample import Batch, Invalid, Media, json_text
from reward_gateway.sample.fields import FIELDS, IMAGES, Form, SampleItem, of_form
from reward_gateway.sample.flags import MESSAGE_PARTS_IGNORED
from reward_gateway.sample.messages import MediaObject, StepItem
from reward_gateway.sample.turn_marks import flag_template_marks
from reward_gateway.settings import Settings

from .messages import Source, media_content, plain_if_single, plain_messages
from .nesting import check_nesting
from .objects import plain_object, texts_of

_TEXT = frozenset((str,))
_SINGLE_ROLES = {"prompt": "user", "response": "assistant"}

LONG_LIST = 10_000
"""Numbers of a list that becomes an array where a batch is made off the event loop."""

_OPAQUE_LEVEL = 3
"""Levels above ``samples[i].metadata``: the body, the list, the sample."""


class BatchBuilder:
    """Makes batches within the limits of the settings."""

    def __init__(self, settings: Settings) -> None:
        self.limits = InputLimits(settings)
        self._media = MediaLimits.of(settings)
        self._max_nesting = settings.max_nesting

    async def make(
        self, samples: Sequence[SampleItem], body_bytes: int | None = None, *, takes_long: bool = False
    ) -> Batch:
        """The batch of decoded samples.

        Args:
            body_bytes: size of the body they came from; no text in it can be longer. None: not known.
            takes_long: it is made in a thread.

        Raises:
            TooLarge: a sample, text or list over its limit, with its path.
            InvalidRequest: nested too deep, or an image that is neither base64 nor an address.
        """
        if takes_long:
            return await asyncio.to_thread(self.build, samples, body_bytes)
        self.limits.samples(len(samples))
        batch, sources = self._take_fields(_columns_of(samples), len(samples), body_bytes)
        return await self._load_apart(batch, sources) if sources else batch

    def build(self, samples: Sequence[SampleItem], body_bytes: int | None = None) -> Batch:
        """The batch of decoded samples, as :meth:`make` makes it, in one go: for threads and processes.

        Long lists of numbers are arrays in it, which take little time to send, to check, to count and to free.
        """
        self.limits.samples(len(samples))
        return self._build(_columns_of(samples), len(samples), body_bytes)

    def build_of_columns(self, columns: Mapping[str, list[Any]]) -> Batch:
        """The batch of fields that came as columns, as :meth:`make_of_columns` makes it; otherwise as :meth:`build`."""
        return self._build(*self._complete_columns(columns), None)

    def _build(self, given: tuple[list[Any], ...], n: int, body_bytes: int | None) -> Batch:
        batch, sources = self._take_fields(given, n, body_bytes)
        for field, _ in _NUMBERS:
            if column := batch.column(field):
                batch.set_column(field, [_pack_lists(row) for row in column])
        return self._load_media(batch, sources)

    async def make_of_columns(self, columns: Mapping[str, list[Any]], body_bytes: int | None = None) -> Batch:
        """The batch of fields that came as columns, one at least, of one length; otherwise as :meth:`make`."""
        batch, sources = self._take_fields(*self._complete_columns(columns), body_bytes)
        return await self._load_apart(batch, sources) if sources else batch

    def _complete_columns(self, columns: Mapping[str, list[Any]]) -> tuple[tuple[list[Any], ...], int]:
        """All fields of the table, those that were not given with their defaults; and how many samples there are."""
        n = len(next(iter(columns.values())))
        self.limits.samples(n)
        return tuple(columns.get(name) or [missing] * n for name, missing in _MISSING), n

    def _take_fields(
        self, given: tuple[list[Any], ...], n: int, body_bytes: int | None
    ) -> tuple[Batch, dict[str, list[list[Source]]]]:
        """The batch without images, and the images' sources by field."""
        opaque = {
            field: self._take_opaque(field, given[place]) for field, place in _OPAQUE if given[place].count(UNSET) < n
        }
        prompts, responses = given[_PROMPT], given[_RESPONSE]
        sources: dict[int, list[Source]] = {}
        flags: dict[int, tuple[str, ...]] = {}
        if list in set(map(type, prompts)) | set(map(type, responses)):
            self._open_messages(prompts, responses, sources, flags)
        long = body_bytes is None or body_bytes > self.limits.max_text_chars
        if long:
            texts = {field: given[place] for field, place in _TEXTS if given[place].count(None) < n}
            self._check_texts({"prompt": prompts, "response": responses, **texts})
        batch = Batch(self._ids(given[_ID]), prompts, responses)
        batch.further.update(opaque)
        batch.flags = flags
        if None in prompts:
            batch.without_prompt = frozenset(i for i, prompt in enumerate(prompts) if prompt is None)
            batch.prompts = ["" if prompt is None else prompt for prompt in prompts]
        flag_template_marks(batch)
        for field, place, take in _TAKERS:
            if given[place].count(None) < n:
                batch.set_column(field, take(self, batch, field, given[place], long))
        if sources or any(given[place].count(None) < n for _, place in _MEDIA):
            return batch, self._list_media(given, sources)
        return batch, {}

    def _ids(self, given: Sequence[str | None]) -> list[str]:
        if given.count(None) == len(given):
            return list(map(str, range(len(given))))
        ids = [str(i) if name is None else name for i, name in enumerate(given)]
        if ids and max(map(len, ids)) > self.limits.max_name_chars:
            for i, name in enumerate(ids):
                self.limits.name(len(name), f"samples[{i}].id")
        return ids

    def _take_opaque(self, field: str, values: Sequence[Raw | UnsetType]) -> list[bytes | None]:
        """[n] objects as the bytes of their JSON, which is not read; None where there is none."""
        taken: list[bytes | None] = [None] * len(values)
        for i, value in enumerate(values):
            if isinstance(value, UnsetType):
                continue
            raw = bytes(value)
            param = f"samples[{i}].{field}"
            if raw[:1] != b"{" and raw != b"null":
                raise InvalidRequest(f"{param}: expected object", param=param)
            check_nesting(raw, self._max_nesting, above=_OPAQUE_LEVEL, param=param)
            try:
                raw.decode()
            except UnicodeDecodeError:
                raise MalformedBody("the body is not valid JSON (RFC 8259, UTF-8)") from None
            taken[i] = raw
        return taken

    def _open_messages(
        self,
        prompts: list[Any],
        responses: list[Any],
        sources: dict[int, list[Source]],
        flags: dict[int, tuple[str, ...]],
    ) -> None:
        for column, field in ((prompts, "prompt"), (responses, "response")):
            for i, value in enumerate(column):
                if isinstance(value, list):
                    images = sources.setdefault(i, [])
                    where = f"samples[{i}].{field}"
                    messages, chars, ignored = plain_messages(value, where, images, self._max_nesting)
                    self.limits.text(chars, where)
                    if ignored:
                        flags[i] = (MESSAGE_PARTS_IGNORED,)
                    column[i] = plain_if_single(messages, _SINGLE_ROLES[field])
                    if not images:
                        del sources[i]

    def _check_texts(self, columns: Mapping[str, Sequence[Any]]) -> None:
        for field, column in columns.items():
            plain = _TEXT.issuperset(map(type, column))
            self.limits.texts(column if plain else [text if isinstance(text, str) else None for text in column], field)

    def _take_as_given(self, _batch: Batch, _field: str, values: list[Any], _long: bool) -> list[Any]:
        return values

    def _take_answers(self, _batch: Batch, field: str, values: list[Any], long: bool) -> list[Any]:
        if long:
            for i, value in enumerate(values):
                for path, text in texts_of(value, f"samples[{i}].{field}"):
                    self.limits.text(len(text), path)
        return [json_text(value) if isinstance(value, (bool, int, float)) else value for value in values]

    def _take_numbers(self, batch: Batch, field: str, values: list[Any], _long: bool) -> list[Any]:
        rows = [{} if row is None else row for row in values]
        for i, row in enumerate(rows):
            places = {name: place for name, value in row.items() if (place := _find_no_number(value)) is not None}
            if not places:
                continue
            rows[i] = {name: value for name, value in row.items() if name not in places}
            for name, place in places.items():
                where, what = place
                if where:  # one of several numbers is missing; a feature that is null as a whole is not there
                    param = f"{field}.{name}{where}"
                    batch.invalid.setdefault(i, Invalid("invalid_field", f"{param}: {what} is no number", param=param))
        return rows

    def _take_steps(self, batch: Batch, field: str, values: Sequence[list[StepItem] | None], long: bool) -> list[Any]:
        for i, steps in enumerate(values):
            if long:
                for k, step in enumerate(steps or ()):
                    self.limits.text(len(step.text), f"samples[{i}].{field}[{k}].text")
            if steps and any(step.score is not None for step in steps):
                _take_step_scores(batch, i, field, steps)
        return [None if steps is None else [step.text for step in steps] for steps in values]

    def _take_objects(self, _batch: Batch, field: str, values: Sequence[list[Struct] | None], long: bool) -> list[Any]:
        rows = [None if items is None else [plain_object(item) for item in items] for items in values]
        if long:
            for i, items in enumerate(rows):
                for k, item in enumerate(items or ()):
                    for path, text in texts_of(item, f"samples[{i}].{field}[{k}]"):
                        self.limits.text(len(text), path)
        return rows

    def _list_media(
        self, given: Sequence[list[Any]], sources: Mapping[int, list[Source]]
    ) -> dict[str, list[list[Source]]]:
        """The images of every sample by field, not yet decoded."""
        columns: dict[str, list[list[Source]]] = {}
        for field, place in _MEDIA:
            columns[field] = rows = [_listed(items, i, field) for i, items in enumerate(given[place])]
            if field == IMAGES:  # those of the messages come first, in the order of reading
                columns[field] = rows = [sources.get(i, []) + row for i, row in enumerate(rows)]
            for i, row in enumerate(rows):
                self.limits.entries(len(row), field, f"samples[{i}].{field}")
        return columns

    async def _load_apart(self, batch: Batch, columns: Mapping[str, list[list[Source]]]) -> Batch:
        return await asyncio.to_thread(self._load_media, batch, columns)

    def _load_media(self, batch: Batch, columns: Mapping[str, list[list[Source]]]) -> Batch:
        for field, loaded in self._load(batch.invalid, columns).items():
            batch.set_column(field, loaded if any(loaded) else None)
        return batch

    def _load(
        self, invalid: dict[int, Invalid], columns: Mapping[str, list[list[Source]]]
    ) -> dict[str, list[list[Media]]]:
        return {
            field: [self._load_row(invalid, i, row) for i, row in enumerate(rows)] for field, rows in columns.items()
        }

    def _load_row(self, invalid: dict[int, Invalid], i: int, row: Sequence[Source]) -> list[Media]:
        loaded: list[Media] = []
        for param, content in row:
            item = from_content(content, param, self._media)
            if isinstance(item, Invalid):
                invalid.setdefault(i, item)
            else:
                loaded.append(item)
        return loaded


_MISSING = tuple(zip(SampleItem.__struct_fields__, SampleItem.__struct_defaults__, strict=True))
_PLACES = {field.name: place for place, field in enumerate(FIELDS)}
_ID, _PROMPT, _RESPONSE = (_PLACES[name] for name in ("id", "prompt", "response"))


def _of_form(form: Form) -> list[tuple[str, int]]:
    """The fields of a form, each with its place in the table."""
    return [(field.name, _PLACES[field.name]) for field in of_form(form)]


_OPAQUE, _TEXTS, _MEDIA, _NUMBERS = (_of_form(form) for form in ("opaque", "text", "media", "numbers"))

_columns_of: Callable[[Sequence[SampleItem]], tuple[list[Any], ...]] = eval(  # noqa: S307
    f"lambda samples: ({', '.join(f'[sample.{field.name} for sample in samples]' for field in FIELDS)})"
)
"""A list per field, in the table's order; written from the table, so that it is as quick as code that names fields."""

_TAKE: dict[Form, Callable[[BatchBuilder, Batch, str, list[Any], bool], list[Any]]] = {
    "text": BatchBuilder._take_as_given,
    "answer": BatchBuilder._take_answers,
    "numbers": BatchBuilder._take_numbers,
    "steps": BatchBuilder._take_steps,  # after the numbers, to which the scores of steps are added
    "objects": BatchBuilder._take_objects,
}
_TAKERS = [(*field, take) for form, take in _TAKE.items() for field in _of_form(form)]
"""Fields, their places, and how their values become a column of the batch, in the order in which they are taken."""


_NO_FLAT_NUMBERS = frozenset((type(None), str, list))


def _find_no_number(value: Any) -> tuple[str, str] | None:
    """Where the first null or text is in a number or in lists of numbers, as ``[1][0]``, and which of the two it is;
    None where there is none."""
    if value is None:
        return "", "null"
    if not isinstance(value, list):
        return None
    kinds = set(map(type, value))
    if kinds.isdisjoint(_NO_FLAT_NUMBERS):
        return None
    for k, part in enumerate(value):
        if isinstance(part, str):
            return f"[{k}]", "a text"
        if (place := _find_no_number(part)) is not None:
            return f"[{k}]{place[0]}", place[1]
    return None


def _pack_lists(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Numbers by name, the long lists among them as arrays [n], [n, m] ..."""
    packed = {name: _pack_list(value) for name, value in row.items() if isinstance(value, list) and value}
    return {**row, **packed} if packed else row


def _pack_list(value: list[Any]) -> "list[Any] | np.ndarray[Any, Any]":
    if len(value) < LONG_LIST and not isinstance(value[0], list):
        return value
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError):  # lists of several lengths, or beside numbers
        return value
    return array if array.size >= LONG_LIST else value


def _take_step_scores(batch: Batch, i: int, field: str, steps: Sequence[StepItem]) -> None:
    """Scores that came with the steps are a feature of the sample, all or none."""
    scores = [step.score for step in steps]
    if None in scores:
        param = f"samples[{i}].{field}[{scores.index(None)}].score"
        raise InvalidRequest(f"{param}: give every step of a sample a score, or none", param=param)
    if batch.features is None:
        batch.features = [{} for _ in range(batch.size)]
    batch.features[i] = {"step_scores": scores, **batch.features[i]}


def _listed(items: Sequence[str | MediaObject] | None, i: int, field: str) -> list[Source]:
    return [(f"{field}[{k}]", media_content(item, f"samples[{i}].{field}[{k}]")) for k, item in enumerate(items or ())]
