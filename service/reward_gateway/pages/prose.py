"""The text of a docstring as HTML: paragraphs, lists, tables and code; no markup of its own gets through."""

from markdown_it import MarkdownIt

from .html import Html

# Formulas hold underscores, stars and angle brackets that mean themselves.
_markdown = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
_markdown.disable(["emphasis", "link", "image", "autolink", "heading", "lheading", "code", "hr", "reference", "entity"])


def prose(text: str) -> Html:
    """A docstring's text."""
    return Html(_markdown.render(text.replace("``", "`")))


def phrase(text: str) -> Html:
    """One line of it, without a paragraph around it."""
    return Html(_markdown.renderInline(text.replace("``", "`")))
