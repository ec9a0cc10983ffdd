"""What a field of an operation takes, from its annotation, and when its rows are checked one by one."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, create_model, field_validator
from reward_gateway.operations.registry import catalog
from reward_gateway.recipes.fields import accepts_floats, infer_shape, needs_row_validation, reads_sample, value_field


def field_of(annotation: Any) -> Any:
    return create_model("Item", x=(annotation, ...)).model_fields["x"]


class Member(BaseModel):
    value: float


@pytest.mark.parametrize(
    ("annotation", "shape"),
    [
        (float, "number"),
        (int, "number"),
        (bool, "number"),
        (float | None, "number"),
        (list[float], "vector"),
        (list[int], "vector"),
        (list[float | None], "vector"),
        (list[float] | None, "vector"),
        (list[str], "objects"),
        (list, "objects"),
        (dict[str, float], "table"),
        (dict[str, float | None], "table"),
        (dict[str, str], "objects"),
        (dict, "objects"),
        (str, "text"),
        (str | None, "text"),
        (Literal["a", "b"], "text"),
        (Member, "objects"),
        (list[Member], "objects"),
        (Any, "objects"),
    ],
)
def test_the_shape_of_a_field(annotation: Any, shape: str) -> None:
    assert infer_shape(field_of(annotation)) == shape


def test_a_field_reads_that_of_the_sample_unless_it_is_a_number() -> None:
    assert reads_sample("reference", field_of(str))
    assert not reads_sample("reference", field_of(float))
    assert not reads_sample("novelty", field_of(str))


def test_counts_and_yes_or_no_do_not_take_any_number() -> None:
    assert all(accepts_floats(field_of(annotation)) for annotation in (float, float | None, float | bool))
    assert not any(accepts_floats(field_of(annotation)) for annotation in (int, bool, int | None, list[float]))


def test_rows_are_checked_one_by_one_where_an_item_demands_more_than_numbers_and_texts() -> None:
    class Validated(BaseModel):
        value: float

        @field_validator("value")
        @classmethod
        def _positive(cls, value: float) -> float:
            return value

    def needs(item: type[BaseModel]) -> bool:
        class Stub:
            pass

        stub: Any = Stub()
        stub.item, stub.rule_fields = item, ()
        return needs_row_validation(stub)

    assert needs(Validated)
    assert needs(create_model("Objects", x=(list[Member], ...)))
    assert not needs(Member)
    given = catalog().get("score", "given")
    assert given is not None
    assert needs_row_validation(given) is needs(given.item)


@pytest.mark.parametrize(
    ("operation", "field"),
    [("transform/affine", "reward"), ("credit/renorm", "process")],
)
def test_the_value_that_is_transformed_is_found_by_its_name(operation: str, field: str) -> None:
    found = catalog().get(*operation.split("/"))
    assert found is not None
    assert value_field(found) == field
