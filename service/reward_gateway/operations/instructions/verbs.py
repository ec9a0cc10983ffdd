"""Whether an English word can be a verb, without a tagger: base forms of common verbs and what is formed of them."""

from .word_lists import read_list

_IRREGULAR = frozenset(read_list("irregular_verbs"))

_BASES = frozenset(read_list("verbs"))


def is_verb(word: str) -> bool:
    """Whether a word is the base or a form (-s, -ed, -ing, irregular) of a common English verb."""
    word = word.lower()
    return word in _IRREGULAR or any(base in _BASES for base in _find_bases(word))


def _find_bases(word: str) -> list[str]:
    bases = [word]
    if word.endswith(("ies", "ied")):
        bases.append(word[:-3] + "y")
    for ending in ("s", "es", "d", "ed", "ing"):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            stem = word[: -len(ending)]
            bases += [stem, stem + "e"] if ending == "ing" else [stem]
            if ending in ("ed", "ing") and stem[-1:] == stem[-2:-1]:
                bases.append(stem[:-1])
    if word.endswith("ying"):
        bases.append(word[:-4] + "ie")
    return bases
