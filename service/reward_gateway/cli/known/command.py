"""``models known``: public reward models, and what to paste to serve one."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from reward_gateway.cli.output import AsJson, Unusable, err, print_table

if TYPE_CHECKING:
    from .family import Family

COLUMNS = ("family", "scores", "form", "way", "licence")


def known(
    name: Annotated[
        str | None, typer.Argument(help="A family, or a hub id. If omitted: a table of all.", show_default=False)
    ] = None,
    search: Annotated[str, typer.Option("--search", help="Only families that hold this text.")] = "",
    as_json: AsJson = False,
) -> None:
    """List public reward models, or show one with its facts and what to paste: commands, upstream, judge, recipe."""
    from . import read_families
    from .page import write_page

    families = read_families()
    if name is not None:
        family = families[_find_name(name)]
        print(json.dumps(family.model_dump()) if as_json else write_page(family))
        return
    found = [family for family in families.values() if search.lower() in family.model_dump_json().lower()]
    if as_json:
        print(json.dumps([family.model_dump() for family in found]))
        return
    print_table(COLUMNS, map(_write_row, found))
    if not found:
        err.print(f"no family holds {search!r}", markup=False)


def _write_row(family: "Family") -> tuple[str, ...]:
    ways = ", ".join(family.ways) or "none"
    return family.name, family.scores, ", ".join(family.form), ways, family.licence or "?"


def _find_name(name: str) -> str:
    """The family of a name or a hub id, in any case. Raises Unusable."""
    from reward_gateway.recipes.suggestions import did_you_mean

    from . import read_families

    families = read_families()
    wanted = name.lower()
    for family in families.values():
        if wanted == family.name or wanted in (hub.lower() for hub in family.hub):
            return family.name
    raise Unusable(f"the catalogue has no family and no hub id {name!r}{did_you_mean(name, families)}")
