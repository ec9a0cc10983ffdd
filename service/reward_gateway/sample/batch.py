"""The samples of one request, as columns."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any

import numpy as np

from .fields import FIELDS, MEDIA
from .invalid import Invalid
from .media import Media
from .scores import FloatArray, IntArray
from .texts import Text, own_turns, plain_text, prompt_group


@dataclass(slots=True)
class Batch:
    """The samples of one request: one list per field, each of length ``size``.

    Attributes:
        prompts: "" for a sample without one; ``without_prompt`` tells it from a sample whose prompt is empty.
    """

    ids: list[str]
    prompts: list[Text]
    responses: list[Text | None]
    references: list[str | list[Any] | dict[str, Any] | None] | None = None
    images: list[list[Media]] | None = None
    frames: list[list[Media]] | None = None
    steps: list[list[str] | None] | None = None
    group_names: list[str | None] | None = None
    features: list[Mapping[str, Any]] | None = None
    invalid: dict[int, Invalid] = field(default_factory=dict)
    """Samples that are known to be unscorable before any model is called: row -> reason."""
    further: dict[str, list[Any]] = field(default_factory=dict)
    """Columns of the fields that have no attribute of their own, by the field's name: see :meth:`column`."""
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """What was noticed of samples before they were scored: row -> names, which results begin with."""
    without_prompt: frozenset[int] = frozenset()
    """Rows of the samples that came without a prompt."""

    @property
    def size(self) -> int:
        return len(self.ids)

    @property
    def has_media(self) -> bool:
        """Whether any sample has images or frames."""
        return any(_media_of(self)) or (bool(self.further) and any(self.further.get(name) for name in MEDIA))

    def column(self, name: str) -> list[Any] | None:
        """The values of a field [n], by its name in the table of fields; None where no sample has one."""
        attribute = _ATTRIBUTES.get(name)
        return self.further.get(name) if attribute is None else getattr(self, attribute)

    def set_column(self, name: str, values: list[Any] | None) -> None:
        """Replace the values of a field [n]; None removes them."""
        if (attribute := _ATTRIBUTES.get(name)) is not None:
            setattr(self, attribute, values)
        elif values is not None:
            self.further[name] = values
        else:
            self.further.pop(name, None)

    def flag(self, row: int, *names: str) -> None:
        """Add flags to a sample; one that it has already is not repeated."""
        self.flags[row] = tuple(dict.fromkeys((*self.flags.get(row, ()), *names)))

    def unflag(self, row: int, name: str) -> None:
        """Take a flag from a sample, if it has it."""
        if name in self.flags.get(row, ()):
            self.flags[row] = tuple(flag for flag in self.flags[row] if flag != name)

    def select(self, rows: Sequence[int]) -> "Batch":
        """Some samples as a new batch, without the reasons of failed samples and without flags."""
        chosen = Batch([self.ids[i] for i in rows], [self.prompts[i] for i in rows], [self.responses[i] for i in rows])
        for row in FIELDS:
            column = self.column(row.name)
            chosen.set_column(row.name, None if column is None else [column[i] for i in rows])
        if self.without_prompt:
            chosen.without_prompt = frozenset(k for k, i in enumerate(rows) if i in self.without_prompt)
        return chosen

    def locate(self, row: int, reason: Invalid) -> Invalid:
        """A reason about an image that a model counted (``images[2]``), said of the place where the caller gave it.

        Images of messages come before those of the sample, so that the two may differ.
        """
        place = _PLACE.fullmatch(reason.param or "")
        media = (self.column(place[1]) or []) if place else []
        if not place or row >= len(media) or int(place[2]) >= len(media[row]):
            return reason
        param = media[row][int(place[2])].param
        if not param or param == reason.param:
            return reason
        return replace(reason, message=reason.message.replace(place[0], param, 1), param=param)

    def groups(self) -> list[str]:
        """The group of every sample [n]: its own, else a hash of its prompt; with neither it is a group by itself."""
        names = self.group_names or [None] * self.size
        groups = [name if name is not None else prompt_group(self.prompts[i]) for i, name in enumerate(names)]
        for i in self.without_group():
            groups[i] = f"{_UNNAMED}{i}"
        return groups

    def hash_groups(self) -> IntArray:
        """A number of each sample's group [n], as :meth:`groups` tells them apart, in this process and at once."""
        names = self.group_names or [None] * self.size
        keys = [
            hash(name if name is not None else prompt if type(prompt) is str else repr(prompt))
            for name, prompt in zip(names, self.prompts, strict=True)
        ]
        for row in self.without_group():
            keys[row] = hash((id(self), row))
        return np.array(keys, np.int64)

    def without_group(self) -> list[int]:
        """Rows of the samples that have neither a group nor a prompt, so that nothing says with whom they belong."""
        return [i for i in sorted(self.without_prompt) if self.group_names is None or self.group_names[i] is None]


_UNNAMED = "\0sample-"

_PLACE = re.compile(rf"({'|'.join(MEDIA)})\[(\d{{1,4}})\]")
_ATTRIBUTES = {row.name: row.column for row in FIELDS if row.column}
_media_of = attrgetter(*(_ATTRIBUTES[name] for name in MEDIA if name in _ATTRIBUTES))


def response_lengths(batch: Batch) -> FloatArray:
    """Characters of every response [n], in the form that rules read; NaN for samples without a response."""
    lengths = [
        len(r) if type(r) is str else math.nan if r is None else len(plain_text(own_turns(r))) for r in batch.responses
    ]
    return np.array(lengths, np.float64)
