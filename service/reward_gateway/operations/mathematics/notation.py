r"""One notation for mathematics: LaTeX, whatever an answer came in.

Models write the same answer as ``\frac{\pi}{2}``, ``pi/2`` or ``π⁄2``, between ``$``, ``\[`` or ``**``, with a currency
before and a unit behind. The parser of LaTeX is given the first form for all of them. Linear in the text's length.
"""

import re
import unicodedata

from ..answers.number_notation import repeating_fraction
from ..answers.numbers import is_plain
from ..answers.remembered import Remembered
from ..answers.rewriting import rewriting

_OPENINGS = tuple("$\\*_`#")
"""What a text between delimiters begins with."""
_DELIMITERS = (
    re.compile(r"\A\s*\$\$(.*)\$\$\s*\Z", re.DOTALL),
    re.compile(r"\A\s*\$(?!\d[^$]*\Z)([^$]*)\$\s*\Z", re.DOTALL),
    re.compile(r"\A\s*\\\[(.*)\\\]\s*\Z", re.DOTALL),
    re.compile(r"\A\s*\\\((.*)\\\)\s*\Z", re.DOTALL),
    re.compile(
        r"\A\s*\\begin\{(?:equation|align|aligned|gather|math|displaymath)\*?\}(.*)\\end\{[a-z]+\*?\}\s*\Z", re.DOTALL
    ),
    re.compile(r"\A\s*\*\*(.*)\*\*\s*\Z", re.DOTALL),
    re.compile(r"\A\s*__(.*)__\s*\Z", re.DOTALL),
    re.compile(r"\A\s*```[a-z]*\s*\n(.*)\n\s*```\s*\Z", re.DOTALL),
    re.compile(r"\A\s*`(.*)`\s*\Z", re.DOTALL),
    re.compile(r"\A\s*\\(?:boxed|fbox|framebox)\s?\{(.*)\}\s*\Z", re.DOTALL),
    re.compile(r"\A\s*#{1,4}\s(.*)\Z", re.DOTALL),
)

_GREEK = {
    **dict(zip("αβγδεζηθ", ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"), strict=True)),
    **dict(zip("ικλμνξοπ", ("iota", "kappa", "lambda", "mu", "nu", "xi", "omicron", "pi"), strict=True)),
    **dict(zip("ρστυφχψω", ("rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"), strict=True)),
    **dict(zip("ΓΔΘΛΞΠ", ("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi"), strict=True)),
    **dict(zip("ΣΥΦΨΩ", ("Sigma", "Upsilon", "Phi", "Psi", "Omega"), strict=True)),
    **dict(zip("ϕϵϑς", ("phi", "epsilon", "theta", "sigma"), strict=True)),
}
_SYMBOLS = {
    **{letter: f"\\{name} " for letter, name in _GREEK.items()},
    **dict.fromkeys("−–﹣－‐‑", "-"),
    "×": "\\times ",
    "·": "\\cdot ",
    "⋅": "\\cdot ",
    "∙": "\\cdot ",
    "÷": "\\div ",
    "⁄": "/",
    "∕": "/",
    "≤": "\\le ",
    "≥": "\\ge ",
    "≠": "\\ne ",
    "≡": "\\equiv ",
    "≈": "\\approx ",
    "±": "\\pm ",
    "∓": "\\mp ",
    "∞": "\\infty ",
    "∪": "\\cup ",
    "∩": "\\cap ",
    "∈": "\\in ",
    "∅": "\\emptyset ",
    "∖": "\\setminus ",
    "°": "^\\circ ",
    "⟨": "\\langle ",
    "⟩": "\\rangle ",
    "→": "\\to ",
    "…": "\\ldots ",
    "⋯": "\\ldots ",
    "ℝ": "\\mathbb{R}",
    "ℕ": "\\mathbb{N}",
    "ℤ": "\\mathbb{Z}",
    "ℚ": "\\mathbb{Q}",
    "ℂ": "\\mathbb{C}",
    "∑": "\\sum ",
    "∏": "\\prod ",
    "∫": "\\int ",
    "′": "'",
    "％": "\\%",
    "，": ",",
    "；": ";",
    "：": ":",
}
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ", "0123456789+-=()ni", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎", "0123456789+-=()", strict=True))
_RAISED = re.compile("[" + "".join(_SUPERSCRIPTS) + "]+")
_LOWERED = re.compile("[" + "".join(_SUBSCRIPTS) + "]+")


