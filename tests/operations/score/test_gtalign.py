"""score/gtalign_format and score/gtalign_action."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.operations.score.gtalign import ACTIONS

PATH, ACTION = "score/gtalign_format", "score/gtalign_action"
PAYOFF = {
    "DQ_AQ": {"LLM": 4.1, "user": 3.5},
    "DQ_CQ": {"LLM": 3.6, "user": 2},
    "DQ_DA": {"LLM": 2.8, "user": 4.1},
    "VQ_AQ": {"LLM": 3, "user": 2.8},
    "VQ_CQ": {"LLM": 1, "user": 1.3},
    "VQ_DA": {"LLM": 1, "user": 1},
}
numbers = st.floats(-1e4, 1e4)
payoffs = st.fixed_dictionaries({name: st.fixed_dictionaries({"LLM": numbers, "user": numbers}) for name in ACTIONS})


def text(
    payoff: Any = PAYOFF, response: str = "1+1=\\boxed{2}", thinking: str = "1+1=2", dumps: Any = json.dumps
) -> str:
    table = dumps(payoff)
    return (
        f"<thinking>{thinking}</thinking><payoff>{table}</payoff><analyze>fine</analyze><response>{response}</response>"
    )


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def welfare(
    full: str, response: str, user: float, llm: float, format_: float = 1.0, payoff: float = 0.75
) -> tuple[Any, Any]:
    """U and L by their definition."""

    def length(t: str, a: int, b: int) -> float:
        n = len(t.split())
        return sigmoid(0.005 * (n - a)) * sigmoid(0.005 * (b - n))

    reasoning = full.split("<response>")[0]
    u = 1e-4 + 0.5 * user + 0.2 * length(response, 20, 500) + 0.3 * math.exp(-len(reasoning) / 500)
    m = 1e-4 + 0.2 * format_ + 0.2 * payoff + 0.4 * llm + 0.2 * length(full, 500, 1000)
    return u, m


def test_the_welfare_of_a_short_right_answer(call: Any) -> None:
    full = text()
    [result] = call(PATH, {"response": full, "answer_user": 1, "answer_llm": 1})
    u, m = welfare(full, "1+1=\\boxed{2}", 1, 1)
    assert result["details"]["user"] == pytest.approx(u)
    assert result["details"]["llm"] == pytest.approx(m)
    assert result["reward"] == pytest.approx(math.sqrt(u * m))
    assert (result["details"]["format"], result["details"]["action"]) == (1, "DQ_AQ")
    assert result["details"]["payoff"] == pytest.approx(0.75)


def test_the_worked_example(call: Any) -> None:
    short = text().replace("<analyze>fine<", "<analyze>ok<")
    [result] = call(PATH, {"response": short, "answer_user": 1, "answer_llm": 1})
    assert result["details"]["user"] == pytest.approx(0.7629, abs=5e-5)
    assert result["details"]["llm"] == pytest.approx(0.7674, abs=5e-5)
    assert result["reward"] == pytest.approx(0.7651, abs=5e-5)


def test_the_mean_is_the_ablation(call: Any) -> None:
    full = text()
    u, m = welfare(full, "1+1=\\boxed{2}", 0.5, 0.25)
    [result] = call(PATH, {"response": full, "answer_user": 0.5, "answer_llm": 0.25}, combine="mean")
    assert result["reward"] == pytest.approx((u + m) / 2)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        text().replace("<payoff>", ""),
        text().replace("</response>", ""),
        text({}),
        text({**PAYOFF, "extra": {"LLM": 1, "user": 1}}),
        text({**PAYOFF, "DQ_AQ": {"LLM": 1}}),
        text({**PAYOFF, "DQ_AQ": {"LLM": "1", "user": 1}}),
        text({**PAYOFF, "DQ_AQ": {"LLM": math.nan, "user": 1}}),
        text({**PAYOFF, "DQ_AQ": {"LLM": True, "user": 1}}),
        text({**PAYOFF, "DQ_AQ": 3}),
        text([]),
        text(dumps=lambda _: "[" * 5000),
        text(dumps=lambda _: "{" + " " * 30000 + "}"),
    ],
)
def test_a_missing_response_or_an_unreadable_payoff_earns_nothing(call: Any, broken: str) -> None:
    [result] = call(PATH, {"response": broken, "answer_user": 1, "answer_llm": 1})
    assert result["error"] is None
    assert result["reward"] == result["details"]["user"] == result["details"]["llm"] == 0.0


def test_without_its_analysis_an_answer_loses_the_format_only(call: Any) -> None:
    table = json.dumps(PAYOFF, separators=(",", ":"))
    short = f"<thinking>a</thinking><payoff>{table}</payoff><response>hi</response>"
    [result] = call(PATH, {"response": short, "answer_user": 1, "answer_llm": 1})
    assert result["details"]["user"] == pytest.approx(0.7829, abs=5e-5)
    assert result["details"]["llm"] == pytest.approx(0.5652, abs=5e-5)
    assert result["reward"] == pytest.approx(0.6652, abs=5e-5)
    assert (result["details"]["format"], result["details"]["action"]) == (0, "DQ_AQ")


@pytest.mark.parametrize("tag", ["<thinking>", "</thinking>", "<analyze>", "</analyze>"])
def test_thinking_and_analysis_that_cannot_be_read_cost_the_format_only(call: Any, tag: str) -> None:
    full = text().replace(tag, "")
    [result] = call(PATH, {"response": full, "answer_user": 1, "answer_llm": 1})
    u, m = welfare(full, "1+1=\\boxed{2}", 1, 1, format_=0.0)
    assert result["reward"] == pytest.approx(math.sqrt(u * m))


def test_a_payoff_in_pythons_spelling_is_read(call: Any) -> None:
    for dumps in (repr, lambda table: json.dumps(table).replace('"', "’")):
        [result] = call(PATH, {"response": text(dumps=dumps), "answer_user": 1, "answer_llm": 1})
        assert result["details"]["format"] == 1


@pytest.mark.parametrize("wrap", ["so: {}", "{} and more", " {}"])
def test_blocks_out_of_place_cost_the_format_only(call: Any, wrap: str) -> None:
    full = wrap.format(text())
    [result] = call(PATH, {"response": full, "answer_user": 1, "answer_llm": 1})
    u, m = welfare(full, "1+1=\\boxed{2}", 1, 1, format_=0.0)
    assert result["details"]["format"] == 0
    assert result["reward"] == pytest.approx(math.sqrt(u * m))


def test_blocks_in_another_order_have_no_format_but_space_between_them_has(call: Any) -> None:
    first, rest = text().split("<analyze>", 1)
    swapped = "<analyze>" + rest + first
    spaced = text().replace("><", ">\n\n<") + "\n"
    results = call(PATH, *({"response": one, "answer_user": 1, "answer_llm": 1} for one in (swapped, spaced)))
    assert [result["details"]["format"] for result in results] == [0, 1]


def test_answers_are_clipped_and_long_texts_do_not_overflow(call: Any) -> None:
    long = text(response="word " * 30_000)
    high, one, far = call(
        PATH,
        {"response": text(), "answer_user": 7, "answer_llm": 7},
        {"response": text(), "answer_user": 1, "answer_llm": 1},
        {"response": long, "answer_user": -5, "answer_llm": -5},
    )
    assert high["reward"] == one["reward"]
    assert 0.0 < far["reward"] < 1.0


def test_many_borders_are_read_in_one_pass(call: Any) -> None:
    knot = "</thinking><payoff></payoff><analyze></analyze><response></response>x" * 2000
    [result] = call(PATH, {"response": text()[:-1] + knot, "answer_user": 1, "answer_llm": 1})
    assert result["details"]["format"] == 0


def test_the_payoff_recommends_the_greatest_sum_on_the_frontier(call: Any) -> None:
    [result] = call(ACTION, {"payoff": PAYOFF})
    assert result["details"]["frontier"] == ["DQ_AQ", "DQ_DA"]
    assert result["details"]["action"] == "DQ_AQ"
    assert result["reward"] == pytest.approx(7.6)
    assert result["details"]["payoff"] == pytest.approx(0.75)


def test_ties_go_to_the_user(call: Any) -> None:
    table = {name: {"LLM": 0.0, "user": 0.0} for name in ACTIONS}
    table |= {"DQ_CQ": {"LLM": 3.0, "user": 1.0}, "VQ_DA": {"LLM": 1.0, "user": 3.0}}
    [result] = call(ACTION, {"payoff": table})
    assert result["details"]["action"] == "VQ_DA"


def test_other_actions_are_the_items_error(call: Any) -> None:
    [result] = call(ACTION, {"payoff": {"DQ_AQ": {"LLM": 1.0, "user": 1.0}}})
    assert "VQ_DA" in result["error"]["message"]


@given(payoffs)
@settings(max_examples=50, deadline=None)
def test_the_chosen_action_is_the_best_of_all_and_the_score_a_share(call: Any, payoff: dict[str, Any]) -> None:
    [result] = call(ACTION, {"payoff": payoff})
    assert result["reward"] == pytest.approx(max(cell["LLM"] + cell["user"] for cell in payoff.values()), abs=1e-6)
    assert result["details"]["action"] in result["details"]["frontier"]
    assert 0.0 <= result["details"]["payoff"] <= 1.0 + 1e-12


@given(st.floats(0, 1), st.floats(0, 1), payoffs)
@settings(max_examples=30, deadline=None)
def test_welfare_stays_below_its_largest_possible(call: Any, user: float, llm: float, payoff: Any) -> None:
    [result] = call(PATH, {"response": text(payoff), "answer_user": user, "answer_llm": llm})
    assert 0.0 < result["details"]["user"] <= 1.0001
    assert 0.0 < result["reward"] <= 1.0001
