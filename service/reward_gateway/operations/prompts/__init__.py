"""The words in which judges are asked: one text per file, with ``$names`` to be filled in.

What is filled in is never read as a template itself. The words are ours, unless an operation says that they are
published.
"""

from functools import cache
from importlib.resources import files
from string import Template

from ..effects import Conversation


@cache
def template(name: str) -> Template:
    """The text of ``<name>.txt``."""
    return Template(files(__package__).joinpath(f"{name}.txt").read_text(encoding="utf-8").rstrip("\n"))


def question(name: str, **values: str) -> Conversation:
    """A conversation of one message: the template with its names filled in. A missing name is a KeyError."""
    return [{"role": "user", "content": template(name).substitute(values)}]


def section(title: str, text: str | None) -> str:
    """An optional part of a question: a tag around a text; nothing where there is none."""
    return f"<{title}>\n{text}\n</{title}>\n\n" if text else ""
