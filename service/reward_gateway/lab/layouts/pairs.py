"""Layouts of two responses to a prompt: pairs, HH, RewardBench, JudgeBench, HelpSteer 2 and 3."""

from ..comparison import Comparison
from .conversations import Turns, split_dialogue, split_response, words_alone
from .fields import read_fields
from .layout import Layout
from .values import LeftOut, Row, RowError, read_name, read_number, read_text


def _read_pair(number: int, row: Row) -> Comparison:
    """``prompt``, ``chosen``, ``rejected``; of whole conversations as ``chosen`` and ``rejected`` the end is taken."""
    prompt = read_text(row, "prompt")
    chosen, rejected = (split_response(prompt, read_text(row, column), column) for column in ("chosen", "rejected"))
    return _make_pair(number, row, chosen, rejected)


def _read_dialogues(number: int, row: Row) -> Comparison:
    """``chosen`` and ``rejected``: whole dialogues, as transcripts or as messages."""
    chosen, rejected = (split_dialogue(read_text(row, column), column) for column in ("chosen", "rejected"))
    return _make_pair(number, row, chosen, rejected)


def _make_pair(number: int, row: Row, chosen: Turns, rejected: Turns) -> Comparison:
    return Comparison(
        number,
        chosen.prompt,
        (chosen.response,),
        (rejected.response,),
        subset=read_name(row, "subset"),
        id=read_name(row, "id") or "",
        rejected_prompt=None if rejected.prompt == chosen.prompt else rejected.prompt,
        fields=read_fields(row),
    )


def _read_judgebench(number: int, row: Row) -> Comparison:
    label = str(row.get("label")).replace(" ", "")
    if label in ("A=B", "B=A", "tie"):
        raise LeftOut("label says neither")
    if label not in ("A>B", "B>A"):
        raise RowError(f"label must be A>B or B>A, not {row.get('label')!r}")
    return _of_two(number, row, "question", "response_A", "response_B", label == "A>B", read_name(row, "source"))


def _read_helpsteer2(number: int, row: Row) -> Comparison:
    return _of_strength(number, row, "preference_strength", "prompt", "response_1", "response_2")


def _read_helpsteer3(number: int, row: Row) -> Comparison:
    return _of_strength(number, row, "overall_preference", "context", "response1", "response2")


def _of_strength(number: int, row: Row, strength: str, prompt: str, first: str, second: str) -> Comparison:
    """A preference from −3 (the first is much better) to 3 (the second is)."""
    preference = read_number(row, strength)
    if preference == 0:
        raise LeftOut(f"{strength} is 0")
    return _of_two(number, row, prompt, first, second, preference < 0, read_name(row, "domain"))


def _of_two(
    number: int, row: Row, prompt: str, first: str, second: str, first_is_better: bool, subset: str | None
) -> Comparison:
    better, worse = (first, second) if first_is_better else (second, first)
    name = next((read_name(row, column) for column in ("id", "pair_id") if row.get(column) is not None), None)
    return Comparison(
        number,
        words_alone(read_text(row, prompt), "user"),
        (read_text(row, better),),
        (read_text(row, worse),),
        subset=subset,
        id=name or "",
        fields=read_fields(row),
    )


PAIRS = (
    Layout(
        "judgebench",
        "JudgeBench",
        ("question", "response_A", "response_B", "label"),
        _read_judgebench,
        more=("source",),
    ),
    Layout(
        "helpsteer3",
        "HelpSteer 3",
        ("context", "response1", "response2", "overall_preference"),
        _read_helpsteer3,
        more=("domain",),
    ),
    Layout(
        "helpsteer2", "HelpSteer 2", ("prompt", "response_1", "response_2", "preference_strength"), _read_helpsteer2
    ),
    Layout("rewardbench", "RewardBench", ("prompt", "chosen", "rejected", "subset", "id"), _read_pair),
    Layout("pairs", "pairs", ("prompt", "chosen", "rejected"), _read_pair, more=("subset",)),
    Layout("hh", "HH", ("chosen", "rejected"), _read_dialogues, without=("prompt",), more=("subset",)),
)
