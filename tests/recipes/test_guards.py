"""Guards that read more than a response: what they need and compare, and what becomes of what they cannot judge."""

from typing import Any

import numpy as np
import pytest
from reward_gateway.errors import InvalidRecipe, ModelNotFound, NotFound
from reward_gateway.operations.effects import ReadSet, ScoreWithModel
from reward_gateway.recipes.book import load_book
from reward_gateway.recipes.evaluate import evaluate_plan
from reward_gateway.recipes.evaluation import Rewards
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.recipes.missing_context import find_missing_context
from reward_gateway.sample import RawScores

from .conftest import batch_of, compile_recipe, run_plan

GIVEN = "components: {a: {score: given, inputs: {value: {feature: x}}}}\n"
RIGHT = "components: {a: {score: exact_match}}\n"
LEAK = "guards: [{reference_in_prompt: {action: %s}}]\n"
OUTLIER = "guards: [{embedding_outlier: {encoder: encoder, set: usual, action: invalid}}]\n"


def rows(*values: float) -> list[dict[str, float]]:
    return [{"x": value} for value in values]


def codes(result: Rewards) -> list[str | None]:
    return [result.invalid[i].code if i in result.invalid else None for i in range(len(result.reward))]


# duplicate_in_group


def test_equal_responses_to_one_prompt_are_flagged_and_may_earn_nothing(evaluated: Any) -> None:
    recipe = GIVEN + "guards: [{duplicate_in_group: {action: zero}}]"
    texts = ["the same", "The  same", "another", "the same"]
    result = evaluated(recipe, features=rows(1, 2, 3, 4), responses=texts, prompts=["p", "p", "p", "q"])
    assert codes(result) == [None, None, None, "group_of_one"]
    assert result.reward[:3].tolist() == [0, 0, 3]
    assert result.flags == {0: ("duplicate_in_group",), 1: ("duplicate_in_group",)}
    assert result.reward_raw[:3].tolist() == [0, 0, 3]


def test_a_lone_sample_has_nothing_to_be_a_duplicate_of(evaluated: Any) -> None:
    recipe = GIVEN + "guards: [duplicate_in_group]\n"
    assert codes(evaluated(recipe, features=rows(1))) == ["group_of_one"]
    assert evaluated(recipe + "group: {single: raw}", features=rows(1)).reward.tolist() == [1]
    assert evaluated(recipe + "group: {single: zero}", features=rows(1)).reward.tolist() == [0]


def test_a_recipe_that_looks_for_duplicates_compares_groups() -> None:
    plan = compile_recipe(GIVEN + "guards: [duplicate_in_group]")
    assert (plan.grouped, plan.splittable, plan.comparisons, plan.needs_group) == (True, False, ("group",), True)
    missing = find_missing_context(plan, batch_of(2, prompts=["", ""], without_prompt=frozenset([0, 1])))
    assert [(reason.code, reason.param) for reason in missing.values()] == [("missing_field", "group")] * 2


def test_a_cohort_joins_samples_that_it_would_not_see() -> None:
    cohort = "group: {normalize: mean, cohort: {size: 2, timeout_s: 1}}"
    with pytest.raises(InvalidRecipe, match="a cohort joins those of several"):
        compile_recipe(GIVEN + "guards: [duplicate_in_group]\n" + cohort)


# reference_in_prompt

ANSWER = "the mitochondrion"


@pytest.mark.parametrize(
    ("action", "reward", "code"), [("flag", 1.0, None), ("zero", 0.0, None), ("invalid", np.nan, "guard")]
)
def test_a_prompt_with_the_answer_is_treated_as_the_recipe_says(
    evaluated: Any, action: str, reward: float, code: str | None
) -> None:
    result = evaluated(RIGHT + LEAK % action, prompts=[f"Say: {ANSWER}"], responses=[ANSWER], references=[ANSWER])
    assert result.flags == {0: ("reference_in_prompt",)}
    np.testing.assert_array_equal(result.reward, [reward])
    assert codes(result) == [code]


def test_messages_are_read_and_every_accepted_answer(evaluated: Any) -> None:
    chat = [{"role": "system", "content": "Hint: it is the powerhouse."}, {"role": "user", "content": "What is it?"}]
    result = evaluated(
        RIGHT + LEAK % "flag",
        prompts=[chat, chat],
        responses=["a"] * 2,
        references=[[ANSWER, "the powerhouse"], ANSWER],
    )
    assert result.flags == {0: ("reference_in_prompt",)}


