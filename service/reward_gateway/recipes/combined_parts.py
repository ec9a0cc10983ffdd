"""What each component adds to a combined reward, where a combiner has such parts: for people who look at a reward."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .step import Step

Values = Mapping[str, float]
"""The components of one sample, in the order of the recipe."""

Details = Mapping[str, Any]
"""The details that the combiner gave for the sample."""


class Part(NamedTuple):
    """What a component adds, and how that comes about in a few words."""

    name: str
    change: float
    how: str


def find_parts(step: Step, values: Values, details: Details) -> list[Part]:
    """The parts of one sample; none where the combiner's answer cannot be told apart by component.

    They add up to the combined reward, or to what is left of it when a floor or a spread over the components, which
    belongs to none of them, has been taken off.
    """
    find = _FINDERS.get(step.operation.name)
    if find is None or not values:
        return []
    try:
        parts = find(step.params, values, details)
    except OverflowError:  # a product larger than any number
        return []
    return parts if all(math.isfinite(part.change) for part in parts) else []


def _find_mean(params: Any, values: Values, details: Details) -> list[Part]:
    return [Part(name, value / len(values), f"× 1/{len(values)}") for name, value in values.items()]


def _multiply(factors: Mapping[str, float], sign: float = 1.0) -> list[Part]:
    """The first factor, then what each later one takes from the product so far, or adds to it."""
    parts: list[Part] = []
    product = sign
    for place, (name, factor) in enumerate(factors.items()):
        before, product = (product if place else 0.0), product * factor
        how = f"a factor of {factor:.4g}" if place else f"the first factor, {factor:.4g}"
        parts.append(Part(name, product - before, how))
    return parts


def _find_product(params: Any, values: Values, details: Details) -> list[Part]:
    return _multiply(values)


def _find_geometric(params: Any, values: Values, details: Details) -> list[Part]:
    weights = params.weights if params.weights is not None else dict.fromkeys(values, 1.0 / len(values))
    return _multiply({name: max(values[name], 0.0) ** weight for name, weight in weights.items()})


def _find_krc(params: Any, values: Values, details: Details) -> list[Part]:
    bounded = {name: min(max(value, -1.0), 1.0) for name, value in values.items()}
    factors = {name: abs(value) ** (1.0 / len(values)) for name, value in bounded.items()}
    return _multiply(factors, -1.0 if min(bounded.values()) < 0 else 1.0)


def _find_least(params: Any, values: Values, details: Details) -> list[Part]:
    return _choose(min(values, key=lambda name: values[name]), values, "least")


def _find_greatest(params: Any, values: Values, details: Details) -> list[Part]:
    return _choose(max(values, key=lambda name: values[name]), values, "greatest")


def _choose(chosen: str, values: Values, what: str) -> list[Part]:
    return [
        Part(name, value if name == chosen else 0.0, f"the {what}" if name == chosen else f"not the {what}")
        for name, value in values.items()
    ]


def _find_ensemble(params: Any, values: Values, details: Details) -> list[Part]:
    if params.how in ("min", "max"):
        return (_find_least if params.how == "min" else _find_greatest)(params, values, details)
    return [] if params.how == "median" else _find_mean(params, values, details)


def _find_gate(params: Any, values: Values, details: Details) -> list[Part]:
    is_open = bool(details["open"])
    threshold = f"{params.threshold:.4g}"
    own = values[params.gate] if not is_open or params.count_gate else 0.0
    parts = [Part(params.gate, own, f"the gate, {'open' if is_open else 'closed'}: at least {threshold} opens it")]
    weights = params.weights or {name: 1.0 for name in values if name != params.gate}
    for name, weight in weights.items():
        shown = f"× {weight:.4g}" if weight != 1 else ""
        parts.append(Part(name, weight * values[name], shown) if is_open else Part(name, 0.0, "the gate is closed"))
    return parts


def _find_gated(params: Any, values: Values, details: Details) -> list[Part]:
    weights, corrected = details["weights"], details["corrected"]
    return [
        Part(name, weight * corrected[name], f"{corrected[name]:.4g} × {weight:.4g} of its gate")
        for name, weight in weights.items()
    ]


def _find_lexicographic(params: Any, values: Values, details: Details) -> list[Part]:
    largest = math.prod(level.steps for level in params.order) - 1
    parts, place = [], largest + 1
    for level, digit in zip(params.order, details["digits"], strict=True):
        place //= level.steps
        parts.append(Part(level.name, digit * place / largest, f"step {digit:.0f} of 0 to {level.steps - 1}"))
    return parts


def _find_weighted(params: Any, values: Values, details: Details) -> list[Part]:
    parts = []
    for name, weight in params.weights.items():
        low, high = params.bounds.get(name, (-math.inf, math.inf))
        kept = min(max(values[name], low), high)
        bounded = f"within [{low:.4g}, {high:.4g}]: {kept:.4g} " if name in params.bounds else ""
        parts.append(Part(name, weight * kept, f"{bounded}× {weight:.4g}"))
    return parts


_FINDERS: Mapping[str, Callable[[Any, Values, Details], list[Part]]] = {
    "mean": _find_mean,
    "product": _find_product,
    "geometric": _find_geometric,
    "krc": _find_krc,
    "min": _find_least,
    "max": _find_greatest,
    "ensemble": _find_ensemble,
    "gate": _find_gate,
    "gated": _find_gated,
    "lexicographic": _find_lexicographic,
    "weighted": _find_weighted,
}
