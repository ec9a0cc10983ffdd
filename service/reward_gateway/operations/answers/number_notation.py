"""Numbers in plain notation: every sign, digit and LaTeX command that people and models write them with."""

import re
import unicodedata
from collections.abc import Callable

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_SUPERSCRIPT_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+")
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("−–﹣－‐‑", "-"),
        "—": " ",
        **dict.fromkeys("×⋅·∙✕", "*"),
        "÷": "/",
        "⁄": "/",
        "∕": "/",
        "＋": "+",
        "％": "%",
        "π": " pi ",
    }
)


def repeating_fraction(whole: str, fixed: str, period: str) -> tuple[int, int]:
    """Numerator and denominator of a repeating decimal: of 0, 1 and 6 (0.1666…) they are 15 and 90."""
    denominator = (10 ** len(period) - 1) * 10 ** len(fixed)
    return int(whole + fixed + period) - int(whole + fixed or 0), denominator


def _write_repeating(decimal: "re.Match[str]") -> str:
    return " ({})/({}) ".format(*repeating_fraction(*decimal.groups()))


TEXT_COMMAND = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mbox|operatorname)\s?\{([^{}]*)\}")

_LATEX: tuple[tuple["re.Pattern[str]", "str | Callable[[re.Match[str]], str]"], ...] = (
    (re.compile(r"\\(?:left|right|displaystyle|limits|mathstrut)\b"), ""),
    (TEXT_COMMAND, r" \1 "),
    (re.compile(r"\{,\}|,\\!|\\,(?=\d{3}(?!\d))"), ","),
    (re.compile(r"\\[,;:! ]|~|\\quad|\\qquad"), " "),
    (re.compile(r"\\(?:times|cdot|ast)(?![a-z])"), "*"),
    (re.compile(r"\\div(?![a-z])"), "/"),
    (re.compile(r"\\pi(?![a-z])"), " pi "),
    (re.compile(r"(?<![\d.])(\d{0,99})\.(\d{0,99})\\(?:overline|bar|dot)\s?\{(\d{1,99})\}"), _write_repeating),
    (re.compile(r"\\[dtc]?frac\s?(\d)\s?(\d)(?!\d)"), r" (\1)/(\2) "),
    (re.compile(r"\\[dtc]?frac\s?\{([^{}]*)\}\s?(\d)"), r" (\1)/(\2) "),
    (re.compile(r"\\[dtc]?frac\s?(\d)\s?\{([^{}]*)\}"), r" (\1)/(\2) "),
    (re.compile(r"\\[dtc]?frac\s?\{([^{}]*)\}\s?\{([^{}]*)\}"), r" (\1)/(\2) "),
    (re.compile(r"\\sqrt\s?\{([^{}]*)\}|\\sqrt\s?(\d)|√\s?(\d+(?:\.\d+)?)"), r" sqrt(\1\2\3) "),
    (re.compile(r"\^\s?\{?\s?\\circ(?![a-z])\s?\}?|\\degree(?![a-z])"), "°"),
    (re.compile(r"\^\s?\{([^{}]*)\}"), r"^(\1)"),
    (
        re.compile(r"\\?\$|\\[()\[\]]|[€£¥₹]|\\pounds(?![a-z])|\\euro(?![a-z])|\b(?:US|USD|EUR|GBP|Rs)\b\.?(?=\s?\d)"),
        " ",
    ),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"(?<=[A-Za-z0-9)])(?:\*\*|\s\*\*\s)(?=[-+(]?\d)"), "^"),  # elsewhere it is Markdown's: **42**
    (re.compile(r"[*_`]{2,3}"), " "),
    (re.compile(r"(?<![\w)*])(?<![\d)]\s)\*(?=[-+]?\d[^*\n]{0,80}\*(?![\w(*]))"), " "),
    (re.compile(r"(?<!\w)_(?=[-+]?\d[^_\n]{0,80}_(?!\w))"), " "),
)


def plain_notation(text: str) -> str:
    """A text with every sign, digit and LaTeX command of a number in plain notation: ``1.5 \\times 10^{3}`` is
    ``1.5 * 10^(3)``, ``3½`` is ``3 (1)/(2)``."""
    text = _SUPERSCRIPT_RUN.sub(lambda run: f"^({run.group().translate(_SUPERSCRIPTS)})", text)
    text = "".join(map(_plain_character, text)).translate(_SIGNS)
    if "\\" in text or "$" in text or "^" in text or "*" in text or any(mark in text for mark in "€£¥₹√~{_`"):
        for _ in range(2):  # a fraction within a fraction
            for pattern, replacement in _LATEX:
                text = pattern.sub(replacement, text)
    return re.sub(r"\b(?:US|USD|EUR|GBP|Rs)\b\.?(?=\s?\d)", " ", text)


def _plain_character(character: str) -> str:
    if character.isascii():
        return character
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if unicodedata.category(character) == "No" and "⁄" in (form := unicodedata.normalize("NFKC", character)):
        numerator, _, denominator = form.partition("⁄")
        return f" ({numerator})/({denominator}) "
    return unicodedata.normalize("NFKC", character) if 0xFF01 <= ord(character) <= 0xFF5E else character
