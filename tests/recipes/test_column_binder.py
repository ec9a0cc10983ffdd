"""What a step of a plan reads: fields of the sample, features, constants, components and stored values, row by row."""

from typing import Any

import numpy as np
import pytest
from reward_gateway.operations import effects
from reward_gateway.recipes.column_binder import ColumnBinder, select_rows
from reward_gateway.recipes.plan import Plan
from reward_gateway.sample import Batch

from tests.recipes.conftest import batch_of, compile_recipe


def bound(text: str, batch: Batch, rows: list[int], values: Any = None, answers: Any = (), address: str = "at") -> Any:
    """Columns, rows and reasons of the first step of a recipe, and what was asked from outside on the way."""
    plan: Plan = compile_recipe(text)
    step = plan.components[0].step
    assert step is not None
    reading = ColumnBinder(batch, values or {}).read_columns(step, {}, rows, address)
    asked: list[Any] = []
    replies = [None, *answers]
    while True:
        try:
            asked.append(reading.send(replies.pop(0)))
        except StopIteration as end:
            columns, kept, invalid = end.value
            return columns, kept, invalid, asked


GIVEN = "components: {a: {score: given, inputs: {value: %s}}}"


@pytest.mark.parametrize("rows", [[0, 1, 2], [2, 0], [1]])
def test_a_feature_is_read_of_the_rows_that_are_asked_in_their_order(rows: list[int]) -> None:
    batch = batch_of(3, features=[{"v": 10.0}, {"v": 11.0}, {"v": 12.0}])
    columns, kept, invalid, _ = bound(GIVEN % "{feature: v}", batch, rows)
    assert list(columns.objects("value")) == [10.0 + i for i in rows]
    assert (kept, invalid) == (rows, {})


def test_a_constant_is_the_same_in_every_row() -> None:
    columns, kept, _, _ = bound(GIVEN % "3.5", batch_of(4), [1, 3])
    assert columns.floats("value").tolist() == [3.5, 3.5]
    assert kept == [1, 3]


@pytest.mark.parametrize(
    ("operation", "count", "features"),
    [
        ("critique_f1", "human_points", {"outcome": 1.0, "model_points": 3.0, "matched": 2.0}),
        ("graphia_dst", "step", {}),
        ("pisces", "match", {}),
        ("self_certainty", "vocabulary", {"mean_logprob": [-1.8]}),
    ],
)
def test_a_constant_stays_a_whole_number_where_the_field_is_a_count(
    operation: str, count: str, features: dict[str, Any]
) -> None:
    recipe = f"components: {{a: {{score: {operation}, inputs: {{{count}: 4}}}}}}"
    columns, _, invalid, _ = bound(recipe, batch_of(2, features=[features] * 2), [0, 1])
    assert not [reason for reason in invalid.values() if count in reason.message]
    if not invalid:
        assert [type(value) for value in columns.objects(count)] == [int, int]


def test_a_row_without_a_required_feature_is_left_out_and_named_by_its_place_in_the_batch() -> None:
    batch = batch_of(4, features=[{"v": 1.0}, {}, {"v": 3.0}, {"other": 1.0}])
    columns, kept, invalid, _ = bound(GIVEN % "{feature: v}", batch, [3, 2, 1])
    assert list(columns.objects("value")) == [3.0]
    assert kept == [2]
    assert sorted(invalid) == [1, 3]
    assert {reason.code for reason in invalid.values()} == {"missing_field"}
    assert {reason.param for reason in invalid.values()} == {"features.v"}


def test_where_no_row_has_a_required_feature_every_row_is_named() -> None:
    for batch in (batch_of(2, features=[{}, {}]), batch_of(2)):
        _, kept, invalid, _ = bound(GIVEN % "{feature: v}", batch, [0, 1])
        assert (list(kept), sorted(invalid)) == ([], [0, 1])


@pytest.mark.parametrize("rows", [[0, 1, 2], [2, 1]])
def test_rows_of_a_column_are_taken_whatever_holds_it(rows: list[int]) -> None:
    numbers = np.array([1.0, 2.0, 3.0])
    expected = numbers[rows].tolist()
    assert select_rows(numbers, rows, 3).tolist() == expected
    assert select_rows([1.0, 2.0, 3.0], rows, 3) == expected
    assert select_rows({"a": numbers, "b": 2 * numbers}, rows, 3)["b"].tolist() == [2 * value for value in expected]


def test_a_column_of_which_all_rows_are_asked_is_not_copied() -> None:
    column = np.array([1.0, 2.0])
    assert select_rows(column, [0, 1], 2) is column


def test_a_feature_of_a_wrong_kind_is_a_reason_of_its_row_that_names_the_feature() -> None:
    recipe = "components: {a: {score: length_penalty, inputs: {response: {feature: text}}}}"
    batch = batch_of(2, features=[{"text": "one two"}, {"text": "three"}])
    columns, kept, invalid, _ = bound(recipe, batch, [0, 1])
    assert list(columns.objects("response")) == ["one two", "three"]
    assert (kept, invalid) == ([0, 1], {})


