"""The recipe file, and what its recipes lack."""

from collections import defaultdict
from collections.abc import Container, Iterator

from reward_gateway.counted import count_of

from ...rewards import fault_lines
from ..check import Finding, Subject, fault, join_names, machine_check, ok, warning
from ..recipe_file import RecipeFile, load_recipes
from ..triton_server import list_ready

_SHOWN = 20
"""How many faults of the file are shown."""

_REMEDIES = {
    "judge": "there is no judge {name!r}; REWARD_GATEWAY_JUDGES_FILE names a file of them",
    "sandbox": "there is no sandbox {name!r}; REWARD_GATEWAY_SANDBOXES_FILE names a file of them",
    "model": "{name} is not ready on Triton; load it there, or put it into --upstreams-file",
}


@machine_check("recipes")
def check_recipes(subject: Subject) -> Iterator[Finding]:
    """They load, and the models, judges and sandboxes that they name are there."""
    file = subject.settings.rewards_file
    read = load_recipes(subject.settings)
    if (book := read.book) is None:
        yield from map(fault, fault_lines(file, read.faults[:_SHOWN]))
        if len(read.faults) > _SHOWN:
            yield fault(f"{len(read.faults) - _SHOWN} more: `reward-gateway rewards check {file}` lists them")
        return
    yield from map(warning, fault_lines(file, book.warnings))
    for (kind, name), recipes in _find_lacking(read, _list_present(read, subject)).items():
        level = fault if book.default in recipes else warning
        yield level(f"{join_names(recipes)} cannot answer: {_REMEDIES[kind].format(name=name)}")
    if awaited := sorted({each["path"].rpartition(".")[2] for each in book.missing}):
        yield warning(
            f"{count_of(len(book.missing), 'recipe')} not set up, for want of models that "
            f"`reward-gateway models add NAME` or an upstream brings: {join_names(awaited)}"
        )
    yield ok(f"{len(book.plans)} load from {file}, default {book.default}")


def _list_present(read: RecipeFile, subject: Subject) -> dict[str, Container[str]]:
    """The names that there are, by kind; without the kinds that are not known."""
    present: dict[str, Container[str]] = {"judge": read.judges, "sandbox": read.sandboxes}
    urls = subject.settings.triton_urls
    ready = [list_ready(url, subject.server_s / len(urls) / 2) for url in urls]
    if any(each is not None for each in ready):
        present["model"] = read.upstreams.union(*(each or () for each in ready))
    return present


def _find_lacking(read: RecipeFile, present: dict[str, Container[str]]) -> dict[tuple[str, str], list[str]]:
    """The recipes that lack something, by its kind and name."""
    lacking: dict[tuple[str, str], list[str]] = defaultdict(list)
    for plan in read.book or ():
        needed = [(each.mark.kind, each.name) for each in plan.needed_names]
        needed += [("model", part.model) for part in plan.needed_parts if part.model is not None]
        for kind, name in dict.fromkeys(needed):
            if kind in present and name not in present[kind]:
                lacking[kind, name].append(plan.name)
    return lacking
