"""The models that recipes may name, and what is known about each before it is called."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reward_gateway.backends.fallbacks import explain_unlike
from reward_gateway.backends.port import ModelInfo


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that a recipe may name.

    Attributes:
        inputs: fields of a sample that it reads; empty if not known, as for a model that was never loaded.
        dimensions: names of the K numbers of its score, in order; empty if not known.
        range: the least and the greatest score that it can give, as its card says; None if not known.
        fallback: the model that scores while it is away; empty: none.
    """

    inputs: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    fallback: str = ""


KnownModels = Mapping[str, KnownModel]
"""Models by the name that a recipe uses: ``NAME``, and ``NAME@VERSION`` for each version that is or will be served."""


class PartlyKnown(dict[str, KnownModel]):
    """The models of some servers, while another could not be asked: a name that is not among them may be its."""


def join_known(first: KnownModels, second: KnownModels) -> KnownModels:
    """The models of both, as the second describes those that it has; partly known where the second is."""
    joined = {**first, **second}
    return PartlyKnown(joined) if isinstance(second, PartlyKnown) else joined


def may_be_model(name: str, models: KnownModels | None) -> bool:
    """Whether a model has the name, as far as is known; None: nothing is."""
    return models is None or isinstance(models, PartlyKnown) or name in models


def explain_fallback(model: str, models: KnownModels) -> str:
    """Why the fallback of a model cannot stand in for it, as far as is known; empty if it can, or there is none."""
    known = models[model]
    if not known.fallback or known.fallback not in models:
        missing = known.fallback and not may_be_model(known.fallback, models)
        return "names no upstream, and no model that is served" if missing else ""
    other = models[known.fallback]
    if not (known.inputs and other.inputs and known.dimensions and other.dimensions):
        return ""
    return explain_unlike(known.inputs, known.dimensions, other.inputs, other.dimensions)


def known_models(infos: Iterable[ModelInfo], repository: Iterable[ModelInfo] = ()) -> dict[str, KnownModel]:
    """The models of a model server, by the name that a recipe uses.

    Args:
        infos: models as the server describes them.
        repository: models as their configurations on disk describe them, for models that the server has not loaded.
    """
    on_disk = {info.name: info for info in repository}
    known: dict[str, KnownModel] = {}
    for info in infos:
        read = info if info.inputs or info.name not in on_disk else on_disk[info.name]
        model = KnownModel(read.inputs, read.dimensions, _read_range(read.card.get("range")), info.fallback)
        known[info.name] = model
        for version in (*info.versions, *info.expected):
            known[f"{info.name}@{version.partition('-')[0]}"] = replace(model, fallback="")
    return known


def _read_range(said: Any) -> tuple[float, float] | None:
    """The range in a card; None if there is none, or it is no range."""
    if not isinstance(said, list) or len(said) != 2 or not all(isinstance(end, int | float) for end in said):
        return None
    low, high = map(float, said)
    return (low, high) if low < high else None
