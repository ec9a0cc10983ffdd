"""IFBench: ``format``."""

import re
import string
from itertools import pairwise

import regex

from .registry import Wanted, instruction
from .text import EDGES, NO_PUNCTUATION, Text, split_sentences

_CLOSES = {")": "(", "]": "[", "}": "{"}
_EMOJI = regex.compile(r"\p{Extended_Pictographic}|\p{Regional_Indicator}|[0-9#*]\ufe0f?\u20e3")
_PICTURE = regex.compile(
    r"[\p{Extended_Pictographic}\p{Regional_Indicator}\p{Emoji_Modifier}\u20e3]"
    r"[\ufe0f\u200d\u20e3\p{Emoji_Modifier}\U000e0020-\U000e007f]*\Z"
)
_LETTERS_ONLY = re.compile(r"\W*[aA]\W*[bB]\W*[cC]\W*")
_DEEP, _QUOTES_DEEP = 5, 3


@instruction("format:parentheses")
def parentheses(response: Text) -> bool:
    """Nest parentheses (and [brackets {and braces}]) at least 5 levels deep. A wrong closing bracket begins anew."""
    opened: list[str] = []
    for sign in response.raw:
        if sign in "([{":
            opened.append(sign)
        elif sign in _CLOSES:
            if not opened or opened[-1] != _CLOSES[sign]:
                opened.clear()
            elif len(opened) >= _DEEP:
                return True
            else:
                opened.pop()
    return False


@instruction("format:quotes")
def quotes(response: Text) -> bool:
    """Include quotes within quotes within quotes, at least 3 levels deep, alternating double and single quotes."""
    opened: list[str] = []
    deepest = 0
    for sign in response.raw:
        if opened and sign == opened[-1]:
            opened.pop()
            if deepest - len(opened) >= _QUOTES_DEEP:
                return True
        elif sign in "\"'":
            opened.append(sign)
            deepest = max(deepest, len(opened))
    return False


@instruction("format:options")
def options(response: Text, *, options: Wanted) -> bool:
    """Answer with one of the following options: {options}. Do not give any explanation.

    Options are parted by /, else by "or", else by commas. Case and signs around do not count, but for lists of letters.
    """
    parting = "/" if "/" in options else "or" if "or" in options else ","
    offered = [option.strip() for option in options.split(parting)]
    if _LETTERS_ONLY.match(options):
        return response.raw in offered
    return response.lower.strip(EDGES) in [option.strip(EDGES).lower() for option in offered]


@instruction("format:newline")
def newline(response: Text) -> bool:
    """Write each word on a new line."""
    text = response.raw.translate(NO_PUNCTUATION)
    return len([line for line in text.strip().split("\n") if line]) == len(text.split())


@instruction("format:emoji")
def emoji(response: Text) -> bool:
    """Please use an emoji at the end of every sentence, before or behind its last sign."""
    sentences = [sentence.translate(NO_PUNCTUATION).strip() for sentence in response.sentences]
    following = [*sentences[1:], ""]
    return all(
        bool(one) and (_PICTURE.search(one) is not None or _EMOJI.match(other) is not None)
        for one, other in zip(sentences, following, strict=True)
    )


@instruction("format:line_indent")
def line_indent(response: Text) -> bool:
    """Create stairs by incrementally indenting each new line; there are at least two."""
    indents = [len(line) - len(line.lstrip(" ")) for line in response.lines if line.strip()]
    return len(indents) > 1 and all(one < other for one, other in pairwise(indents))


@instruction("format:quote_unquote")
def quote_unquote(response: Text) -> bool:
    """Every quoted phrase must be followed by an unquoted explanation: no quotes side by side, and none at the end."""
    text = "".join(response.raw.replace("“", '"').replace("”", '"').replace("'\"'", "").split())
    signs = string.digits + string.punctuation.replace('"', "")
    return '""' not in text and not text.strip(signs).endswith('"')


@instruction("format:list")
def list_with_separator(response: Text, *, sep: Wanted) -> bool:
    """Answer with a list of items, instead of bullet points use {sep}; it occurs at least twice."""
    return response.raw.count(sep) >= 2


@instruction("format:thesis")
def thesis(response: Text) -> bool:
    """Each section must begin with a thesis statement in italics, use HTML to indicate the italics.

    There is text in <i> or <em>, and text behind it.
    """
    text = response.raw
    for opening, closing in (("<i>", "</i>"), ("<em>", "</em>")):
        start = text.find(opening)
        if start >= 0:
            inner, found, rest = text[start + len(opening) :].partition(closing)
            return bool(found and inner.strip() and rest.strip())
    return False


@instruction("format:sub-bullets")
def sub_bullets(response: Text) -> bool:
    """Your response must include bullet points denoted by * and at least one sub-bullet point denoted by - for each."""
    bullets = response.raw.split("*")[1:]
    return bool(bullets) and all("-" in bullet for bullet in bullets)


@instruction("format:no_bullets_bullets")
def no_bullets_bullets(response: Text) -> bool:
    """At least two sentences ending in a period, followed by at least two bullet points denoted by *, and no more."""
    lines = [line.strip() for line in response.lines if line.strip()]
    bullets = [line.startswith("*") for line in lines]
    first = bullets.index(True) if True in bullets else len(lines)
    sentences = [sentence for line in lines[:first] for sentence in split_sentences(line)]
    return (
        sum(sentence.endswith(".") for sentence in sentences) >= 2 and all(bullets[first:]) and len(lines) - first >= 2
    )


@instruction("format:title_case")
def title_case(response: Text) -> bool:
    """Write the entire response in title case: every word begins with a capital; NASA and iPhone may stay."""
    words = re.findall(r"(?<![\w'’-])[^\W\d_][\w'’-]*", response.raw)
    return not any(word[0].islower() and (len(word) == 1 or word[1:].islower() or word[1:].isupper()) for word in words)


@instruction("format:output_template")
def output_template(response: Text) -> bool:
    """Use this exact template: My Answer: [answer] My Conclusion: [conclusion] Future Outlook: [outlook]."""
    places = [response.raw.find(label) for label in ("My Answer:", "My Conclusion:", "Future Outlook:")]
    return places[0] >= 0 and places == sorted(places)


@instruction("format:no_whitespace")
def no_whitespace(response: Text) -> bool:
    """The output should not contain any whitespace."""
    return not any(map(str.isspace, response.raw))
