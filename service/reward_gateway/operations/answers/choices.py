"""The letters of a multiple choice that a response commits to."""

import re
import unicodedata
from collections.abc import Sequence

from .sections import last_boxed, last_tagged

_LATEX_TEXT = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathsf|operatorname|textrm|bf|rm)\s?\{([^{}]*)\}")
_MARKUP = str.maketrans(dict.fromkeys('*`$_"“”「」『』', " "))

# What stands before the letter of an answer, in the languages of the benchmarks.
_LEADS = re.compile(
    r"(?:\b(?:answer|option|choice|choose|chose|select|pick|r[ée]ponse|antwort|l[öo]sung|respuesta|resposta|risposta|"
    r"ответ|answered)\b|答案|答え|回答|正解|应选|應選|故选|故選|选项|選項|选择|選擇|选|選|정답|답)",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"\s{0,3}(?:(?:is|are|would|should|will|must|seems?|to|be|being|the|correct|right|best|letter|option|choice|answer|"
    r"likely|probably|clearly|therefore|thus|est|ist|es|é|è|la|le|die|der|das|option|opción|lettre|buchstabe|"
    r"[是为為应應该該:：=－\-–—】\])は은는가이선택])\s{0,3}){0,8}",
    re.IGNORECASE,
)
_LATIN = "A-Za-zÀ-ɏ0-9_"
_LETTER = re.compile(rf"(?:[(\[{{（【]\s{{0,2}})?(?<![{_LATIN}'’\-])([A-Z])(?![{_LATIN}'’])(?:\s{{0,2}}[)\]}}）】])?")
_LOOSE_LETTER = re.compile(r"(?<![A-Za-z'’])([A-Za-z])(?![A-Za-z'’])")
_NEXT_LETTER = re.compile(r"[(\[{]?([A-Z])(?![A-Za-z'’])")
_SET = re.compile(
    r"[(\[{]?\s*([A-Za-z])\s*[)\]}.:]?(?:\s*(?:,|;|/|&|、|，|and|or|和|或|及|\s)\s*[(\[{]?\s*([A-Za-z])\s*[)\]}.:]?)*"
)
_JOINED = re.compile(
    r"(?:\s|[)\].,;/&、，和或及]|\band\b|\bor\b|\bund\b|\boder\b|\bet\b|\bou\b|\by\b|\bo\b)+", re.IGNORECASE
)

_NEGATION_BEFORE = re.compile(
    r"(?:\b(?:not|isn['’]t|cannot|can['’]t|neither|nor|except|excluding|without|rather than|instead of|anything but|"
    r"everything but|all but|other than|rule out|rules out|eliminate[sd]?|nicht|pas|no)\b|不是|不选|非|排除|아니)"
    r"[\s:(\[{*\"'’a-z]{0,12}$",
    re.IGNORECASE,
)
_NEGATION_AFTER = re.compile(
    r"^\s{0,3}[)\].:]?\s{0,3}(?:(?:is|are|was|were|seems?|looks?|cannot|can['’]?t?|isn['’]t|to|be|also|clearly|"
    r"definitely|obviously)\s{1,3}){0,4}(?:not\b|n['’]t\b|wrong\b|incorrect\b|false\b|ruled out\b|eliminated\b|"
    r"isn['’]t\b|cannot\b)|^\s{0,3}(?:不对|不正确|错|錯|是错|は誤|은 틀)",
    re.IGNORECASE,
)
_LONGEST_STATEMENT = 400
"""Characters of a text that may be nothing but an answer, and of a clause that names one."""

_IS_RIGHT = re.compile(r"\s{1,3}is\s{1,3}(?:the\s|correct|right)")
_OTHER_THING = re.compile(
    r"\b(?:vitamin|hepatitis|plan|type|class|grade|appendix|figure|section|line|point)\s*[(\[{]?\s*$", re.IGNORECASE
)
"""What a letter names that is no option: "vitamin C"."""

