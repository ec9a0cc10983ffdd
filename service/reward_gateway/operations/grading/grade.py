"""A grade on a scale, as the forms say in which judges give one."""

import re
from dataclasses import dataclass
from typing import Any

from ..outcome import ItemError
from .labels import names_grade, names_whole
from .lines import content_lines, peel_brackets, plain_emphasis
from .marks import read_mark
from .objects import ends_with_object, parse_object
from .visible import drop_quotations, read_final

_N = r"-?[0-9]+(?:\.[0-9]+)?"
_OF = r"(?:/|out\s+of)"
_DOUBTFUL = (
    r"(?!\s*(?:or|maybe|perhaps|possibly|could|might|not|if|unless|cannot|can[’']t|unable|refus\w*|declin\w*|placeholder"
    r"|default|unsure|uncertain|guess\w*|n/a)\b)"
)
_LABELLED = re.compile(
    r"(?P<label>[A-Za-z][A-Za-z' -]{0,60}?)\s*(?:\((?P<range>[^()]*)\)\s*)?[:：]\s*(?P<value>.*)", re.DOTALL
)
_VALUE = re.compile(
    rf"(?P<n>{_N})(?:\s*{_OF}\s*(?P<m>{_N}))?\s*(?:\({_DOUBTFUL}(?P<note>[^()]*)\))?\s*\.?", re.IGNORECASE
)
_SCALE_END = re.compile(
    rf"(?:/|\bof\b|\bmax(?:imum)?\b\s*(?:is|=|:)?|{_N}\s*(?:[-–—]|to\b|or\b|\.\.))\s*(?P<m>{_N})"
    rf"|(?P<best>{_N})\s*(?:=|is\b|being\b|:)\s*(?:the\s+)?(?:best|highest|max\w*|perfect|excellent)",
    re.IGNORECASE,
)
"""What a parenthesis behind a grade says of its scale, or of another grade."""

