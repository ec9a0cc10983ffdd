"""A converted BLIP (Li et al., 2022, arXiv:2201.12086): a text side that looks at the image while it reads the prompt.

The graph gives the score itself: the probability that image and prompt belong together (the ITM head), or what
ImageReward's layers make of the prompt's first state (Xu et al., 2023, arXiv:2304.05977).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime.budget import pad_rows
from reward_models.runtime.graphs import GRAPH
from reward_models.runtime.images import decode_image
from reward_models.runtime.instance import Instance
from reward_models.runtime.pictures import IMAGES_A_RUN, Pictures
from reward_models.runtime.pixels import PixelReader
from reward_models.runtime.prompts import PromptReader
from reward_models.runtime.rows import Answer, Columns, decode_texts
from reward_models.runtime.session import Session


class BlipScorer:
    """Scores [n, 1] of ``images`` against ``prompt``. Several images of a row count by the mean of their scores."""

    def __init__(self, instance: Instance) -> None:
        settings = instance.card["settings"]
        self._pixels = PixelReader(settings["image"])
        self._prompts = PromptReader(instance.folder, settings["prompt"])
        self._pad: int = settings["prompt"]["pad"]
        self._session = Session(instance.folder / GRAPH, instance.device)
        self._images_a_run = IMAGES_A_RUN[instance.device.kind]
        self._truncated = instance.flag_mask("truncated")

    def score(self, columns: Columns, rows: int) -> Answer:
        """Score rows; an image that cannot be decoded is that row's error."""
        answer = Answer.empty(rows, 1)
        prompts = decode_texts(columns, "prompt", rows)
        pictures = Pictures.read(columns, rows, self._read_image, prompts, answer.errors)
        if pictures.rows:
            tokens, truncated = self._prompts([prompts[row] for row in pictures.rows])
            scores = self._run(pictures.pixels, [tokens[owner].ids for owner in pictures.owners])
            answer.scores[pictures.rows, 0] = pictures.mean_by_row(scores)
            answer.flags[pictures.rows] = truncated * np.uint32(self._truncated)
        return answer

    def _run(self, pixels: list[NDArray[np.float32]], ids: list[list[int]]) -> NDArray[np.float64]:
        """The score of each image [n] with the prompt that stands beside it."""
        found = []
        for start in range(0, len(pixels), self._images_a_run):
            stop = start + self._images_a_run
            padded, mask = pad_rows(ids[start:stop], self._pad)
            feeds: dict[str, NDArray[Any]] = {
                "input_ids": padded,
                "attention_mask": mask,
                "pixel_values": np.stack(pixels[start:stop]),
            }
            found.append(self._session.run_graph(feeds)[0][:, 0])
        return np.concatenate(found).astype(np.float64)

    def _read_image(self, data: bytes) -> NDArray[np.float32]:
        return self._pixels(decode_image(data))
