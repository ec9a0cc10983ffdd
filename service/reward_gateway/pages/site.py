"""Paths of pages and the links between them: served under ``/pages``, or as files that need no server."""

from dataclasses import dataclass

HOME, REWARDS, SYSTEMS = "", "rewards", "systems"
GUIDE = "/docs/guide/"
"""The documentation, which is written around these pages where they are files."""


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a page in the site.

    Attributes:
        path: relative to the site's root, without a suffix; empty for the home page.
        files: the site is a folder of files, and its links are relative.
        root_path: where a proxy serves the gateway; empty: at the root.
    """

    path: str
    files: bool = False
    root_path: str = ""

    def link_to(self, path: str) -> str:
        """The link from this page to another."""
        if self.files:
            return "../" * self.path.count("/") + file_name(path)
        return f"{self.root_path}/pages/{path}".rstrip("/")

    @property
    def guide(self) -> str:
        """The link to the first page of the guide."""
        return "../" * (self.path.count("/") + 1) + file_name("") if self.files else self.root_path + GUIDE


def file_name(path: str) -> str:
    """File name of a page."""
    return f"{path or 'index'}.html"


def operation_path(kind: str, name: str) -> str:
    """Path of an operation's page."""
    return f"operations/{kind}/{name}"


def reward_path(name: str) -> str:
    """Path of a recipe's page."""
    return f"rewards/{name}"
