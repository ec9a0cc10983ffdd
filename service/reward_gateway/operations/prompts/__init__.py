"""The words in which judges are asked: one text per file, with ``$names`` to be filled in.

What is filled in is never read as a template itself. The words are ours, unless an operation says that they are
published. Texts that are judged stand in sections whose delimiters nobody who wrote them could know.
"""

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from string import Template

from ..judge_questions import JudgeQuestion
from ..time_limits import name_problem

NONCE_CHARACTERS = 16

_KEY = b"reward-gateway: sections of a judge's question"
_TITLES = (
    *("prompt", "reference", "response", "response_a", "response_b", "question", "statements", "pages"),
    *("reviews", "summary", "correct_sql", "predicted_sql", "human_critique", "model_critique", "turns", "turn"),
)
_JUDGED = frozenset(
    ("response", "response_a", "response_b", "summary", "predicted_sql", "model_critique", "turns", "turn")
)
"""Titles of what a policy wrote: they differ among questions about one problem."""

_CLOSING = re.compile(rf"<(?=\s*/\s*(?:{'|'.join(_TITLES)})\b)", re.IGNORECASE)


@cache
def template(name: str) -> Template:
    """The text of ``<name>.txt``."""
    return Template(files(__package__).joinpath(f"{name}.txt").read_text(encoding="utf-8").rstrip("\n"))


def question(
    name: str, texts: Mapping[str, str | None], *, about: Sequence[str] | None = None, **values: str
) -> JudgeQuestion:
    """A question of one message: the template with its names filled in. A missing name is a KeyError.

    Args:
        texts: title -> a text that is judged, or None for a section that is left out. In the template ``$title`` is
            where the section stands, and ``$nonce`` the code that all delimiters carry.
        about: what names its problem beside the template; None: the values, and the texts that no policy wrote.
        values: what else is filled in, as it stands.
    """
    known = [values, {title: text for title, text in texts.items() if title not in _JUDGED}] if about is None else about
    nonce = make_nonce(text for text in texts.values() if text is not None)
    sections = {title: enclose(title, text, nonce) for title, text in texts.items()}
    content = template(name).substitute(values, **sections, nonce=nonce)
    return JudgeQuestion([{"role": "user", "content": content}], name_problem(name, *known))


def make_nonce(texts: Iterable[str]) -> str:
    """A code that depends on all of the texts, so that none of them can hold it: HMAC-SHA-256, 64 bits in hex.

    Equal texts have equal codes: equal questions stay equal, and share a cached answer.
    """
    digest = hmac.new(_KEY, digestmod="sha256")
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:NONCE_CHARACTERS]


def enclose(title: str, text: str | None, nonce: str) -> str:
    """A section: a text between delimiters that carry the code; nothing where there is no text.

    ``<`` of a closing delimiter within the text is written ``&lt;``.
    """
    if text is None:
        return ""
    return f"<{title}-{nonce}>\n{_CLOSING.sub('&lt;', text)}\n</{title}-{nonce}>\n\n"


def closes_section(text: str | None) -> bool:
    """Whether a text holds a closing delimiter, as if it ended its own section: ``judge_injection``."""
    return text is not None and _CLOSING.search(text) is not None
