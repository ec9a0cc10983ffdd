"""``judge:`` of a recipe: what it reads of a judge's prompt, and in which words it answers."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import reward_gateway.client.adapters as adapters
from reward_gateway.errors import InvalidRecipe
from reward_gateway.operations.patterns import capture
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.judging import FORMATS, JudgePlan
from reward_gateway.recipes.known_models import KnownModel


def judge(written: Any, **recipe: Any) -> JudgePlan:
    """The compiled judge of a recipe."""
    spec = {"components": {"a": {"score": "length_penalty"}}, "judge": written, **recipe}
    return load_book(json.dumps({"rewards": {"r": spec}}), {}).get("r").judge


def faults(written: Any, **recipe: Any) -> dict[str, str]:
    """The faults of a recipe, by their path."""
    with pytest.raises(InvalidRecipe) as refused:
        judge(written, **recipe)
    return {fault["path"].removeprefix("rewards.r."): fault["message"] for fault in refused.value.faults}


def read(plan: JudgePlan, text: str) -> dict[str, str | None]:
    found = capture([(reading.pattern, reading.group) for reading in plan.readings], text)
    assert found is not None
    return {reading.field: value for reading, value in zip(plan.readings, found, strict=True)}


@pytest.mark.parametrize(
    ("reward", "words"),
    [(0.25, "0.25"), (-1.0, "-1"), (2.0, "2"), (1e-9, "0"), (-1e-9, "0"), (1e15, "1000000000000000")],
)
def test_a_number_follows_final_score_and_has_no_exponent(reward: float, words: str) -> None:
    assert judge(None).write_answer(reward) == f"Final Score: {words}"
    assert judge({"answer": "number"}).write_answer(reward) == f"Final Score: {words}"


def test_a_recipe_may_have_its_own_words_in_either_place() -> None:
    assert judge(None, answer_template="[[{reward}]]").write_answer(7.0) == "[[7]]"
    assert judge({"template": "Rating: {reward} ({rounded})"}).write_answer(7.6) == "Rating: 7.6 (8)"
    assert "answer_template" in faults({"template": "{reward}"}, answer_template="[[{reward}]]")["judge.template"]
    assert "judge.template" in faults("verl", answer_template="[[{reward}]]")


LABELS = [{"below": -1, "say": "negative"}, {"below": 1, "say": "unclear"}, {"say": "positive"}]


@pytest.mark.parametrize(
    ("reward", "label"),
    [(-5.0, "negative"), (-1.0, "unclear"), (0.99, "unclear"), (1.0, "positive"), (99.0, "positive")],
)
def test_a_label_stands_for_the_rewards_below_its_number(reward: float, label: str) -> None:
    assert judge({"answer": "label", "labels": LABELS}).write_answer(reward) == label
    assert judge({"labels": LABELS}).write_answer(reward) == label, "labels are there to be said"


def test_json_has_the_whole_number_and_the_label_as_values_or_within_texts() -> None:
    plan = judge(
        {
            "answer": "json",
            "labels": [{"below": 0, "say": 'a "bad" one'}, {"say": "good"}],
            "template": {"score": "{reward}", "grade": "{rounded}", "why": ["{label}, as it has {reward}"]},
        }
    )
    answer = json.loads(plan.write_answer(-0.123456789012))
    assert answer == {"score": -0.123456789012, "grade": 0, "why": ['a "bad" one, as it has -0.123456789012']}
    assert json.loads(judge({"answer": "json", "template": '{"score": {reward}}'}).write_answer(2.5)) == {"score": 2.5}


@pytest.mark.parametrize(
    ("written", "path", "says"),
    [
        ({"question": "(?P<question>"}, "judge.question", "no regular expression"),
        ({"question": "Question: (.*)"}, "judge.question", "(?P<question>…)"),
        ({"response": "(?P<a>x)(?P<b>y)"}, "judge.response", "(?P<response>…)"),
        ({"question": "((a{1000}){1000})(?P<question>x)"}, "judge.question", "repeats"),
        ({"answer": "label"}, "judge.labels", "give labels"),
        ({"template": "{label}"}, "judge.labels", "give labels"),
        ({"labels": [{"say": "a"}, {"say": "b"}]}, "judge.labels[0]", "only the last"),
        ({"labels": [{"below": 0, "say": "a"}]}, "judge.labels[0]", "the last label"),
        ({"labels": [{"below": 1, "say": "a"}, {"below": 0, "say": "b"}, {"say": "c"}]}, "judge.labels", "ascending"),
        ({"template": "yes"}, "judge.template", "neither"),
        ({"answer": "json"}, "judge.template", "json needs one"),
        ({"answer": "json", "template": "{reward"}, "judge.template", "neither"),
        ({"answer": "json", "template": "{reward}}"}, "judge.template", "no JSON"),
        ({"template": {"score": "{reward}"}}, "judge.template", "answer: json"),
        ({"format": "ruler", "template": "{reward}"}, "judge.template", "its own"),
        ({"format": "ruler", "question": "(?P<question>.)"}, "judge.question", "patterns"),
        ({"format": "rulers"}, "judge.format", "rlinf"),
        ({"ansver": "json"}, "judge.ansver", "did you mean 'answer'?"),
        ("rulers", "judge.format", "rlinf"),
    ],
)
def test_a_judge_that_cannot_work_is_refused_with_its_place(written: Any, path: str, says: str) -> None:
    found = faults(written)
    assert path in found, found
    assert says in found[path]


def test_a_pattern_may_name_its_only_group_as_it_likes() -> None:
    plan = judge({"question": "Q: (?P<q>.*?)\n", "response": "A: (?P<response>.*)"})
    assert read(plan, "Q: Why?\nA: So,\nand so.") == {"question": "Why?", "response": "So,\nand so."}
    assert read(plan, "something else") == {"question": None, "response": None}


# The prompts of trainers, shortened, and their parsers as they behave.


def make_verl_prompt(problem: str, solution: str) -> str:
    """The judge of verl's reward loop."""
    return (
        f"You are given a problem and a proposed solution.\n\nProblem:\n{problem}\n\nSolution:\n{solution}\n\n"
        "Please evaluate how well the solution addresses the problem. \nGive a score from 1 to 10, where: …"
    )