WORDS: dict[str, str] = {
    **dict.fromkeys(("true", "yes", "correct", "right", "对", "正确", "是"), "true"),
    **dict.fromkeys(("false", "no", "incorrect", "wrong", "错", "错误", "否"), "false"),
}
"""Words of the choice between two -> which of the two."""


def find_letters(text: str, options: str, choices: Sequence[str] = ()) -> frozenset[str] | None:
    """The letters that a final text commits to; None where it names none, or takes them back.

    Read in this order: the last ``<answer>``; the last box, if it holds letters or an option's text; the last "answer
    is …" (and its like in other languages); letters that stand alone. A letter that is denied does not count, and a
    statement that names several is a set of several.

    Args:
        options: the letters to choose from.
        choices: the texts of the options, in the letters' order, each of which stands for its letter.
    """
    tagged = last_tagged(text, "answer")
    raw = text if tagged is None else tagged
    boxed = last_boxed(raw)
    prose = _plain(raw if boxed is None else _without_boxes(raw))
    statement = prose if boxed is None else _plain(boxed)
    for letters in (
        _read_statement(statement, options, choices),
        _read_leads(prose, options, choices),
        _read_loose(prose, options, choices),
    ):
        if letters is not None:
            return letters
    return None


def find_word(text: str) -> str | None:
    """``true`` or ``false`` where a final text ends in one word of the two; None if it says neither or both."""
    tagged = last_tagged(text, "answer")
    boxed = last_boxed(text if tagged is None else tagged)
    said = _plain(boxed if boxed is not None else text if tagged is None else tagged).strip(" .!。:()").lower()
    if said in WORDS:
        return WORDS[said]
    lead = list(_LEADS.finditer(said))
    after = said[lead[-1].end() :] if lead else said
    named = [WORDS[word] for word in re.findall(r"\b(?:true|false|yes|no)\b", after)]
    if "not" in after.split() or not named or len(set(named)) > 1:
        return None
    return named[-1]


def _plain(text: str) -> str:
    """Without LaTeX's and Markdown's marks, full-width letters as plain ones."""
    text = "".join(_narrow(character) for character in text)
    for _ in range(3):
        text = _LATEX_TEXT.sub(r"\1", text)
    text = re.sub(r"\\[ ,;!:]|~", " ", text)
    return text.replace("{,}", ",").translate(_MARKUP).strip()


def _narrow(character: str) -> str:
    return unicodedata.normalize("NFKC", character) if 0xFF01 <= ord(character) <= 0xFF5E else character


def _without_boxes(text: str) -> str:
    content = last_boxed(text)
    return text if content is None else re.sub(r"\\(?:boxed|fbox|framebox)", " ", text.replace(content, " "))


def _read_statement(text: str, options: str, choices: Sequence[str]) -> frozenset[str] | None:
    """The letters of a short text that is nothing but the answer: "C", "(C) 42", "A, C", "AC", an option's text."""
    bare = text.strip().strip(".!。:").strip()
    if bare.startswith("{") and bare.endswith("}"):
        bare = bare[1:-1].strip()
    if not bare or len(bare) > _LONGEST_STATEMENT:
        return None
    if (letter := _letter_of_choice(bare, choices)) is not None:
        return frozenset(letter)
    if len(bare) == 1 and bare.upper() in options:
        return frozenset(bare.upper())
    if bare.isalpha() and bare.isupper() and len(bare) <= len(options) and set(bare) <= set(options):
        return frozenset(bare) if len(set(bare)) == len(bare) else None
    if _SET.fullmatch(bare):
        letters = {found.upper() for found in _LOOSE_LETTER.findall(bare)}
        return frozenset(letters) if letters <= set(options) else None
    headed = re.match(r"[(\[{]?\s*([A-Za-z])\s*[)\]}.:]\s*(?=\S)", bare)
    if headed and headed.group(1).upper() in options:
        rest = bare[headed.end() :]
        if not _LETTER.search(rest) or not _JOINED.match(rest):
            return frozenset(headed.group(1).upper())
    return None


