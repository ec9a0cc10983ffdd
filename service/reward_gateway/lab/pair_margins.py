"""Every chosen response beside every rejected one: margin of the scores, difference of the lengths."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from reward_gateway.sample import FloatArray, Text, plain_text, prompt_group

from .comparison import Comparison, Rule
from .scores import RowScores


@dataclass(frozen=True, slots=True)
class Margins:
    """Pairs with both scores.

    Attributes:
        margins: [n] score of the chosen response less that of the rejected one.
        words: [n] words of the chosen response less those of the rejected one.
        prompts: [n] what names the prompt.
    """

    margins: FloatArray
    words: FloatArray
    prompts: list[str]

    @property
    def outcomes(self) -> FloatArray:
        """[n] 1 above 0, 1/2 at 0, 0 below."""
        return np.asarray((np.sign(self.margins) + 1) / 2)

    @classmethod
    def of(cls, comparisons: Sequence[Comparison], scores: Sequence[RowScores]) -> Self:
        """The pairs of every row; none of rows with the rule TIES, whose responses are compared by a rule of theirs."""
        margins, words, prompts = [np.empty(0)], [np.empty(0)], []
        for comparison, row in zip(comparisons, scores, strict=True):
            if comparison.rule is Rule.TIES:
                continue
            chosen, rejected = (_lengths(texts) for texts in (comparison.chosen, comparison.rejected))
            margin = np.subtract.outer(row.chosen, row.rejected).ravel()
            known = ~np.isnan(margin)
            margins.append(margin[known])
            words.append(np.subtract.outer(chosen, rejected).ravel()[known])
            prompts += [prompt_group(comparison.prompt)] * int(known.sum())
        return cls(np.concatenate(margins), np.concatenate(words), prompts)


def _lengths(texts: Sequence[Text]) -> FloatArray:
    return np.array([len(plain_text(text).split()) for text in texts], dtype=np.float64)
