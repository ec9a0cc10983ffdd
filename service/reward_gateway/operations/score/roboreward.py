"""RoboReward: end-of-episode progress of a robot, from 1 to 5, judged by a vision-language model."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from pydantic import Field

from reward_gateway.sample import Invalid, Media

from ..columns import Columns
from ..effects import Effectful, JudgeAnswer
from ..grading.expected import expect_grades
from ..grading.grade import Scale, read_grade
from ..grading.visible import read_final
from ..hosted import image_bytes
from ..judged import Judged, JudgeQuestion, ask_judge
from ..media import Frame, user_message
from ..names import JudgeName
from ..outcome import ItemError, Outcome, invalid_field
from ..registry import OperationItem, OperationParams, Source, operation
from ..time_limits import name_problem

SOURCE = Source(
    "RoboReward: general-purpose vision-language reward models for robotics", "https://arxiv.org/abs/2601.00675"
)

PROMPT = """\
Given the task, assign a discrete progress score reward (1,2,3,4,5) for the robot in the video in the format: \
ANSWER: <score>
Rubric for end-of-episode progress (judge only the final state without time limits):
1 - No Success: Final state shows no goal-relevant change for the command.
2 - Minimal Progress: Final state shows a small but insufficient change toward the goal.
3 - Partial Completion: The final state shows good progress toward the goal but violates more than one requirement \
or a major requirement.
4 - Near Completion: Final state is correct in region and intent but misses a single minor requirement.
5 - Perfect Completion: Final state satisfies all requirements.

