"""Recipes of served models: where a recipe's name may stand, a model's name means its raw score.

``NAME`` and ``NAME@VERSION`` are a model's only number, or all of them; ``NAME:LABEL`` is one of several.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from reward_gateway.operations.registry import Catalog

from .compile import Compiler
from .known_models import KnownModel, KnownModels
from .plan import Plan
from .schema import ComponentSpec, RecipeSpec

COMPONENT = "score"
"""Name of the only component; those of a plan of several numbers have the numbers' names."""


def find_implicit_recipe(name: str, models: KnownModels) -> Plan | None:
    """The recipe of a served model; None if no model, and no number of one, has the name.

    A model of several numbers has a plan with ``labels``, which gives no single number.
    """
    known = models.get(name)
    if known is not None:
        return _compile_model(name, name, known, known.dimensions if len(known.dimensions) > 1 else (None,))
    model, separator, label = name.rpartition(":")
    known = models.get(model)
    if separator and known is not None and label in known.dimensions:
        return _compile_model(name, model, known, (label,))
    return None


def list_implicit_recipes(models: KnownModels) -> Iterator[str]:
    """The names of all of them."""
    for name, known in models.items():
        yield name
        yield from (f"{name}:{label}" for label in known.dimensions)


@lru_cache(maxsize=1024)
def _compile_model(name: str, model: str, known: KnownModel, dimensions: tuple[str | None, ...]) -> Plan | None:
    plans = [_compile_number(name, model, known, dimension) for dimension in dimensions]
    first = plans[0]
    if len(plans) == 1 or first is None:
        return first
    labels = tuple(str(dimension) for dimension in dimensions)
    components = [
        replace(plan.components[0], name=label) for label, plan in zip(labels, plans, strict=True) if plan is not None
    ]
    return replace(first, components=tuple(components), over=labels[:1], labels=labels)


def _compile_number(name: str, model: str, known: KnownModel, dimension: str | None) -> Plan | None:
    component = ComponentSpec(score=model, dimension=dimension)
    spec = RecipeSpec(
        description=f"The raw score of the model {model}.",
        components={COMPONENT: component},
        range=list(known.range) if known.range else None,
    )
    # Without operations: an operation of the model's name is not what is meant.
    return Compiler(name, spec, Catalog({}), {model: known}).compile()
