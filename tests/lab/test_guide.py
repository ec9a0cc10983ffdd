"""The guide says of every layout which columns it needs, and names every file and option as it is."""

import re
from pathlib import Path

from reward_gateway.lab import layouts
from reward_gateway.lab.layouts import LAYOUTS

from tests.documents import read_table

GUIDE = (Path(layouts.__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_columns_of_every_layout_are_those_that_are_read() -> None:
    rows = read_table(GUIDE, "`--layout`", "data set", "columns", "also read", "a row says")
    said = {
        name.strip("`"): (re.findall(r"`(\w+)`", columns), re.findall(r"`(\w+)`", more))
        for name, _, columns, more, _ in rows
    }
    assert said == {name: ([*layout.columns, *layout.one_of], [*layout.more]) for name, layout in LAYOUTS.items()}


def test_what_the_links_lead_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", GUIDE)
    assert links
    assert all((Path(layouts.__file__).parents[1] / link).exists() for link in links)