def _join_groups(number: "re.Match[str]") -> str:
    text, (start, end) = number.string, number.span()
    if text[start - 1 : start] in ("(", "[") and text[end : end + 1] in (")", "]") and number.group().count(",") == 1:
        return number.group()  # the pair (12,102)
    return _SEPARATOR.sub("", number.group(1))


def _join_rows(rows: "re.Match[str]") -> str:
    """The rows of a system of equations as a list."""
    parts = [part.replace("&", " ").strip() for part in rows.group(1).split("\\\\")]
    return ", ".join(part for part in parts if part)


def _name_constant(name: "re.Match[str]") -> str:
    return f"\\{_CONSTANTS.get(name.group(), name.group())} "


def _fraction_of_repeating(decimal: "re.Match[str]") -> str:
    numerator, denominator = repeating_fraction(*decimal.groups())
    return f"\\frac{{{numerator}}}{{{denominator}}}"


_CALLS = {"sqrt": "\\sqrt", "cbrt": "\\sqrt[3]", "exp": "e^"}
_CONSTANTS = {"infinity": "infty", "inf": "infty", "oo": "infty"}
_FUNCTIONS = "arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|ln|lim|min|max|gcd|lcm|det|mod|log"
_SEPARATOR = re.compile(r"\{,\s?\}|,\\!|\\,|[,\u202f\u00a0\u2009 ]")
_TEXT = re.compile(
    r"\\(?:text|textbf|textit|textrm|textsf|texttt|mbox|hbox|mathrm|mathbf|mathit|mathsf|bm|boldsymbol)\s?\{([^{}]*)\}"
)
_INDEX_I = re.compile(r"\\(?:sum|prod)\s?_\s?\{\s?i\s?=")
_LONE_I = re.compile(r"(?<![A-Za-z\\])i(?![A-Za-z])")
"""The index i of a sum, which the parser takes for the imaginary unit."""

