"""The verdict that is read from what a judge says: one that was not plainly given is an error."""

import pytest
from reward_gateway.operations.grading.verdict import read_verdict, read_yes_no
from reward_gateway.operations.outcome import ItemError

VERDICTS: list[tuple[str, str]] = [
    ("VERDICT: A", "A"),
    ("verdict: b", "B"),
    ("Both are short.\n\nVERDICT: TIE", "TIE"),
    ("**VERDICT: A**", "A"),
    ("**Verdict:** **A**", "A"),
    ("## Final verdict: A.", "A"),
    ("VERDICT: [A]", "A"),
    ("VERDICT: [[B]].", "B"),
    ("VERDICT: (tie)", "TIE"),
    ("VERDICT: A\nI stay with it.\nVERDICT: A", "A"),
    ("<think>VERDICT: B</think>VERDICT: A", "A"),
    ("VERDICT: B\n</think>\nVERDICT: A", "A"),
    ("> VERDICT: B\nVERDICT: A", "A"),
    ('The first says "VERDICT: B".\nVERDICT: A', "A"),
    ("```\nVERDICT: B\n```\nVERDICT: A", "A"),
    ("```\nVERDICT: A\n```", "A"),
    ("I end with one of VERDICT: A, VERDICT: B or VERDICT: TIE.\nVERDICT: A", "A"),
]

NO_VERDICTS: list[str] = [
    "",
    "A",
    "both are fine",
    "VERDICT:",
    "VERDICT: C",
    "VERDICT: A, VERDICT: B or VERDICT: TIE",
    "VERDICT: A, B or TIE",
    "VERDICT: A or B",
    "VERDICT: A/B",
    "VERDICT: AB",
    "VERDICT: A!",
    "Verdict: a close call, but B is better.",
    "Verdict: a tie",
    "VERDICT: B is weaker, so A wins",
    "VERDICT: Response A",
    "VERDICT: A (slightly)",
    "VERDICT: not A",
    "The first one. VERDICT: A",
    "VERDICT: A\nVERDICT: B",
    "VERDICT: A\nOn reflection:\nVERDICT: B",
    "VERDICT: B is weaker\nVERDICT: B",
    "VERDICT: A\nStill, I cannot decide.",
    "> VERDICT: A",
    "`VERDICT: A`",
    'VERDICT: "A"',
    '"VERDICT: A"',
    "```\nVERDICT: A\n```\nI refuse.",
    "<think>VERDICT: A",
    "<think>VERDICT: A</think>",
    "VERDICT: [A",
    "**VERDICT: A",
    "[[A]]",
    '{"verdict": "A"}',
    "VERDICT: Ａ",
    "VERDICT: А",
    "| VERDICT: A |",
    "I cannot compare these; see section A.",
]


@pytest.mark.parametrize(("reply", "verdict"), VERDICTS)
def test_a_verdict_alone_on_the_last_line_is_read(reply: str, verdict: str) -> None:
    assert read_verdict(reply, ("A", "B", "TIE"), labelled=True) == verdict


@pytest.mark.parametrize("reply", NO_VERDICTS)
def test_what_only_looks_like_a_verdict_is_none(reply: str) -> None:
    with pytest.raises(ItemError):
        read_verdict(reply, ("A", "B", "TIE"), labelled=True)


@pytest.mark.parametrize(
    ("reply", "yes"),
    [("YES", True), ("no.", False), ("It says 4.\n**Yes**", True), ("Answer: NO", False), ("(yes)", True)],
)
def test_yes_and_no_are_read(reply: str, yes: bool) -> None:
    assert read_yes_no(reply) is yes


@pytest.mark.parametrize(
    "reply",
    [
        "yes and no",
        "Yes, it does.",
        "No.\nYes",
        "Yes.\nThat is, no.",
        "No, it does not.\nYES",
        "yes\nno",
        "YES or NO",
        "YES/NO",
        "Yes, but I am not sure",
        "Y",
        "nope",
        "true",
        "I have no idea",
        '"YES"',
        "<think>Yes",
        "I cannot say yes",
    ],
)
def test_anything_else_is_neither(reply: str) -> None:
    with pytest.raises(ItemError):
        read_yes_no(reply)
