"""The letters of a multiple choice that a response commits to."""

import re
import unicodedata
from collections.abc import Sequence

from .sections import last_boxed, last_tagged

_LATEX_TEXT = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathsf|operatorname|textrm|bf|rm)\s?\{([^{}]*)\}")
_MARKUP = str.maketrans(dict.fromkeys('*`$_"“”「」『』', " "))

# What stands before the letter of an answer, in the languages of the benchmarks.
_LEADS = re.compile(
    r"(?:\b(?:answers?|options?|choices?|choose|chose|select|pick|r[ée]ponse|antwort|l[öo]sung|respuesta|resposta|risposta|"
    r"ответ|answered)\b|答案|答え|回答|正解|应选|應選|故选|故選|选项|選項|选择|選擇|选|選|정답|답)",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"\s{0,3}(?:(?:(?:is|are|would|should|will|must|seems?|to|be|being|the|correct|right|best|letter|option|choice|answer|"
    r"likely|probably|clearly|therefore|thus|est|ist|es|é|è|la|le|die|der|das|option|opción|lettre|buchstabe)(?![A-Za-zÀ-ɏ])|"
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
    r"(?:\s|[)\].,;/&+、，和或与與及跟]|\b(?:and|or|und|oder|et|ou|y|o|и|или|maybe|perhaps|possibly|probably|also|both|"
    r"either|even|option|choice|through|thru|to)\b)+",
    re.IGNORECASE,
)
_LIST_WORD = re.compile(r"[/&、，,+和或与與及跟]|\b(?:and|or|und|oder|et|ou|и|или|through|thru|to)\b", re.IGNORECASE)

_NEGATION_BEFORE = re.compile(
    r"(?:\b(?:not|never|\w+n['’]t|cannot|neither|nor|except|excluding|without|besides|apart from|rather than|"
    r"instead of|anything but|everything but|anyone but|all but|other than|unlike|doubt|avoid|disagree|"
    r"nicht|kein|pas|no|(?:rul|eliminat|exclud|discard|reject|dismiss|remov)(?:e|ed|es|s|ing)?(?:\sout)?)\b|"
    r"\b(?:wrong|incorrect|false|bad|worst|unlikely|least\s\w+)\s(?:answer|option|choice)\b|"
    r"\b(?:wrong|incorrect|false)\s?:|不是|不选|不選|不能选|非|排除|除了|并非|아니)"
    r"(?:(?!\b(?:but|so|and|yes)\b)[\s:(\[{*\"'’a-z]){0,24}$",
    re.IGNORECASE,
)
_NEGATION_AFTER = re.compile(
    r"^\s{0,3}[)\].:]?\s{0,3}(?:(?:is|are|was|were|would|could|should|must|may|might|has|have|been|does|do|did|seems?|looks?|appears?|"
    r"cannot|can|can['’]t|to|be|the|a|an|also|clearly|definitely|obviously|certainly|probably|therefore|thus|"
    r"completely|simply|just|very)\s{1,3}){0,5}"
    r"(?:not\b|never\b|\w*n['’]t\b|wrong\b|incorrect\b|false\b|invalid\b|impossible\b|unlikely\b|implausible\b|"
    r"improbable\b|inconsistent\b|least\b|distractor\b|cannot\b|out\b|fails?\b|contradicts?\b|worst\b|"
    r"(?:ruled|crossed)\sout\b|eliminated\b|excluded\b|rejected\b|discarded\b|dismissed\b)"
    r"|^\s{0,3}[)）】]?\s{0,3}(?:选项|選項|项|項)?\s{0,3}(?:是|为|為|也|都|均|并|並|就|肯定|显然|一定|而){0,3}"
    r"(?:不|错|錯|误|誤|排除|有误)"
    r"|^\s{0,3}[)）】]?\s{0,3}(?:(?:은|는|이|가)\s{0,2}(?:(?:정답|답)[이은]?\s{0,2})?(?:틀|아니|아닙|오답|잘못)|(?:は|が|で)\s{0,2}(?:(?:正解|答え|正し)(?:では|じゃ|で|く)?\s?)?(?:誤|ない|なく|は?ない|は?ありません|違|間違|不))",
    re.IGNORECASE,
)
_WRONG_LEAD = re.compile(
    r"\b(?:wrong|incorrect|false|bad|worst|unlikely|least\s\w+|not\s(?:the|an?)(?:\s\w+)?|isn['’]t\s(?:the|an?)(?:\s\w+)?)\s{0,3}$"
    r"|\b(?:not|never|cannot|\w+n['’]t)\s{1,3}(?:(?:think|believe|agree|say|suppose|expect)\s{1,3}(?:that\s{1,3})?)?"
    r"(?:the\s{1,3})?(?:(?:correct|right|best)\s{1,3})?$|\bdoubt\s{1,3}(?:that\s{1,3})?(?:the\s{1,3})?$|[不非未别勿](?:能|可|应|應|该|該|会|會|要|宜|可能){0,2}\s?$",
    re.IGNORECASE,
)
"""What makes "answer" the opposite of one: "the wrong answer is B"."""
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
            return letters or None
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
    bare = text.strip().strip(".!。:'’‘").strip()
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
        return frozenset(letters) if letters and letters <= set(options) else None
    headed = re.match(r"[(\[{]?\s*([A-Za-z])\s*[)\]}.:]\s*(?=\S)", bare)
    if headed and headed.group(1).upper() in options:
        rest = bare[headed.end() :]
        if _SAYS.match(rest) and _NEGATION_AFTER.match(rest):
            return frozenset()
        if not _LETTER.search(rest) or not _JOINED.match(rest):
            return frozenset(headed.group(1).upper())
    return None