_write_root = rewriting(r"√\s?(\d+(?:\.\d+)?|[A-Za-z](?![A-Za-z]))", r"\\sqrt{\1}", "√")
_leave_currency_out = rewriting(
    r"(?:\b(?:US|USD|EUR|GBP|CAD|AUD|HK|NZ|CA|AU|[CAS](?=\\?\$)|Rs|INR)\.?\s?)?(?:\\\$|\$|[€£¥₹]|\\pounds(?![a-z])|\\euro(?![a-z])|\\textdollar)\s?(?=[-.\d\\({])"
    r"|\b(?:USD|EUR|GBP|Rs)\.?\s?(?=\d)|\s?(?:\\cents?(?![a-z])|[€£¥¢₹]|(?<=\d)\\?\$)",
    "",
    *("$", "€", "£", "¥", "¢", "₹", r"\pounds", r"\euro", r"\textdollar", r"\cent", "USD", "EUR", "GBP", "Rs"),
)
_join_thousands = rewriting(
    r"(?<![\d.,])(\d{1,3}(?:(?:\{,\s?\}|,\\!\s?|\\,|,|\u202f|\u00a0|\u2009| )\d{3})+)(?!\d)(?!\{?,\}?\d)",
    _join_groups,
    *(",", " ", "\u202f", "\u00a0", "\u2009"),
)
_write_matrix = rewriting(  # an array in parentheses or brackets
    r"(?:\\left)?\s?[(\[]\s*\\begin\{array\}\s?\{[lcr|\s]*\}((?:(?!\\begin)[^=]){0,2000}?)\\end\{array\}\s*(?:\\right)?\s?[)\]]",
    r"\\begin{pmatrix}\1\\end{pmatrix}",
    r"\begin{array}",
)
_list_rows = rewriting(
    r"(?s)\\begin\{(?:cases|array|aligned|matrix)\}(?:\{[^{}]*\})?(.*?)\\end\{(?:cases|array|aligned|matrix)\}",
    _join_rows,
    r"\begin",
)
_leave_layout_out = rewriting(
    r"\\(?:displaystyle|textstyle|limits|left\.|right\.|left|right|bigl?|bigr?|Bigl?|Bigr?|biggl?|biggr?|mathstrut|"
    r"normalsize|large|Large|color\{[^{}]*\}|,)(?![A-Za-z])",
    "",
    "\\",
)
# A list between plain braces, which LaTeX does not show, is the set that was meant.
_write_set = rewriting(r"\A\s*\{([^{}=,]*,[^{}=]*)\}\s*\Z", r"\\{\1\\}", "{")
_write_spaces = rewriting(r"(?<!\\)\\[,;:! ]|\\quad|\\qquad|~|\\hspace\{[^{}]*\}|\\phantom\{[^{}]*\}", " ", "\\", "~")
_write_absolute = rewriting(r"(?<![A-Za-z\\])abs\(([^()]*)\)", r"|\1|", "abs(")
_write_functions = rewriting(
    rf"(?<![A-Za-z\\])({_FUNCTIONS})(?=[\s(_^]|\d|[a-z](?![a-z]))",
    r"\\\1 ",
    *("sin", "cos", "tan", "cot", "sec", "csc", "ln", "lim", "min", "max", "gcd", "lcm", "det", "mod", "log"),
)
_write_constants = rewriting(
    r"(?<![A-Za-z\\])(pi|infinity|inf|oo|theta|alpha|beta|gamma|lambda)(?![A-Za-z])",
    _name_constant,
    *("pi", "inf", "oo", "theta", "alpha", "beta", "gamma", "lambda"),
)
_write_products = rewriting(r"(?<!\\)\*", r"\\cdot ", "*")
_write_repeating = rewriting(
    r"(?<![\d.])(\d{0,99})\.(\d{0,99})\\(?:overline|bar|dot)\s?\{(\d{1,99})\}",
    _fraction_of_repeating,
    *(r"\overline", r"\bar", r"\dot"),
)
_write_times_ten = rewriting(r"(?<=\d)\s?x\s?(?=10\s?\^)", r"\\times ", "x")
_write_index = rewriting(r"_\s?\{(\w)\}", r"_\1", "_")
_write_long_power = rewriting(r"\^\s?(-?\d{2,}(?:\.\d+)?|-\d)", r"^{\1}", "^")
_write_mixed = rewriting(
    r"(?<![\d.\w^/])(-?)(\d{1,9})\s+(\d{1,9})\s?/\s?(\d{1,9})(?![\d/.])", r"\1(\2+\\frac{\3}{\4})", "/"
)
_write_vulgar = rewriting(r"(?<![\w.])(-?)(\d{1,9})\s?(\\frac\{\d{1,9}\}\{\d{1,9}\})", r"\1(\2+\3)", r"\frac")
_write_percent = rewriting(r"(?<!\\)%", r"\\%", "%")
_SIGNS = (
    rewriting(r"\+\s*-", "-", "-"),
    rewriting(r"-\s*-", "+", "-"),
    rewriting(r"-\s*\+(?=\s*\d)", "-", "-"),
)


def strip_delimiters(text: str) -> str:
    """A text without the delimiters, Markdown, boxes and full stops around it."""
    for _ in range(8):
        before = text
        text = text.strip().rstrip("。?？").rstrip()
        if text.endswith((".", ",", ";", ":")) and not text.endswith((r"\ldots.", "...", r"\,", r"\;", r"\:", r"\!")):
            text = text[:-1]
        for pattern in _DELIMITERS if text.startswith(_OPENINGS) else ():
            if (found := pattern.match(text)) is not None and _is_balanced(found.group(1)):
                text = found.group(1)
        if text == before:
            break
    return text.strip()


def _is_balanced(text: str) -> bool:
    """Whether no brace closes before it opens, so that the outer braces belong together."""
    depth = 0
    for character in text if "}" in text else "":
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return True


def is_whole(text: str) -> bool:
    """Whether an expression says something and every brace in it closes: ``\\frac{1}{`` is cut off."""
    if is_plain(text):
        return True
    bare = strip_delimiters(text).replace("\\{", "").replace("\\}", "")
    says = any(character.isalnum() for character in _leave_layout_out(bare))
    return says and _is_balanced(bare) and bare.count("{") == bare.count("}")


