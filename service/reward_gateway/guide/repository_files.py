"""Pages that lie in the project's folder, where code hosts look for them; a wheel carries copies."""

import posixpath
import re
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_SECTION = "service/reward_gateway/guide/pages/project"
_LINK = re.compile(r"\]\((?!\w+:|#)([^)\s]+)\)")


def read_repository_file(name: str) -> str:
    """A file of the project's folder as a page of the section ``project``: its links lead on from there."""
    project = _PACKAGE.parents[1]
    folder = project if (project / "pyproject.toml").is_file() else _PACKAGE / "guide" / "repository"
    text = (folder / name).read_text(encoding="utf-8")
    return _LINK.sub(lambda found: f"]({_lead_on(found[1])})", text)


def _lead_on(target: str) -> str:
    """A link from the project's folder, from the section's: ``CHANGELOG.md`` is the page ``changelog.md``."""
    file, hash_mark, anchor = target.partition("#")
    page = file.lower() if file in ("CHANGELOG.md", "CONTRIBUTING.md") else posixpath.relpath(file, _SECTION)
    return f"{page}{hash_mark}{anchor}"
