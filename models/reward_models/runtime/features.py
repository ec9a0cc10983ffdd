"""Features of the text heads: frozen embeddings of prompt and response, and token statistics.

Each block is a function of two encoded columns and returns float32 [n, its width]; a card's ``features`` lists the
blocks in order, and the head holds the axes that a block projects onto. Serving and training share this code.
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
    """The response's embedding, all layers concatenated."""
    return response.embeddings


def cross_features(prompt: Encoded, response: Encoded, axes: Axes | None) -> FloatArray:
    """Products of every prompt axis with every response axis, [n, k * k].

    A linear head over it is a bilinear form of prompt and response. Raises ValueError without axes.
    """
    if axes is None:
        raise ValueError("The block 'crossed' needs axes, which are stored with the head.")
    on_prompt = (prompt.embeddings[:, -WIDTH:] - axes.prompt_mean) @ axes.prompt_axes
    on_response = (response.embeddings[:, -WIDTH:] - axes.response_mean) @ axes.response_axes
    return np.asarray((on_prompt[:, :, None] * on_response[:, None, :]).reshape(len(on_prompt), -1), np.float32)


def cosine_similarities(prompt: Encoded, response: Encoded, axes: Axes | None) -> FloatArray:
    """Cosine of prompt and response in every layer."""
    a, b = (side.embeddings.reshape(len(side.rows), -1, WIDTH) for side in (prompt, response))
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray((a * b).sum(-1) / np.maximum(norms, 1e-12), np.float32)


def token_statistics(prompt: Encoded, response: Encoded, axes: Axes | None) -> FloatArray:
    """Token statistics without special tokens: length, variety, and overlap with the prompt."""
    return np.array(
        [count_tokens(p[1:-1], r[1:-1]) for p, r in zip(prompt.rows, response.rows, strict=True)], np.float32
    )


def count_tokens(prompt: Sequence[int], response: Sequence[int]) -> list[float]:
    """Eight numbers of one row: log length, log distinct tokens, log distinct pairs, log tokens not in the prompt;
    the shares of distinct tokens, of distinct pairs and of tokens copied from the prompt; the share of the
    prompt's tokens that occur in the response."""
    in_prompt, distinct, pairs = set(prompt), set(response), set(pairwise(response))
    length = len(response)
    return [
        float(np.log(length + 2)),
        float(np.log(len(distinct) + 2)),
        float(np.log(len(pairs) + 2)),
        float(np.log(len(distinct - in_prompt) + 2)),
        len(distinct) / length if length else 1.0,
        len(pairs) / (length - 1) if length > 1 else 1.0,
        sum(token in in_prompt for token in response) / max(length, 1),
        len(distinct & in_prompt) / max(len(in_prompt), 1),
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
    """The named blocks, concatenated to [n, F]. Raises KeyError for an unknown name."""
    return np.concatenate([BLOCKS[name](prompt, response, axes) for name in names], axis=1, dtype=np.float32)
