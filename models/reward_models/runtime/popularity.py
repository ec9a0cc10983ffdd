"""Predicts the points of a title: a frozen encoder, statistics of the title, and a linear head.

The score is the expected ln(1 + points) of a post on Hacker News. The time of the post and whether it has a link may
be given as features; missing features are predicted from the title.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime.encoder import Limit, TextEncoder
from reward_models.runtime.head import Head
from reward_models.runtime.instance import Instance
from reward_models.runtime.rows import Answer, Columns, decode_texts
from reward_models.runtime.session import Device

FloatArray = NDArray[np.float32]

RANGES = {"hour": (0.0, 24.0), "weekday": (0.0, 6.0), "has_link": (0.0, 1.0)}
"""Optional features of a row, and their ranges; weekday 0 is Monday."""

YEAR = re.compile(r"\((19|20)\d\d\)")


class FeatureError(ValueError):
    """Features cannot be read; the message says why and quotes none of them."""


def count_title(title: str) -> list[float]:
    """Fifteen numbers of a title: its kind (Show, Ask, document, video, year), its form, its length."""
    lower, words = title.lower(), title.split()
    return [
        float(lower.startswith("show hn")),
        float(lower.startswith("ask hn")),
        float("[pdf]" in lower),
        float("[video]" in lower),
        float(YEAR.search(title) is not None),
        float("?" in title),
        float(":" in title),
        float('"' in title or "'" in title),
        float(any(letter.isdigit() for letter in title)),
        float(title[:1].isdigit()),
        float(lower.startswith(("why", "how"))),
        title.count(",") / 3,
        float(np.log1p(len(title))),
        len(words) / 20,
        sum(letter.isupper() for letter in title) / max(len(title), 1),
    ]


def encode_moment(given: Mapping[str, float]) -> list[float]:
    """Six features of a post's time and link; NaN for those not given."""
    hour, weekday = given.get("hour", np.nan) * np.pi / 12, given.get("weekday", np.nan)
    waves = [np.sin(hour), np.cos(hour), np.sin(2 * hour), np.cos(2 * hour)]
    weekend = np.nan if np.isnan(weekday) else float(weekday >= 5)
    return [*map(float, waves), weekend, given.get("has_link", np.nan)]


def parse_features(features: bytes) -> dict[str, float]:
    """The features that this model knows, from a JSON object. Raises FeatureError for a value out of range."""
    try:
        found: Any = json.loads(features) if features else {}
    except ValueError:
        raise FeatureError("The features are not JSON.") from None
    if not isinstance(found, Mapping):
        raise FeatureError("The features are not an object.")
    given: dict[str, float] = {}
    for name, (low, high) in RANGES.items():
        value = found.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise FeatureError(f"The feature '{name}' is not a number from {low:g} to {high:g}.")
        given[name] = float(value)
    return given


@dataclass(frozen=True, slots=True)
class Usual:
    """Predicts missing features from a title: weights [783, 6] and bias [6] of a linear regression."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def fill_missing(self, features: FloatArray) -> FloatArray:
        """Features with NaN replaced by the prediction from the row's title."""
        title, given = np.split(features, [len(self.weights)], axis=1)
        expected = title.astype(np.float64) @ self.weights + self.bias
        return np.concatenate([title, np.where(np.isnan(given), expected, given)], axis=1, dtype=np.float32)


class Reader:
    """Reads titles and features for the head; shared by serving and training."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], device: Device, remembered: int = 4096) -> None:
        self.encoder = TextEncoder(folder, device, remembered=remembered)
        self.limit = Limit(**settings["response"])

    def read_features(
        self, titles: Sequence[str], given: Sequence[Mapping[str, float]]
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Features [n, 768 + 15 + 6], NaN where nothing was given, and which titles were truncated [n]."""
        encoded = self.encoder.encode_texts(titles, self.limit)
        parts = [
            encoded.embeddings,
            np.array([count_title(t) for t in titles]),
            np.array([encode_moment(g) for g in given]),
        ]
        return np.concatenate(parts, axis=1, dtype=np.float32), encoded.truncated


class PopularityScorer:
    """Scores [n, 1] of titles (``response``), with ``features`` where a row has them."""

    def __init__(self, instance: Instance, remembered: int = 4096) -> None:
        self._reader = Reader(instance.folder, instance.card["settings"], instance.device, remembered)
        self._head = Head.load(instance.folder / "head.npz")
        with np.load(instance.folder / "head.npz", allow_pickle=False) as arrays:
            self._usual = Usual(arrays["usual_weights"].astype(np.float64), arrays["usual_bias"].astype(np.float64))
        self._truncated = instance.flag_mask("truncated")

    def score(self, columns: Columns, rows: int) -> Answer:
        """Score rows; a row without a title, or with features out of range, is an error of that row."""
        answer = Answer.empty(rows, 1)
        kept, given = [], []
        titles = [title.strip() for title in decode_texts(columns, "response", rows)]
        for row, (title, features) in enumerate(zip(titles, columns.get("features", [b""] * rows), strict=True)):
            try:
                if not title:
                    answer.errors[row] = "missing_field: The title ('response') is empty."
                    continue
                given.append(parse_features(features))
                kept.append(row)
            except FeatureError as error:
                answer.errors[row] = f"invalid_field: {error}"
        if kept:
            found, truncated = self._reader.read_features([titles[row] for row in kept], given)
            answer.scores[kept] = self._head(self._usual.fill_missing(found))
            answer.flags[kept] = truncated * np.uint32(self._truncated)
        return answer
