"""What a field of an operation takes, from its annotation, and when its rows are checked one by one."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, create_model, field_validator
from reward_gateway.operations.registry import catalog
from reward_gateway.recipes.fields import fit_value, infer_shape, needs_row_validation, reads_sample, value_field


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


@pytest.mark.parametrize("annotation", [bool, bool | None])
@pytest.mark.parametrize(("given", "fitted"), [(1.0, True), (0.0, False), (1, True)])
def test_a_feature_that_is_one_or_zero_is_yes_or_no_where_that_is_asked(
    annotation: Any, given: float, fitted: bool
) -> None:
    assert fit_value(field_of(annotation), given) is fitted


@pytest.mark.parametrize(("annotation", "given"), [(float, 1.0), (float | None, 0.0), (bool, 2.0), (bool, "yes")])
def test_any_other_value_stays_what_it_is(annotation: Any, given: object) -> None:
    assert fit_value(field_of(annotation), given) is given


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
        stub.item = item
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
