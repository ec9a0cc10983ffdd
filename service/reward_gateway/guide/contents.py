"""What the guide has: its sections and their pages, in the order of ``contents.yaml``."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from reward_gateway.yaml_file import read_yaml

PACKAGE = Path(__file__).parents[1]
"""The folder that pages are named from: files of any package can be pages."""

CONTENTS = Path(__file__).with_name("contents.yaml")
GENERATED = "reference"
_FOLDER = PurePosixPath("guide/pages")


@dataclass(frozen=True)
class GuidePage:
    """A page.

    Attributes:
        path: its place in the site, SECTION/NAME; empty for the first page.
        file: its file, from the package's folder; where other pages link to it.
        module: what generates it; empty: the file holds it.
    """

    path: str
    file: str
    module: str = ""

    @cached_property
    def text(self) -> str:
        """Its Markdown."""
        if not self.module:
            return (PACKAGE / self.file).read_text(encoding="utf-8")
        text: str = importlib.import_module(self.module).write_page()
        return text

    @cached_property
    def title(self) -> str:
        """Its heading, as plain text."""
        heading = re.search(r"^# (.+)$", self.text, flags=re.MULTILINE)
        return heading[1].replace("`", "").strip() if heading else self.path

    @property
    def short_title(self) -> str:
        """Its title in the navigation: what stands before a colon."""
        return self.title.partition(": ")[0]


@dataclass(frozen=True, slots=True)
class Section:
    """Pages that belong together."""

    name: str
    title: str
    about: str
    pages: tuple[GuidePage, ...]


@dataclass(frozen=True)
class Contents:
    """The whole guide: a first page, and sections."""

    home: GuidePage
    sections: tuple[Section, ...]

    def __iter__(self) -> Iterator[GuidePage]:
        """Every page, in the order in which they are read."""
        yield self.home
        for section in self.sections:
            yield from section.pages

    @cached_property
    def by_path(self) -> dict[str, GuidePage]:
        """Path -> page."""
        return {page.path: page for page in self}

    @cached_property
    def by_file(self) -> dict[str, GuidePage]:
        """File -> page."""
        return {page.file: page for page in self}

    def section_of(self, page: GuidePage) -> Section | None:
        """The section that has a page; None: it is the first page."""
        return next((section for section in self.sections if page in section.pages), None)

    def neighbours(self, page: GuidePage) -> tuple[GuidePage | None, GuidePage | None]:
        """The pages before and after a page."""
        pages = [*self]
        place = pages.index(page)
        return pages[place - 1] if place else None, pages[place + 1] if place + 1 < len(pages) else None


def read_contents(file: Path = CONTENTS) -> Contents:
    """Read the list of pages. Raises YamlFault."""
    sections = tuple(_read_section(written) for written in read_yaml(file))
    return Contents(GuidePage("", str(_FOLDER / "index.md")), sections)


def _read_section(written: dict[str, Any]) -> Section:
    name = written["name"]
    pages = tuple(_read_page(name, entry) for entry in written["pages"])
    return Section(name, written["title"], written["about"], pages)


def _read_page(section: str, entry: str | dict[str, str]) -> GuidePage:
    if isinstance(entry, str):
        return GuidePage(f"{section}/{entry}", str(_FOLDER / section / f"{entry}.md"))
    ((name, where),) = entry.items()
    if where == GENERATED:
        module = f"{__package__}.{GENERATED}.{name.replace('-', '_')}"
        return GuidePage(f"{section}/{name}", str(_FOLDER / section / f"{name}.md"), module)
    return GuidePage(f"{section}/{name}", where)
