"""Anchors of headings, as code hosts make them: links to them work in both places."""

import re


class Anchors:
    """Makes the anchors of one page: no two are the same."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def make(self, heading: str) -> str:
        """The anchor of a heading's plain text."""
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        count = self._seen.get(slug, 0)
        self._seen[slug] = count + 1
        return f"{slug}-{count}" if count else slug
