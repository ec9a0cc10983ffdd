"""Log-probabilities that an item leaves to a hosted language model: its texts, all in one question."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from reward_gateway.sample import FloatArray, Invalid

from .effects import Effectful, TokenLogprobs, Vector, perform
from .outcome import Outcome

Asked = tuple[int, str, str]
"""The item's row, a context, and the continuation whose tokens count."""


@dataclass(slots=True)
class HostedLogprobs:
    """What a hosted language model says of some rows' texts.

    Attributes:
        invalid: row -> why it could not be read; one text that cannot be read spoils its row.
        flags: row -> names that the model raised.
    """

    invalid: dict[int, Invalid] = field(default_factory=dict)
    flags: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def ask(self, asked: Sequence[Asked], model: str) -> Effectful[list[FloatArray | None]]:
        """Log-probabilities [t] of every continuation; None in the rows of ``invalid``.

        A space between context and continuation is read with the continuation, as word tokens begin with theirs.
        """
        if not asked:
            return []
        pairs = [joined(context, continuation) for _, context, continuation in asked]
        contexts, continuations = zip(*pairs, strict=True)
        answers: list[Vector | Invalid] = yield from perform(TokenLogprobs(list(contexts), list(continuations), model))
        for (row, *_), answer in zip(asked, answers, strict=True):
            if isinstance(answer, Invalid):
                self.invalid.setdefault(row, answer)
            elif answer.flags:
                self.flags[row] = tuple(dict.fromkeys([*self.flags.get(row, ()), *answer.flags]))
        return [
            None if row in self.invalid or isinstance(answer, Invalid) else answer.values
            for (row, *_), answer in zip(asked, answers, strict=True)
        ]

    def mark(self, outcome: Outcome) -> Outcome:
        """Lay these reasons and flags over an outcome: what the model said comes before what followed from it."""
        outcome.invalid |= self.invalid
        if outcome.reward is not None:
            outcome.reward[list(self.invalid)] = np.nan
        if outcome.rewards is not None:
            outcome.rewards = [None if row in self.invalid else own for row, own in enumerate(outcome.rewards)]
        for row, names in self.flags.items():
            if row not in outcome.invalid:
                outcome.flags[row] = tuple(dict.fromkeys([*outcome.flags.get(row, ()), *names]))
        return outcome


def joined(context: str, continuation: str) -> tuple[str, str]:
    """The same text, cut before a space at the context's end."""
    return (context[:-1], f" {continuation}") if context.endswith(" ") else (context, continuation)