Task: {task}"""
"""The prompt that the published models were trained with, to the letter."""

SCALE = Scale(1, 5, whole=True)

_ANSWER = re.compile(r"ANSWER:\s*(\d+)", re.IGNORECASE)
_LONE_DIGIT = re.compile(r"\b[1-5]\b")


class Params(OperationParams):
    judge: JudgeName = Field("roboreward", description="Configured judge: a RoboReward model behind a chat endpoint.")
    lenient: bool = Field(
        False,
        description="Read as the published parser does: the first ANSWER: N, else the last lone digit from 1 to 5.",
    )

    grade: Literal["given", "expected"] = Field(
        "given",
        description="given: the score that the judge gives. expected: all five, weighed by their probabilities at its "
        "place; needs a server that tells log-probabilities.",
    )


class Item(OperationItem):
    task: str | None = Field(None, description="What the robot was to do; needed where the judge is asked.")
    frames: list[Frame] | None = Field(None, description="A sample's frames, in a recipe; base64 over HTTP.")
    frames_b64: list[str] | None = Field(None, description="Frames in base64, in order, about one per second.")
    video_b64: str | None = Field(None, description="Video in base64, in place of the frames.")
    answer: str | None = Field(
        None, description="The judge's answer, which ends with ANSWER: 1 to 5; the judge is then not asked."
    )
    score: float | None = Field(None, description="Score from 1 to 5; nothing is then asked or read.")


def parse_score(answer: str) -> int:
    """The score in a judge's answer: a last line ``ANSWER: N``, or another form of a grade from 1 to 5.

    Raises:
        ItemError: there is none.
    """
    return int(read_grade(answer, SCALE, "answer"))


def parse_leniently(answer: str) -> int:
    """The score as the published parser reads it: after the first ``ANSWER:``, else the last lone digit from 1 to 5.

    Raises:
        ItemError: there is none, or the one after ``ANSWER:`` is not from 1 to 5.
    """
    text = read_final(answer)
    found = _ANSWER.search(text)
    if found:
        digits = found.group(1)
        if digits not in {"1", "2", "3", "4", "5"}:
            raise ItemError("the judge's score is not one of 1 to 5")
        return int(digits)
    alone = _LONE_DIGIT.findall(text)
    if not alone:
        raise ItemError("the judge gave no score from 1 to 5")
    return int(alone[-1])


def _weigh_score(answer: JudgeAnswer, parse: Callable[[str], int]) -> float:
    """The expected score. Raises ItemError."""
    return expect_grades(answer, lambda text: [parse(text)], SCALE)[0]


def _read_by(answer: str) -> str:
    """Which parser is needed to read an answer."""
    try:
        parse_score(answer)
    except ItemError:
        return "lenient"
    return "strict"


@operation("score", "roboreward", item=Item, params=Params, source=SOURCE, fidelity="verified")
def roboreward(columns: Columns, params: Params) -> Effectful[Outcome]:
    """Progress of a robot episode: (score − 1) / 4, score from 1 to 5.

    Give `task` and `frames` or `frames_b64` (in order, about one per second; a single frame is shown twice), or
    `video_b64`, for the judge, which is asked greedily with the published prompt; or its `answer`; or the `score`
    itself. An answer ends with a line `ANSWER: N`; "4", "4/5" and JSON are read as well. Any other ("ANSWER: 10" and "I
    would say 3." among them) is an invalid score, never a silent 1. With `lenient` answers are read as the published
    parser reads them, by the last lone digit from 1 to 5 where there is no `ANSWER:`. With `grade: expected` the score
    is Σ s · p(s) / Σ p(s), p(s) the probability of the score s in place of the one that was given. Details: `score`,
    `judge_answer` and, with `lenient`, `read_by` (strict, or lenient where only the published parser finds a score).
    """
    tasks, own, frames, videos = (columns.objects(name) for name in ("task", "frames", "frames_b64", "video_b64"))
    answers, scores = columns.objects("answer"), columns.floats("score").copy()
    invalid: dict[int, Invalid] = {}
    asked: dict[int, JudgeQuestion] = {}
    parse = parse_leniently if params.lenient else parse_score
    for i in range(columns.size):
        try:
            if not np.isnan(scores[i]):
                if scores[i] not in (1, 2, 3, 4, 5):
                    raise ItemError("score must be one of 1, 2, 3, 4, 5", param="score")
            elif answers[i] is not None and params.grade == "expected":
                raise ItemError("grade: expected needs the tokens of the judge: give task and frames", param="answer")
            elif answers[i] is not None:
                scores[i] = parse(answers[i])
            else:
                asked[i] = _build_question(tasks[i], _decode_frames(own[i], frames[i]), videos[i])
        except ItemError as error:
            invalid[i] = invalid_field(str(error), error.param)
    weigh = partial(_weigh_score, parse=parse) if params.grade == "expected" else None
    judged: Judged[float] = yield from ask_judge(params.judge, asked, parse, weigh=weigh)
    for i, score in judged.values.items():
        scores[i] = score
    words = judged.words(columns.size)
    details: dict[str, Sequence[Any]] = {
        "score": [None if np.isnan(score) else int(score) if score % 1 == 0 else float(score) for score in scores],
        **judged.tell(columns.size),
    }
    if params.lenient:
        read = [given if given is not None else said for given, said in zip(answers, words, strict=True)]
        details["read_by"] = [
            _read_by(text) if text is not None and not np.isnan(score) else None
            for text, score in zip(read, scores, strict=True)
        ]
    return Outcome(reward=(scores - 1.0) / 4.0, details=details, invalid=invalid | judged.invalid)


def _decode_frames(own: Sequence[Media] | None, encoded: Sequence[str] | None) -> list[bytes]:
    """The frames' bytes, whichever way they came."""
    if own and any(frame.data is None for frame in own):
        raise ItemError("a frame was not fetched: give its bytes")
    return [frame.data for frame in own or () if frame.data] or [image_bytes(frame) for frame in encoded or ()]


def _build_question(task: str | None, frames: Sequence[bytes], video: str | None) -> JudgeQuestion:
    """The question to the judge; a single frame is shown twice, since the models take videos (our choice)."""
    if task is None or not (frames or video):
        raise ItemError("give task and frames_b64 (or video_b64), or the judge's answer, or the score")
    prompt = PROMPT.format(task=task)
    part = {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{video}"}}
    message = (
        user_message(prompt, list(frames) * 2 if len(frames) == 1 else list(frames))
        if frames
        else {"role": "user", "content": [part, {"type": "text", "text": prompt}]}
    )
    return JudgeQuestion([message], name_problem("roboreward", task))
