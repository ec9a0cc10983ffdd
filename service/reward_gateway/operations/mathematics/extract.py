r"""The expression that a response answers with: tagged, boxed, after ####, after "the answer is", or its last line."""

import re
from dataclasses import dataclass
from typing import Literal

from ..answers.rewriting import rewriting
from ..answers.sections import last_boxed, last_boxes, last_tagged

Place = Literal["box", "tag", "mark", "lead", "line"]

_LONGEST = 5_000
"""Characters of an expression that are compared."""

_BARE_BOX = re.compile(r"\\(?:boxed|fbox)\s+(\\?[A-Za-z]+|-?[\d.,/]+)")
_MARKED = re.compile(r"(?:^|\s)####[ \t]*(.+)$", re.MULTILINE)
_LEAD = re.compile(
    r"(?:\b(?:answer|result|solution|value|respuesta|resposta|risposta|réponse|antwort|ответ)s?\b(?:\s+(?:to|of|for)\s[^\n:=.]{0,80}?)?"
    r"\s*(?:\*\*)?\s*(?:\b(?:is|are|was|equals?|would be|should be|must be|comes out (?:to|as)|es|est|ist|é|è)\b"
    r"|[:=：])+"
    r"(?:\s+(?:the|equal to|given by|simply|just|therefore|thus|then|approximately|about|indeed|now|clearly|:))*"
    r"|答案(?:是|为|為|[:：])|答え(?:は|[:：])|答[:：]|정답(?:은|[:：])|답(?:은|[:：])"
    r"|\\therefore|∴)\s*[:：]?\s*(?:\*\*)?",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r",\s*(?:not|I|but|so|which|because|since|where|as|we|and not|though|although|however|instead of|rather than)\b"
    r"|\s(?:and|but)\snot\b|\s(?:because|since|whereas|although|though|which|instead of|rather than)\s"
    r"|(?<!\d)\.(?=\s|\Z)|(?<=\d)\.(?=\s+[A-Z\\(\[*]|\s*\Z)|[。！？]",
)
_REMARK = re.compile(r"(?<=[a-z]),\s+(?!(?:and|or|with)\b)[a-z]{4,}(?![A-Za-z(^_]|\s?=)[^,\d=]*\Z")
"""Words behind a number and its unit: "72 clips, altogether"."""
_NOT_BUT = re.compile(r"\A\s*not\s(?:(?!\bbut\b)[^\n]){1,60}?\sbut\s(?:rather\s)?", re.IGNORECASE)
_SPAN = re.compile(r"\$\$(.+?)\$\$|(?<!\\)\$([^$\n]{1,1000}?)(?<!\\)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_leave_words_out = rewriting(r"\A\s*\\text\s?\{[^{}]*(?:\bis|\bare|:|=)\s*\}(?=\s*\S)", "", r"\text")
"""Words in a box before the answer: ``\\text{The answer is } 17``."""
_WORDS_ONLY = re.compile(r"[^\d=<>^_\\{}|+*/]*")
_SAID_OF_SPAN = re.compile(r"\s*(?:,\s*[^\n.=]{0,60}?,?\s*)?\b(?:is|are|equals?|was)\b\s*(?=[-$\\(\[\d.])")
"""What follows a named quantity: the largest ``$n$`` is 34."""
_MATHEMATICS = re.compile(r"[\d\\$]")
_HEDGED = re.compile(r"\b(?:guess|may|might|maybe|perhaps|possibly|could|unsure|not|\w+n['’]t)\b", re.IGNORECASE)
_NEGATED_SAID = re.compile(r"\s*(?:not|never)\b", re.IGNORECASE)
_OPENER = re.compile(
    r"\A\s*(?:(?:so|thus|hence|therefore|then|and|finally|we have|we get|this gives)[\s,:]+)+", re.IGNORECASE
)
_COPULA = re.compile(
    r"(?:\A\s*=|\b(?:is|are|equals?|be|get|got|gives?|have|obtain(?:ed)?|found|total of|are left with)\b"
    r"|是|为|等于|は)\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Found:
    """An expression, and where it stood."""

    expression: str
    place: Place


def find_expression(text: str) -> Found | None:
    """The answer of a final text; None if it has none (it is empty, or its answer tag is)."""
    tagged = last_tagged(text, "answer")
    within = (text if tagged is None else tagged).strip()
    boxed = ", ".join(last_boxes(within)) or last_boxed(within)
    if boxed is None and (bare := list(_BARE_BOX.finditer(within[-_LONGEST:]))):
        boxed = bare[-1].group(1)
    if boxed is not None:
        return Found(_leave_words_out(boxed[:_LONGEST]), "box")
    if not within:
        return None
    if marked := _MARKED.findall(within):
        return Found(marked[-1].strip()[:_LONGEST], "mark")
    within = within[-_LONGEST:]
    if leads := list(_LEAD.finditer(within)):
        following = within[leads[-1].end() :]
        if following.strip():
            return Found(_first_expression(following), "lead")
    if tagged is not None:
        return Found(_only_span(within) or within, "tag")
    spans = list(_SPAN.finditer(within))
    if spans and not within[spans[-1].end() :].strip(" .。\n*"):
        return Found(_group(spans[-1]), "line")
    lines = [line for line in within.splitlines() if line.strip()]
    line = next((line for line in reversed(lines) if not line.lstrip().startswith("```")), lines[-1])
    return Found(_line_expression(line), "line")


def _first_expression(text: str) -> str:
    """What a lead announces: the mathematics that begins there, else the clause."""
    text = text.lstrip(" \t*:_")
    span = _SPAN.search(text)
    while span is not None and (said := _SAID_OF_SPAN.match(text, span.end())) is not None:
        text = text[said.end() :]
        span = _SPAN.search(text)
    if span is not None:
        before = text[: span.start()]
        if _WORDS_ONLY.fullmatch(before) and "\n\n" not in before.strip():
            return _group(span)
    clause = _cut_clause(next((line for line in text.splitlines() if line.strip()), ""))
    copulas = list(_COPULA.finditer(clause))
    value = clause[copulas[-1].end() :].strip() if copulas and _HEDGED.search(clause) is None else ""
    return value if _MATHEMATICS.search(value) and _NEGATED_SAID.match(value) is None else clause


def _only_span(text: str) -> str | None:
    """The last piece of mathematics between delimiters, where only words stand around it."""
    spans = list(_SPAN.finditer(text))
    if not spans:
        return None
    around = _SPAN.sub(" ", text)
    return _group(spans[-1]) if len(spans) == 1 and _WORDS_ONLY.fullmatch(around.replace("*", " ")) else None


def _line_expression(line: str) -> str:
    spans = list(_SPAN.finditer(line))
    if spans:
        return _group(spans[-1])
    clause = _cut_clause(line)
    copulas = list(_COPULA.finditer(clause))
    return clause[copulas[-1].end() :].strip() if copulas and clause[copulas[-1].end() :].strip() else clause


def _cut_clause(text: str) -> str:
    text = _NOT_BUT.sub("", _OPENER.sub("", text))
    end = _CLAUSE.search(text)
    cut = text[: end.start()] if end and text[: end.start()].strip() else text
    if (remark := _REMARK.search(cut)) is not None and any(map(str.isdigit, cut[: remark.start()])):
        cut = cut[: remark.start()]
    return cut.strip().strip("*_").strip()


def _group(span: "re.Match[str]") -> str:
    return next(group for group in span.groups() if group is not None).strip()