@pytest.mark.parametrize("wrong", [[0.5], [0.5, 0.6], [], [[0.5]], "much"])
def test_a_value_of_another_shape_is_the_reason_of_its_row_alone(wrong: Any) -> None:
    batch = batch_of(3, features=[{"v": 1.0}, {"v": wrong}, {"v": 3.0}])
    columns, kept, invalid, _ = bound(GIVEN % "{feature: v}", batch, [2, 1, 0])
    assert columns.floats("value").tolist() == [3.0, 1.0]
    assert kept == [2, 0]
    assert (invalid.keys(), invalid[1].code, invalid[1].param) == ({1}, "invalid_field", "features.v")
    assert str(wrong) not in invalid[1].message


@pytest.mark.parametrize("wrong", [0.5, [[0.5]], [0.5, [0.5]]])
def test_a_number_is_no_vector(wrong: Any) -> None:
    recipe = (
        "components: {a: {score: given_steps, inputs: {values: {feature: v}}, transforms: [{aggregate: {how: sum}}]}}"
    )
    batch = batch_of(2, features=[{"v": wrong}, {"v": [1.0, 2.0]}])
    columns, kept, invalid, _ = bound(recipe, batch, [0, 1])
    assert (list(columns.objects("values")), kept) == ([[1.0, 2.0]], [1])
    assert (invalid[0].code, invalid[0].param) == ("invalid_field", "features.v")


def test_an_optional_value_that_a_row_lacks_is_the_fields_default() -> None:
    recipe = "components: {a: {score: oni, inputs: {message: {feature: m}}}}"
    batch = batch_of(2, features=[{"m": "a", "ext": 1.0}, {"m": "b"}])
    columns, *_ = bound(recipe, batch, [0, 1])
    assert columns.floats("ext").tolist() == [1.0, 0.0]


def test_a_stored_set_is_no_number() -> None:
    columns, kept, invalid, _ = bound(GIVEN % "{stored: gold}", batch_of(2), [0, 1], answers=[[0.5, 1.5]])
    assert (columns.size, kept, sorted(invalid)) == (0, [], [0, 1])
    assert {(reason.code, reason.param) for reason in invalid.values()} == {("invalid_field", None)}


def test_references_of_a_prompt_are_asked_for_the_groups_of_the_rows_under_the_steps_address() -> None:
    binder = ColumnBinder(batch_of(3, prompts=["p", "q", "p"]), {})
    assert binder.groups[0] == binder.groups[2] != binder.groups[1]
    assert binder.groups is binder.groups, "they are computed once"
    plan = compile_recipe(
        "components: {a: {score: given, inputs: {value: 1.0},"
        " transforms: [{log_sigmoid: {reference: {quantile: 0.5}}}]}}"
    )
    (step,) = plan.components[0].transforms
    asked = binder.read_columns(step, {"reward": np.array([1.0, 2.0, 3.0])}, [2, 1], "model@1").send(None)
    assert isinstance(asked, effects.ReadReferences)
    assert (asked.name, list(asked.groups)) == ("model@1", [binder.groups[2], binder.groups[1]])


def test_a_stored_set_of_references_is_asked_for_by_its_name_and_is_the_same_in_every_row() -> None:
    recipe = (
        "components: {a: {score: given, inputs: {value: 1.0},"
        " transforms: [{par: {reference_rewards: {stored: gold}}}]}}"
    )
    (step,) = compile_recipe(recipe).components[0].transforms
    reading = ColumnBinder(batch_of(3), {}).read_columns(step, {"reward": np.array([1.0, 2.0, 3.0])}, [2, 1], "model@1")
    asked = reading.send(None)
    assert asked == effects.ReadSet("references", "gold")
    with pytest.raises(StopIteration) as end:
        reading.send([0.5, 1.5])
    columns, kept, _ = end.value.value
    assert [list(row) for row in columns.objects("reference_rewards")] == [[0.5, 1.5]] * 2
    assert kept == [2, 1]


def test_a_table_of_constants_is_the_same_in_every_row() -> None:
    step = compile_recipe(
        "components: {a: {score: length_penalty}, b: {score: length_penalty}}\n"
        "combine: {log_sigmoid_sum: {references: {a: 0.5, b: 2}}}"
    ).combine
    assert step is not None
    assert step.bindings["references"].kind == "constant"
    table = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([4.0, 5.0, 6.0])}
    with pytest.raises(StopIteration) as end:
        ColumnBinder(batch_of(3), {}).read_columns(step, {"rewards": table}, [2, 0]).send(None)
    columns, kept, _ = end.value.value
    references = columns.table("references")
    assert {name: list(values) for name, values in references.items()} == {"a": [0.5, 0.5], "b": [2.0, 2.0]}
    assert kept == [2, 0]
