"""What cannot be meant by the ``group`` of a recipe: each fault with its place."""

from collections.abc import Iterator, Mapping, Sequence

from .component_plan import ComponentPlan
from .locations import Path
from .schema import KeepSpec, RecipeSpec
from .suggestions import did_you_mean


def find_group_faults(
    spec: RecipeSpec, components: Mapping[str, ComponentPlan], over: Sequence[str], fallbacks: Sequence[str]
) -> Iterator[tuple[Path, str]]:
    """The faults of a recipe's ``group``.

    Args:
        components: those that are in the reward.
        over: the names of those that are combined.
        fallbacks: why scorers with a fallback cannot be in a cohort.
    """
    group = spec.group
    for name in group.weights:
        if name not in over:
            yield ("group", "weights", name), f"there is no combined component {name!r}{did_you_mean(name, over)}"
    if group.cohort is not None:
        if not group.compares:
            yield ("group", "cohort"), "a cohort needs a comparison: set `normalize`"
        if "request" in group.compared_within:
            message = "divides by what the rewards of a request are spread by, and a cohort joins samples of several"
            yield ("group", "scale"), f"{group.scale} {message}: use group_std, or drop the cohort"
        for message in fallbacks:
            yield ("group", "cohort"), message
    if group.keep is not None:
        yield from _find_keep_faults(group.keep, spec, components)
    if group.answer == "combined":
        if not group.compares:
            yield ("group", "answer"), "combined is the reward before a comparison: set `normalize`"
        if group.cohort is not None:
            yield ("group", "answer"), "combined needs no group, so nothing would wait for the cohort: drop one"
        if spec.credit is not None:
            yield ("group", "answer"), "combined is one number, and this recipe ends in `credit`"
    if group.weights and group.normalize != "gdpo":
        message = "weights per component need `normalize: gdpo`; otherwise set the weights in `combine`"
        yield ("group", "weights"), message


def _find_keep_faults(
    keep: KeepSpec, spec: RecipeSpec, components: Mapping[str, ComponentPlan]
) -> Iterator[tuple[Path, str]]:
    path = ("group", "keep")
    if not spec.group.compares:
        yield path, "this recipe compares no samples of a group: set `normalize` or `baseline`"
    if spec.group.cohort is not None:
        yield path, "a cohort joins samples of several requests, so that no answer knows the whole group"
    if keep.of is None:
        return
    compiled = components.get(keep.of)
    if compiled is None:
        yield (*path, "of"), f"there is no component {keep.of!r}{did_you_mean(keep.of, spec.components)}"
    elif compiled.vector:
        yield (*path, "of"), f"{keep.of} gives a vector per sample, which has no spread"
