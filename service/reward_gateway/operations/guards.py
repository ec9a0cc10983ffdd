"""Guards: what makes a sample suspicious. A guard flags; what a flag means (``flag | zero | invalid``) the recipe says.

To add one, write a function over columns and register it:

    @guard("too_long", TooLong)
    def too_long(view: GuardView, params: TooLong) -> BoolArray: ...
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, TypeVar

import numpy as np
from pydantic import Field, model_validator

from reward_gateway.errors import InvalidRecipe
from reward_gateway.sample import BoolArray, FloatArray, Invalid

from .columns import Columns
from .costs import Cost
from .effects import Effectful, RunInWorker, perform
from .master_keys import content_free
from .names import ComponentName
from .registry import NoParams, OperationParams
from .texts import repeated_share
from .tokens import Tokens, split_words


@dataclass(frozen=True, slots=True)
class GuardView:
    """What a guard may look at: texts, accepted answers, component values [n] by name, and the models' own flags."""

    responses: Sequence[str]
    references: Sequence[Sequence[str]]
    components: Mapping[str, FloatArray]
    flags: Mapping[int, tuple[str, ...]]

    @property
    def size(self) -> int:
        return len(self.responses)


@dataclass(frozen=True, slots=True)
class Guard:
    """A registered guard: [n] bool, True where the sample is suspicious."""

    name: str
    function: Callable[[GuardView, Any], BoolArray]
    params: type[OperationParams]
    reads_texts: bool = True
    """It looks at the texts of a sample alone, at no component and at nothing that a model has said."""

    @property
    def summary(self) -> str:
        return (self.function.__doc__ or self.name).strip().split("\n", 1)[0]


GUARDS: dict[str, Guard] = {}
F = TypeVar("F", bound=Callable[[GuardView, Any], BoolArray])


def guard(name: str, params: type[OperationParams] = NoParams, *, reads_texts: bool = True) -> Callable[[F], F]:
    """Register a guard under a name that recipes use."""

    def register(function: F) -> F:
        GUARDS[name] = Guard(name, function, params, reads_texts)
        return function

    return register


GUARD_COST = Cost(row=5.0, unit=0.2)
"""Of any guard; the units are the characters of the responses."""


def find_suspicious(guard: Guard, view: GuardView, params: Any) -> Effectful[BoolArray | Invalid]:
    """Run a guard over a batch, in a worker if that may take long: [n] bool, or why it did not come to its end."""
    if not GUARD_COST.exceeds_limit(Columns(view.size, {"response": view.responses}), params):
        return guard.function(view, params)
    answer: BoolArray | Invalid = yield from perform(RunInWorker(partial(_run_guard, guard.name, view, params)))
    return answer


def _run_guard(name: str, view: GuardView, params: Any) -> BoolArray:
    return GUARDS[name].function(view, params)


@guard("empty_response")
def empty_response(view: GuardView, _: NoParams) -> BoolArray:
    """The response is empty or blank; it is scored all the same."""
    return np.array([not response.strip() for response in view.responses], dtype=bool)


@guard("master_key")
def master_key(view: GuardView, _: NoParams) -> BoolArray:
    """The response says nothing: empty, only punctuation, or an opener that fools judges; unless it is the reference.

    Source of the keys: One Token to Fool LLM-as-a-Judge, arXiv 2507.08794.
    """
    pairs = zip(view.responses, view.references, strict=True)
    return np.array([content_free(response, *references) for response, references in pairs], dtype=bool)


class Repetition(OperationParams):
    n: int = Field(3, ge=1, le=20, description="Words in a row that count as one n-gram.")
    share: float = Field(0.5, gt=0, le=1, description="Share of n-grams that have occurred before, from which on.")
    min_words: int = Field(20, ge=1, description="Shorter responses are let through.")
    tokens: Tokens = "auto"


@guard("repetition", Repetition)
def repetition(view: GuardView, params: Repetition) -> BoolArray:
    """The response says the same again and again."""

    def is_repetitive(response: str) -> bool:
        words = split_words(response.lower(), params.tokens)
        return len(words) >= params.min_words and repeated_share(words, params.n) >= params.share

    return np.array([is_repetitive(response) for response in view.responses], dtype=bool)


class TooLong(OperationParams):
    max_words: int | None = Field(None, ge=0, description="Most words that are not flagged.")
    max_characters: int | None = Field(None, ge=0, description="Most characters that are not flagged.")
    tokens: Tokens = "auto"

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if self.max_words is None and self.max_characters is None:
            raise ValueError("give max_words, max_characters or both")
        return self


@guard("too_long", TooLong)
def too_long(view: GuardView, params: TooLong) -> BoolArray:
    """The response is longer than a limit."""
    long = np.zeros(view.size, dtype=bool)
    if params.max_words is not None:
        long |= np.array(
            [len(split_words(response, params.tokens)) > params.max_words for response in view.responses], dtype=bool
        )
    if params.max_characters is not None:
        long |= np.array([len(response) > params.max_characters for response in view.responses], dtype=bool)
    return long


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
