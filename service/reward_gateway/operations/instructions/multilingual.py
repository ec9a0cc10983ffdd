"""M-IFEval (arXiv 2502.04688): what Spanish, French and Japanese add or read in another way.

An id with a language before it (``es:keywords:existence``) that is not here has the rule of the id without it. Words
are runs of letters (published: spaCy's), sentences of Japanese end with 。 ！ ？ or the line.
"""

import re
import unicodedata
from typing import Annotated

from pydantic import Field

from .language import speaks
from .registry import Count, Place, Relation, Wanted, instruction
from .text import Text, compare

_KANJI = re.compile("[\u4e00-\u9faf]")
_FURIGANA = re.compile("(?<![\u4e00-\u9faf])[\u4e00-\u9faf]++（[ぁ-ん]+）")
_ENDS = re.compile("[。！？!?\n]")
_INFORMAL = re.compile(r"\b(?:tu|te|t['’]|toi|ton|ta|tes)(?:\b|(?<=['’]))", re.IGNORECASE)
_QUOTED = re.compile("「[^「」\n]*」|『[^『』\n]*』")


def _count_words_with(response: Text, letters: str) -> int:
    return sum(not set(letters).isdisjoint(word) for word in response.words)


@instruction("es:special_character:enie")
def enie(response: Text, *, let_frequency: Count) -> bool:
    """Exactly {let_frequency} words with the letter ñ."""
    return _count_words_with(response, "ñ") == let_frequency


@instruction("es:special_character:dieresis")
def dieresis(response: Text, *, let_frequency: Count) -> bool:
    """Exactly {let_frequency} words with the letter ü."""
    return _count_words_with(response, "ü") == let_frequency


@instruction("es:special_character:tildes")
def tildes(response: Text, *, num_words: Count, relation: Relation = "at least") -> bool:
    """{relation} {num_words} words with an accent: á, é, í, ó, ú."""
    return compare(_count_words_with(response, "áéíóú"), relation, num_words)


@instruction("es:punctuation:question_marks")
def question_marks(response: Text) -> bool:
    """At least one question between ¿ and ?."""
    return any(inner.strip() for inner in re.findall(r"¿([^?¿]*)\?", response.raw))


@instruction("es:punctuation:exclamation_marks")
def exclamation_marks(response: Text) -> bool:
    """At least one exclamation between ¡ and !."""
    return any(inner.strip() for inner in re.findall(r"¡([^!¡]*)!", response.raw))


@instruction("es:change_case:spanish_capital")
def spanish_capital(response: Text) -> bool:
    """The entire response in Spanish, and in all capital letters."""
    return response.raw.isupper() and speaks("es", response.raw)


@instruction("es:change_case:spanish_lowercase")
def spanish_lowercase(response: Text) -> bool:
    """The entire response in Spanish, and in all lowercase letters."""
    return response.raw.islower() and speaks("es", response.raw)


@instruction("es:detectable_format:constrained_response")
def spanish_options(response: Text) -> bool:
    """Answer with one of: Sí. No. Quizás."""
    return any(option in response.raw for option in ("Sí.", "No.", "Quizás."))


@instruction("es:detectable_content:postscript")
def spanish_postscript(response: Text, *, postscript_marker: Wanted) -> bool:
    """A postscript that starts with {postscript_marker} (P.D. or Nota), in any case."""
    if postscript_marker.strip() == "P.D.":
        return re.search(r"p\.\s?d\.", response.lower) is not None
    return postscript_marker.strip().lower() in response.lower


@instruction("fr:change_case:french_capital")
def french_capital(response: Text) -> bool:
    """The entire response in French, and in all capital letters."""
    return response.raw.isupper() and speaks("fr", response.raw)


@instruction("fr:change_case:french_lowercase")
def french_lowercase(response: Text) -> bool:
    """The entire response in French, and in all lowercase letters."""
    return response.raw.islower() and speaks("fr", response.raw)


@instruction("fr:detectable_format:constrained_response")
def french_options(response: Text) -> bool:
    """Answer with one of: Oui. Non. Peut-être."""
    return any(option in response.raw for option in ("Oui.", "Non.", "Peut-être."))


@instruction("fr:detectable_format:title")
def french_title(response: Text) -> bool:
    """A title between ## and ##, on one line."""
    for line in response.lines:
        start, end = line.find("##"), line.rfind("##")
        if 0 <= start < end - 2 and line[start:end].strip("#").strip():
            return True
    return False


