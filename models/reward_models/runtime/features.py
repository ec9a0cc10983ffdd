"""What a text head looks at: frozen embeddings of prompt and response, and a few counts of their tokens.

Each block is a function of two encoded columns and gives [n, its width] float32; a card's ``features`` names the
blocks and their order, and the head holds the axes that a block projects onto. The same code serves and trains.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reward_models.runtime.encoder import Encoded
from reward_models.runtime.head import Axes

FloatArray = NDArray[np.float32]
Block = Callable[[Encoded, Encoded, Axes | None], FloatArray]

WIDTH = 384
"""Width of one layer of the encoder."""


def response_embeddings(prompt: Encoded, response: Encoded, axes: Axes | None) -> FloatArray:
    """The response's embedding, all layers side by side."""
    return response.embeddings


def cross_features(prompt: Encoded, response: Encoded, axes: Axes | None) -> FloatArray:
    """Every axis of the prompt times every axis of the response, [n, k * k]: what an answer is, given what was asked.

    A linear head over it is a bilinear form of prompt and response. Raises ValueError without axes.
    """
    if axes is None:
        raise ValueError("The block 'crossed' needs the axes that are kept with the head.")
    asked = (prompt.embeddings[:, -WIDTH:] - axes.prompt_mean) @ axes.prompt_axes
    said = (response.embeddings[:, -WIDTH:] - axes.response_mean) @ axes.response_axes
    return np.asarray((asked[:, :, None] * said[:, None, :]).reshape(len(asked), -1), np.float32)


def cosine_similarities(prompt: Encoded, response: Encoded, axes: Axes | None) -> FloatArray:
    """Cosine of prompt and response in every layer."""
    a, b = (side.embeddings.reshape(len(side.rows), -1, WIDTH) for side in (prompt, response))
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray((a * b).sum(-1) / np.maximum(norms, 1e-12), np.float32)


def token_statistics(prompt: Encoded, response: Encoded, axes: Axes | None) -> FloatArray:
    """Counts of tokens, special tokens aside: how long, how varied, how much of the prompt is repeated."""
    return np.array(
        [count_tokens(p[1:-1], r[1:-1]) for p, r in zip(prompt.rows, response.rows, strict=True)], np.float32
    )


def count_tokens(prompt: Sequence[int], response: Sequence[int]) -> list[float]:
    """Eight numbers of one row: log length, log distinct tokens, log distinct pairs, log tokens not in the prompt;
    the shares of distinct tokens, of distinct pairs and of tokens copied from the prompt; the share of the
    prompt's tokens that the response takes up."""
    asked, said, pairs = set(prompt), set(response), set(pairwise(response))
    length = len(response)
    return [
        float(np.log(length + 2)),
        float(np.log(len(said) + 2)),
        float(np.log(len(pairs) + 2)),
        float(np.log(len(said - asked) + 2)),
        len(said) / length if length else 1.0,
        len(pairs) / (length - 1) if length > 1 else 1.0,
        sum(token in asked for token in response) / max(length, 1),
        len(said & asked) / max(len(asked), 1),
    ]


BLOCKS: dict[str, Block] = {
    "response": response_embeddings,
    "crossed": cross_features,
    "similarity": cosine_similarities,
    "statistics": token_statistics,
}


def concatenate_features(
    names: Sequence[str], prompt: Encoded, response: Encoded, axes: Axes | None = None
) -> FloatArray:
    """The named blocks side by side, [n, F]. Raises KeyError for a name that is no block."""
    return np.concatenate([BLOCKS[name](prompt, response, axes) for name in names], axis=1, dtype=np.float32)