def _letter_of_choice(text: str, choices: Sequence[str]) -> str | None:
    folded = " ".join(text.casefold().split()).strip(" .")
    for place, choice in enumerate(choices):
        if folded == " ".join(choice.casefold().split()).strip(" ."):
            return chr(ord("A") + place)
    return None


def _read_leads(text: str, options: str, choices: Sequence[str]) -> frozenset[str] | None:
    """The letters after the last lead that names some."""
    for lead in reversed(list(_LEADS.finditer(text))):
        link = _LINK.match(text, lead.end())
        start = link.end() if link else lead.end()
        if _NEGATION_BEFORE.search(text[max(lead.end(), start - 24) : start]):
            return None
        clause = _first_clause(text[start : start + _LONGEST_STATEMENT])
        if (letter := _letter_of_choice(clause, choices)) is not None:
            return frozenset(letter)
        first = re.match(r"\s*(?:[(\[{（【]\s*)?([A-Za-z])(?![A-Za-z'’])", clause)
        if first and first.group(1).upper() in options and _is_named(first.group(1), clause, first.end(1)):
            return _collect(clause, first, options)
        if re.match(r"\s*(?:not|anything but|neither|none|no)\b", clause, re.IGNORECASE):
            return None
    return None


def _is_named(letter: str, clause: str, end: int) -> bool:
    """Whether a letter is one, and not the article or the pronoun: "a vitamin", "I think"."""
    rest = clause[end:]
    if letter.islower() or letter in "AI":
        return not re.match(r"\s+[a-z]", rest) or bool(re.match(r"\s+(?:and|or|because|since|as|is|with|for)\b", rest))
    return True


def _collect(clause: str, first: "re.Match[str]", options: str) -> frozenset[str] | None:
    """The letters of a list that begins with one: "A, B and C"."""
    letters = [first.group(1).upper()]
    place = first.end()
    if _NEGATION_AFTER.match(clause[place : place + 60]):
        return None
    while joined := _JOINED.match(clause, place):
        following = _NEXT_LETTER.match(clause, joined.end())
        if following is None or following.group(1) not in options or not joined.group().strip(" )]."):
            break
        letters.append(following.group(1))
        place = following.end()
    return frozenset(letters)


def _first_clause(text: str) -> str:
    end = re.search(r"[\n。！？；;!?]|\.(?=\s|$)", text)
    return text[: end.start()] if end else text


def _read_loose(text: str, options: str, choices: Sequence[str]) -> frozenset[str] | None:
    """Letters of the last sentence that has some by themselves; A and I have to be marked as more than words."""
    sentences = [piece for piece in re.split(r"[\n。！？]|(?<=[.!?])\s", text) if piece.strip()]
    for sentence in reversed(sentences):
        if (letter := _letter_of_choice(sentence, choices)) is not None:
            return frozenset(letter)
        letters: list[str] = []
        denied = False
        for found in _LETTER.finditer(sentence):
            letter = found.group(1)
            if letter not in options or not _stands_as_letter(sentence, found):
                continue
            if _NEGATION_BEFORE.search(sentence[max(0, found.start() - 40) : found.start()]) or _NEGATION_AFTER.match(
                sentence[found.end() : found.end() + 60]
            ):
                denied = True
                continue
            letters.append(letter)
        if letters or denied:
            return frozenset(letters) if letters else None
    return None


def _stands_as_letter(sentence: str, found: "re.Match[str]") -> bool:
    letter = found.group(1)
    if _OTHER_THING.search(sentence[max(0, found.start(1) - 24) : found.start(1)]):
        return False
    if letter not in "AI":
        return True
    marked = found.group() != letter
    alone = not sentence[found.end() :].strip(" .):]") or sentence[found.end() : found.end() + 1] in ").:]"
    return marked or alone or _IS_RIGHT.match(sentence, found.end()) is not None
