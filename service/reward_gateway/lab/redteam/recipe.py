"""What a recipe reads, as the service tells of it, and which attacks it therefore cannot read."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reward_gateway.sample.fields import MESSAGES

from .attacks import Attack, Trait

Described = Mapping[str, Any]

NAMED: dict[Trait, frozenset[str]] = {
    "judge": frozenset({"judge", "extractor"}),
    "model": frozenset({"model", "text_model"}),
}
"""The parameters of operations that name a judge or a model; the tests compare them with every operation's."""

_NOUNS: dict[Trait, str] = {
    "judge": "a judge",
    "model": "a model",
    "reference": "a reference",
    "format": "a rule of format",
}


@dataclass(frozen=True, slots=True)
class Readings:
    """What a recipe reads.

    Attributes:
        response: it reads the response.
        traits: what it has that attacks are made for.
    """

    response: bool
    traits: frozenset[Trait]


def find_readings(body: Described, catalog: Iterable[Described], formats: Collection[str]) -> Readings:
    """What a recipe reads, whether a sample has to have it or not.

    Audits count for nothing: they stand beside the reward.

    Args:
        body: of ``GET /v1/rewards/{name}``.
        catalog: the operations of ``GET /v1/catalog``.
        formats: score operations that read the form of a response.
    """
    steps = [*_iterate_steps(body["plan"])]
    fields = {*body["inputs"], *_iterate_fields(steps, catalog)}
    found: set[Trait] = set()
    if "reference" in fields:
        found.add("reference")
    if any(scorer["model"] is not None for scorer in _iterate_scorers(body["plan"])):
        found.add("model")
    for step in steps:
        kind, _, name = step["operation"].partition("/")
        if kind == "score" and name in formats:
            found.add("format")
        found.update(trait for trait, names in NAMED.items() if any(step["params"].get(n) is not None for n in names))
    return Readings(bool(fields & {"response", MESSAGES}), frozenset(found))


def find_obstacle(attack: Attack, readings: Readings) -> str | None:
    """Why a recipe that reads the response cannot read an attack; None if it can."""
    if not attack.applies or not readings.traits.isdisjoint(attack.applies):
        return None
    *others, last = (_NOUNS[trait] for trait in attack.applies)
    return f"it is for recipes with {', '.join(others)}{' or ' if others else ''}{last}"


def _iterate_fields(steps: Iterable[Described], catalog: Iterable[Described]) -> Iterator[str]:
    """Fields of a sample that steps read: those that a recipe binds to other inputs are not."""
    items = {f"{entry['kind']}/{entry['name']}": entry["item_schema"]["properties"] for entry in catalog}
    for step in steps:
        bound = step["inputs"]
        yield from (name for name in items.get(step["operation"], ()) if name not in bound)
        yield from (binding["sample"] for binding in bound.values() if "sample" in binding)


def _iterate_scorers(plan: Described) -> Iterator[Described]:
    for component in plan["components"].values():
        if not component["audit"]:
            yield component
            yield from component["cases"].values()


def _iterate_steps(plan: Described) -> Iterator[Described]:
    for scorer in _iterate_scorers(plan):
        if scorer["score"] is not None:
            yield scorer["score"]
        yield from scorer["transforms"]
    yield from (plan[part] for part in ("combine", "credit") if plan[part] is not None)
