"""Where pages of the guide are, and the links between them: served under ``/docs/guide``, or as files."""

import posixpath
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urldefrag

from reward_gateway.pages import site as operation_pages

from .contents import Contents

PREFIX = operation_pages.GUIDE
STATIC = "static"
PAGES = "pages"
"""The folder of the pages of operations and recipes, where the site is a folder of files."""

_SERVED = ("/pages", "/docs", "/console")
"""First segments of what a gateway serves beside the guide, that pages may link to."""

_DOCUMENTATION = ("/docs", "/openapi.json", "/pages")


def is_documentation(path: str) -> bool:
    """Whether a path of the gateway is the guide's, that of a page of operations, or the API's page."""
    return path in _DOCUMENTATION or path.startswith(("/docs/", "/pages/"))


Kind = Literal["page", "outside", "served", "repository"]


@dataclass(frozen=True, slots=True)
class Link:
    """What a link of a page's Markdown leads to.

    Attributes:
        kind: a page or a picture of the site, an address of another host, what a gateway serves, or a file that is
            only in the repository.
        href: the link in the site; empty: there is nothing to go to.
        file: the file that is meant, from the package's folder; it may lie above it.
        anchor: the heading that is meant.
    """

    kind: Kind
    href: str
    file: str = ""
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a page in the site.

    Attributes:
        path: SECTION/NAME; empty for the first page.
        files: the site is a folder of files, and its links are relative.
        root_path: where a proxy serves the gateway; empty: at the root.
        digest: names the version of the static files.
        console: the gateway has one.
    """

    path: str
    files: bool = False
    root_path: str = ""
    digest: str = ""
    console: bool = True

    @property
    def root(self) -> str:
        """The link to the folder of the site."""
        return "../" * self.path.count("/") or "./" if self.files else self.root_path + PREFIX

    def link_to(self, path: str) -> str:
        """The link to a page of the guide."""
        return self.root.removeprefix("./") + file_name(path) if self.files else self.root + path

    def link_to_static(self, name: str) -> str:
        """The link to a script, a style or a picture."""
        return f"{self.root.removeprefix('./')}{STATIC}/" + (name if self.files else f"{self.digest}/{name}")

    def link_to_served(self, path: str) -> str:
        """The link to what a gateway serves; empty: a folder of files has it not."""
        if not self.files:
            return self.root_path + path
        below = path.removeprefix("/pages").strip("/")
        if not path.startswith("/pages"):
            return ""
        return f"{self.root.removeprefix('./')}{PAGES}/{operation_pages.file_name(below)}"


def resolve_link(place: Place, contents: Contents, file: str, link: str) -> Link:
    """What a link in a page's file leads to.

    Args:
        place: where the page is.
        file: the page's file, from the package's folder.
        link: as it is written.
    """
    target, anchor = urldefrag(link)
    fragment = f"#{anchor}" if anchor else ""
    if not target:
        return Link("page", fragment, file, anchor)
    if "://" in target or target.startswith("mailto:"):
        return Link("outside", link)
    if target == "/" or target.startswith(_SERVED):
        href = place.link_to_served(target)
        return Link("served", href + fragment if href else "", target, anchor)
    meant = posixpath.normpath(posixpath.join(posixpath.dirname(file), target))
    page = contents.by_file.get(meant)
    if page is not None:
        return Link("page", place.link_to(page.path) + fragment, meant, anchor)
    return Link("repository", "", meant, anchor)


def file_name(path: str) -> str:
    """File name of a page."""
    return f"{path or 'index'}.html"
