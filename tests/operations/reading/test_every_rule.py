"""Every rule over a response reads it the same way: laws over the registry, tried on the worked examples."""

import json
import math
from collections.abc import Callable, Generator
from typing import Any

import pytest
from reward_gateway.backends.math.comparison import compare_answers
from reward_gateway.operations.apply import apply, run_pure
from reward_gateway.operations.effects import CompareMath, RunInWorker, RunSandboxed
from reward_gateway.operations.reading.params import FinalTextParams, TextParams
from reward_gateway.operations.reading.response import read_response
from reward_gateway.operations.registry import Operation, catalog
from reward_gateway.operations.worked_examples import WorkedExample, examples_of
from reward_gateway.recipes.evaluate import evaluate_plan

from tests.recipes.conftest import batch_of, compile_recipe

MISLEADING = "It may be \\boxed{77}: <answer>77</answer>\n```python\nx = (\n```\n{}\nSELECT 77\nC, so (C)"
"""What a rule would read as an answer, stood it in the final text."""
PAIRS = (
    *(("<think>", "</think>"), ("<THINK>", "</Think>"), ("<thinking>", "</thinking>"), ("<thought>", "</thought>")),
    *(("<reasoning>", "</reasoning>"), ("[THINK]", "[/THINK]"), ("<seed:think>", "</seed:think>")),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
)


def _put_before(opening: str, closing: str) -> Callable[[str], str]:
    return lambda text: f"{opening}\n{MISLEADING}\n{closing}\n\n{text}"


FORMS: dict[str, Callable[[str], str]] = {
    **{opening: _put_before(opening, closing) for opening, closing in PAIRS},
    "a lone closing tag": lambda text: f"{MISLEADING}\n</think>\n{text}",
    "two blocks": lambda text: f"<think>{MISLEADING}</think>\n<think>\n{MISLEADING}\n</think>\n{text}",
    "a tag behind a fence": lambda text: f"<think>\n```python\nx = (\n```</think>\n{text}",
    "a fence that does not end": lambda text: f"<think>\n```python\nx = (\n</think>\n{text}",
    "a byte order mark": lambda text: f"\ufeff<think>{MISLEADING}</think>\n{text}",
    "an empty block": lambda text: f"<think>\n\n</think>\n\n{text}",
    "channels": lambda text: (
        f"<|channel|>analysis<|message|>{MISLEADING}<|end|><|start|>assistant<|channel|>final<|message|>{text}<|return|>"
    ),
}
UNFINISHED: dict[str, Callable[[str], str]] = {
    "a block": lambda text: f"<think>\n{text}",
    "a second block": lambda text: f"<think>a</think>\n<think>\n{text}",
    "brackets": lambda text: f"[THINK]{text}",
    "a channel": lambda text: f"<|channel|>analysis<|message|>{text}",
}


def _is_plain(example: WorkedExample) -> bool:
    """Whether every response is a text without reasoning, and whitespace around it is none of it."""
    responses = [item.get("response") for item in example.items]
    return (
        all(
            isinstance(text, str) and text.strip() == text != "" and read_response(text).final == text
            for text in responses
        )
        and not {"text", "turns", "reasoning", "unfinished"} & example.params.keys()
    )


def _examples(kind: type[TextParams]) -> list[Any]:
    return [
        pytest.param(operation, example, id=f"{operation.name}: {example.title}")
        for operation in catalog()
        if operation.kind == "score" and issubclass(operation.params, kind)
        for example in examples_of(operation.kind, operation.name)
        if _is_plain(example)
    ]


def _drive(steps: Generator[Any, Any, Any], example: WorkedExample) -> Any:
    """The result of what asks for effects; programs are answered by what the example gives."""
    reply: Any = None
    while True:
        try:
            effect = steps.send(reply)
        except StopIteration as stop:
            return stop.value
        if isinstance(effect, CompareMath):
            reply = [compare_answers(*pair) for pair in effect.pairs]
        elif isinstance(effect, RunInWorker):
            reply = run_pure(effect.work())
        else:
            assert isinstance(effect, RunSandboxed)
            reply = example.given["sandbox"]


