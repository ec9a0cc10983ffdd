"""PPRM: a principle-based process reward model that grades the turns of a search agent."""

import re
from collections.abc import Sequence
from functools import partial

from pydantic import Field

from reward_gateway.sample import Invalid

from ..columns import Columns
from ..credit.renorm import SOURCE, process_score
from ..effects import Effectful
from ..grading.visible import drop_quotations, read_final
from ..judged import JudgeQuestion, ask_judge, find_injections
from ..names import JudgeName
from ..outcome import ItemError, Outcome, invalid_field
from ..prompts import question
from ..registry import OperationItem, OperationParams, operation
from ..time_limits import tell_limits

PRINCIPLES = (
    "Information extraction: does the turn take what matters from the results it was given?",
    "Search query quality: is the query specific, well formed and likely to find what is missing?",
    "Search decision: is searching (or stopping) the right thing to do at this point?",
)

UNJUDGED = Invalid("judge_error", "a turn has no valid <final_score> of the judge")

_FINAL = re.compile(r"<final_score>\s*(-?\d{1,9})\s*,\s*(-?\d{1,9})\s*</final_score>", re.ASCII)


class Params(OperationParams):
    judge: JudgeName = Field("pprm", description="Configured judge: the process reward model behind a chat endpoint.")
    lenient: bool = Field(
        False, description="Read as the published parser does: of marks that differ in one answer the last counts."
    )


class Item(OperationItem):
    answer: str | None = Field(None, description="The judge's answer for one turn, whose score is the reward.")
    answers: list[str | None] | None = Field(
        None, description="The judge's answers, one per graded turn, null if missing."
    )
    question: str | None = Field(None, description="Question, for the judge where there are no answers.")
    turns: list[str] | None = Field(
        None, description="All turns for the judge; the last one holds the answer and is not graded."
    )


def parse_final_score(answer: str, *, lenient: bool = False) -> list[int] | None:
    """[score, max] of the ``<final_score>`` in an answer; None without one, or where several differ.

    Args:
        lenient: as the published parser reads it: the last one counts, whatever the others say.
    """
    try:
        text = read_final(answer)
    except ItemError:
        return None
    found = _FINAL.findall(text if lenient else drop_quotations(text))
    if not found or (len(set(found)) > 1 and not lenient):
        return None
    return [int(found[-1][0]), int(found[-1][1])]


def _read_by(text: str | None) -> str | None:
    """Which parser is needed to read an answer; None where neither can."""
    if text is None or parse_final_score(text, lenient=True) is None:
        return None
    return "lenient" if parse_final_score(text) is None else "strict"


def _build_question(asked: str, turns: Sequence[str], place: int) -> JudgeQuestion:
    """The question to the judge about one turn."""
    return question(
        "turn",
        {"question": asked, "turns": "\n\n".join(turns[:place]) or "(none)", "turn": turns[place]},
        principles="\n".join(f"- {principle}" for principle in PRINCIPLES),
    )


@operation("score", "pprm", item=Item, params=Params, source=SOURCE, fidelity="verified", returns="vector")
def pprm(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Process reward of each turn but the last, graded by a judge against principles.

    A judge's answer ends with `<final_score>SCORE,MAX</final_score>`, integers, and the reward is SCORE / MAX
    in [0, 1]. It is valid if MAX > 0 and 0 ≤ SCORE ≤ MAX. Marks in one answer that differ are no judgement, unless
    `lenient` lets the last count. A turn without a valid answer has reward 0 and `judged` false; in a recipe its sample
    is invalid (`judge_error`).

    Give `question` and `turns` (all of them; the last holds the answer and is not graded) for the judge, or its
    `answers`, one a graded turn, or one `answer` (`reward` is then its score, and one that is not valid is the item's
    error). Details: `process` ([score, max] or null, what `credit/renorm` takes), `judged`, `judge_answer` (one a
    turn) and, with `lenient`, `read_by` (strict, or lenient where only the published parser finds a mark that counts).
    """
    parse = partial(parse_final_score, lenient=params.lenient)
    single, several = columns.objects("answer"), columns.objects("answers")
    questions, turns = columns.objects("question"), columns.objects("turns")
    process: list[list[list[int] | None] | None] = [None] * columns.size
    invalid: dict[int, Invalid] = {}
    asked: dict[int, JudgeQuestion] = {}
    places: list[tuple[int, int]] = []
    for i in range(columns.size):
        if single[i] is not None:
            process[i] = [parse(single[i])]
        elif several[i] is not None:
            process[i] = [None if text is None else parse(text) for text in several[i]]
        elif questions[i] is not None and turns[i] is not None:
            process[i] = [None] * max(len(turns[i]) - 1, 0)
            for place in range(len(turns[i]) - 1):
                asked[len(places)] = _build_question(questions[i], turns[i], place)
                places.append((i, place))
        else:
            invalid[i] = invalid_field("give question and turns, or the judge's answers")
    judged = yield from ask_judge(params.judge, asked, parse)
    for number, (i, place) in enumerate(places):
        graded = process[i]
        if graded is not None:
            graded[place] = judged.values.get(number)
    outcome = _build_outcome(process, [text is not None for text in single], invalid)
    outcome.flags = find_injections(turns)
    words: list[list[str | None] | None] = [None] * columns.size
    for number, (i, _) in enumerate(places):
        words[i] = [*(words[i] or []), judged.answers.get(number)]
    outcome.details["judge_answer"] = words
    outcome.details |= tell_limits(columns.size, judged.limits_of([i for i, _ in places]))
    if params.lenient:
        given = [[text] if text is not None else own for text, own in zip(single, several, strict=True)]
        read = [own if own is not None else said for own, said in zip(given, words, strict=True)]
        outcome.details["read_by"] = [None if own is None else list(map(_read_by, own)) for own in read]
    failed = {i: reason for number, reason in reversed(judged.invalid.items()) for i in [places[number][0]]}
    for i, turns_judged in enumerate(outcome.details["judged"]):
        if turns_judged is not None and not all(turns_judged):
            outcome.stood_in[i] = failed.get(i, UNJUDGED)
    return outcome


def _build_outcome(
    process: list[list[list[int] | None] | None], single: list[bool], invalid: dict[int, Invalid]
) -> Outcome:
    rewards: list[list[float] | None] = []
    judged: list[list[bool] | None] = []
    for i, graded in enumerate(process):
        scores = None if graded is None else [_score_judgement(judgement) for judgement in graded]
        judged.append(None if scores is None else [score is not None for score in scores])
        rewards.append(None if scores is None else [score if score is not None else 0.0 for score in scores])
        if single[i] and scores == [None]:
            invalid[i] = Invalid("judge_error", "the judge's answer has no valid <final_score>", param="answer")
    return Outcome(rewards=rewards, details={"process": process, "judged": judged}, invalid=invalid)


def _score_judgement(judgement: list[int] | None) -> float | None:
    try:
        return process_score(judgement)
    except ItemError:
        return None
