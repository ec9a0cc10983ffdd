"""Words in any script: what counts as a word where spaces do not part them. All in linear time, but for ``ja``."""

import re
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Annotated, Any, Literal

import regex
from pydantic import AfterValidator, Field

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
_TERM = regex.compile(
    rf"{_SPACELESS}"
    rf"|(?<![\w.])\.(?=\p{{L}})[[\w\p{{M}}]--{_SCRIPTS}]+"
    rf"|[[\w\p{{M}}]--{_SCRIPTS}]+"
    r"(?:\+{2,}|\#+(?!\w)|(?<=\p{L})\+(?!\w))?",
    regex.VERSION1,
)


def _check_installed(tokens: str) -> str:
    if tokens == "ja" and find_spec("MeCab") is None:
        raise ValueError(
            "tokens: ja needs the package mecab-python3, which is not installed here: pip install 'sacrebleu[ja]'"
        )
    return tokens


Tokens = Annotated[
    Literal["auto", "words", "characters", "zh", "ja"],
    AfterValidator(_check_installed),
    Field(
        description="What a word is. auto: what the operation says, and each character of scripts without spaces "
        "(Chinese, Japanese, Thai …). words: Unicode word boundaries (UAX #29). characters: each character but spaces. "
        "zh, ja: sacreBLEU's tokenisers; ja needs sacrebleu[ja]."
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

    auto: runs of letters, marks, digits and underscores with the signs that make another word of them (``C++``, ``C#``,
    ``A+``, ``.NET``), and each letter of a script without spaces. None for a text of other signs.
    """
    text = text.lower()
    terms: list[str] = _TERM.findall(text) if tokens == "auto" else _SPLIT[tokens](text)
    return terms


def isolate_letters(text: str) -> str:
    """The text with spaces around each letter of a script without spaces; any other text as it is."""
    if text.isascii() or _HAS_SPACELESS.search(text) is None:
        return text
    isolated: str = _ISOLATED.sub(r" \1 ", text)
    return isolated


def _split_unicode(text: str) -> list[str]:
    words: list[str] = _UNICODE_WORD.findall(text)
    return words


def _split_characters(text: str) -> list[str]:
    return [character for character in _CHARACTER.findall(text) if not character.isspace()]


@cache
def _load_tokeniser(name: str) -> Any:
    if name == "zh":
        from sacrebleu.tokenizers.tokenizer_zh import TokenizerZh  # imported when first asked for

        return TokenizerZh()  # type: ignore[no-untyped-call]
    from sacrebleu.tokenizers.tokenizer_ja_mecab import TokenizerJaMecab

    return TokenizerJaMecab()  # type: ignore[no-untyped-call]


_SPLIT: dict[str, Callable[[str], list[str]]] = {
    "words": _split_unicode,
    "characters": _split_characters,
    "zh": lambda text: str(_load_tokeniser("zh")(text)).split(),
    "ja": lambda text: str(_load_tokeniser("ja")(text)).split(),
}