_SAYS = re.compile(
    r"(?:is|are|was|would|could|can|cannot|must|seems?|looks?|has|does|isn['’]t|can['’]t)\b", re.IGNORECASE
)
"""What follows a letter in a sentence about it, and begins no text of an option."""


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
        if _NEGATION_BEFORE.search(text[max(lead.end(), start - 24) : start]) or _WRONG_LEAD.search(
            text[max(0, lead.start() - 48) : lead.start()]
        ):
            return None
        clause = _first_clause(text[start : start + _LONGEST_STATEMENT])
        if (letter := _letter_of_choice(clause, choices)) is not None:
            return frozenset(letter)
        if (
            clause.isupper()
            and _SET.fullmatch(clause.strip())
            and set(named := _LOOSE_LETTER.findall(clause)) <= set(options)
        ):
            return frozenset(named)
        first = re.match(r"\s*(?:[(\[{（【]\s*)?([A-Za-z])(?![A-Za-z'’])", clause)
        if first and first.group(1).upper() in options and _is_named(first.group(1), clause, first.end(1)):
            return _collect(clause, first, options)
        if _DENYING_CLAUSE.match(clause):
            return None
    return None


_DENYING_CLAUSE = re.compile(
    r"\s*(?:(?:certainly|definitely|clearly|probably|surely|most)\s)?"
    r"(?:not|never|n['’]t|anything but|everything but|anything except|neither|none|no|不|非)(?![a-z])",
    re.IGNORECASE,
)


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
    sentences = [piece for piece in re.split(r"[\n。！？]|(?<=[.!?])\s(?!(?:or|and)\b)", text) if piece.strip()]
    taken_back = False
    for sentence in reversed(sentences):
        if _TAKEN_BACK.fullmatch(sentence):
            taken_back = True
            continue
        if (letter := _letter_of_choice(sentence, choices)) is not None:
            return frozenset(letter)
        letters, ends, places = list[str](), list[int](), list[re.Match[str]]()
        denied = False
        denied_to = -1  # the end of a letter that is denied from before: so are those that are joined to it
        for found in _LETTER.finditer(sentence):
            letter = found.group(1)
            if letter not in options or not (
                _stands_as_letter(sentence, found) or _is_listed(sentence, found, options)
            ):
                continue
            joined = denied_to >= 0 and _JOINED.fullmatch(sentence, denied_to, found.start()) is not None
            if joined or _NEGATION_BEFORE.search(sentence[max(0, found.start() - 40) : found.start()]):
                denied, denied_to = True, found.end()
                continue
            if _NEGATION_AFTER.match(sentence[found.end() : found.end() + 60]):
                denied = True
                while letters and _JOINED.fullmatch(sentence, ends[-1], found.start()) is not None:
                    found = places.pop()  # "A and C are wrong" denies A, too
                    letters.pop(), ends.pop()
                continue
            letters.append(letter)
            ends.append(found.end())
            places.append(found)
        if letters or denied:
            return frozenset(letters) if letters and not (taken_back and sentence.rstrip().endswith("?")) else None
    return None


_LAST_LATIN = "\u2e7f"
"""Scripts behind this character write no words with A or I."""
_TAKEN_BACK = re.compile(
    r"\s*(?:no|nope|wrong|incorrect|false|unlikely|(?:probably\s|certainly\s|definitely\s)?not(?:\s(?:really|sure|likely))?|"
    r"i\s(?:doubt\s(?:it|that)|don['’]t\sthink\sso|am\snot\ssure))\s*[.!]?\s*",
    re.IGNORECASE,
)
"""A sentence that takes back the question before it: "B? No." """


def _is_listed(sentence: str, found: "re.Match[str]", options: str) -> bool:
    """Whether a letter is one of several that are joined: the A of "A and B"."""
    after = _JOINED.match(sentence, found.end())
    if after is not None and _LIST_WORD.search(after.group()):
        following = _NEXT_LETTER.match(sentence, after.end())
        if following is not None and following.group(1) in options:
            return True
    return _LISTED_BEFORE.search(sentence[max(0, found.start() - 24) : found.start()]) is not None


_LISTED_BEFORE = re.compile(
    r"(?<![A-Za-z'’])[A-Z][)\]]?\s{0,3}(?:[,/&、，+和或与與及]|and|or|und|oder|et|ou)\s{0,3}(?:maybe|perhaps|possibly)?\s{0,3}\Z"
)


def _stands_as_letter(sentence: str, found: "re.Match[str]") -> bool:
    letter = found.group(1)
    if _OTHER_THING.search(sentence[max(0, found.start(1) - 24) : found.start(1)]):
        return False
    if letter not in "AI":
        return True
    marked = found.group() != letter
    alone = not sentence[found.end() :].strip(" .):]") or sentence[found.end() : found.end() + 1] in ").:]"
    alone = alone or sentence[found.end() : found.end() + 1] > _LAST_LATIN  # A正确
    return marked or alone or _IS_RIGHT.match(sentence, found.end()) is not None