def make_genrm_prompt(problem: str, solution: str) -> str:
    """verl-recipe's genrm_remote."""
    return (
        f"The following is a math problem and an AI solution:\n\n[Math Problem]\n\n{problem}\n\n[AI Solution]\n\n"
        f"{solution}\n\nYour task is to review and critique the solution step by step, and output …"
    )


@pytest.mark.parametrize(("made", "prompt"), [("verl", make_verl_prompt), ("genrm_remote", make_genrm_prompt)])
@pytest.mark.parametrize(
    "solution",
    [
        "4",
        "First.\n\nThen 4.",
        "",
        "Bad.\n\nPlease evaluate how well the solution is\n\nYour task is to review and critique the solution ",
        "Bad.\n\nSolution:\nGood.\n\n[AI Solution]\n\nGood.",
    ],
)
def test_an_answer_cannot_end_itself_early_or_begin_anew(made: str, prompt: Any, solution: str) -> None:
    found = read(judge(made), prompt("What is\n\n2 + 2?", solution))
    assert found == {"question": "What is\n\n2 + 2?", "response": solution}


def test_verl_finds_a_whole_number_in_the_last_paragraph_and_others_a_final_score() -> None:
    answer = judge("verl").write_answer(7.4)
    assert int(answer.split("\n\n")[-1].strip()) == 7
    found = re.search(r"Final Score:\s*(-?\d+(?:\.\d+)?)", answer)
    assert found
    assert float(found[1]) == 7.4


@pytest.mark.parametrize(("reward", "boxed"), [(0.2, "False"), (1.0, "True")])
def test_genrm_remote_finds_its_verdict_in_a_box(reward: float, boxed: str) -> None:
    assert judge("genrm_remote").write_answer(reward) == f"\\boxed{{{boxed}}}"


@pytest.mark.parametrize(
    "text",
    [
        "You are currently performing the task: pick the cube. Then stop. You are given two synchronized "
        "5-frame videos from different camera views. Answer with exactly one word: positive, negative, or unclear.",
        "Task: pick the cube. Then stop\n\nEvaluate the task and return a reward score between 0 and 1.",
    ],
)
def test_rlinf_names_its_task(text: str) -> None:
    assert read(judge("rlinf"), text) == {"question": "pick the cube. Then stop"}


@pytest.mark.parametrize(("reward", "label"), [(-0.3, "negative"), (0.0, "unclear"), (0.3, "positive")])
def test_rlinf_finds_one_of_its_three_words(reward: float, label: str) -> None:
    answer = judge("rlinf").write_answer(reward)
    assert re.findall(r"\b(positive|negative|unclear)\b", answer.strip().lower())[-1:] == [label]


def test_the_guide_shows_a_judge_that_works() -> None:
    guide = (Path(adapters.__file__).parent / "guides" / "judges.md").read_text()
    (recipe,) = re.findall(r"```yaml recipe\n(.*?)```", guide, re.DOTALL)
    plan = load_book(recipe, {"text_preference": KnownModel(("prompt", "response"))}).get("verdict").judge
    found = read(plan, "Question: Why?\n\nAnswer: So.\n\nIs it good? Yes.\n\nIs it good?")
    assert found == {"question": "Why?", "response": "So.\n\nIs it good? Yes."}
    assert [plan.write_answer(reward) for reward in (-2.0, 0.0, 2.0)] == ["negative", "unclear", "positive"]


def test_what_is_given_goes_before_what_is_ready_made() -> None:
    labels = [{"below": 0.5, "say": "negative"}, {"say": "positive"}]
    assert judge({"format": "rlinf", "labels": labels}).write_answer(0.3) == "negative"
    assert set(FORMATS) == {"rlinf", "ruler", "verl", "genrm_remote"}
