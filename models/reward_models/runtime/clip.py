"""A converted CLIP: scores from images and texts in one embedding space (Radford et al., 2021, arXiv:2103.00020).

``match`` is the cosine of image and prompt times a factor: 1 for the plain cosine, the checkpoint's own logit scale
for PickScore (Kirstain et al., 2023), 100 for HPS (Wu et al., 2023). ``probability`` is the sigmoid of factor times
cosine plus a bias (SigLIP: Zhai et al., 2023, arXiv:2303.15343). ``aesthetic`` is a chain of linear layers on the
image's unit embedding, ``image`` a classifier's K numbers; both read no text.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime.graphs import TokenGraph
from reward_models.runtime.images import decode_image
from reward_models.runtime.instance import Instance
from reward_models.runtime.pictures import IMAGES_A_RUN, Pictures
from reward_models.runtime.pixels import PixelReader
from reward_models.runtime.prompts import PromptReader
from reward_models.runtime.rows import Answer, Columns, decode_texts
from reward_models.runtime.session import Session

Doubles = NDArray[np.float64]
IMAGE_GRAPH, TEXT_GRAPH = "image.onnx", "text.onnx"


class ImageEncoder:
    """``image.onnx``: images to what the graph gives of each, [n, width]."""

    def __init__(self, instance: Instance) -> None:
        self.pixels = PixelReader(instance.card["settings"]["image"])
        self._session = Session(instance.folder / IMAGE_GRAPH, instance.device)
        self._run = IMAGES_A_RUN[instance.device.kind]

    def __call__(self, images: Sequence[NDArray[np.float32]]) -> Doubles:
        runs = (np.stack(images[start : start + self._run]) for start in range(0, len(images), self._run))
        return np.concatenate([self._session.run_graph({"pixel_values": run})[0] for run in runs]).astype(np.float64)


class PromptEncoder:
    """``text.onnx`` and ``tokenizer.json``: prompts to unit vectors, and which of them were cut."""

    def __init__(self, instance: Instance) -> None:
        settings = instance.card["settings"]["prompt"]
        self._read = PromptReader(instance.folder, settings)
        self._graph = TokenGraph(instance.folder, settings, instance.device, TEXT_GRAPH)

    def __call__(self, prompts: Sequence[str]) -> tuple[Doubles, NDArray[np.bool_]]:
        rows, truncated = self._read(prompts)
        return np.stack(self._graph.score_rows(rows)).astype(np.float64), truncated


READS_PROMPTS = ("match", "probability")
"""What the card's ``score`` may be where a prompt is read."""


class ClipScorer:
    """Scores [n, K] of ``images``, against ``prompt`` (K = 1) where the card's ``score`` is one of READS_PROMPTS.

    Several images of a row count by the mean of their scores.
    """

    def __init__(self, instance: Instance) -> None:
        settings: dict[str, Any] = dict(instance.card["settings"])
        self._image = ImageEncoder(instance)
        self._prompt = PromptEncoder(instance) if settings["score"] in READS_PROMPTS else None
        self._factor: float = settings.get("factor", 1.0)
        self._bias: float | None = settings["bias"] if settings["score"] == "probability" else None
        self._dimensions = len(instance.dimensions)
        self._truncated = instance.flag_mask("truncated") if self._prompt else 0

    def score(self, columns: Columns, rows: int) -> Answer:
        """Score rows; an image that cannot be decoded is that row's error."""
        answer = Answer.empty(rows, self._dimensions)
        prompts = decode_texts(columns, "prompt", rows)
        pictures = Pictures.read(columns, rows, self._read_image, prompts if self._prompt else None, answer.errors)
        if pictures.rows:
            shown = self._image(pictures.pixels)
            if self._prompt:
                asked, truncated = self._prompt([prompts[row] for row in pictures.rows])
                shown = (shown * asked[pictures.owners]).sum(1, keepdims=True) * self._factor
                if self._bias is not None:
                    shown = 1 / (1 + np.exp(-(shown + self._bias)))
                answer.flags[pictures.rows] = truncated * np.uint32(self._truncated)
            for k in range(self._dimensions):
                answer.scores[pictures.rows, k] = pictures.mean_by_row(shown[:, k])
        return answer

    def _read_image(self, data: bytes) -> NDArray[np.float32]:
        return self._image.pixels(decode_image(data))