_NUMBER = re.compile(_N)
_SHARE = re.compile(
    rf"(?<![\w.,/+\-–—−\\])(?P<n>{_N})\s*{_OF}\s*(?P<m>[0-9]+(?:\.[0-9]+)?)(?![\w/%]|[.,][0-9])", re.IGNORECASE
)
_FOLLOWS = re.compile(
    r"\s*(?:\Z|[.,;:!()\[\]|–—-]|(?:overall|because|since|for|as|due|and|but|in|given|on|with|total|here|to|based|points?"
    r"|stars?|which)\b)",
    re.IGNORECASE,
)
_HEDGED = re.compile(
    r"(?:\b(?:or|to|than|between|from|under|over|below|above|at\s+(?:least|most)|up\s+to|(?:not|never)(?:\s+an?)?"
    r"|step|page|section|line|version|exercise|iteration|part|question|chapter|slide|round|figure|table|day|week|month"
    r"|policy|rule|no\.|number)"
    r"|[0-9]\s*(?:[-–—]|and))\s*\Z"
    r"|(?:\b(?:not|never|cannot|unable|refuse|decline)\b|n[’']t\b)(?:\s+\w+){0,2}"
    r"\s+(?:rate|give|grade|score|assign|award|call|be|deserve|merit|worth|assess|judge)[^.!?\n]{0,60}\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Scale:
    """Grades from ``low`` to ``high``, both included; whole numbers alone if ``whole``."""

    low: float
    high: float
    whole: bool = False

    def check(self, value: Any) -> float:
        """A JSON value as a grade.

        Raises:
            ItemError: it is no number (a string and a boolean are none), not finite, off the scale, or not whole where
                whole numbers are asked.
        """
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high or (self.whole and value != int(value)):
            raise ItemError(f"the judge's grade is not {self}")
        return float(value) + 0.0

    def parse(self, text: str) -> float:
        """A number in ASCII digits, without an exponent. Raises ItemError as :meth:`check`."""
        if not _NUMBER.fullmatch(text):
            raise ItemError(f"the judge's grade is not {self}")
        return self.check(float(text))

    def ends_at(self, text: str | None) -> bool:
        """Whether a grade ``N out of M`` names the end of this scale; None: it names none."""
        return text is None or float(text) == self.high

    def __str__(self) -> str:
        return f"a {'whole ' if self.whole else ''}number from {self.low:g} to {self.high:g}"


def read_grade(
    reply: str, scale: Scale, key: str = "score", *, only: bool = False, pattern: str | None = None
) -> float:
    """The grade in a reply: the only one of these forms that it has.

    - the JSON object that ends the reply, with the grade under ``key`` (and, if ``only``, no other key but ``reason``);
    - a last line ``label: N``, where N may be followed by ``/M``, ``out of M`` or a parenthesis. A label is ``key``, a
      word for a grade or for what is commonly graded; "step", "section" and the like are none;
    - N alone;
    - the reply's only ``N/M`` or ``N out of M``, unless it is denied, compared with or a share of something counted.

    M must be the end of the scale, N an ASCII ``-?\\d+(\\.\\d+)?`` on it.

    Args:
        pattern: of a trained judge with a form of its own: its group holds N, and nothing else is read.

    Raises:
        ItemError: the reply has no grade, more than one, or it is unfinished, a quotation or off the scale.
    """
    if pattern is not None:
        return scale.parse(read_mark(reply, pattern))
    final = read_final(reply)
    if ends_with_object(final):
        found = parse_object(final)
        if key not in found or (only and found.keys() - {key, "reason"}):
            raise ItemError("the judge's JSON object does not have exactly the keys that were asked for")
        return scale.check(found[key])
    text = drop_quotations(final)
    alone = plain_emphasis(text)
    if alone is not None and _NUMBER.fullmatch(alone):
        return scale.parse(alone)
    labelled = [_Labelled.read(line) for line in content_lines(text)]
    last = labelled[-1]
    if last is not None and last.n is not None and last.names_grade(key):
        return last.grade(scale, [line for line in labelled if line is not None and line.names_grade(key)], key)
    return _read_share(plain_emphasis(text) or text, scale)


@dataclass(frozen=True, slots=True)
class _Labelled:
    """A line ``label: value``, with the number in it where it holds nothing else."""

    label: str
    range: str | None
    n: str | None
    m: str | None
    note: str

    @staticmethod
    def read(line: str) -> "_Labelled | None":
        plain = plain_emphasis(line)
        parts = _LABELLED.fullmatch(plain) if plain is not None else None
        if parts is None:
            return None
        value = _VALUE.fullmatch(peel_brackets(parts["value"].strip()))
        n, m, note = (value["n"], value["m"], value["note"] or "") if value is not None else (None, None, "")
        return _Labelled(" ".join(parts["label"].lower().split()), parts["range"], n, m, note)

    def names_grade(self, key: str) -> bool:
        return self.label == _key_label(key) or names_grade(self.label)

    def is_whole(self, key: str) -> bool:
        """Whether it is the grade as a whole, and not of one criterion."""
        return self.label == _key_label(key) or names_whole(self.label)

    def grade(self, scale: Scale, lines: "list[_Labelled]", key: str) -> float:
        for line in lines:
            doubtful = line.n is None or float(line.n) != float(self.n or 0)
            rival = line.n is not None and (not self.is_whole(key) or line.is_whole(key))
            if doubtful and (rival or line.label == self.label):
                raise ItemError("the judge gave more than one grade")
        numbers = _NUMBER.findall(self.range or "")
        ends = [self.m, numbers[-1].lstrip("-") if numbers else None]
        ends += [said["m"] or said["best"] for said in _SCALE_END.finditer(self.note)]
        if not all(map(scale.ends_at, ends)):
            raise ItemError(f"the judge's scale does not end at {scale.high:g}")
        return scale.parse(self.n or "")


def _key_label(key: str) -> str:
    return key.lower().replace("_", " ")


def _read_share(text: str, scale: Scale) -> float:
    found = list(_SHARE.finditer(text))
    if len(found) != 1:
        raise ItemError(f"the judge gave {'more than one grade' if found else 'no grade'}: asked was {scale}")
    (share,) = found
    if _HEDGED.search(text[max(0, share.start() - 120) : share.start()]) or not _FOLLOWS.match(text, share.end()):
        raise ItemError(f"the judge gave no grade: asked was {scale}")
    if not scale.ends_at(share["m"]):
        raise ItemError(f"the judge's scale does not end at {scale.high:g}")
    return scale.parse(share["n"])
