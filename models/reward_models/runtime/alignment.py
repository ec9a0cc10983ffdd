"""How well an image matches a prompt: a convex combination of semantic embeddings (ConSE).

An ImageNet classifier's ten most probable classes, weighted by their probabilities, become one point in the space of
a sentence encoder (Norouzi et al., 2014, arXiv:1312.5650); the score is its cosine with the prompt.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reward_models.runtime.encoder import Limit, TextEncoder
from reward_models.runtime.images import decode_image
from reward_models.runtime.instance import Instance
from reward_models.runtime.pictures import IMAGES_A_RUN, Pictures
from reward_models.runtime.rows import Answer, Columns, decode_texts
from reward_models.runtime.session import Session

FloatArray = NDArray[np.float32]


class Classifier:
    """An EfficientNet-Lite graph of one folder: images to the logits of the ImageNet classes.

    Args:
        side: of the square that the network sees.
    """

    def __init__(self, instance: Instance, side: int) -> None:
        self.session = Session(instance.folder / "classifier.onnx", instance.device)
        self.side = side
        self._run = IMAGES_A_RUN[instance.device.kind]

    def prepare_pixels(self, image: Image.Image) -> FloatArray:
        """The middle of an image as the network was trained on it: [3, side, side] in about [-1, 1]."""
        window = min(image.size) * self.side / (self.side + 32)
        left, top = (image.width - window) / 2, (image.height - window) / 2
        box = (left, top, left + window, top + window)
        seen = image.resize((self.side, self.side), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
        return ((np.asarray(seen, np.float32) - 127.0) / 128.0).transpose(2, 0, 1)

    def compute_logits(self, images: list[FloatArray]) -> FloatArray:
        """Logits [n, classes] of images from :meth:`prepare_pixels`."""
        found = [
            self.session.run_graph({"images": np.stack(images[start : start + self._run])})[0]
            for start in range(0, len(images), self._run)
        ]
        return np.concatenate(found)


class AlignmentScorer:
    """Scores [n, 1] of ``images`` against ``prompt``; a row's score is the mean over its images."""

    def __init__(self, instance: Instance, remembered: int = 4096) -> None:
        settings: dict[str, Any] = dict(instance.card["settings"])
        self._classifier = Classifier(instance, settings["image"]["side"])
        self._encoder = TextEncoder(instance.folder, instance.device, remembered=remembered)
        self._limit = Limit(**settings["prompt"])
        self._top: int = settings["top"]
        self._classes = self._embed_texts(read_class_names(instance.folder / "classes.json"))[0]
        self._truncated = instance.flag_mask("truncated")

    def score(self, columns: Columns, rows: int) -> Answer:
        """Score rows; an image that cannot be decoded is that row's error."""
        answer = Answer.empty(rows, 1)
        prompts = [prompt.strip() for prompt in decode_texts(columns, "prompt", rows)]
        pictures = Pictures.read(columns, rows, self._read_image, prompts, answer.errors)
        if pictures.rows:
            prompt_vectors, truncated = self._embed_texts([prompts[row] for row in pictures.rows])
            image_vectors = self._embed_images(self._classifier.compute_logits(pictures.pixels))
            answer.scores[pictures.rows, 0] = pictures.mean_by_row(
                (image_vectors * prompt_vectors[pictures.owners]).sum(1)
            )
            answer.flags[pictures.rows] = truncated * np.uint32(self._truncated)
        return answer

    def _read_image(self, data: bytes) -> FloatArray:
        return self._classifier.prepare_pixels(decode_image(data, self._classifier.side))

    def _embed_texts(self, texts: list[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Unit embeddings of texts, and which of them were cut."""
        encoded = self._encoder.encode_texts(texts, self._limit)
        return normalize_rows(encoded.embeddings.astype(np.float64)), encoded.truncated

    def _embed_images(self, logits: FloatArray) -> NDArray[np.float64]:
        """Images as unit vectors in the text embedding space: means of their top classes by probability."""
        best = np.argsort(-logits, axis=1, kind="stable")[:, : self._top]
        heights = np.take_along_axis(logits, best, 1).astype(np.float64)
        weights = np.exp(heights - heights.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        return normalize_rows((weights[:, :, None] * self._classes[best]).sum(1))


def normalize_rows(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors of length 1."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float64)


def read_class_names(path: Path) -> list[str]:
    """The names of the classes in the classifier's order. Raises ValueError if the file is not a list of names."""
    names = json.loads(path.read_text("utf-8"))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{path.name} is not a list of names.")
    return names
