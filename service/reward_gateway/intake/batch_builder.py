"""A decoded request to a batch: columns, limits, images. The one place where the wire becomes the noun."""

import asyncio
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from reward_gateway.errors import InvalidRequest, MalformedBody
from reward_gateway.intake.limits import InputLimits
from reward_gateway.intake.media import MediaLimits, from_text
from reward_gateway.sample import Batch, Invalid, Media, Text
from reward_gateway.sample.fields import SampleItem
from reward_gateway.sample.messages import MediaObject
from reward_gateway.settings import Settings

from .messages import Source, media_text, plain_messages
from .nesting import check_nesting

_METADATA_LEVEL = 3
"""Levels above ``samples[i].metadata``: the body, the list, the sample."""


class BatchBuilder:
    """Makes batches within the limits of the settings."""

    def __init__(self, settings: Settings) -> None:
        self.limits = InputLimits(settings)
        self._media = MediaLimits.of(settings)
        self._max_nesting = settings.max_nesting

    async def make(self, samples: Sequence[SampleItem], body_bytes: int) -> Batch:
        """The batch of decoded samples.

        Args:
            body_bytes: size of the body they came from; no text in it can be longer.

        Raises:
            TooLarge: a sample, text or list over its limit, with its path.
            InvalidRequest: nested too deep, or an image that is neither base64 nor an address.
        """
        n = len(samples)
        self.limits.samples(n)
        if [sample.metadata for sample in samples].count(UNSET) < n:
            self._check_metadata(samples)
        prompts: list[Any] = [sample.prompt for sample in samples]
        responses: list[Any] = [sample.response for sample in samples]
        sources: dict[int, list[Source]] = {}
        if list in set(map(type, prompts)) | set(map(type, responses)):
            self._open_messages(prompts, responses, sources)
        references = _column([sample.reference for sample in samples])
        groups = _column([sample.group for sample in samples])
        if body_bytes > self.limits.max_text_chars:
            self._check_texts(prompts, responses, references, groups)
        batch = Batch(
            ids=self._ids(samples),
            prompts=["" if prompt is None else prompt for prompt in prompts],
            responses=responses,
            references=references,
            group_names=groups,
            features=_column([sample.features for sample in samples], empty={}),
        )
        if [sample.steps for sample in samples].count(None) < n:
            self._take_steps(batch, samples)
        if sources or [sample.images or sample.frames for sample in samples].count(None) < n:
            await self._take_media(batch, samples, sources)
        return batch

    def _ids(self, samples: Sequence[SampleItem]) -> list[str]:
        ids = [str(i) if sample.id is None else sample.id for i, sample in enumerate(samples)]
        if ids and max(map(len, ids)) > self.limits.max_name_chars:
            for i, name in enumerate(ids):
                self.limits.name(len(name), f"samples[{i}].id")
        return ids

    def _check_metadata(self, samples: Sequence[SampleItem]) -> None:
        for i, sample in enumerate(samples):
            if sample.metadata is UNSET:
                continue
            raw = bytes(sample.metadata)
            param = f"samples[{i}].metadata"
            if raw[:1] != b"{" and raw != b"null":
                raise InvalidRequest(f"{param}: expected object", param=param)
            check_nesting(raw, self._max_nesting, above=_METADATA_LEVEL, param=param)
            try:
                raw.decode()
            except UnicodeDecodeError:
                raise MalformedBody("the body is not valid JSON (RFC 8259, UTF-8)") from None

    def _open_messages(self, prompts: list[Any], responses: list[Any], sources: dict[int, list[Source]]) -> None:
        for column, field in ((prompts, "prompt"), (responses, "response")):
            for i, value in enumerate(column):
                if isinstance(value, list):
                    images = sources.setdefault(i, [])
                    column[i], chars = plain_messages(value, f"samples[{i}].{field}", images, self._max_nesting)
                    self.limits.text(chars, f"samples[{i}].{field}")
                    if not images:
                        del sources[i]

    def _check_texts(
        self,
        prompts: Sequence[Text | None],
        responses: Sequence[Text | None],
        references: list[str | None] | None,
        groups: list[str | None] | None,
    ) -> None:
        for column, field in (
            (prompts, "prompt"),
            (responses, "response"),
            (references, "reference"),
            (groups, "group"),
        ):
            if column is not None:
                self.limits.texts([text if isinstance(text, str) else None for text in column], field)

    def _take_steps(self, batch: Batch, samples: Sequence[SampleItem]) -> None:
        batch.steps = [None if s.steps is None else [step.text for step in s.steps] for s in samples]
        for i, sample in enumerate(samples):
            for k, step in enumerate(sample.steps or ()):
                self.limits.text(len(step.text), f"samples[{i}].steps[{k}].text")
            if sample.steps and any(step.score is not None for step in sample.steps):
                self._take_step_scores(batch, i, sample)

    def _take_step_scores(self, batch: Batch, i: int, sample: SampleItem) -> None:
        """Scores that came with the steps are a feature of the sample, all or none."""
        scores = [step.score for step in sample.steps or ()]
        if None in scores:
            param = f"samples[{i}].steps[{scores.index(None)}].score"
            raise InvalidRequest(f"{param}: give every step of a sample a score, or none", param=param)
        if batch.features is None:
            batch.features = [{} for _ in range(batch.size)]
        batch.features[i] = {"step_scores": scores, **batch.features[i]}

    async def _take_media(self, batch: Batch, samples: Sequence[SampleItem], sources: dict[int, list[Source]]) -> None:
        images = [sources.get(i, []) + _listed(sample.images, i, "images") for i, sample in enumerate(samples)]
        frames = [_listed(sample.frames, i, "frames") for i, sample in enumerate(samples)]
        for i in range(batch.size):
            self.limits.images(len(images[i]), f"samples[{i}].images")
            self.limits.frames(len(frames[i]), f"samples[{i}].frames")
        batch.images, batch.frames = await asyncio.to_thread(self._load, batch.invalid, images, frames)

    def _load(
        self, invalid: dict[int, Invalid], images: list[list[Source]], frames: list[list[Source]]
    ) -> tuple[list[list[Media]] | None, list[list[Media]] | None]:
        return self._load_column(invalid, images), self._load_column(invalid, frames)

    def _load_column(self, invalid: dict[int, Invalid], column: list[list[Source]]) -> list[list[Media]] | None:
        loaded: list[list[Media]] = []
        for i, row in enumerate(column):
            media: list[Media] = []
            for param, text in row:
                item = from_text(text, param, self._media)
                if isinstance(item, Invalid):
                    invalid.setdefault(i, item)
                else:
                    media.append(item)
            loaded.append(media)
        return loaded if any(loaded) else None


def _column(values: list[Any], empty: Any = None) -> list[Any] | None:
    """The column, or None where no sample fills it."""
    if values.count(None) == len(values):
        return None
    return values if empty is None else [empty if value is None else value for value in values]


def _listed(items: Sequence[str | MediaObject] | None, i: int, field: str) -> list[Source]:
    return [(f"{field}[{k}]", media_text(item, f"samples[{i}].{field}[{k}]")) for k, item in enumerate(items or ())]
