"""Diversity collapse: how alike the responses of a batch are, word for word."""

import numpy as np
from pydantic import Field

from reward_gateway.sample import FloatArray

from ..columns import Columns
from ..costs import Cost
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, operation
from ..tokens import Tokens, split_words

_BLOCK = 256


class Params(OperationParams):
    n: int = Field(3, ge=1, le=16, description="Words in an n-gram.")
    lowercase: bool = Field(True, description="Compare without regard to case.")
    tokens: Tokens = "auto"


class Item(OperationItem):
    responses: list[str] = Field(description="Batch of responses, at least two.")


def ngrams(text: str, n: int, tokens: str = "auto") -> set[tuple[str, ...]]:
    """The word n-grams of a text; a text of fewer words is one gram, a blank text has none."""
    words = split_words(text, tokens)
    if len(words) <= n:
        return {tuple(words)} if words else set()
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def jaccard_rows(sets: list[set[tuple[str, ...]]]) -> list[FloatArray]:
    """Row i of the Jaccard similarities of all pairs, above the diagonal: entry k is the pair (i, i + 1 + k)."""
    numbers: dict[tuple[str, ...], int] = {}
    indices = [numbers.setdefault(gram, len(numbers)) for grams in sets for gram in sorted(grams)]
    sizes = np.array([len(grams) for grams in sets])
    pointers = np.concatenate([[0], np.cumsum(sizes)])
    from scipy.sparse import csr_array  # slow to import, and needed here alone

    table = csr_array((np.ones(len(indices)), indices, pointers), shape=(len(sets), max(len(numbers), 1)))
    rows: list[FloatArray] = []
    for start in range(0, len(sets), _BLOCK):
        shared = (table[start : start + _BLOCK] @ table.T).toarray()
        union = sizes[start : start + _BLOCK, None] + sizes[None, :] - shared
        # Two blank texts are equal: their union is empty, and so is what they do not share.
        similar = np.where(union > 0, shared / np.maximum(union, 1), 1.0)
        rows += [similar[k, start + k + 1 :] for k in range(len(similar))]
    return rows


@operation("audit", "template_convergence", item=Item, params=Params, cost=Cost(row=1000.0, unit=0.6, square=0.01))
def template_convergence(columns: Columns, params: Params) -> Outcome:
    """Mean pairwise n-gram Jaccard of a batch of responses: an alarm for diversity collapse.

    reward = mean over pairs i < j of |G_i ∩ G_j| / |G_i ∪ G_j|, where G is the set of word n-grams (n = 3,
    words of `tokens`, lower case). 0: no n-gram is shared; 1: all responses are one template.

    This project's design, motivated by the finding of MoltNet (arXiv 2602.13458) that agents converge on templates;
    it is not a formula of that paper.

    A response of fewer than n words is one gram; two blank responses count as equal. Fewer than two responses: the
    item's error. Details: `pairs`, `max`, `closest` (indices of the most similar pair), `identical` (share of pairs
    with Jaccard 1).
    """
    responses = columns.objects("responses")

    def compute_row(i: int) -> Row:
        texts: list[str] = responses[i]
        if len(texts) < 2:
            raise ItemError("responses must hold at least two texts: similarity is of pairs", param="responses")
        rows = jaccard_rows(
            [ngrams(text.lower() if params.lowercase else text, params.n, params.tokens) for text in texts]
        )
        similar = np.concatenate(rows)
        tops = [row.max() if len(row) else -1.0 for row in rows]
        first = int(np.argmax(tops))
        return Row(
            reward=float(similar.mean()),
            details={
                "pairs": len(similar),
                "max": float(similar.max()),
                "closest": [first, first + 1 + int(np.argmax(rows[first]))],
                "identical": float((similar == 1.0).mean()),
            },
        )

    return by_row(columns.size, compute_row)
