"""Every published layout is recognised by its columns, and each row says which response is better."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.lab.comparison import Comparison, Rule
from reward_gateway.lab.layouts import LAYOUTS, LayoutError, Preferences, RowError, choose_layout, read_preferences

from tests.lab.rows import ROWS


def read(rows: list[dict[str, Any]], layout: str | None = None) -> Preferences:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return read_preferences(choose_layout(columns, rows[0], layout), rows)


def read_one(row: dict[str, Any], layout: str | None = None) -> Comparison:
    (found,) = read([row], layout).comparisons
    return found


def sides(found: Comparison) -> tuple[Any, list[Any], list[Any]]:
    return found.prompt, list(found.chosen), list(found.rejected)


def test_there_are_rows_of_every_layout() -> None:
    assert set(ROWS) == set(LAYOUTS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_recognised_by_its_columns_and_can_be_named(name: str) -> None:
    found = read(ROWS[name])
    assert found.layout.name == name
    assert read(ROWS[name], name.upper()).comparisons == found.comparisons
    assert found.rows == len(ROWS[name])
    assert len(found.comparisons) + found.left_out.total() == found.rows


def test_pairs() -> None:
    found = read_one(ROWS["pairs"][0])
    assert sides(found) == ("Hi?", ["Hello!"], ["Go away."])
    assert (found.row, found.rule, found.subset, found.id) == (0, Rule.PAIR, "chat", "")


def test_pairs_of_messages_and_of_whole_conversations_are_the_same_pair() -> None:
    user = {"role": "user", "content": "Hi?"}
    good, bad = ({"role": "assistant", "content": text} for text in ("Hello!", "Go away."))
    for row in (
        {"prompt": [user], "chosen": [good], "rejected": [bad]},
        {"prompt": "Hi?", "chosen": [user, good], "rejected": [user, bad]},
        {"chosen": [user, good], "rejected": [user, bad]},
    ):
        assert sides(read_one(row)) == ("Hi?", ["Hello!"], ["Go away."])


def test_turns_of_tools_belong_to_the_response() -> None:
    user, answer = {"role": "user", "content": "Weather?"}, {"role": "assistant", "content": "Sunny."}
    calls = {"role": "assistant", "content": "", "tool_calls": []}
    tool = {"role": "tool", "content": "sun"}
    found = read_one({"prompt": "Weather?", "chosen": [user, calls, tool, answer], "rejected": "No."})
    assert sides(found) == ("Weather?", [[calls, tool, answer]], ["No."])


def test_the_response_of_a_dialogue_of_hh_follows_the_last_assistant() -> None:
    long, short = read(ROWS["hh"]).comparisons
    said = [("user", "Hi?"), ("assistant", "Hello."), ("user", "How are you?")]
    assert sides(long) == ([{"role": role, "content": text} for role, text in said], ["Fine, thanks."], ["No."])
    assert sides(short) == ("Hi?", ["Hello."], [""])


def test_dialogues_that_part_early_keep_their_own_prompts() -> None:
    found = read_one(
        {"chosen": "\n\nHuman: Hi?\n\nAssistant: Hello.", "rejected": "\n\nHuman: Hey?\n\nAssistant: What?"}
    )
    assert (found.prompt, found.rejected_prompt) == ("Hi?", "Hey?")
    assert [sample["prompt"] for sample in found.samples()] == ["Hi?", "Hey?"]


def test_rewardbench() -> None:
    found = read_one(ROWS["rewardbench"][0])
    assert (found.subset, found.id) == ("alpacaeval-easy", "30")


def test_rewardbench_2_and_its_ties() -> None:
    best, ties = read(ROWS["rewardbench2"]).comparisons
    assert sides(best) == ("2 + 2?", ["4"], ["5", "6", "7"])
    assert (best.rule, ties.rule) == (Rule.BEST, Rule.TIES)
    assert sides(ties) == ("Name a primary colour.", ["red", "blue"], ["green"])


def test_rm_bench() -> None:
    found = read_one(ROWS["rm-bench"][0])
    assert (found.rule, found.subset, len(found.chosen), len(found.rejected)) == (Rule.MATRIX, "chat", 3, 3)


def test_texts_with_a_domain_are_pairs() -> None:
    assert read([{"prompt": "p", "chosen": "a", "rejected": "b", "domain": "chat"}]).layout.name == "pairs"


def test_judgebench() -> None:
    found = read_one(ROWS["judgebench"][0])
    assert sides(found) == ("Hi?", ["good"], ["bad"])
    assert (found.subset, found.id) == ("mmlu-pro-law", "j1")
    assert sides(read_one({**ROWS["judgebench"][0], "label": "A>B"}))[1] == ["bad"]


@pytest.mark.parametrize("name", ["helpsteer2", "helpsteer3"])
def test_helpsteer_prefers_the_first_below_0_and_the_second_above_and_0_is_left_out(name: str) -> None:
    found = read(ROWS[name])
    assert {(c.prompt, *c.chosen, *c.rejected) for c in found.comparisons} == {("Hi?", "good", "bad")}
    assert dict(found.left_out) == ({"preference_strength is 0": 1} if name == "helpsteer2" else {})


def test_best_of_k_by_index_and_by_labels() -> None:
    found = read(ROWS["best-of-k"])
    assert [sides(c) for c in found.comparisons] == [
        ("2 + 2?", ["4"], ["5", "6"]),
        ("2 + 2?", ["4", "four"], ["5"]),
    ]
    assert dict(found.left_out) == {"all labels are equal": 1}
    assert [c.row for c in found.comparisons] == [0, 1]


def test_lists_and_numbers_of_a_csv_file_are_read_from_their_text() -> None:
    row = {"prompt": "p", "responses": '["a", "b"]', "best": "1"}
    assert sides(read_one(row)) == ("p", ["b"], ["a"])
    row = {**ROWS["rm-bench"][0], "chosen": '["a", "b", "c"]', "rejected": '["d", "e", "f"]'}
    assert read_one(row).rule is Rule.MATRIX


def test_samples_have_what_the_row_says_of_all_of_them() -> None:
    row = {"prompt": "p", "responses": ["a", "b"], "best": 0, "reference": {"answer": "4"}, "features": {"novelty": 1}}
    assert list(read_one(row).samples()) == [
        {"prompt": "p", "response": text, "group": "row-0", "reference": {"answer": "4"}, "features": {"novelty": 1}}
        for text in ("a", "b")
    ]


@pytest.mark.parametrize(
    ("row", "layout", "said"),
    [
        ({"prompt": "p", "chosen": None, "rejected": "b"}, None, "chosen is missing"),
        ({"prompt": "p", "chosen": 7, "rejected": "b"}, None, "chosen must be a text or a list of messages"),
        ({"prompt": "p", "chosen": ["a"], "rejected": "b"}, None, "chosen must be a text or a list of messages"),
        ({"chosen": "a", "rejected": "b"}, None, "ends with an Assistant: turn"),
        ({"chosen": "\n\nAssistant: a", "rejected": "b"}, None, "no Human: turn"),
        ({**ROWS["judgebench"][0], "label": "A"}, None, "label must be A>B or B>A, not 'A'"),
        ({**ROWS["rewardbench2"][0], "num_correct": 2}, None, "there are 1 chosen and 3 rejected"),
        ({**ROWS["rewardbench2"][1], "id": "3"}, None, "ref:NUMBER or tied:NUMBER"),
        ({**ROWS["rm-bench"][0], "chosen": ["a", "b"]}, None, "chosen needs 3 responses, and has 2"),
        ({"prompt": "p", "responses": ["a", "b"], "best": 2}, None, "from 0 to 1, not 2"),
        ({"prompt": "p", "responses": ["a", "b"], "labels": [1]}, None, "each of the 2 responses"),
        ({"prompt": "p", "responses": ["a"], "best": 0}, None, "needs 2 responses"),
        ({**ROWS["helpsteer2"][0], "preference_strength": "much"}, None, "must be a number"),
        ({"prompt": "p", "chosen": [{"role": "user", "content": "a"}], "rejected": "b"}, None, "a user's turn"),
    ],
)
def test_a_row_that_cannot_be_read_names_its_column(row: dict[str, Any], layout: str | None, said: str) -> None:
    good = {"prompt": "p", "chosen": "a", "rejected": "b"}
    with pytest.raises(RowError) as caught:
        read([row], layout)
    assert said in caught.value.args[0]
    assert caught.value.args[1] == 0
    if set(row) == set(good):
        with pytest.raises(RowError) as second:
            read([good, row], layout)
        assert second.value.args[1] == 1


def test_columns_that_no_layout_has_are_told_what_is_missing() -> None:
    with pytest.raises(LayoutError) as caught:
        read([{"prompt": "p", "chosen": "a", "text": "b"}])
    message = str(caught.value)
    assert "the file has the columns prompt, chosen, text" in message
    assert "  pairs: missing rejected\n" in message
    assert all(f"  {name}: missing " in message for name in LAYOUTS)


def test_a_named_layout_must_be_there_and_have_its_columns() -> None:
    row = {"prompt": "p", "chosen": "a", "rejected": "b"}
    with pytest.raises(LayoutError, match="did you mean 'judgebench'"):
        read([row], "judgebech")
    with pytest.raises(LayoutError, match="needs the column question, response_A, response_B, label"):
        read([row], "judgebench")


@given(
    st.lists(st.tuples(st.sampled_from(["Human", "Assistant"]), st.text("abc \n:", max_size=8)), min_size=1, max_size=6)
)
def test_a_dialogue_is_split_wherever_it_ends_with_an_assistant(turns: list[tuple[str, str]]) -> None:
    text = "".join(f"\n\n{who}: {words}" for who, words in turns)
    row = {"chosen": text, "rejected": text}
    if turns[-1][0] == "Assistant" and len(turns) > 1:
        found = read_one(row)
        assert found.chosen == (turns[-1][1].strip(),)
        assert found.chosen == found.rejected
    else:
        with pytest.raises(RowError):
            read([row])
