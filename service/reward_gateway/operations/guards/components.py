"""Guards over what components say of a sample, and models beside their scores."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.errors import InvalidRecipe
from reward_gateway.sample import BoolArray, FloatArray

from ..names import ComponentName
from ..registry import NoParams, OperationParams
from .registry import GuardView, guard


class Saturated(OperationParams):
    component: ComponentName = Field(description="The component whose value is looked at, after its transforms.")
    low: float | None = Field(None, description="The least value that it can have.")
    high: float | None = Field(None, description="The greatest value that it can have.")
    margin: float = Field(1e-6, ge=0, description="A value nearer than this to an end counts as there.")

    @model_validator(mode="after")
    def _some_end(self) -> Self:
        if self.low is None and self.high is None:
            raise ValueError("give low, high or both")
        return self


@guard("saturated", Saturated, reads_texts=False)
def saturated(view: GuardView, params: Saturated) -> BoolArray:
    """A component's value is at an end of its range, where it cannot tell better from best."""
    (values,) = _component_values(view, [params.component])
    edge = np.zeros(view.size, dtype=bool)
    if params.low is not None:
        edge |= values <= params.low + params.margin
    if params.high is not None:
        edge |= values >= params.high - params.margin
    return edge


class Drifted(OperationParams):
    component: ComponentName = Field(description="The component whose value is looked at, after its transforms.")
    mean: float = Field(description="Its mean when all was well; GET /v1/monitor tells it.")
    std: float = Field(gt=0, description="Its standard deviation then.")
    deviations: float = Field(4.0, gt=0, description="Standard deviations from the mean, beyond which it is flagged.")


@guard("drifted", Drifted, reads_texts=False)
def drifted(view: GuardView, params: Drifted) -> BoolArray:
    """A component's value lies far from where its values used to be."""
    (values,) = _component_values(view, [params.component])
    far: BoolArray = np.abs(values - params.mean) > params.deviations * params.std
    return far


class Disagreement(OperationParams):
    components: list[ComponentName] = Field(min_length=2, description="The members, all on one scale.")
    threshold: float = Field(ge=0, description="Standard deviation (n) over the members, above which they disagree.")


@guard("ensemble_disagreement", Disagreement, reads_texts=False)
def ensemble_disagreement(view: GuardView, params: Disagreement) -> BoolArray:
    """The members of an ensemble give values that lie far apart."""
    spread: BoolArray = np.std(_component_values(view, params.components), axis=0) > params.threshold
    return spread


@guard("out_of_distribution", reads_texts=False)
def out_of_distribution(view: GuardView, _: NoParams) -> BoolArray:
    """A model said that the sample is unlike what it was trained on."""
    raised = np.zeros(view.size, dtype=bool)
    raised[[row for row, flags in view.flags.items() if "out_of_distribution" in flags]] = True
    return raised


def _component_values(view: GuardView, names: Sequence[str]) -> FloatArray:
    """[names, n] values of components; NaN compares as unsuspicious.

    Raises:
        InvalidRecipe: the recipe has no such component.
    """
    for name in names:
        if name not in view.components:
            raise InvalidRecipe(f"a guard names the component {name!r}, which the recipe does not have")
    return np.stack([view.components[name] for name in names])
