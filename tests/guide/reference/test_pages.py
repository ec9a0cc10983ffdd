"""Every generated page is whole: one title, tables whose rows have their columns, links that lead somewhere, examples
that are read without a fault, and no path of this machine."""

import pkgutil
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from reward_gateway.backends.judges.config import load_judges
from reward_gateway.backends.upstreams.file import load_upstreams
from reward_gateway.guide import reference
from reward_gateway.guide.tables import slug_of
from reward_gateway.recipes.book import load_book
from reward_gateway.settings import PROJECT_ROOT
from reward_gateway.traffic.keys import KeyRing

from tests.documents import read_blocks
from tests.guide.reference.conftest import NAMES

Read = Callable[[str], str]
COPIED = {"changelog", "contributing"}
"""Files of the project's folder that are pages: ``tests/guide/test_repository_files.py``."""

MARKS = {"run", "elsewhere", "figure", "answer", "recipe", "upstreams", "judges", "keys"}


def test_every_module_of_the_reference_is_a_page() -> None:
    assert {module.name for module in pkgutil.iter_modules(reference.__path__)} - COPIED == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_one_title_and_says_first_what_it_is_for(read_page: Read, name: str) -> None:
    text = re.sub(r"^```.*?^```$", "", read_page(name), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^# (.+)$", text, flags=re.MULTILINE)
    assert len(titles) == 1
    first = text.split("\n\n")[1]
    assert first.startswith(("Look up", "Find"))


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_a_table_has_its_columns(read_page: Read, name: str) -> None:
    width = 0
    for line in read_page(name).splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line)) - 1
        width = width or cells
        assert cells == width, line


@pytest.mark.parametrize("name", NAMES)
def test_links_within_the_reference_lead_somewhere(read_page: Read, name: str) -> None:
    page = read_page(name)
    anchors = {slug_of(title.replace("`", "")) for title in re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)}
    for link in re.findall(r"\]\(([^)]+)\)", page):
        if link.startswith("#"):
            assert link[1:] in anchors, link
        elif link.startswith("/"):
            assert link.split("/")[1] in ("pages", "docs"), link
        else:
            target = link.removesuffix(".md")
            path = Path(reference.__file__).parents[1] / "pages" / "reference" / link
            assert target.replace("-", "_") in NAMES or path.resolve().is_file(), link


@pytest.mark.parametrize("name", NAMES)
def test_every_fence_is_marked_and_no_path_of_this_machine_is_shown(read_page: Read, name: str) -> None:
    page = read_page(name)
    assert {block.mark for block in read_blocks(page)} <= MARKS
    assert page.count("\n```") == 2 * len(read_blocks(page))
    assert str(PROJECT_ROOT) not in page


@pytest.mark.parametrize("name", NAMES)
def test_files_that_are_shown_are_read_without_a_fault(
    read_page: Read, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i, block in enumerate(read_blocks(read_page(name))):
        file = tmp_path / f"{i}.yaml"
        file.write_text(block.text)
        match block.mark:
            case "recipe":
                assert load_book(block.text, {}).plans  # rules alone: no model is known
            case "upstreams":
                monkeypatch.setenv("RM_API_KEY", "a-key")
                assert load_upstreams(file)
            case "judges":
                assert load_judges(file)
            case "keys":
                file.chmod(0o600)
                assert KeyRing.load(file).entries
        if block.language == "yaml":
            assert yaml.safe_load(block.text)
