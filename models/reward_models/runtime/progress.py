"""Progress of a robot's task, from the first and the current frame and the instruction.

The head reads a short vector per frame, which is cached under the hash of the encoded frame. So an episode scored
frame by frame, as in a control loop, costs one run of the network per step.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reward_models.runtime.encoder import Limit, TextEncoder
from reward_models.runtime.head import DoubleArray, Head, gelu
from reward_models.runtime.images import ImageError, decode_image, unpack_images
from reward_models.runtime.instance import Instance
from reward_models.runtime.remembered import limit_remembered
from reward_models.runtime.rows import Answer, Columns, decode_texts
from reward_models.runtime.session import Device, Session

FloatArray = NDArray[np.float32]

FRAMES_A_RUN = {"CPU": 4, "GPU": 64}
"""Frames per run of the network, by device."""


class Eye:
    """The lower half of an EfficientNet-Lite0: frames to feature maps [n, 112 * 7 * 7].

    Args:
        side: length in pixels of the square to which a whole frame is scaled.
    """

    def __init__(self, folder: Path, device: Device, side: int) -> None:
        self.session = Session(folder / "frames.onnx", device)
        self.side = side
        self._run = FRAMES_A_RUN[device.kind]

    def prepare_pixels(self, data: bytes) -> FloatArray:
        """[3, side, side] in about [-1, 1]. Raises ImageError if it is not an image."""
        image = decode_image(data, self.side)
        if image.size != (self.side, self.side):
            image = image.resize((self.side, self.side), Image.Resampling.BICUBIC, reducing_gap=3.0)
        return ((np.asarray(image, np.float32) - 127.0) / 128.0).transpose(2, 0, 1)

    def compute_maps(self, pixels: Sequence[FloatArray]) -> Iterable[FloatArray]:
        """Feature maps of frames from :meth:`prepare_pixels`, one per frame."""
        for start in range(0, len(pixels), self._run):
            (found,) = self.session.run_graph({"images": np.stack(pixels[start : start + self._run])})
            yield from found.reshape(len(found), -1)


@dataclass(frozen=True, slots=True)
class ProgressHead:
    """The trained head: feature maps and instructions to progress and success, and the instructions of its training.

    Attributes:
        frame, frame_bias: [5488, D] and [D], a map to a frame's vector.
        text, text_bias: [384, T] and [T], the same of an instruction's embedding of length 1.
        mixer: [2 D + T] to progress and success, as logits.
        known: [m, 384] embeddings of length 1 of the instructions it was trained with.
        familiar: least cosine with one of these that an instruction must have to count as known.
    """

    frame: DoubleArray
    frame_bias: DoubleArray
    text: DoubleArray
    text_bias: DoubleArray
    known: DoubleArray
    familiar: float
    mixer: Head

    @classmethod
    def load(cls, path: Path) -> "ProgressHead":
        """Read a head. Raises KeyError or ValueError for an invalid file."""
        with np.load(path, allow_pickle=False) as arrays:
            names = ("frame", "frame_bias", "text", "text_bias", "known")
            found = {name: arrays[name].astype(np.float64) for name in names}
            return cls(**found, familiar=float(arrays["familiar"]), mixer=Head.load(path))

    def __call__(self, first: DoubleArray, current: DoubleArray, instructions: DoubleArray) -> DoubleArray:
        """Progress and the probability of success [n, 2], of frames' vectors and instructions' embeddings."""
        text_vectors = instructions @ self.text + self.text_bias
        joined = np.concatenate([gelu(current), gelu(current - first), text_vectors], axis=1)
        return np.asarray(1.0 / (1.0 + np.exp(-self.mixer(joined).astype(np.float64))))

    def find_unfamiliar(self, instructions: DoubleArray) -> NDArray[np.bool_]:
        """Boolean mask [n] of instructions unlike all of the training."""
        return np.asarray((instructions @ self.known.T).max(1) < self.familiar)


def compute_rating(progress: DoubleArray, success: DoubleArray) -> DoubleArray:
    """RoboReward's scale, 1 to 5, as an expectation: solved is 5; not solved runs from 1 (nothing) to 4 (nearly)."""
    return success * 5.0 + (1.0 - success) * (1.0 + 3.0 * progress)


