"""Which of two responses is better, in both orders: what a judge or a hosted model says, and how it is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from reward_gateway.sample import Batch, Invalid

from .effects import Effectful
from .grading.verdict import read_verdict
from .hosted import ask_model
from .judge_questions import JudgeQuestion
from .judged import JudgeParams, ask_panel
from .prompts import question

Verdict = Literal["A", "B", "TIE"]

INSTRUCTION = "Judge by how well each does what the prompt asks."

SWAPPED: dict[Verdict, Verdict] = {"A": "B", "B": "A", "TIE": "TIE"}
POINTS: dict[Verdict, float] = {"A": 1.0, "B": 0.0, "TIE": 0.5}
"""What a verdict gives to A."""

_WORDS: dict[str, Verdict] = {"A": "A", "B": "B", "TIE": "TIE"}


def parse_verdict(answer: str, pattern: str | None = None) -> Verdict:
    """The verdict that ends an answer, or that the pattern of a trained judge finds (for which C is a tie too).

    Raises:
        ItemError: its last line is no verdict, or two differ.
    """
    words = _WORDS if pattern is None else {**_WORDS, "C": "TIE"}
    return words[read_verdict(answer, tuple(words), labelled=True, pattern=pattern)]


def build_questions(
    a: str, b: str, instruction: str, *, template: str = "pairwise", **texts: str | None
) -> list[JudgeQuestion]:
    """The two questions about a pair: as given, and with the two swapped.

    Args:
        texts: prompt and reference, None where there is none.
    """
    orders = ((a, b), (b, a))
    return [
        question(template, {**texts, "response_a": first, "response_b": second}, instruction=instruction)
        for first, second in orders
    ]


def join_orders(verdicts: Sequence[Verdict], repeats: int) -> list[tuple[Verdict, Verdict]]:
    """Pairs of votes about the first response, of the verdicts on one order and then of as many on the other."""
    return list(zip(verdicts[:repeats], [SWAPPED[verdict] for verdict in verdicts[repeats:]], strict=True))


def average_points(votes: Sequence[tuple[Verdict, Verdict]]) -> float:
    """What the first response gets, 0 to 1: verdicts on the two orders that differ are a tie."""
    return float(np.mean([POINTS[first] if first == second else 0.5 for first, second in votes]))


def share_agreed(votes: Sequence[tuple[Verdict, Verdict]]) -> float:
    """The share of pairs of votes that agree over both orders."""
    return float(np.mean([first == second for first, second in votes]))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two responses to one prompt."""

    prompt: str | None
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of a pair.

    Attributes:
        points: of the first: 1 better, .5 a tie, 0 worse; None: there is no verdict.
        changed: share of the pairs of votes whose verdict changed with the order; None: nobody was asked.
        words: what the judge said to all questions.
        limit_s: how long one of them may have taken, where the problem has a limit of its own.
        reason: why there is no verdict.
        flags: what the model raised.
    """

    points: float | None
    changed: float | None = None
    words: Any = None
    limit_s: float | None = None
    reason: Invalid | None = None
    flags: tuple[str, ...] = ()


def _judge(votes: Sequence[tuple[Verdict, Verdict]]) -> tuple[float, float]:
    """Points by the majority of the votes, and the share that changed with the order."""
    mean = average_points(votes)
    return 1.0 if mean > 0.5 else 0.0 if mean < 0.5 else 0.5, 1.0 - share_agreed(votes)


def ask_judge_about(pairs: Sequence[Pair], instruction: str, params: JudgeParams) -> Effectful[list[Judgement]]:
    """What a judge says of each pair; with several votes their majority."""
    asked = {
        number: build_questions(pair.first, pair.second, instruction, prompt=pair.prompt, reference=None)
        for number, pair in enumerate(pairs)
    }
    judged = yield from ask_panel(params, asked, lambda answer: parse_verdict(answer, params.reply))
    judgements: list[Judgement] = []
    for number in range(len(pairs)):
        words, limit_s = judged.answers.get(number), judged.limits.get(number)
        points: float | None = None
        changed: float | None = None
        if number not in judged.invalid:
            points, changed = _judge(join_orders(judged.values[number], params.repeats))
        judgements.append(Judgement(points, changed, words, limit_s, judged.invalid.get(number)))
    return judgements


def ask_model_about(pairs: Sequence[Pair], instruction: str, model: str) -> Effectful[list[Judgement]]:
    """What a hosted model says by its next word: its score is the log-odds of ``A`` against ``B``.

    The question is a sample whose prompt it is, with an empty conversation as the response.
    """
    prompts = [
        str(asked.conversation[0]["content"])
        for pair in pairs
        for asked in build_questions(
            pair.first, pair.second, instruction, template="pairwise_word", prompt=pair.prompt, reference=None
        )
    ]
    rows = range(len(prompts))
    batch = Batch([str(row) for row in rows], [*prompts], [[] for _ in rows])
    answer = yield from ask_model(model, batch, rows, len(rows))
    judgements: list[Judgement] = []
    for row in rows[::2]:
        flags = tuple(dict.fromkeys([*answer.flags.get(row, ()), *answer.flags.get(row + 1, ())]))
        if (reason := answer.invalid.get(row) or answer.invalid.get(row + 1)) is not None:
            judgements.append(Judgement(None, reason=reason, flags=flags))
            continue
        verdicts = [_read_odds(float(answer.values[place, 0])) for place in (row, row + 1)]
        judgements.append(Judgement(*_judge(join_orders(verdicts, 1)), flags=flags))
    return judgements


def _read_odds(score: float) -> Verdict:
    return "A" if score > 0 else "B" if score < 0 else "TIE"
