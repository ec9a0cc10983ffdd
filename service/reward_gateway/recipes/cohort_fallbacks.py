"""Why a recipe with a cohort may not have a component whose scorer has a fallback."""

from collections.abc import Iterable, Iterator, Mapping

from reward_gateway.operations.names import names_in

from .component_plan import ComponentPlan
from .known_models import KnownModel


def explain_fallbacks(
    components: Iterable[ComponentPlan], models: Mapping[str, KnownModel], judges: Mapping[str, str]
) -> Iterator[str]:
    """One fault for each model or judge that has a fallback.

    Args:
        judges: the fallback of each judge that has one.
    """
    found: dict[str, str] = {}
    for component in components:
        for part in component.cases or (component,):
            if part.model is not None and part.model in models:
                found[part.model] = models[part.model].fallback
            if part.step is not None:
                named = (named.name for named in names_in(part.step.params) if named.mark.kind == "judge")
                found |= {name: judges[name] for name in named if name in judges}
    for scorer, fallback in found.items():
        if fallback:
            yield (
                f"a cohort compares samples of several requests, and {scorer} has a fallback ({fallback}): some would "
                "be scored by one and some by the other. Drop the cohort, or the fallback"
            )
