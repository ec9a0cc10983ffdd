"""Syllables of English words, by rules of spelling.

Of the 6,392 words of syllapy's dictionary, on which the published verifier relies, some 95 % get the same parity; many
others are slips of that dictionary (it has one syllable for ``dancing``).
"""

import re

_VOWELS = re.compile("[aeiouy]+")
_SILENT_END = re.compile(
    r"[^aeiouy]e\Z(?<![^aeiouylr]le)"
    r"|[^aeiouy]es\Z(?<![sxzcg]es)(?<![sc]hes)(?<![^aeiouylr]les)"
    r"|[^aeiouytd]ed\Z(?<![^aeiouylr]led)"
)
_SILENT_INSIDE = re.compile(
    r"[^aeiouy]e(?=(?:ly|less|ness|ment|ful)s?\Z)(?<!le)"
    r"|\A(?:some|more|there|where|here|home|house|fire|life|time|name|base|note|guide|side|safe|wide|like|pipe|gate|care|"
    r"share|white|place|space|face|every)(?=[bcdfghklmnpqrstvwy])"
    r"|ically\Z|(?<!p)people|\Ageorge|geon|business"
)
_PARTED = re.compile(
    r"i[ao](?!u|n\b|ns\b|l\b)(?<![tcsg]i[ao])|[tcs]iat(?=e|i)|[^q]ua(?!r)|eo(?!u)|iu|[aeiou]ing\b|isms?\b|yi|[^tcs]ient"
    r"|iet|ier\b|uou|[^aeiou]iest\b|[dln]ual|crea(?=t)|rea(?=ct|lit|li[sz])|\Ascien"
)


def count_syllables(word: str) -> int:
    """Syllables of a word in lower case without signs; 0 for one with digits, at least 1 for any other."""
    if not word or any(map(str.isdigit, word)):
        return 0
    groups = len(_VOWELS.findall(word)) + len(_PARTED.findall(word))
    return max(groups - len(_SILENT_INSIDE.findall(word)) - (_SILENT_END.search(word) is not None), 1)
