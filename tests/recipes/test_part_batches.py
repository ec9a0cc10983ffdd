"""recipes/part_batches.py: what a recipe reads of references and responses."""

from reward_gateway.recipes.evaluate import evaluate_plan
from reward_gateway.recipes.part_batches import read_json_references, select_part
from reward_gateway.sample import Batch

from tests.questions import first_question

from .conftest import batch_of, compile_recipe, run_plan


def rewards(recipe: str, batch: Batch) -> list[float]:
    values: list[float] = run_plan(compile_recipe(recipe), batch).reward.tolist()
    return values


EXACT = "components: {right: {score: exact_match}}"


def test_a_list_of_accepted_answers_reaches_the_rule() -> None:
    batch = batch_of(2, responses=["four", "five"], references=[["4", "four"], ["4", "four"]])
    assert rewards(EXACT, batch) == [1.0, 0.0]


def test_a_text_that_holds_a_list_is_one_only_if_the_recipe_says_so() -> None:
    batch = batch_of(1, responses=["four"], references=['["4", "four"]'])
    assert rewards(EXACT, batch) == [0.0]
    assert rewards(EXACT + "\nreferences: json", batch) == [1.0]
    assert read_json_references(batch_of(2, references=["[1, 2)", None])).references == ["[1, 2)", None]


def test_a_prompt_that_opens_the_reasoning_is_heeded() -> None:
    batch = batch_of(2, prompts=["2 + 2?\n<think>\n", "2 + 2?"], responses=["4", "4"], references=["4", "4"])
    assert rewards(EXACT, batch) == [0.0, 1.0]
    assert rewards(EXACT + "\nreasoning: opened", batch) == [0.0, 0.0]


def test_a_component_says_which_part_of_the_response_it_reads() -> None:
    batch = batch_of(1, responses=["<think>4</think>5"], references=["4"])
    assert rewards("components: {right: {score: exact_match, text: reasoning}}", batch) == [1.0]
    assert rewards("components: {right: {score: exact_match, text: final}}", batch) == [0.0]


def test_a_judge_is_shown_the_part_that_the_component_names() -> None:
    def show(text: str) -> str:
        plan = compile_recipe(f"components: {{judged: {{score: judge_reference, text: {text}}}}}")
        steps = evaluate_plan(plan, batch_of(1, responses=["<think>4</think>5"], references=["5"]), {})
        return str(first_question(steps).conversations)

    assert "<think>" in show("whole")
    assert "<think>" not in show("final")


def test_a_model_is_shown_the_part_that_the_component_names() -> None:
    plan = compile_recipe("components: {liked: {score: any_model, text: final}}")
    batch = batch_of(1, responses=["<think>4</think>5"])
    assert select_part(plan, batch, "whole") is batch
    assert select_part(plan, batch, "final").responses == ["5"]
    assert batch.responses == ["<think>4</think>5"]