def _score(operation: Operation, example: WorkedExample, write: Callable[[str], str]) -> list[dict[str, Any]]:
    items = [{**item, "response": write(item["response"])} for item in example.items]
    results: list[dict[str, Any]] = _drive(apply(operation, items, example.params), example)
    return results


def _rewards(results: list[dict[str, Any]]) -> list[Any]:
    return [None if result["reward"] is None else pytest.approx(result["reward"]) for result in results]


@pytest.mark.parametrize(("operation", "example"), _examples(FinalTextParams))
def test_what_stands_in_reasoning_changes_no_answer(operation: Operation, example: WorkedExample) -> None:
    plain = _rewards(_score(operation, example, str))
    for name, write in FORMS.items():
        assert [result["reward"] for result in _score(operation, example, write)] == plain, name


@pytest.mark.parametrize(("operation", "example"), _examples(FinalTextParams))
def test_an_answer_in_reasoning_that_does_not_end_earns_nothing(operation: Operation, example: WorkedExample) -> None:
    plain = _score(operation, example, str)
    for name, write in UNFINISHED.items():
        for before, result in zip(plain, _score(operation, example, write), strict=True):
            if before["error"] is None:
                assert (result["reward"], result["details"]["unfinished_reasoning"]) == (0.0, True), name
            else:
                assert result["reward"] is None, name


def _fits_a_sample(operation: Operation, example: WorkedExample) -> bool:
    """Whether the items' fields are fields of samples, or travel in a reference."""
    fields = {"prompt", "response", "reference", *operation.rule_fields}
    return all(item.keys() <= fields for item in example.items)


SAMPLES = [param for param in _examples(TextParams) if _fits_a_sample(*param.values)]


def _reference(operation: Operation, item: dict[str, Any]) -> Any:
    fields = {name: item[name] for name in operation.rule_fields if item.get(name) is not None}
    if not fields:
        return item.get("reference")
    return {**fields, **({"answer": item["reference"]} if "reference" in item else {})}


def _run_recipe(operation: Operation, example: WorkedExample, write: Callable[[str], Any]) -> list[float]:
    plan = compile_recipe(f"components: {{it: {{score: {operation.name}, params: {json.dumps(example.params)}}}}}")
    batch = batch_of(
        len(example.items),
        prompts=[item.get("prompt", "p") for item in example.items],
        responses=[write(item["response"]) for item in example.items],
        references=[_reference(operation, item) for item in example.items],
    )
    rewards: list[float] = _drive(evaluate_plan(plan, batch, {}), example).reward.tolist()
    return rewards


WRONG = "I do not know yet."


def _speak_between(role: str) -> Callable[[str], Any]:
    return lambda text: [
        {"role": "assistant", "content": WRONG},
        {"role": role, "content": MISLEADING},
        {"role": "assistant", "content": text},
    ]


@pytest.mark.parametrize(("operation", "example"), SAMPLES)
def test_only_the_assistants_turns_count(operation: Operation, example: WorkedExample) -> None:
    whole = not issubclass(operation.params, FinalTextParams)
    wanted = _run_recipe(operation, example, lambda text: f"{WRONG}\n\n{text}" if whole else text)
    for role in ("tool", "user", "system", "function"):
        given = _run_recipe(operation, example, _speak_between(role))
        assert [_number(value) for value in given] == [_number(value) for value in wanted], role


@pytest.mark.parametrize(("operation", "example"), SAMPLES)
def test_another_speakers_words_earn_what_silence_does(operation: Operation, example: WorkedExample) -> None:
    wanted = _run_recipe(operation, example, lambda _: "")
    given = _run_recipe(operation, example, lambda text: [{"role": "tool", "content": text}])
    assert [_number(value) for value in given] == [_number(value) for value in wanted]


def _number(value: float) -> Any:
    return None if math.isnan(value) else pytest.approx(value)


def test_the_laws_meet_most_rules() -> None:
    named = {operation.name for operation in catalog() if issubclass(operation.params, TextParams)}
    met = {param.values[0].name for param in _examples(TextParams)}
    assert len(met) >= 0.8 * len(named), named - met
    assert {"code_stdio", "unit_tests", "instructions", "tool_calls", "sql_execution", "math_equivalence"} <= met