def test_what_lacks_a_prompt_or_a_reference_is_invalid() -> None:
    plan = compile_recipe(GIVEN + LEAK % "flag")
    assert {"prompt", "reference"} <= {*plan.inputs} & plan.reads
    references = [ANSWER, None, ANSWER]
    batch = batch_of(3, features=rows(1, 2, 3), references=references, without_prompt=frozenset([0]))
    result = run_plan(plan, batch)
    assert {i: (reason.code, reason.param) for i, reason in result.invalid.items()} == {
        0: ("missing_field", "prompt"),
        1: ("missing_field", "reference"),
    }
    assert result.reward[2] == 3


# wrong_language

ENGLISH = "The weather is going to be fine today, and we shall walk along the river."
GERMAN = "Das Wetter wird heute schön, und wir werden am Fluss entlang spazieren gehen."


def test_the_language_of_the_prompt_or_one_that_is_named_is_wanted(evaluated: Any) -> None:
    by_prompt = GIVEN + "guards: [wrong_language]"
    result = evaluated(by_prompt, features=rows(1, 2), prompts=[GERMAN, GERMAN], responses=[GERMAN, ENGLISH])
    assert result.flags == {1: ("wrong_language",)}
    named = GIVEN + "guards: [{wrong_language: {language: en}}]"
    result = evaluated(named, features=rows(1, 2), prompts=[GERMAN, ""], responses=[GERMAN, ENGLISH])
    assert result.flags == {0: ("wrong_language",)}
    assert compile_recipe(by_prompt).inputs[-1:] == ("prompt",)
    assert "prompt" not in compile_recipe(named).inputs


# embedding_outlier


def ask(answers: dict[type, Any], recipe: str = GIVEN + OUTLIER, **columns: Any) -> tuple[Rewards, list[Any]]:
    """The rewards, and what was asked for; ``answers`` by effect."""
    size = len(columns["features"])
    steps = evaluate_plan(compile_recipe(recipe), batch_of(size, **columns), {})
    asked: list[Any] = []
    reply: Any = None
    while True:
        try:
            need = steps.throw(reply) if isinstance(reply, Exception) else steps.send(reply)
        except StopIteration as stop:
            return stop.value, asked
        asked.append(need)
        reply = answers[type(need)]


def embeddings(*values: list[float]) -> RawScores:
    return RawScores(np.array(values), "encoder", "1", np.zeros(len(values), dtype=bool))


MOMENTS = {"mean": [0, 0], "cov": [[1, 0], [0, 1]]}


def test_an_outlier_is_told_by_a_hosted_encoder_and_a_stored_set() -> None:
    answers = {ReadSet: MOMENTS, ScoreWithModel: embeddings([1, 1], [9, 0])}
    result, asked = ask(answers, features=[{"x": 1.0}, {}, {"x": 3.0}], responses=["one", "two", "three"])
    assert codes(result) == [None, "missing_field", "guard"]
    assert result.flags == {2: ("embedding_outlier",)}
    assert (asked[0].kind, asked[0].name, asked[1].model) == ("embeddings", "usual", "encoder")
    assert asked[1].batch.responses == ["one", "three"]
    assert asked[1].batch.prompts == ["", ""]


def test_without_the_set_or_the_encoder_nothing_is_let_through() -> None:
    result, _ = ask({ReadSet: NotFound("no")}, features=rows(1))
    assert "the set usual is not stored" in result.invalid[0].message
    result, _ = ask({ReadSet: MOMENTS, ScoreWithModel: ModelNotFound("encoder")}, features=rows(1))
    assert codes(result) == ["model_unavailable"]


def test_a_recipe_names_what_its_guards_need() -> None:
    plan = compile_recipe(GIVEN + OUTLIER)
    assert [(named.mark.kind, named.name) for named in plan.needed_names] == [("model", "encoder"), ("set", "usual")]
    assert plan.reads_state
    assert not compile_recipe(GIVEN).reads_state
    pinned = compile_recipe(GIVEN + OUTLIER.replace("encoder: encoder", "encoder: encoder@2"))
    assert pinned.pins == {("encoder", 2)}
    known = {"encoders": KnownModel(("response",), ("a", "b"))}
    indented = "".join(f"    {line}\n" for line in (GIVEN + OUTLIER).splitlines())
    with pytest.raises(InvalidRecipe, match=r"guards\[0\].embedding_outlier.encoder: there is no model 'encoder'"):
        load_book(f"rewards:\n  r:\n{indented}", known)
    awaiting = indented + "    awaits: {encoder: {inputs: [response]}}\n"
    assert load_book(f"rewards:\n  r:\n{awaiting}", known).get("r").guards
