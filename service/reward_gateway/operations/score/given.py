"""A number that the caller brings: for scores made elsewhere that a recipe shapes and combines."""

from pydantic import Field

from ..columns import Columns
from ..costs import CHEAP
from ..outcome import Outcome
from ..registry import OperationItem, operation


class Item(OperationItem):
    value: float = Field(description="The number that is the reward.")


@operation("score", "given", item=Item, cost=CHEAP)
def given(columns: Columns, _: object) -> Outcome:
    """The caller's own number, as it is.

    r = value. In a recipe, say where it stands: ``inputs: {value: {feature: my_score}}``.
    """
    return Outcome(reward=columns.floats("value").copy())


class Steps(OperationItem):
    values: list[float] = Field(description="Step rewards, one per step.")


@operation("score", "given_steps", item=Steps, returns="vector", cost=CHEAP)
def given_steps(columns: Columns, _: object) -> Outcome:
    """The caller's own step rewards, as they are.

    rewards = values: the scores of a process reward model that ran elsewhere, one per step.
    """
    return Outcome(rewards=columns.objects("values"))
