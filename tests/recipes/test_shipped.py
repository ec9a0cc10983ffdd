"""The recipes that ship, each on a few samples with raw scores given, against numbers worked out by hand."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from reward_gateway.operations.effects import JoinCohorts, Vector
from reward_gateway.recipes.book import RecipeBook, load_book
from reward_gateway.recipes.evaluate import evaluate_plan
from reward_gateway.recipes.evaluation import Rewards
from reward_gateway.recipes.known_models import KnownModel
from reward_gateway.sample import Media
from reward_gateway.settings import Settings

from .conftest import batch_of, raw_scores, run_plan
from .test_staged_evaluation import World, evaluate

MODELS = {
    "text_preference": KnownModel(("prompt", "response"), ("score",)),
    "text_harmless": KnownModel(("prompt", "response"), ("score",)),
    "image_text_alignment": KnownModel(("prompt", "images"), ("score",)),
    "text_rendering": KnownModel(("prompt", "images"), ("score",)),
    "social_popularity": KnownModel(("response", "features"), ("score",)),
    "robot_progress": KnownModel(("prompt", "frames"), ("progress", "success", "rating")),
}
AWAITED = {
    "skywork_v2": KnownModel(("messages", "prompt", "response"), ("score",)),
    "prm": KnownModel(("prompt", "response", "messages", "steps"), ("min", "mean", "last")),
    "cross_encoder": KnownModel(("prompt", "response"), ("score",)),
    "safety_guard": KnownModel(("messages", "prompt", "response"), ("score",)),
    "pickscore": KnownModel(("prompt", "images"), ("match",)),
}
"""Models that recipes await: none of them ships."""
RIGHT = "<think>6 times 7</think><answer>42</answer>"
WRONG = "<think>6 plus 7</think><answer>13</answer>"
BARE = "42"
EQUAL, UNEQUAL = (True, "symbolic"), (False, "symbolic")
"""What the world says of expressions that have to be compared as mathematics."""


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.fixture(scope="module")
def book() -> RecipeBook:
    return load_book(Settings().rewards_file.read_text(encoding="utf-8"), MODELS)


@pytest.fixture(scope="module")
def reward(book: RecipeBook) -> Any:
    def score(name: str, *, raw: Mapping[str, Any] | None = None, answers: Any = (), **columns: Any) -> Rewards:
        size = len(next(iter(columns.values()))) if columns else len(next(iter((raw or {}).values())))
        scores = {component: raw_scores(*values) for component, values in (raw or {}).items()}
        result = run_plan(book.get(name), batch_of(size, **columns), scores, answers)
        low, high = book.get(name).range or (-math.inf, math.inf)
        assert all(low <= value <= high for value in result.reward.tolist() if not math.isnan(value))
        return result

    return score


def test_every_recipe_has_a_description_and_is_tried_here(book: RecipeBook) -> None:
    assert len(book.plans) >= 12
    assert all(plan.description for plan in book)
    tried = {name.removeprefix("test_").split("_is_")[0] for name in globals() if name.startswith("test_")}
    assert set(book.plans) <= tried


def test_the_names_that_others_rely_on_are_there_and_one_is_the_default(book: RecipeBook) -> None:
    assert {"helpful", "harmless", "helpful_harmless", "brevity", "hybrid", "renorm"} <= set(book.plans)
    assert book.default == "helpful_harmless"


def test_no_name_means_two_things() -> None:
    everything = load_book(Settings().rewards_file.read_text(encoding="utf-8"), MODELS | AWAITED)
    assert (everything.warnings, everything.missing) == ([], [])


def test_the_models_that_do_not_ship_are_awaited_and_named_with_their_lines(book: RecipeBook) -> None:
    assert [fault["path"] for fault in book.missing] == [
        "rewards.skywork.awaits.skywork_v2",
        "rewards.prm_steps.awaits.prm",
        "rewards.reranker.awaits.cross_encoder",
        "rewards.guard.awaits.safety_guard",
        "rewards.image_preference.awaits.pickscore",
    ]
    lines = Settings().rewards_file.read_text(encoding="utf-8").splitlines()
    for fault, model in zip(book.missing, AWAITED, strict=True):
        assert model in lines[int(fault["place"].removeprefix("line ").partition(",")[0]) - 1]
        assert f"no model or upstream '{model}' is served yet" in fault["message"]


def test_a_recipe_reads_the_same_whether_its_model_is_there_or_not(book: RecipeBook) -> None:
    served = load_book(Settings().rewards_file.read_text(encoding="utf-8"), MODELS | AWAITED)
    for name in ("skywork", "prm_steps", "reranker", "guard", "image_preference"):
        assert book.get(name).reads == served.get(name).reads
        assert book.get(name).needs_prompt == served.get(name).needs_prompt


def test_helpful_is_the_models_score(reward: Any) -> None:
    assert reward("helpful", raw={"helpful": [1.42, -3.0]}).reward.tolist() == [1.42, -3.0]


def test_harmless_is_the_models_score(reward: Any) -> None:
    assert reward("harmless", raw={"harmless": [0.8]}).reward.tolist() == [0.8]


def test_helpful_harmless_is_the_log_probability_of_both_less_the_length(reward: Any) -> None:
    words = "word " * 310
    result = reward("helpful_harmless", raw={"helpful": [0.0, 0.0], "harmless": [0.0, 0.0]}, responses=["a", words])
    assert result.reward == pytest.approx([2 * math.log(0.5), 2 * math.log(0.5) - 0.1])


def test_brevity_is_a_hundredth_a_word_over_300(reward: Any) -> None:
    assert reward("brevity", responses=["word " * 302, "word"]).reward == pytest.approx([-0.02, 0.0])


def test_hybrid_is_the_rule_where_there_is_a_reference_and_else_the_model(reward: Any) -> None:
    long = "<think>w w w</think><answer>42</answer>"  # 3 words
    result = reward(
        "hybrid",
        raw={"model": [5.0, 5.0, math.log(3), 0.0]},
        responses=[long, "7", "free text", "free text"],
        references=["42", "42", None, None],
        group_names=["a", "a", "b", "b"],
    )
    # the right one 1 + 1 for its form; the wrong one, of 1 word where right ones have 3, −.5·(1 − 1/1.5) = −1/6
    assert result.reward == pytest.approx([13 / 12, -13 / 12, 0.125, -0.125])
    assert math.isnan(result.components["rule"].value[2])
    assert result.components["model"].value[2] == pytest.approx(0.75)
    assert not result.invalid


def test_math_is_1_for_a_right_answer_in_any_form(reward: Any) -> None:
    responses = [RIGHT, WRONG, BARE, r"\boxed{42}", "So it is 42.0", "42 or 43", "<think>42"]
    assert reward("math", responses=responses, references=["42"] * 7).reward.tolist() == [1, 0, 1, 1, 1, 0, 0]
    asked = reward("math", answers=[[EQUAL, UNEQUAL]], responses=["x+1", "x+2"], references=["1+x"] * 2)
    assert asked.reward.tolist() == [1, 0]
    decimals = ["0.3333", "0.33", "1/3"]
    assert reward("math", responses=decimals, references=[r"\frac{1}{3}"] * 3).reward.tolist() == [1, 0, 1]


def test_math_strict_is_math_without_decimals_for_exact_values(reward: Any) -> None:
    decimals = ["0.3333", "0.5", "1/3"]
    references = [r"\frac{1}{3}", r"\frac{1}{2}", r"\frac{1}{3}"]
    assert reward("math_strict", responses=decimals, references=references).reward.tolist() == [0, 1, 1]


def test_math_r1_is_1_only_for_a_right_answer_in_the_asked_form(reward: Any) -> None:
    result = reward("math_r1", responses=[RIGHT, WRONG, BARE], references=["42"] * 3)
    assert result.reward.tolist() == [1, 0, 0]


def test_gsm8k_is_1_for_the_right_last_number(reward: Any) -> None:
    solution = "She sells 9 eggs.\n#### 18"
    responses = ["9 * 2 = 18", "#### 18\n", "18 eggs, at 2 dollars", "I do not know"]
    assert reward("gsm8k", responses=responses, references=[solution] * 4).reward.tolist() == [1, 1, 0, 0]


def test_search_qa_is_1_for_any_accepted_answer_and_never_for_an_empty_one(reward: Any) -> None:
    responses = ["<answer>The Beatles</answer>", "Beatles!", "<answer></answer>", "the", "The Beatles or the Who"]
    aliases = ["Fab Four", "beatles"]
    assert reward("search_qa", responses=responses, references=[aliases] * 5).reward.tolist() == [1, 1, 0, 0, 0]


def test_if_eval_is_1_for_all_instructions_followed(reward: Any) -> None:
    asked = {
        "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
        "kwargs": [{}, {"num_words": 3, "relation": "at least", "keywords": None}],
    }
    responses = ["one two three", "one, two three", "one two", "<think>one, two</think>one two three"]
    given = [asked, json.dumps(asked), asked, json.dumps(asked)]
    assert reward("if_eval", responses=responses, references=given).reward.tolist() == [1, 0, 0, 1]


def test_choice_is_1_for_the_right_letter_alone(reward: Any) -> None:
    responses = ["The answer is (C).", "故选C。", "B or C", "not C", "D"]
    assert reward("choice", responses=responses, references=["C"] * 5).reward.tolist() == [1, 1, 0, 0, 0]


def test_grpo_is_a_z_score_within_the_prompt(reward: Any) -> None:
    result = reward("grpo", responses=[RIGHT, WRONG], references=["42"] * 2)
    # 1.1 and .1: ± ½ over a standard deviation (n − 1) of 1/√2, and 1e-6
    assert result.reward == pytest.approx([0.5 / (math.sqrt(0.5) + 1e-6), -0.5 / (math.sqrt(0.5) + 1e-6)])


def test_gdpo_is_each_aim_normalised_before_it_is_weighed(reward: Any) -> None:
    result = reward("gdpo", responses=[BARE, WRONG], references=["42"] * 2)
    # Right without the form against wrong in it: ± 1 − ½ = ± ½ of 1/√2, brevity equal; then over the batch.
    assert result.reward == pytest.approx([math.sqrt(0.5), -math.sqrt(0.5)], abs=1e-3)
    alike = reward("gdpo", responses=[BARE, BARE], references=["42"] * 2)
    assert alike.reward.tolist() == [0, 0]


def test_rloo_cohort_is_against_the_mean_of_the_others_of_its_prompt(book: RecipeBook) -> None:
    plan = book.get("rloo_cohort")
    steps = evaluate_plan(plan, batch_of(1, responses=["42"], references=["42"]), {})
    need = next(steps)
    assert isinstance(need, JoinCohorts)
    assert (need.size, need.payloads.tolist()) == (8, [[1.0, 1.0]])
    members = raw_scores(1, 1, 0, 0, 0, 0, 0, 0).values.repeat(2, axis=1)
    with pytest.raises(StopIteration) as stop:
        steps.send([(members, 1)])
    assert stop.value.value.reward == pytest.approx([1 - 1 / 7])


def test_dapo_is_the_verdict_and_a_cost_near_the_limit(reward: Any) -> None:
    tokens = [{"tokens": 100.0}, {"tokens": 18_432.0}, {"tokens": 30_000.0}]
    responses = [BARE, BARE, WRONG]
    result = reward("dapo", responses=responses, references=["42"] * 3, features=tokens)
    assert result.reward_raw.tolist() == [1.0, 0.5, -2.0]
    spread = np.std([1.0, 0.5, -2.0], ddof=1)
    assert result.reward.tolist() == pytest.approx([(r + 1 / 6) / spread for r in (1.0, 0.5, -2.0)], abs=1e-5)


def test_code_tests_is_the_share_of_tests_passed_by_a_block_of_python(reward: Any) -> None:
    fenced = "```python\nprint(1)\n```"
    verdicts = [{"passed": [1.0, 1.0, 0.0, 0.0]}, {"passed": [1.0, 1.0]}]
    assert reward("code_tests", responses=[fenced, "print(1)"], features=verdicts).reward.tolist() == [0.5, 0]


def test_code_stdio_is_1_for_a_program_that_passes_every_test(reward: Any) -> None:
    passed, failed = [True, None], [False, "wrong answer"]
    answers = [[{"ok": True, "value": [passed, passed]}, {"ok": True, "value": [passed, failed]}]]
    tests = {"inputs": ["1", "2"], "outputs": ["1", "2"]}
    responses = ["```python\nprint(input())\n```", "```python\nprint(1)\n```"]
    result = reward("code_stdio", responses=responses, references=[tests, json.dumps(tests)], answers=answers)
    assert result.reward.tolist() == [1, 0]


def test_code_tests_are_read_from_the_reference(reward: Any) -> None:
    answers = [[{"ok": True, "value": [[True, None], [False, "AssertionError"]]}]]
    tests = ["assert f(1) == 1", "assert f(2) == 1"]
    result = reward("code_tests", responses=["```py\ndef f(x): return x\n```"], references=[tests], answers=answers)
    assert result.reward.tolist() == [0.5]


def test_tool_call_is_1_for_its_form_and_half_for_other_json(reward: Any) -> None:
    responses = ['{"name": "search", "arguments": {"query": "eggs"}}', '{"name": "search"}', "I would search."]
    assert reward("tool_call", responses=responses).reward.tolist() == [1.0, 0.5, 0.0]
    call = {"type": "function", "function": {"name": "search", "arguments": '{"query": "eggs"}'}}
    turns = [[{"role": "assistant", "content": None, "tool_calls": [call] * k}] for k in (1, 2)]
    native = reward("tool_call", responses=turns)
    assert (native.reward.tolist(), native.flags) == ([1.0, 1.0], {})


def test_tool_calls_is_1_for_the_right_calls_as_text_and_as_tool_calls(reward: Any) -> None:
    right = [{"name": "search", "arguments": {"query": "eggs"}}]
    responses = ['{"name": "search", "arguments": {"query": "eggs"}}', '{"name": "search"}', "I would search."]
    assert reward("tool_calls", responses=responses, references=[right] * 3).reward.tolist() == [1.0, 0.0, 0.0]
    call = {"type": "function", "function": {"name": "search", "arguments": '{"query": "eggs"}'}}
    turns = [[{"role": "assistant", "content": None, "tool_calls": [call] * k}] for k in (1, 2)]
    native = reward("tool_calls", responses=turns, references=[right] * 2)
    assert (native.reward.tolist(), native.flags) == ([1.0, 0.0], {})


def test_text_to_sql_is_1_for_the_rows_of_the_right_query(reward: Any) -> None:
    rows = [{"ok": True, "value": value} for value in ([["Ann"]], [["Ann"]], [["Bo"]], [["Ann"]])]
    reference = {"answer": "SELECT name FROM singer", "database": "concert_singer"}
    result = reward("text_to_sql", responses=["SELECT name"] * 2, references=[reference] * 2, answers=[rows])
    assert result.reward.tolist() == [1.0, 0.0]
    lacking = reward("text_to_sql", responses=["SELECT name"], references=["SELECT name FROM singer"])
    assert (lacking.invalid[0].code, lacking.invalid[0].param) == ("missing_field", "reference.database")


def test_renorm_is_process_plus_outcome_less_one_a_turn(reward: Any) -> None:
    result = reward(
        "renorm",
        responses=["<answer>Paris</answer>", "<answer>London</answer>"],
        references=["Paris", "Paris"],
        features=[{"process": [4 / 6, 1.0]}, {"process": [4 / 6, 1.0]}],
    )
    assert result.rewards == [pytest.approx([2 / 3, 1.0, 1.0]), pytest.approx([-1 / 3, 0.0, 0.0])]


@pytest.mark.parametrize(("score", "fault"), [(1.5, "no score in"), (-0.1, "no score in"), ([4.0, 6.0], "valid num")])
def test_renorm_gives_no_reward_where_a_turn_has_no_score(reward: Any, score: Any, fault: str) -> None:
    features: list[dict[str, Any]] = [{"process": [0.5, score]}, {"process": [0.5, 1.0]}]
    result = reward("renorm", responses=[RIGHT] * 2, references=["42"] * 2, features=features)
    reason = result.invalid[0]
    assert (reason.code, fault in reason.message) == ("invalid_field", True), reason
    assert "process" in (reason.param or "")
    assert math.isnan(result.reward[0])
    assert result.rewards == [None, [0.5, 1.0, 1.0]]


@pytest.mark.parametrize(
    ("name", "feature"), [("renorm", "process"), ("process", "step_scores"), ("process_min", "step_scores")]
)
@pytest.mark.parametrize("features", [None, [{}], [{"values": [0.5]}]])
def test_a_recipe_without_its_feature_names_that_feature(reward: Any, name: str, feature: str, features: Any) -> None:
    (reason,) = reward(name, responses=[RIGHT], references=["42"], features=features).invalid.values()
    assert (reason.code, reason.param) == ("missing_field", f"features.{feature}")
    assert f"features.{feature}" in reason.message


def test_process_is_refined_steps_with_the_verdict_on_the_last(reward: Any) -> None:
    scores = [{"step_scores": [0.9, 0.2, 0.4]}, {"step_scores": [0.1]}]
    result = reward("process", responses=[BARE, WRONG], references=["42"] * 2, features=scores)
    # clipped at .5: [0, −.3, −.1]; differenced: [0 − (−.3), −.3, 0]; a fiftieth of that, and the verdict
    assert result.rewards == [pytest.approx([0.006, -0.006, 1.0]), pytest.approx([0.0])]


def test_math_guarded_is_correctness_unless_there_was_a_way_around_it(reward: Any) -> None:
    proof = " ".join(f"step {k} follows from step {k - 1}" for k in range(9)) + r" \boxed{42}"
    loop = "and so on " * 20 + r"\boxed{42}"
    leak = "What is it? (1234567890)"
    result = reward(
        "math_guarded",
        prompts=["What is it?"] * 3 + [leak] * 2,
        responses=[proof, proof, loop, proof, WRONG],
        references=["42"] * 3 + ["1234567890"] * 2,
    )
    assert result.reward[:3].tolist() == [1, 1, 0]
    assert result.flags[0] == result.flags[1] == ("duplicate_in_group",)
    assert result.flags[2] == ("repetition",)
    assert [result.invalid[i].code for i in (3, 4)] == ["guard", "guard"]


def test_mt_grpo_is_the_outcomes_advantage_and_that_of_a_turn(reward: Any) -> None:
    turns = [{"turn_rewards": [0.5, 0.0]}, {"turn_rewards": [0.1, 0.0]}]
    result = reward("mt_grpo", responses=[BARE, WRONG], references=["42"] * 2, features=turns)
    assert result.rewards == [
        pytest.approx([1.41386, 0.70701], abs=5e-6),
        pytest.approx([-1.41386, -0.70701], abs=5e-6),
    ]


def test_gigpo_is_the_outcomes_advantage_and_that_of_a_step_among_those_from_its_state(reward: Any) -> None:
    steps = [{"states": [0, 1], "step_rewards": [0, 1]}, {"states": [0, 2], "step_rewards": [0, 0]}, {"states": [0]}]
    result = reward("gigpo", responses=[BARE, WRONG, BARE], references=["42"] * 3, features=steps)
    assert result.rewards == [pytest.approx([0.975, 0.5]), pytest.approx([-0.975, -0.5]), None]
    assert result.invalid[2].param == "features.step_rewards"


def test_process_min_is_the_worst_step(reward: Any) -> None:
    assert reward("process_min", features=[{"step_scores": [0.9, 0.2, 0.4]}]).reward.tolist() == [0.2]


def test_helpful_par_is_the_chance_to_beat_the_stored_references(reward: Any) -> None:
    result = reward("helpful_par", raw={"helpful": [1.2, 0.0]}, answers=[[[0.5, 1.0, 2.0], None]])
    assert result.reward[0] == pytest.approx(0.50935, abs=5e-6)
    assert set(result.invalid) == {1}, "a prompt without references is no number"


def test_calibrated_is_the_probability_that_stored_examples_give_a_score(reward: Any) -> None:
    stored = {"method": "platt", "n": 4, "parameters": {"a": 2.0, "b": -1.0}}
    assert reward("calibrated", raw={"helpful": [0.5, 3.0]}, answers=[stored]).reward == pytest.approx(
        [0.5, sigmoid(5)]
    )


def test_length_debiased_is_the_score_less_that_of_its_length(reward: Any) -> None:
    curve = {"x": [0.0, 10.0], "y": [0.0, 2.0]}
    stored = {"method": "length", "n": 9, "parameters": {"fraction": 0.5}, "curve": curve}
    result = reward(
        "length_debiased",
        raw={"helpful": [1.5, 1.5, 1.5]},
        responses=["one two three four five", "one", "one"],
        features=[{}, {"tokens": 2.5}, {"tokens": 99.0}],
        answers=[stored],
    )
    assert result.reward == pytest.approx([0.5, 1.0, -0.5])


def test_recipes_that_name_a_calibration_cannot_answer_without_the_store_of_state(book: RecipeBook) -> None:
    assert all(book.get(name).reads_state and not book.get(name).stateful for name in ("calibrated", "length_debiased"))


def test_worst_of_is_the_lesser_probability(reward: Any) -> None:
    result = reward("worst_of", raw={"helpful": [math.log(3), 5.0], "harmless": [0.0, -5.0]})
    assert result.reward == pytest.approx([0.5, sigmoid(-5)])
    assert result.flags == {1: ("ensemble_disagreement",)}


def test_both_is_negative_if_either_is(reward: Any) -> None:
    half = math.atanh(0.5)
    result = reward("both", raw={"helpful": [half, half, -half], "harmless": [math.atanh(0.08), -half, -half]})
    assert result.reward == pytest.approx([0.2, -0.5, -0.5])


def test_dr_grpo_is_the_difference_from_the_mean_of_the_prompt(reward: Any) -> None:
    groups = ["a", "a", "a", "b", "b"]
    result = reward("dr_grpo", responses=[RIGHT, WRONG, WRONG, RIGHT, RIGHT], references=["42"] * 5, group_names=groups)
    assert result.reward.tolist() == pytest.approx([2 / 3, -1 / 3, -1 / 3, 0, 0])


def test_reinforce_plus_plus_is_whitened_over_the_request(reward: Any) -> None:
    answers = [RIGHT, WRONG, WRONG, WRONG, RIGHT, RIGHT, RIGHT, WRONG]
    groups = ["a"] * 4 + ["b"] * 4
    result = reward("reinforce_plus_plus", responses=answers, references=["42"] * 8, group_names=groups)
    expected = [1.62019, *[-0.54006] * 3, *[0.54006] * 3, -1.62019]
    assert result.reward.tolist() == pytest.approx(expected, abs=1e-5)
    assert result.reward_raw.tolist() == [1, 0, 0, 0, 1, 1, 1, 0]


def test_pass_at_k_is_what_a_response_adds_to_the_best_of_four(reward: Any) -> None:
    groups = ["a"] * 5 + ["b"] * 5 + ["c"] * 3
    answers = [RIGHT, *[WRONG] * 4, RIGHT, RIGHT, *[WRONG] * 3, *[RIGHT] * 3]
    result = reward("pass_at_k", responses=answers, references=["42"] * 13, group_names=groups)
    # a: 4 of the 5 subsets of four have the only right one. b: 1 of 5 has one of the two without the other, for each
    # of them; of subsets with both, neither adds anything. c: no four.
    assert result.reward.tolist()[:10] == pytest.approx([4, 0, 0, 0, 0, 1, 1, 0, 0, 0])
    assert sorted(result.invalid) == [10, 11, 12]


def test_process_has_a_vector_also_where_samples_say_whether_they_are_right(reward: Any) -> None:
    features = [{"step_scores": [0.9, 0.2]}, {"step_scores": [0.9, 0.2], "correct": 1.0}]
    result = reward("process", responses=[RIGHT, RIGHT], references=["42"] * 2, features=features)
    assert not result.invalid
    assert list(result.rewards[0]) == list(result.rewards[1])
    assert len(result.rewards[0]) == 2


def test_safe_rlhf_is_the_helpfulness_less_a_price_of_the_harm(reward: Any) -> None:
    raw = {"helpful": [2.0, 1.0], "cost": [-0.5, 1.5]}
    assert reward("safe_rlhf", raw=raw, answers=[1.0]).reward.tolist() == [0.75, 1.25]
    dearer = reward("safe_rlhf", raw=raw, answers=[3.0])
    assert dearer.reward.tolist() == [(2.0 - 3 * 0.5) / 4, (1.0 + 3 * 1.5) / 4]


def test_ttrl_is_agreement_with_most_responses_to_the_prompt(reward: Any) -> None:
    groups = ["a"] * 4 + ["b"] * 2
    answers = [RIGHT, r"\boxed{\frac{84}{2}}", WRONG, "<think>6 times", "", "<answer></answer>"]
    result = reward("ttrl", responses=answers, group_names=groups)
    assert result.reward.tolist() == [1, 1, 0, 0, 0, 0]
    assert not result.invalid


def test_best_of_n_is_the_place_within_the_prompt(reward: Any) -> None:
    result = reward("best_of_n", raw={"helpful": [0.1, 3.0, -1.0]})
    assert result.reward.tolist() == [0.5, 1.0, 0.0]


def test_image_alignment_is_the_models_cosine(reward: Any) -> None:
    assert reward("image_alignment", raw={"alignment": [0.4, -0.1]}).reward.tolist() == [0.4, -0.1]


def test_text_in_image_is_the_models_similarity(reward: Any) -> None:
    assert reward("text_in_image", raw={"rendering": [1.0, 0.0]}).reward.tolist() == [1.0, 0.0]


def test_popularity_is_the_models_score_of_a_title(reward: Any) -> None:
    assert reward("popularity", raw={"popularity": [2.5, 2.0]}).reward.tolist() == [2.5, 2.0]


EPISODE = [Media(data=b"start"), Media(data=b"halfway"), Media(data=b"end")]
SEEN = raw_scores(0.1, 0.5, 0.9)
"""What the model says of an episode, a frame."""


def test_robot_progress_is_the_models_progress(reward: Any) -> None:
    assert reward("robot_progress", raw={"progress": [0.2, 0.9]}).reward.tolist() == [0.2, 0.9]


def test_robot_success_is_the_models_probability(reward: Any) -> None:
    assert reward("robot_success", raw={"success": [0.2, 0.9]}).reward.tolist() == [0.2, 0.9]


def test_robot_rating_is_the_models_on_the_scale_from_1_to_5(reward: Any) -> None:
    assert reward("robot_rating", raw={"rating": [1.0, 4.6]}).reward.tolist() == [1.0, 4.6]


def test_robot_progress_frames_is_the_progress_at_each_frame(reward: Any) -> None:
    result = reward("robot_progress_frames", frames=[EPISODE], answers=[SEEN])
    assert result.rewards == [pytest.approx([0.1, 0.5, 0.9])]


def test_robot_progress_steps_is_what_each_step_gained_and_a_point_for_the_end(reward: Any) -> None:
    for success, point in ((0.5, 1.0), (0.4, 0.0)):
        result = reward("robot_progress_steps", frames=[EPISODE], raw={"success": [success]}, answers=[SEEN])
        assert result.rewards == [pytest.approx([0.0, 0.4, 0.4 + point])]


def test_math_then_judge_is_a_point_and_what_the_judge_says_of_right_answers_alone(reward: Any) -> None:
    result = reward("math_then_judge", responses=[RIGHT, WRONG], references=["42"] * 2, answers=[['{"quality": 8}']])
    assert result.reward == pytest.approx([1.4, 0.0])
    assert result.components["quality"].skipped == [None, "correct"]


def test_rubric_is_the_share_of_the_weight_that_the_judge_says_is_met(reward: Any) -> None:
    criteria = [{"text": text, "weight": weight} for text, weight in (("minutes", 5), ("heat", 3), ("alone", -4))]
    own = [[{**criterion, "tags": [], "veto": False} for criterion in criteria]]
    said = ['{"C1": true, "C2": false, "C3": true}', '{"C1": false, "C2": false, "C3": true}', "All of them."]
    result = reward(
        "rubric", responses=["a", "b", "c", "d"], further={"rubric": [*own * 3, None]}, answers=[said, None]
    )
    assert result.reward[:2].tolist() == [0.125, 0.0]
    assert {i: reason.code for i, reason in result.invalid.items()} == {2: "judge_error", 3: "missing_field"}


def test_tournament_is_the_strength_of_a_response_among_those_to_its_prompt(reward: Any) -> None:
    said = [f"VERDICT: {word}" for word in ("A", "B", "A", "B", "A", "B")]  # each pair in both orders
    result = reward("tournament", responses=["good", "fair", "poor"], answers=[said])
    assert result.reward == pytest.approx([0.59106, 0, -0.59106], abs=5e-6)
    lone = reward("tournament", responses=["good", "fair"], answers=[["VERDICT: A", "Hm."], None])
    assert {reason.code for reason in lone.invalid.values()} == {"judge_error"}


def test_mixed_is_what_the_scorer_of_each_task_says(book: RecipeBook) -> None:
    world = World()
    tasks: dict[str, Any] = {"metadata": [b'{"task":"math"}', b'{"task":"chat"}', b'{"task":"poem"}']}
    columns: dict[str, Any] = {"responses": [RIGHT, "hello", "hello"], "references": ["42", None, None]}
    columns["features"] = [{"text_preference": 0.0}] * 3
    result = evaluate(book.get("mixed"), world, **columns, further=tasks)
    assert result.reward[:2].tolist() == [1.0, 0.5]
    assert result.invalid[2].code == "missing_field"
    assert world.asked == [("text_preference", [1])]


def test_audited_is_the_models_score_whatever_the_judge_says(book: RecipeBook) -> None:
    world = World(says='{"quality": 3}')
    texts = [f"answer {i}" for i in range(200)]
    features = [{"text_preference": float(i)} for i in range(200)]
    result = evaluate(book.get("audited"), world, features=features, responses=texts)
    assert result.reward.tolist() == [float(i) for i in range(200)]
    graded = [i for i, by in enumerate(result.components["second"].skipped or ()) if by is None]
    assert 2 <= len(graded) <= 25
    assert result.components["second"].value[graded].tolist() == [0.3] * len(graded)


def test_roboreward_is_a_quarter_a_step_above_one(reward: Any) -> None:
    answers = [["ANSWER: 4", "I cannot say."], None]  # asked again about the second, the judge says nothing else
    result = reward("roboreward", prompts=["open the drawer"] * 2, frames=[EPISODE] * 2, answers=answers)
    assert result.reward[0] == 0.75
    assert result.invalid[1].code == "judge_error", "an answer without a score is no number"


def test_skywork_is_the_models_score(reward: Any) -> None:
    result = reward("skywork", raw={"quality": [14.5, -3.0]}, responses=["a", ""])
    assert result.reward[0] == 14.5
    assert result.flags == {1: ("empty_response",)}


def test_prm_steps_is_half_a_step_and_the_verdict_at_the_end(reward: Any) -> None:
    steps = [Vector(np.array([0.9, 0.2]))]
    result = reward("prm_steps", responses=["6 * 7\n\n42"], references=["42"], answers=[steps])
    assert result.rewards == [pytest.approx([0.45, 1.1])]


def test_reranker_is_a_probability(reward: Any) -> None:
    assert reward("reranker", raw={"relevance": [0.0, math.log(3)]}).reward == pytest.approx([0.5, 0.75])


def test_guard_is_the_probability_of_safe(reward: Any) -> None:
    assert reward("guard", raw={"safe": [math.log(9), -math.log(9)]}).reward == pytest.approx([0.9, 0.1])


def test_image_preference_is_the_models_score(reward: Any) -> None:
    assert reward("image_preference", raw={"preference": [21.5, 19.0]}).reward.tolist() == [21.5, 19.0]
