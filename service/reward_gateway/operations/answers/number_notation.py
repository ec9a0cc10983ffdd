"""Numbers in plain notation: every sign, digit and LaTeX command that people and models write them with."""

import re
import unicodedata

from .rewriting import Rewriting, rewriting

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

_CURRENCY_CODES = r"\b(?:US|USD|EUR|GBP|Rs)\b\.?(?=\s?\d)"
_CURRENCY_CODE_MARKS = ("US", "EUR", "GBP", "Rs")

_LATEX = (
    rewriting(
        r"\\(?:left|right|displaystyle|limits|mathstrut)\b",
        "",
        *(r"\left", r"\right", r"\displaystyle", r"\limits", r"\mathstrut"),
    ),
    Rewriting(TEXT_COMMAND, r" \1 ", (r"\text", r"\math", r"\mbox", r"\operatorname")),
    rewriting(r"\{,\}|,\\!|\\,(?=\d{3}(?!\d))", ",", "{,}", r",\!", r"\,"),
    rewriting(r"\\[,;:! ]|~|\\quad|\\qquad", " ", r"\,", r"\;", r"\:", r"\!", "\\ ", "~", r"\quad", r"\qquad"),
    rewriting(r"\\(?:times|cdot|ast)(?![a-z])", "*", r"\times", r"\cdot", r"\ast"),
    rewriting(r"\\div(?![a-z])", "/", r"\div"),
    rewriting(r"\\pi(?![a-z])", " pi ", r"\pi"),
    rewriting(
        r"(?<![\d.])(\d{0,99})\.(\d{0,99})\\(?:overline|bar|dot)\s?\{(\d{1,99})\}",
        _write_repeating,
        *(r"\overline", r"\bar", r"\dot"),
    ),
    rewriting(r"\\[dtc]?frac\s?(\d)\s?(\d)(?!\d)", r" (\1)/(\2) ", "frac"),
    rewriting(r"\\[dtc]?frac\s?\{([^{}]*)\}\s?(\d)", r" (\1)/(\2) ", "frac"),
    rewriting(r"\\[dtc]?frac\s?(\d)\s?\{([^{}]*)\}", r" (\1)/(\2) ", "frac"),
    rewriting(r"\\[dtc]?frac\s?\{([^{}]*)\}\s?\{([^{}]*)\}", r" (\1)/(\2) ", "frac"),
    rewriting(r"\\sqrt\s?\{([^{}]*)\}|\\sqrt\s?(\d)|√\s?(\d+(?:\.\d+)?)", r" sqrt(\1\2\3) ", r"\sqrt", "√"),
    rewriting(r"\^\s?\{?\s?\\circ(?![a-z])\s?\}?|\\degree(?![a-z])", "°", r"\circ", r"\degree"),
    rewriting(r"\^\s?\{([^{}]*)\}", r"^(\1)", "^"),
    rewriting(
        rf"\\?\$|\\[()\[\]]|[€£¥₹]|\\pounds(?![a-z])|\\euro(?![a-z])|{_CURRENCY_CODES}",
        " ",
        *("$", r"\(", r"\)", r"\[", r"\]", "€", "£", "¥", "₹", r"\pounds", r"\euro"),
        *_CURRENCY_CODE_MARKS,
    ),
    rewriting(r"\\%", "%", r"\%"),
    rewriting(r"(?<=[A-Za-z0-9)])(?:\*\*|\s\*\*\s)(?=[-+(]?\d)", "^", "**"),  # elsewhere it is Markdown's: **42**
    rewriting(r"[*_`]{2,3}", " ", "*", "_", "`"),
    rewriting(r"(?<![\w)*])(?<![\d)]\s)\*(?=[-+]?\d[^*\n]{0,80}\*(?![\w(*]))", " ", "*"),
    rewriting(r"(?<!\w)_(?=[-+]?\d[^_\n]{0,80}_(?!\w))", " ", "_"),
)
_HAS_LATEX = re.compile(r"[\\$^*€£¥₹√~{_`]")
_write_no_code = rewriting(_CURRENCY_CODES, " ", *_CURRENCY_CODE_MARKS)


def plain_notation(text: str) -> str:
    """A text with every sign, digit and LaTeX command of a number in plain notation: ``1.5 \\times 10^{3}`` is
    ``1.5 * 10^(3)``, ``3½`` is ``3 (1)/(2)``."""
    if not text.isascii():
        text = _SUPERSCRIPT_RUN.sub(lambda run: f"^({run.group().translate(_SUPERSCRIPTS)})", text)
        text = "".join(map(_plain_character, text)).translate(_SIGNS)
    if _HAS_LATEX.search(text):
        for _ in range(2):  # a fraction within a fraction
            before = text
            for rewrite in _LATEX:
                text = rewrite(text)
            if text == before:
                break
    return _write_no_code(text)


def _plain_character(character: str) -> str:
    if character.isascii():
        return character
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if unicodedata.category(character) == "No" and "⁄" in (form := unicodedata.normalize("NFKC", character)):
        numerator, _, denominator = form.partition("⁄")
        return f" ({numerator})/({denominator}) "
    return unicodedata.normalize("NFKC", character) if 0xFF01 <= ord(character) <= 0xFF5E else character
