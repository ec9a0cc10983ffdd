"""What judges say, and the grade that is read from it: one that was not plainly given is an error."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from reward_gateway.operations.grading.grade import Scale, read_grade
from reward_gateway.operations.grading.objects import read_keys, read_object
from reward_gateway.operations.grading.verdict import read_verdict, read_yes_no
from reward_gateway.operations.outcome import ItemError

from tests.clock import little_work

TEN = Scale(0, 10)
FIVE = Scale(1, 5, whole=True)

GRADES: list[tuple[str, float]] = [
    # JSON that ends the reply
    ('{"score": 8}', 8),
    ('{"score": 8.5}', 8.5),
    ('  {"score": 0}\n', 0),
    ('Not bad.\n{"score": 7}', 7),
    ('```json\n{"score": 6}\n```', 6),
    ('Draft:\n```json\n{"score": 9}\n```\nFinal:\n```json\n{"score": 6}\n```', 6),
    ('~~~\n{"score": 6}\n~~~', 6),
    ('{"reason": "uses {braces} and \\"quotes\\"", "score": 4}', 4),
    ('{"reason": "a `fence`", "score": 4}', 4),
    ('{\n  "reason": "over several lines",\n  "score": 3\n}', 3),
    ('The response says `{"score": 10}`.\n{"score": 2}', 2),
    ('The response says “{"score": 10}”.\n{"score": 2}', 2),
    ('> {"score": 10}\n{"score": 2}', 2),
    ('{"score": 5}\nYes, I stay with it: {"score": 5}', 5),
    ('By \\frac{1}{2} it is wrong.\n{"score": 1}', 1),
    # reasoning is not read
    ("<think>Perhaps 9.\nScore: 9</think>\nScore: 4", 4),
    ("Score: 9? No.\n</think>\nScore: 4", 4),
    ("<think>a</think>\nScore: 9\n</think>\nScore: 4", 4),
    ('<think>{"score": 10}</think>{"score": 3}', 3),
    ("[THINK]Score: 2[/THINK]Score: 3", 3),
    ("◁think▷Score: 2◁/think▷Score: 3", 3),
    ("<|channel|>analysis<|message|>Score: 2<|end|><|start|>assistant<|channel|>final<|message|>Score: 3", 3),
    # a last line with a label
    ("Score: 8", 8),
    ("Score: 8.", 8),
    ("Score: 8/10", 8),
    ("Score: 8 / 10.", 8),
    ("Score: 8 out of 10", 8),
    ("**Score:** 8", 8),
    ("**Score: 8/10**", 8),
    ("### Final score: 7", 7),
    ("_Overall rating_: 7", 7),
    ("Score: [8]", 8),
    ("Rating: [[8]]", 8),
    ("Rating: 4 (1 = worst, 10 = best)", 4),
    ("Score (0-10): 8", 8),
    ("Score: 8 (out of 10)", 8),
    ("Score: 8 (from 0 to 10)", 8),
    ("Score: 8 (two typos, 3 lines too long)", 8),
    ("Score (out of 10): 8", 8),
    ("Well argued.\n\nGrade: 6.5", 6.5),
    ("Accuracy: 9\nClarity: 4\nOverall: 6", 6),
    ("It passes 8 out of 10 tests.\nScore: 3", 3),
    ("Helpfulness: 8", 8),
    ("Score：8", 8),
    ('It begins with "Score: 10".\nScore: 2', 2),
    ("> Score: 10\nScore: 2", 2),
    ("```\nScore: 10\n```\nScore: 2", 2),
    # alone
    ("8", 8),
    (" **8** ", 8),
    ("10", 10),
    ("0.5", 0.5),
    # the only N/M
    ("I rate this an 8 out of 10.", 8),
    ("8/10", 8),
    ("A solid 8/10, because it is short.", 8),
    ("This is a **7/10**!", 7),
    ("| Score | 8/10 |", 8),
]

NO_GRADES: list[str] = [
    # nothing that is a grade
    "",
    "   \n",
    "I would say 3.",
    "I'd give it a 7 or 8",
    "I'd give it a 7 or 8/10",
    "I'd give it 7/10 or 8/10",
    "between 6 and 8/10",
    "7-8/10",
    "7–8 out of 10",
    "somewhere up to 8/10",
    "less than 8/10",
    "at least 5/10",
    "I cannot give this 8/10.",
    "This doesn't deserve 8/10.",
    "an eight",
    "eight out of ten",
    "I cannot grade this; see section 5.",
    "See section: 5",
    "Unsafe request (policy 7).",
    "Policy: 7",
    "Step 2: 5",
    "Step: 2",
    "Page: 4",
    "Confidence: 9",
    "Maximum: 10",
    "Refused. Section 5",
    "Sorry, I can't help with that. Error: 5",
    "step 2",
    "1-5",
    "1e1",
    "1e5",
    "Score: 1e1",
    "Score: 1-5",
    "Score: 7-8",
    "Score: 7 or 8",
    "Score: 7, 8",
    "Score: 8 (or 7)",
    "Score: 8 (maybe 9)",
    "Score: 8 (8 or 7)",
    "Score: 0 (cannot be graded)",
    "Score: 5 (placeholder)",
    "Not 8/10.",
    "Not an 8/10.",
    "Version 8/10",
    "This is question 3/10.",
    "Score: 8 (7-9)",
    "Score: 4 (out of 5)",
    "Score: 4 (/5)",
    "Score: 4 (max 5)",
    "Score: 4 (1 = worst, 5 = best)",
    "Score: 4 (on a scale from 1 to 5)",
    "Score: +8",
    "Score: 8,5",
    "Score: 8%",
    "Score: .5",
    "Score: 8 of",
    "Score: eight",
    "Score:",
    "Score: ?",
    "Score: N/A",
    "Score: null",
    "Score: NaN",
    "Score: inf",
    "８",
    "Score: ８",
    "Score: ٨",
    "Score: 八",
    "Score: ⑧",
    "８/10",
    "8／10",
    "Score: 8\u200b/1",
    # other scales
    "Score: 8/5",
    "Score: 80/100",
    "80/100",
    "4 out of 5",
    "Score (out of 100): 8",
    "Score: 11",
    "Score: -1",
    "11",
    '{"score": 11}',
    '{"score": -0.5}',
    # what counts other things
    "It passes 8 out of 10 tests.",
    "9 out of 10 people agree.",
    "8/10/2024",
    "page 3/10",
    "step 3/10 done",
    # two grades
    "Score: 8\nOn reflection:\nScore: 4",
    "Score: 8\nFinal score: 4",
    "Accuracy: 9\nClarity: 4",
    "8/10 for style, 4/10 for content.",
    "Score: 7 or 8\nScore: 7",
    "9\n4",
    # what is not the judge's word
    'The response says "Score: 10"',
    "`8`",
    "Score: `8`",
    'Score: "8"',
    "> Score: 8",
    "```\nScore: 8\n```\nI refuse to grade it.",
    "“Score: 8”",
    'It claims: "I deserve\nScore: 10',
    "the answer is `8/10`",
    "'8/10' is what it asks for",
    # unfinished
    "<think>Perhaps 9, but",
    "<think>\nScore: 9",
    "<think>Score: 9</think>",
    "Let me think.\n<think>\nScore: 9",
    "[THINK]9",
    "◁think▷Score: 9",
    "<|channel|>analysis<|message|>Score: 9",
    '```json\n{"score": 8}',
    '{"score": 8',
    '{"score": 8}}',
    '{"score": 8}[DONE]',
    'data: {"score": 8}\n\ndata: [DONE]',
    '{"reason": "it wrote {"score": 10}',
    "**Score: 8",
    "1. It is right.\n2",
    "2.",
    "Score: 8/",
    # JSON that is none, or none that was asked for
    '{"score": "8"}',
    '{"score": true}',
    '{"score": null}',
    '{"score": [8]}',
    '{"score": {"value": 8}}',
    '{"score": 1e1}',
    '{"score": NaN}',
    '{"score": Infinity}',
    '{"score": 2, "score": 9}',
    '{"score": 2, "score": 2}',
    '{"a": {"b": 1, "b": 2}, "score": 2}',
    "{'score': 8}",
    '{"grade": 8}',
    '{"Score": 8}',
    '[{"score": 8}]',
    '{"score": 08}',
    '{"score": 8,}',
    '{"score": 8} is what it wants.',
    'The response tries to steer me: {"score": 10}. I refuse to grade it.',
    '{"score": 3}\nNo: {"score": 9}',
    'It said "{"score": 10}',
    'It said `{"score": 10}',
    '`{"score": 8}`',
    '"{"score": 8}"',
    '```{"score": 8}```',
    '```json\n{"score": 8}\n```\nThe response is good.',
    '<tool_call>{"name": "grade", "arguments": {"score": 8}}</tool_call>',
    '{"name": "grade", "arguments": {"score": 8}}',
    '{"score": ８}',
    "| criterion | score |\n|---|---|\n| quality | 8 |",
    "<score>8</score>",
    "[[8]]",
    "\\boxed{8}",
    "Answer with a number from 0 to 10.",
    'Answer with JSON alone: {"score": NUMBER}',
]


@pytest.mark.parametrize(("reply", "grade"), GRADES)
def test_a_grade_that_was_given_is_read(reply: str, grade: float) -> None:
    assert read_grade(reply, TEN) == grade


@pytest.mark.parametrize("reply", NO_GRADES)
def test_a_grade_that_was_not_given_is_none(reply: str) -> None:
    with pytest.raises(ItemError):
        read_grade(reply, TEN)


@pytest.mark.parametrize(("reply", "grade"), [("ANSWER: 3", 3), ("Score: 4.0", 4), ('{"score": 5}', 5), ("2/5", 2)])
def test_whole_grades_are_read(reply: str, grade: int) -> None:
    assert read_grade(reply, FIVE, "answer" if "ANSWER" in reply else "score") == grade


@pytest.mark.parametrize(
    "reply", ["ANSWER: 10", "ANSWER: 3.5", '{"answer": 3.5}', '{"answer": 1e0}', "ANSWER: 0 and 3"]
)
def test_a_grade_between_whole_ones_is_none(reply: str) -> None:
    with pytest.raises(ItemError):
        read_grade(reply, FIVE, "answer")


def test_a_scale_may_go_below_zero() -> None:
    assert read_grade("Score: -3", Scale(-5, 5)) == -3
    assert str(read_grade("-0", Scale(-5, 5))) == "0.0"


PATTERNS: list[tuple[str, str, Any]] = [
    ("Good. [[7]]", r"\[\[(\d+)\]\]", 7.0),
    ("[[7]] … so [[7]]", r"\[\[(\d+)\]\]", 7.0),
    ("<think>[[2]]</think>[[7]]", r"\[\[(\d+)\]\]", 7.0),
    ("<score>7</score>", "<score>(.*?)</score>", 7.0),
    ("[[7]] no: [[8]]", r"\[\[(\d+)\]\]", None),
    ("[[11]]", r"\[\[(\d+)\]\]", None),
    ("[[1e1]]", r"\[\[(.*?)\]\]", None),
    ("[[７]]", r"\[\[(\d+)\]\]", None),
    ("7", r"\[\[(\d+)\]\]", None),
    ("> [[7]]", r"\[\[(\d+)\]\]", None),
    ("<think>[[7]]", r"\[\[(\d+)\]\]", None),
]


@pytest.mark.parametrize(("reply", "pattern", "grade"), PATTERNS)
def test_a_trained_judge_is_read_by_its_pattern(reply: str, pattern: str, grade: float | None) -> None:
    if grade is not None:
        assert read_grade(reply, TEN, pattern=pattern) == grade
        return
    with pytest.raises(ItemError):
        read_grade(reply, TEN, pattern=pattern)


def test_a_pattern_reads_verdicts() -> None:
    assert read_verdict("Mine: [[A]]", ("A", "B", "C"), pattern=r"\[\[(\w)\]\]") == "A"
    for reply in ("[[A]] [[B]]", "[[D]]", "VERDICT: A"):
        with pytest.raises(ItemError):
            read_verdict(reply, ("A", "B", "C"), pattern=r"\[\[(\w)\]\]")


def test_an_object_has_the_keys_that_were_asked_for_and_may_have_a_reason() -> None:
    assert read_keys('{"reason": "short", "a": 1, "b": 2}', ("a", "b")) == {"a": 1, "b": 2}
    assert read_keys('{"reason": 3}', ("reason",)) == {"reason": 3}
    for reply in ('{"a": 1}', '{"a": 1, "b": 2, "c": 3}', '{"reason": "x"}'):
        with pytest.raises(ItemError):
            read_keys(reply, ("a", "b"))


@pytest.mark.parametrize(
    "hostile",
    [
        "{" * 100_000,
        '{"a":' * 20_000 + "1" + "}" * 20_000,
        "`" * 100_000,
        "“" * 100_000,
        "((" * 50_000,
        "a " * 100_000,
        "8 " * 60_000 + "/10",
        "{ " * 90_000 + "}",
        "*" * 100_000,
        "score: " * 20_000,
        "1" * 100_000,
        '{"score": ' + "1" * 100_000 + "}",
        "\n> x" * 40_000,
        '{"a":1}' * 20_000 + '{"score": 2}',
    ],
    ids=lambda text: f"{text[:9]!r}…",
)
@pytest.mark.parametrize(
    "read", [lambda reply: read_grade(reply, TEN), read_object, read_yes_no], ids=["grade", "object", "verdict"]
)
def test_no_reply_takes_long(hostile: str, read: Callable[[str], Any]) -> None:
    with little_work(2.0), suppress(ItemError):
        read(hostile)


def test_an_overlong_reply_is_not_read() -> None:
    with pytest.raises(ItemError, match="characters"):
        read_grade(" " * 200_001 + "8", TEN)
