"""Whether a response speaks a language: all that IFEval asks for, those with a script of their own by their script."""

import re

from ...extras import MissingExtra
from ..languages import load_languages, tell_languages
from ..outcome import ItemError
from .word_lists import read_list

_READ = 4000
"""Characters that are read."""

_SHORT = 120
"""Letters below which trigrams alone do not tell a language."""

_CANDIDATES = read_list("languages")
"""What a language is told apart from: the languages that IFEval asks for, and others that models answer in."""

_SCRIPTS = {"kn": "[\u0c80-\u0cff]", "ml": "[\u0d00-\u0d7f]"}
"""Languages that lingua does not know and whose script no other of them has."""

_NEPALI = re.compile(r"(?:^|\s)(?:छ|छन्|हुन्छ|हुन्|छैन|पनि|गर्न|गर्छ|गर्नु|भएको|यो|त्यो|लागि|तथा|नेपाली?|हो)(?=[\s।,]|$)")
_HINDI = re.compile(r"(?:^|\s)(?:है|हैं|नहीं|और|के|की|का|से|में|भी|यह|था|थी|आहे|आणि)(?=[\s।,]|$)")


def speaks(code: str, text: str) -> bool:
    """Whether a text is in a language: the likeliest one of its first 4,000 characters.

    Raises:
        ItemError: the language cannot be told apart, or what tells it apart is not installed.
    """
    code = code.strip().lower().partition("-")[0]
    read = text[:_READ]
    letters = [character for character in read if character.isalpha()]
    if not letters:
        return False
    if code in _SCRIPTS:
        return len(re.findall(_SCRIPTS[code], read)) > len(letters) / 2
    if code == "ne":
        return len(_NEPALI.findall(read)) > len(_HINDI.findall(read))
    if code == "hi" and len(_NEPALI.findall(read)) > len(_HINDI.findall(read)):
        return False
    try:
        known = load_languages()
    except MissingExtra as error:
        raise ItemError(f"kwargs: {error}") from None
    if code not in known:
        raise ItemError(f"kwargs: the language {code!r} cannot be told apart (a code of ISO 639-1 is expected)")
    candidates = tuple(sorted({code, *_CANDIDATES}))
    confidences = tell_languages(read, candidates, thorough=len(letters) < _SHORT)
    likeliest = max(confidences, key=lambda one: confidences[one])
    return likeliest == code and confidences[code] > 0
