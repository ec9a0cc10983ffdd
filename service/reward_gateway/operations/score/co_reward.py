"""Co-Reward: a question and its paraphrase grade each other by majority."""

import re
from fractions import Fraction

import numpy as np
from pydantic import Field

from ..answers.majority import majority
from ..answers.sections import unbraced_box
from ..columns import Columns
from ..outcome import ItemError, Outcome, Row, by_row
from ..registry import OperationItem, OperationParams, Source, operation

SOURCE = Source(
    "Co-Reward: Self-supervised RL for Large Language Model Reasoning via Contrastive Agreement",
    "https://arxiv.org/abs/2508.00410",
)

_BOXED = "\\boxed"
_NUMBER = re.compile(r"[+-]?(\d{1,100}(\.\d{0,100})?|\.\d{1,100}|\d{1,100}/\d{1,100})")
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}]+)\}\{([^{}]+)\}")


class Params(OperationParams):
    normalise: bool = Field(False, description="Compare numbers by value and texts without regard to spaces and case.")
    extracted: bool = Field(False, description="The lists hold answers, not texts with a boxed answer.")


class Item(OperationItem):
    uid: str | None = Field(None, description="The caller's name of the question; it has no effect.")
    original: list[str] = Field(description="Rollouts of the question.")
    augmented: list[str] = Field(description="Rollouts of its paraphrase.")


def boxed_answer(text: str) -> str:
    r"""The content of the last ``\boxed{}``, braces matched; empty if there is none or it never closes.

    As in the code that the authors use, ``\boxed 4`` holds what follows it up to a dollar sign or the end, and one such
    box goes before all with braces.
    """
    unbraced = unbraced_box(text)
    if unbraced is not None:
        return unbraced
    opening = text.rfind(_BOXED) + len(_BOXED)
    if not text.startswith(_BOXED + "{", opening - len(_BOXED)):
        return ""
    depth = 0
    for place in range(opening, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[opening + 1 : place]
    return ""


def normal_form(answer: str) -> str:
    """One spelling for equal answers: numbers by their value, other texts in lower case without spaces or dollars."""
    plain = re.sub(r"[\s$,]+", "", _FRACTION.sub(r"\1/\2", answer))
    if _NUMBER.fullmatch(plain) and not re.search(r"/0+$", plain):
        return str(Fraction(plain))
    return re.sub(r"[\s$]+", "", answer).lower()


@operation("score", "co_reward", item=Item, params=Params, source=SOURCE, fidelity="verified", returns="vector")
def co_reward(columns: Columns, params: Params) -> Outcome:
    """Agreement of each rollout with the majority of the other phrasing's rollouts.

    a = content of the last boxed answer (`\\boxed 4` is read up to a dollar sign or the end), empty if there is none or
    it is blank. A rollout of the question gets 1 if its answer equals the majority answer of the paraphrase's rollouts,
    and the other way round; an empty majority gives 0. Ties go to the answer seen first; strings are compared exactly.
    `normalise` (off, as in the repository) makes 1/2 and 0.5 equal.

    Both sides must hold as many rollouts, else an item error. `rewards`: those of `original`, then of `augmented`.
    Details: `original`, `augmented`, `labels` (each side's pseudo-label, from the other side), `answers`, `agreement`
    (the share of rollouts that earned 1: 1 on both sides alike is also what a collapse looks like).
    """
    original, augmented = columns.objects("original"), columns.objects("augmented")

    def read(text: str) -> str:
        answer = text if params.extracted else boxed_answer(text)
        if not answer.strip():
            return ""
        return normal_form(answer) if params.normalise else answer

    def compute_row(i: int) -> Row:
        if len(original[i]) != len(augmented[i]):
            raise ItemError(
                f"{len(original[i])} original and {len(augmented[i])} augmented rollouts; give as many of each"
            )
        ours, theirs = [read(text) for text in original[i]], [read(text) for text in augmented[i]]
        labels = {"original": majority(theirs), "augmented": majority(ours)}
        first = [float(bool(a) and a == labels["original"]) for a in ours]
        second = [float(bool(a) and a == labels["augmented"]) for a in theirs]
        return Row(
            rewards=first + second,
            details={
                "original": first,
                "augmented": second,
                "labels": labels,
                "answers": {"original": ours, "augmented": theirs},
                "agreement": float(np.mean(first + second)) if first else None,
            },
        )

    return by_row(columns.size, compute_row)