def normalize_rows(embeddings: FloatArray) -> DoubleArray:
    """Embeddings [n, d] at length 1."""
    doubles = embeddings.astype(np.float64)
    return np.asarray(doubles / np.maximum(np.linalg.norm(doubles, axis=1, keepdims=True), 1e-12))


class ProgressScorer:
    """Scores [n, 3] of ``frames`` against ``prompt``: progress, success, rating.

    Args:
        remembered: frame vectors to cache between calls (under 1 kB each); see :mod:`.remembered`.
    """

    def __init__(self, instance: Instance, remembered: int = 16_384) -> None:
        settings: dict[str, Any] = dict(instance.card["settings"])
        self.eye = Eye(instance.folder, instance.device, settings["frames"]["side"])
        self.head = ProgressHead.load(instance.folder / "head.npz")
        self._encoder = TextEncoder(instance.folder, instance.device)
        self._limit = Limit(**settings["prompt"])
        self._truncated, self._unknown = instance.flag_mask("truncated"), instance.flag_mask("out_of_distribution")
        self._remembered = limit_remembered(remembered)
        self._known: OrderedDict[bytes, DoubleArray] = OrderedDict()

    def score(self, columns: Columns, rows: int) -> Answer:
        """Score rows; a frame that cannot be decoded is that row's error. Only the first and last frame are read."""
        answer = Answer.empty(rows, 3)
        prompts = [prompt.strip() for prompt in decode_texts(columns, "prompt", rows)]
        pairs: dict[int, tuple[bytes, bytes]] = {}
        last_places: dict[int, int] = {}
        for row, value in enumerate(columns.get("frames", [b""] * rows)):
            try:
                if not prompts[row]:
                    raise ImageError("missing_field: The instruction is empty.")
                frames = unpack_images(value)
                pairs[row], last_places[row] = (frames[0], frames[-1]), len(frames) - 1
            except ImageError as error:
                answer.errors[row] = str(error)
        vectors, broken = self._read_frames({frame for pair in pairs.values() for frame in pair})
        for row, pair in pairs.items():
            for frame, place in zip(pair, (0, last_places[row]), strict=True):
                if frame in broken:
                    answer.errors.setdefault(row, str(broken[frame].at("frames", place)))
        kept = [row for row in pairs if row not in answer.errors]
        if kept:
            first, current = (np.stack([vectors[pairs[row][side]] for row in kept]) for side in (0, 1))
            encoded = self._encoder.encode_texts([prompts[row] for row in kept], self._limit)
            instructions = normalize_rows(encoded.embeddings)
            found = self.head(first, current, instructions)
            answer.scores[kept] = np.column_stack([found, compute_rating(found[:, 0], found[:, 1])])
            answer.flags[kept] = encoded.truncated * self._truncated
            answer.flags[kept] |= (self.head.find_unfamiliar(instructions) * self._unknown).astype(np.uint32)
        return answer

    def _read_frames(self, frames: Iterable[bytes]) -> tuple[dict[bytes, DoubleArray], dict[bytes, ImageError]]:
        """Vectors of frames, and the errors of frames that cannot be decoded."""
        vectors: dict[bytes, DoubleArray] = {}
        broken: dict[bytes, ImageError] = {}
        new: dict[bytes, FloatArray] = {}
        for frame in frames:
            digest = blake2b(frame, digest_size=16).digest()
            if digest in self._known:
                self._known.move_to_end(digest)
                vectors[frame] = self._known[digest]
                continue
            try:
                new[frame] = self.eye.prepare_pixels(frame)
            except ImageError as error:
                broken[frame] = error
        for frame, seen in zip(new, self.eye.compute_maps(list(new.values())), strict=True):
            # One at a time: a batched product sums in another order, which would make scores depend on the batch.
            vectors[frame] = seen.astype(np.float64) @ self.head.frame + self.head.frame_bias
            self._known[blake2b(frame, digest_size=16).digest()] = vectors[frame]
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return vectors, broken
