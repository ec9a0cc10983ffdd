"""Where pages stand and how they point at each other: served under ``/pages``, or as files that need no server."""

from dataclasses import dataclass

HOME, REWARDS, SYSTEMS = "", "rewards", "systems"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page stands.

    Attributes:
        path: below the site's root, without an ending; empty for the first page.
        files: the site is a folder of files, and its links are relative.
    """

    path: str
    files: bool = False

    def to(self, path: str) -> str:
        """The address of another page, as this one writes it."""
        if self.files:
            return "../" * self.path.count("/") + file_of(path)
        return f"/pages/{path}".rstrip("/")


def file_of(path: str) -> str:
    """The file that holds a page."""
    return f"{path or 'index'}.html"


def operation_path(kind: str, name: str) -> str:
    """The page of an operation."""
    return f"operations/{kind}/{name}"


def reward_path(name: str) -> str:
    """The page of a recipe."""
    return f"rewards/{name}"
