"""Reads text in images: PP-OCRv4's detector finds lines, its recogniser reads each line.

The networks are those of PaddleOCR (Apache-2.0) as ONNX graphs. Lines are recognised one at a time and never padded
to a common length, so that a result does not depend on other lines.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reward_models.runtime.regions import Box, find_boxes
from reward_models.runtime.session import Device, Session

THRESHOLD, LEAST_SCORE, GROWTH = 0.3, 0.6, 1.6
"""The detector's threshold per pixel, least mean probability of a region, and growth ratio of its box."""

LEAST_CONFIDENCE = 0.5
"""Lines with a lower mean probability of their letters are dropped."""

LINE_HEIGHT, LEAST_WIDTH, MOST_WIDTH = 48, 320, 3200
MOST_LINES = 100
LONGEST_IN_ONE_STEP = 16_384


class TextReader:
    """Detector and recogniser of one folder (``detector.onnx``, ``recogniser.onnx``).

    Args:
        side: length in pixels to which an image's shorter side is scaled for detection.
        longest: maximum length of the longer side after scaling.
    """

    def __init__(self, folder: Path, device: Device, side: int, longest: int) -> None:
        self._detector = Session(folder / "detector.onnx", device)
        self._recogniser = Session(folder / "recogniser.onnx", device)
        self._side, self._longest = side, longest
        # Class 0 is CTC's blank, the last one the space.
        self._letters = ["", *self._recogniser.metadata["character"].split("\n"), " "]

    def read_text(self, image: Image.Image) -> str:
        """The text of an RGB image in reading order, one line per line of text; empty if there is none."""
        found = []
        for box in self.find_lines(image)[:MOST_LINES]:
            text = self.read_line(crop_box(image, box))
            if text:
                found.append((box, text))
        return "\n".join(" ".join(text for _, text in line) for line in sort_into_lines(found))

    def find_lines(self, image: Image.Image) -> list[Box]:
        """Boxes of the lines of text, in pixels of the image."""
        scale = min(self._side / min(image.size), self._longest / max(image.size))
        width, height = (max(32, round(length * scale / 32) * 32) for length in image.size)
        # A side of more than any screen's is reduced in two steps, which takes memory in proportion to the result.
        gap = 3.0 if max(image.size) > LONGEST_IN_ONE_STEP else None
        small = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=gap)
        (found,) = self._detector.run_graph({"x": image_to_tensor(small)[None]})
        across, down = image.width / width, image.height / height
        return [
            box.grow(GROWTH).scale(across, down)
            for box in find_boxes(found[0, 0], THRESHOLD)
            if box.score >= LEAST_SCORE and min(box.width, box.height) >= 3
        ]

    def read_line(self, image: Image.Image) -> str:
        """The text of one line; empty if the confidence is too low."""
        width = min(max(1, round(image.width * LINE_HEIGHT / image.height)), MOST_WIDTH)
        pixels = np.zeros((3, LINE_HEIGHT, max(width, LEAST_WIDTH)), np.float32)
        pixels[:, :, :width] = image_to_tensor(image.resize((width, LINE_HEIGHT), Image.Resampling.BILINEAR))
        (found,) = self._recogniser.run_graph({"x": pixels[None]})
        return self.decode_letters(found[0])

    def decode_letters(self, probabilities: NDArray[np.float32]) -> str:
        """The best path of connectionist temporal classification: repeats and blanks are dropped."""
        best = probabilities.argmax(1)
        kept = (best != 0) & (best != np.concatenate([[-1], best[:-1]]))
        if not kept.any() or probabilities.max(1)[kept].mean() < LEAST_CONFIDENCE:
            return ""
        return "".join(self._letters[index] for index in best[kept]).strip()


def image_to_tensor(image: Image.Image) -> NDArray[np.float32]:
    """An RGB image as [3, height, width] in [-1, 1], blue first, as the networks were trained."""
    return np.ascontiguousarray(np.asarray(image, np.float32)[:, :, ::-1].transpose(2, 0, 1) / 127.5 - 1.0)


def crop_box(image: Image.Image, box: Box) -> Image.Image:
    """A rectangle of an image, turned upright; a tall box is rotated, as its text runs downwards."""
    width, height = max(1, round(box.width)), max(1, round(box.height))
    c, s = float(np.cos(box.angle)), float(np.sin(box.angle))
    x, y = box.x - (width * c - height * s) / 2, box.y - (width * s + height * c) / 2
    edge = image.getpixel((0, 0))
    line = image.transform(
        (width, height), Image.Transform.AFFINE, (c, -s, x, s, c, y), Image.Resampling.BILINEAR, fillcolor=edge
    )
    return line.transpose(Image.Transpose.ROTATE_90) if height >= 1.5 * width else line


def sort_into_lines(found: Sequence[tuple[Box, str]]) -> list[list[tuple[Box, str]]]:
    """Pieces of text as lines from top to bottom, each from left to right."""
    lines: list[list[tuple[Box, str]]] = []
    for piece in sorted(found, key=lambda piece: piece[0].y):
        last = lines[-1][-1][0] if lines else None
        if last is not None and abs(piece[0].y - last.y) < 0.5 * min(piece[0].height, last.height):
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return [sorted(line, key=lambda piece: piece[0].x) for line in lines]