@instruction("fr:startend:quotation")
def french_quotation(response: Text) -> bool:
    """The entire response between quotation marks: " ", ' ' or « »."""
    text = response.raw.strip()
    return len(text) > 1 and (text[0], text[-1]) in (('"', '"'), ("'", "'"), ("«", "»"))


@instruction("fr:detectable_content:informal_address")
def informal_address(response: Text) -> bool:
    """The reader is addressed with tu (or te, t', toi, ton, ta, tes)."""
    return _INFORMAL.search(response.raw) is not None


@instruction("fr:detectable_content:no_digits")
@instruction("ja:letters:kansuuji")
def no_digits(response: Text) -> bool:
    """No digits: numbers are written as words, in Japanese as kanji."""
    return not any(map(str.isdecimal, response.raw))


@instruction("fr:special_character:ethel_or_cedilla")
def ethel_or_cedilla(response: Text, *, forbidden_char: Wanted) -> bool:
    """Do not use the character {forbidden_char} (œ or ç), in any case."""
    return forbidden_char.lower() not in response.lower


@instruction("fr:special_character:no_accents")
def no_accents(response: Text) -> bool:
    """No letters with accents, nor a cedilla."""
    return re.search("[\u0300-\u0308\u0327]", unicodedata.normalize("NFD", response.raw)) is None


@instruction("fr:special_character:accents")
def accents(response: Text, *, word_to_accentuate: dict[str, str]) -> bool:
    """Write the words of {word_to_accentuate}, given without accents, with them wherever they occur."""
    return all(
        word_to_accentuate.get(_remove_accents(word), word) == word for word in re.findall(r"\w+", response.lower)
    )


def _remove_accents(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))


@instruction("ja:length_constraints:number_letters")
def number_letters(response: Text, *, num_letters: Count, relation: Relation = "at least") -> bool:
    """{relation} {num_letters} characters, all of them counted."""
    return compare(len(response.raw), relation, num_letters)


@instruction("ja:length_constraints:number_sentences")
def japanese_sentences(response: Text, *, num_sentences: Count, relation: Relation = "at least") -> bool:
    """{relation} {num_sentences} sentences."""
    return compare(sum(bool(part.strip()) for part in _ENDS.split(response.raw)), relation, num_sentences)


@instruction("ja:length_constraints:nth_paragraph_first_word")
def japanese_first_word(response: Text, *, num_paragraphs: Count, nth_paragraph: Place, first_word: Wanted) -> bool:
    """{num_paragraphs} paragraphs parted by two new lines, of which {nth_paragraph} starts with {first_word}.

    Marks of Markdown and opening brackets may stand before it.
    """
    paragraphs = [paragraph for paragraph in response.raw.split("\n\n") if paragraph.strip()]
    if len(paragraphs) != num_paragraphs or nth_paragraph > num_paragraphs:
        return False
    return re.sub(r"\A(?:\d+[.)]\s|[\s>#*+_`・「『（(《〈-])+", "", paragraphs[nth_paragraph - 1]).startswith(
        first_word
    )


@instruction("ja:keywords:letter_frequency")
def kana_frequency(
    response: Text,
    *,
    letter: Annotated[str, Field(min_length=1, max_length=1)],
    let_frequency: Count,
    let_relation: Relation = "at least",
) -> bool:
    """The hiragana {letter}, or its katakana, {let_relation} {let_frequency} times."""
    twin = chr(ord(letter) + 96) if "ぁ" <= letter <= "ゖ" else letter
    return compare(sum(response.raw.count(sign) for sign in {letter, twin}), let_relation, let_frequency)


@instruction("ja:keywords:forbidden_words")
def japanese_forbidden_words(response: Text, *, forbidden_words: Annotated[list[Wanted], Field(min_length=1)]) -> bool:
    """None of {forbidden_words}, not even within another word."""
    return not any(word in response.raw for word in forbidden_words)


@instruction("ja:detectable_format:number_bullet_lists")
def japanese_bullets(response: Text, *, num_bullets: Count) -> bool:
    """Exactly {num_bullets} bullet points: lines that begin with ・, * or -."""
    lines = [line.lstrip() for line in response.lines]
    return sum(re.match(r"・|\*[^*]|-\s", line) is not None for line in lines) == num_bullets


@instruction("ja:detectable_format:number_numbered_lists")
def numbered_lists(response: Text, *, num_items: Count) -> bool:
    """Exactly {num_items} numbered lines: 1. …"""
    return sum(re.match(r"\d+\.\s", line.lstrip() + "\n") is not None for line in response.lines) == num_items