@Remembered
def to_latex(text: str) -> str:
    """An answer as LaTeX: signs, functions, powers, numbers and fractions in one notation, currencies left out."""
    if is_plain(text):
        return text
    text = strip_delimiters(text)
    if not text.isascii():
        text = _write_plain_characters(text)
    text = _join_thousands(_leave_currency_out(text))
    text = _write_set(_leave_layout_out(_list_rows(_write_matrix(text))))
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").replace("\\cfrac", "\\frac")
    text = (
        text.replace("\\cdots", "\\ldots")
        .replace("\\leq", "\\le")
        .replace("\\geq", "\\ge")
        .replace("\\neq", "\\ne")
        .replace("\\dots", "\\ldots")
    )
    text = text.replace("\\le" + "slant", "\\le").replace("\\ge" + "slant", "\\ge").replace("...", "\\ldots ")
    text = text.replace("<=", "\\le ").replace(">=", "\\ge ").replace("!=", "\\ne ").replace("**", "^")
    text = _write_spaces(text)
    for name, command in _CALLS.items():
        text = _call_to_braces(text, name, command)
    text = _write_constants(_write_functions(_write_absolute(text)))
    text = _write_index(_write_times_ten(_write_repeating(_write_products(text))))
    if _INDEX_I.search(text):
        text = _LONE_I.sub("k" if re.search(r"(?<![A-Za-z\\])k(?![A-Za-z])", text) is None else "q", text)
    text = _call_to_braces(_write_long_power(text), "^", "^")
    text = text.replace("\\mathrm{e}", "e").replace("\\mathrm{i}", "i").replace("\\text{e}", "e")
    text = text.replace("\\varnothing", "\\emptyset").removeprefix("+")
    text = text.replace("\\langle", "(").replace("\\rangle", ")")
    text = _write_percent(_write_vulgar(_write_mixed(text)))
    for rewrite in _SIGNS:
        text = rewrite(text)
    return " ".join(text.split())


def _write_plain_characters(text: str) -> str:
    """A text with its superscripts, subscripts, roots and signs as LaTeX."""
    text = _RAISED.sub(lambda run: "^{" + "".join(_SUPERSCRIPTS[c] for c in run.group()) + "}", text)
    text = _LOWERED.sub(lambda run: "_{" + "".join(_SUBSCRIPTS[c] for c in run.group()) + "}", text)
    text = _call_to_braces(_write_root(text), "√", "\\sqrt")
    return text if text.isascii() else "".join(map(_plain_character, text))


def _plain_character(character: str) -> str:
    if character.isascii():
        return character
    if (written := _SYMBOLS.get(character)) is not None:
        return written
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    form = unicodedata.normalize("NFKC", character)
    if unicodedata.category(character) == "No" and "⁄" in form:
        numerator, _, denominator = form.partition("⁄")
        return f"\\frac{{{numerator}}}{{{denominator}}}"
    if 0xFF01 <= ord(character) <= 0xFF5E:
        return form
    return "" if character in "\u200b\u200c\u200d\u2060\ufeff" else " " if character.isspace() else character


def _call_to_braces(text: str, name: str, command: str) -> str:
    r"""``name(…)`` as ``command{…}``: ``sqrt(2)`` is ``\sqrt{2}``, ``x^(1/2)`` is ``x^{1/2}``."""
    mark = f"{name}("
    if mark not in text:
        return text
    pieces: list[str] = []
    closings: list[tuple[int, bool]] = []  # of each open parenthesis: whether it becomes a brace
    place = 0
    while place < len(text):
        before = text[place - 1] if place else " "
        if text.startswith(mark, place) and not (name.isalpha() and (before.isalpha() or before == "\\")):
            pieces.append(command + "{")
            closings.append((place, True))
            place += len(mark)
            continue
        character = text[place]
        if character == "(":
            closings.append((place, False))
        elif character == ")" and closings:
            character = "}" if closings.pop()[1] else ")"
        pieces.append(character)
        place += 1
    return text if any(brace for _, brace in closings) else "".join(pieces)


def plain_words(text: str) -> str | None:
    """The words that an answer is, in lower case and without marks; None if it is mathematics."""
    words = _TEXT.sub(r" \1 ", text)
    words = re.sub(r"\\[,;:! ]|~|[$*`_]", " ", words).strip(" .!?。")
    if "\\" in words or re.search(r"[=<>^+/{}]|\d\s*[-*]\s*\d", words):
        return None
    letters = re.findall(r"[^\W\d_]{2,}", words)
    if not letters and re.search(r"[⺀-鿿가-힯]", words) is None:
        return None
    return " ".join(_ARTICLE.sub("", re.sub(r"[^\w\s]", " ", words.casefold()).strip()).split())


_ARTICLE = re.compile(r"\A(?:an?|the)\s+(?=\S)")
