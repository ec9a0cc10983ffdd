"""score/pprm (2509.25598)."""

from typing import Any

import pytest
from reward_gateway.sample import Invalid

OP = "score/pprm"


@pytest.mark.parametrize(
    ("answer", "reward"),
    [
        ("Good. <final_score>4,6</final_score>", 4 / 6),
        ("<final_score>5,6</final_score>, I repeat: <final_score> 5 , 6 </final_score>", 5 / 6),
        ("<think><final_score>1,6</final_score></think><final_score>5,5</final_score>", 1.0),
        ("<final_score>0,3</final_score>", 0.0),
    ],
)
def test_the_final_score_counts(call: Any, answer: str, reward: float) -> None:
    assert call(OP, {"answer": answer})[0]["rewards"] == pytest.approx([reward])


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "4/6",
        "<final_score>7,6</final_score>",
        "<final_score>1,0</final_score>",
        "<final_score>-1,5</final_score>",
        "<final_score>1.5,5</final_score>",
        "<final_score>1,6</final_score> no: <final_score> 5 , 5 </final_score>",
        "It asks for `<final_score>6,6</final_score>`",
        "<think><final_score>6,6</final_score>",
    ],
)
def test_an_invalid_answer_alone_is_an_error_and_among_others_a_turn_not_judged(call: Any, answer: str) -> None:
    alone, among = call(OP, {"answer": answer}, {"answers": [answer, "<final_score>1,2</final_score>", None]})
    assert alone["error"]["code"] == "judge_error"
    assert among["rewards"] == [0, 0.5, 0]
    assert among["details"]["judged"] == [False, True, False]


def test_the_published_parser_takes_the_last_of_several(call: Any) -> None:
    (result,) = call(OP, {"answer": "<final_score>1,6</final_score> no: <final_score>5,5</final_score>"}, lenient=True)
    assert result["rewards"] == [1.0]


def test_every_turn_but_the_last_is_judged_and_the_result_feeds_renorm(call: Any) -> None:
    item = {"question": "Who?", "turns": ["<search>a</search>", "<search>b</search>", "<answer>c</answer>"]}
    answers = ["<final_score>4,6</final_score>", Invalid("judge_error", "gone")]
    (result,) = call(OP, item, answers=[answers])
    assert result["details"]["process"] == [[4, 6], None]
    (renormed,) = call("credit/renorm", {"process": result["details"]["process"], "outcome": 1})
    assert renormed["rewards"] == pytest.approx([4 / 6, 0, 1])


def test_one_turn_has_nothing_to_judge_and_nothing_given_is_an_error(call: Any) -> None:
    one, nothing = call(OP, {"question": "Who?", "turns": ["<answer>c</answer>"]}, {"question": "Who?"})
    assert one["rewards"] == []
    assert nothing["error"]["code"] == "invalid_field"