@instruction("ja:detectable_format:constrained_response")
def japanese_options(response: Text) -> bool:
    """Answer with one of: はい、そうです。 いいえ、違います。 どちらとも言えません。"""
    options = ("はい、そうです。", "いいえ、違います。", "どちらとも言えません。")
    return any(option in response.raw for option in options)


@instruction("ja:detectable_format:number_highlighted_sections")
def japanese_highlights(response: Text, *, num_highlights: Count) -> bool:
    """At least {num_highlights} sections highlighted as 《…》."""
    return len([inner for inner in re.findall("《([^\n《》]*)》", response.raw) if inner.strip()]) >= num_highlights


@instruction("ja:detectable_format:multiple_sections")
def japanese_sections(response: Text, *, section_spliter: Wanted, num_sections: Count) -> bool:
    """{num_sections} sections, each marked as 第1{section_spliter}."""
    return len(re.findall(rf"第\d+{re.escape(section_spliter.strip())}", response.raw)) >= num_sections


@instruction("ja:detectable_format:title")
def japanese_title(response: Text) -> bool:
    """A title in 『…』."""
    for line in response.lines:
        start, end = line.find("『"), line.rfind("』")
        if 0 <= start < end - 1 and line[start:end].strip("『』").strip():
            return True
    return False


@instruction("ja:detectable_format:nominal_ending")
def nominal_ending(response: Text, *, count: Count) -> bool:
    """At least {count} sentences that end with a noun: kanji or katakana before 。 ！ ？ (published: a tagger)."""
    return len(re.findall("[\u4e00-\u9faf々ァ-ヺー][。！？]", _QUOTED.sub("", response.raw))) >= count


@instruction("ja:startend:end_checker")
def japanese_end(response: Text, *, end_phrase: Wanted) -> bool:
    """The response ends with {end_phrase}; marks of Markdown and closing brackets may follow it."""
    return response.raw.rstrip(" \n*_`").strip("」』").endswith(end_phrase.strip().strip("」』"))


@instruction("ja:startend:quotation")
def japanese_quotation(response: Text) -> bool:
    """The entire response in 「…」."""
    text = response.raw.strip()
    return len(text) > 1 and text[0] == "「" and text[-1] == "」"


@instruction("ja:startend:sentence_unified_end")
def unified_end(response: Text, *, ending: Wanted) -> bool:
    """Every sentence ends with {ending}; what is quoted does not count."""
    sentences = [sentence.strip() for sentence in re.split("[。！？]", _QUOTED.sub("", response.raw))]
    return all(sentence.endswith(ending) for sentence in sentences if sentence)


@instruction("ja:punctuation:no_period")
def no_period(response: Text) -> bool:
    """No 。."""
    return "。" not in response.raw


@instruction("ja:punctuation:no_comma")
def no_japanese_comma(response: Text) -> bool:
    """No 、."""
    return "、" not in response.raw


@instruction("ja:letters:furigana")
def furigana(response: Text) -> bool:
    """Every run of kanji is followed by its reading in brackets: 漢字（かんじ）."""
    return len(_FURIGANA.findall(response.raw)) == len(re.findall("[\u4e00-\u9faf]+", response.raw))


@instruction("ja:letters:kanji")
def kanji(response: Text, *, kanji_limit: Count, relation: Relation = "at least") -> bool:
    """{relation} {kanji_limit} kanji."""
    return compare(len(_KANJI.findall(response.raw)), relation, kanji_limit)


@instruction("ja:letters:no_hiragana")
def no_hiragana(response: Text) -> bool:
    """No hiragana."""
    return re.search("[ぁ-ゖ]", response.raw) is None


@instruction("ja:letters:hiragana_only")
def hiragana_only(response: Text) -> bool:
    """No other letters than hiragana."""
    return _has_no_letters_but(response.raw, "[ぁ-んー]")


@instruction("ja:letters:no_katakana")
def no_katakana(response: Text) -> bool:
    """No katakana, of full or half width."""
    return re.search("[ァ-ヺｦ-ﾟ]", response.raw) is None


@instruction("ja:letters:katakana_only")
def katakana_only(response: Text) -> bool:
    """No other letters than katakana."""
    return _has_no_letters_but(response.raw, "[ァ-ンー・ｦ-ﾟ]")


def _has_no_letters_but(text: str, allowed: str) -> bool:
    return not any(map(str.isalpha, re.sub(allowed, "", text)))
