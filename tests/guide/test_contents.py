"""What the guide has: every page is listed, and every link, anchor and picture leads to something."""

import posixpath
import re
from pathlib import Path

import pytest
from reward_gateway.guide.contents import PACKAGE, Contents, GuidePage
from reward_gateway.guide.guide import Guide
from reward_gateway.guide.markdown import Document, render_markdown

from tests.conftest import ROOT

from .snippets import CONTENTS

GUIDE = Guide()
PAGES = [pytest.param(page, id=page.path or "home") for page in CONTENTS]


def read(text: str, tmp_path: Path) -> Document:
    """A page of its own, rendered."""
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    page = GuidePage("start/page", posixpath.relpath(tmp_path / "page.md", PACKAGE))
    return render_markdown(page, GUIDE.place(page.path), Contents(page, ()))


def test_every_file_of_the_guide_is_listed_once() -> None:
    listed = [page.file for page in CONTENTS]
    written = {str(path.relative_to(PACKAGE)) for path in (PACKAGE / "guide" / "pages").rglob("*.md")}
    assert written <= set(listed)
    assert len(listed) == len(set(listed))
    assert all((PACKAGE / page.file).is_file() for page in CONTENTS if not page.module)
    modules = {f"reward_gateway.guide.reference.{path.stem}" for path in (PACKAGE / "guide" / "reference").glob("*.py")}
    assert {page.module for page in CONTENTS if page.module} <= modules
    assert all(section.pages for section in CONTENTS.sections)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_one_heading_and_its_links_lead_to_something(page: GuidePage) -> None:
    document = GUIDE.documents[page.path]
    assert [heading.level for heading in document.headings].count(1) == 1
    assert document.headings[0].level == 1
    for link in document.links:
        match link.kind:
            case "page":
                target = CONTENTS.by_file.get(link.file)
                assert target is not None, link
                anchors = {heading.anchor for heading in GUIDE.documents[target.path].headings}
                assert not link.anchor or link.anchor in anchors, f"{link.file} has no heading #{link.anchor}"
            case "repository":
                assert (PACKAGE / link.file).exists(), f"there is no {link.file}"
            case "served":
                assert link.file.startswith(("/console", "/pages", "/docs")) or link.file == "/"
    for picture in document.pictures:
        assert (PACKAGE / picture).is_file(), f"there is no {picture}"
    assert "<script" not in document.html.replace('<span class="p">', "")


def test_the_readme_and_others_link_to_files_that_exist() -> None:
    for file in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "service/README.md", "models/README.md"):
        text = re.sub(r"^```.*?^```$", "", (ROOT / file).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
        lost = [link for link in links if not (ROOT / file).parent.joinpath(link).exists()]
        assert not lost, f"{file}: {lost}"


def test_a_heading_is_linked_by_its_words(tmp_path: Path) -> None:
    document = read("# A\n\n## When `otherwise` counts, and why\n\ntext\n\n## Same\n\n## Same\n", tmp_path)
    assert [heading.anchor for heading in document.headings][1:] == ["when-otherwise-counts-and-why", "same", "same-1"]
    assert 'id="when-otherwise-counts-and-why"' in document.html


def test_markup_of_a_page_is_text(tmp_path: Path) -> None:
    document = read("# A\n\n<script>alert(1)</script> <b>x</b>\n\n[a](javascript:alert(1))\n", tmp_path)
    assert "<script>" not in document.html
    assert "<b>" not in document.html
    assert "href=" not in document.html


def test_a_quote_with_a_mark_is_a_note(tmp_path: Path) -> None:
    document = read("# A\n\n> [!WARNING]\n> Careful with *this*.\n\n> Only quoted.\n", tmp_path)
    assert '<div class="admonition warning" role="note"><p class="title">Warning</p>' in document.html.replace(
        ">\n<", "><"
    )
    assert "<em>this</em>" in document.html
    assert "<blockquote>" in document.html


def test_the_mark_of_a_fence_is_not_shown(tmp_path: Path) -> None:
    html = read(
        "# A\n\n```bash run\necho 1\n```\n\n```text answer\n1\n```\n\n```yaml file=a.yaml\na: 1\n```\n", tmp_path
    ).html
    assert "run\n" not in html
    assert "<figcaption>Output</figcaption>" in html
    assert "<figcaption><code>a.yaml</code></figcaption>" in html
    assert '<span class="nt">a</span>' in html
    assert html.count('class="copy"') == 2, "what is printed is not for copying"


def test_what_is_below_a_heading_is_found_by_its_words(tmp_path: Path) -> None:
    document = read(
        "# A\n\nfirst `code`\n\n## B\n\n| x | y |\n|---|---|\n| one | two |\n\n```bash run\ncurl it\n```\n", tmp_path
    )
    assert [passage.text.split() for passage in document.passages] == [
        ["first", "code"],
        ["x", "y", "one", "two", "curl", "it"],
    ]
