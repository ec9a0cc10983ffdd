"""A number that the caller brings: for scores made elsewhere that a recipe shapes and combines."""

from ..columns import Columns
from ..outcome import Outcome
from ..registry import OperationItem, operation


class Item(OperationItem):
    value: float


@operation("score", "given", item=Item)
def given(columns: Columns, _: object) -> Outcome:
    """The caller's own number, as it is.

    r = value. In a recipe, say where it stands: ``inputs: {value: {feature: my_score}}``.
    """
    return Outcome(reward=columns.floats("value").copy())
