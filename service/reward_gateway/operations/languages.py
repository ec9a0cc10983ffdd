"""Telling languages apart (the library lingua, of the extra ``language``)."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from ..extras import MissingExtra, needed

CANDIDATES = ["en", "zh", "es", "fr", "de", "pt", "ru", "ja", "ko", "ar", "hi", "it"]
"""The languages that are told apart unless others are named."""


@cache
def load_languages() -> dict[str, Any]:
    """Every language that can be told apart, by its ISO 639-1 code.

    Raises:
        MissingExtra: lingua is not installed.
    """
    with needed():
        from lingua import Language  # imported when first asked for: it takes its time

    return {language.iso_code_639_1.name.lower(): language for language in Language.all()}


def check_languages(codes: Iterable[str]) -> None:
    """Check that languages can be told apart.

    Raises:
        ValueError: one cannot, or lingua is not installed.
    """
    try:
        known = load_languages()
    except MissingExtra as error:
        raise ValueError(str(error)) from None
    unknown = sorted(set(codes) - known.keys())
    if unknown:
        raise ValueError(f"no languages that can be told apart: {', '.join(unknown)}")


def choose_candidates(named: Sequence[str], wanted: str | None = None) -> tuple[str, ...]:
    """The candidates for :func:`tell_languages`: those that are named, the wanted one, and another to tell it from."""
    codes = tuple(sorted({*named, *filter(None, [wanted])}))
    return codes if len(codes) > 1 else (*codes, "en" if codes[0] != "en" else "zh")


def find_likeliest(confidences: Mapping[str, float]) -> str | None:
    """The likeliest language; None if the letters belong to none of the candidates."""
    likeliest = max(confidences, key=lambda code: confidences[code])
    return likeliest if confidences[likeliest] > 0 else None


def tell_languages(text: str, codes: tuple[str, ...], *, thorough: bool = False) -> dict[str, float]:
    """Code -> probability that a text is in that language, by letter trigrams.

    Args:
        codes: the candidates, sorted; at least two.
        thorough: by runs of one to five letters, which tells short texts better; 300 MB and seconds at the first call.
    """
    # A lone half of a surrogate pair is a character that the detector cannot take.
    readable = text.encode("utf-8", "replace").decode("utf-8")
    values = _build_detector(codes, thorough).compute_language_confidence_values(readable)
    return {entry.language.iso_code_639_1.name.lower(): entry.value for entry in values}


@cache
def _build_detector(codes: tuple[str, ...], thorough: bool) -> Any:
    from lingua import LanguageDetectorBuilder

    languages = [load_languages()[code] for code in codes]
    builder = LanguageDetectorBuilder.from_languages(*languages)
    return (builder if thorough else builder.with_low_accuracy_mode()).build()
