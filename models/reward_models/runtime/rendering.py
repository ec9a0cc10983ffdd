"""How accurately an image renders the text quoted in its prompt: read the image, and compute the edit distance.

The score is 1 - edit distance / length of the longer text (Levenshtein, 1966). It ignores spaces, which text
recognition loses, and the width of letters and shape of quotation marks (NFKC); it is case-sensitive.
"""

import re
import unicodedata
from collections.abc import Sequence
from itertools import permutations

import numpy as np

from reward_models.runtime.images import ImageError, decode_image, read_images
from reward_models.runtime.instance import Instance
from reward_models.runtime.ocr import TextReader
from reward_models.runtime.rows import Answer, Columns, decode_texts

MARK = re.compile("[\"'“„«「『‘]")
PAIRED = re.compile(
    r"(?<!\d)“([^“”„]*)”|(?<!\d)„([^“”„]*)[“”]|«([^«»]*)»|「([^「」]*)」|『([^『』]*)』"
    r"|(?<!\w)‘([^‘’]+(?:’\w[^‘’]*)*)’|(?<!\w)'((?:[^']|(?<=\w)'(?=\w))+)'(?!\w)"
)
ESCAPED = re.compile(r"(?<!\\)\\+([\"'])")
CANNOT_OPEN = re.compile(r"(?<=\d)\"|(?<=[A-Za-z])\"(?!\w)")
"""A straight mark after a digit (inches, seconds), or at the end of a word."""
CANNOT_BUT_CLOSE = re.compile(r"(?<=[^\s\d(\[])\"(?!\w)")
"""A straight mark at the end of something that is no number."""
MARKS = str.maketrans("“”„«»‘’`´–—", '"""""\'\'\'\'--')
MOST_LETTERS = 1000
MOST_ORDERED = 4
"""Up to this many quoted texts may appear in any order."""


def find_quoted(prompt: str) -> list[str]:
    """The texts between quotation marks of a prompt, in order.

    An apostrophe within a word is no quotation mark. A mark after a digit (``24"``, ``6'2"``) or without a partner
    opens no quotation. A mark after a backslash counts as one.
    """
    text, at = ESCAPED.sub(r"\1", prompt), 0
    found: list[str] = []
    while mark := MARK.search(text, at):
        at = mark.start() + 1
        if mark[0] == '"':
            end = -1 if CANNOT_OPEN.match(text, mark.start()) else find_closing(text, at)
            if end >= 0:
                found.append(text[at:end])
                at = end + 1
        elif quoted := PAIRED.match(text, mark.start()):
            found.append("".join(quoted.groups(default="")))
            at = quoted.end()
    return [stripped for quotation in found if normalize_letters(stripped := quotation.strip())]


def find_closing(text: str, start: int) -> int:
    """Where the straight quotation that begins at ``start`` is closed; -1 if nowhere.

    A mark after a digit closes it, unless the next mark could do nothing but close: ``"24" TV SALE"``.
    """
    end = text.find('"', start)
    while end > start and text[end - 1].isdigit():
        following = text.find('"', end + 1)
        if following < 0 or not CANNOT_BUT_CLOSE.match(text, following):
            return end
        end = following
    return end


def normalize_letters(text: str) -> str:
    """A text normalised for comparison: NFKC, plain quotation marks, no white space."""
    return "".join(unicodedata.normalize("NFKC", text).translate(MARKS).split())[:MOST_LETTERS]


def edit_distance(a: str, b: str) -> int:
    """The least number of letters to insert, delete or replace that makes one text of the other."""
    row = np.arange(len(b) + 1)
    other = np.array([ord(letter) for letter in b], np.int64)
    steps = np.arange(len(b) + 1)
    for count, letter in enumerate(a, 1):
        best = np.minimum(row[1:] + 1, row[:-1] + (other != ord(letter)))
        # An insertion costs one more than the left neighbour: a running minimum after subtracting the steps.
        row = np.minimum.accumulate(np.concatenate([[count], best]) - steps) + steps
    return int(row[-1])


def score_similarity(wanted: Sequence[str], read: str) -> float:
    """1 for the same letters, 0 for none alike; a few wanted texts may come in any order."""
    shown = normalize_letters(read)
    parts = [normalize_letters(text) for text in wanted]
    orders = permutations(parts) if len(parts) <= MOST_ORDERED else [tuple(parts)]
    return max(1 - edit_distance(text, shown) / max(len(text), len(shown), 1) for text in map("".join, orders))


class RenderingScorer:
    """Scores [n, 1] of ``images`` against what ``prompt`` quotes; a row's score is the mean over its images."""

    def __init__(self, instance: Instance) -> None:
        settings = instance.card["settings"]["image"]
        self._reader = TextReader(instance.folder, instance.device, settings["side"], settings["longest"])
        self._no_text = instance.flag_mask("no_text")

    def score(self, columns: Columns, rows: int) -> Answer:
        """Score rows; a prompt that quotes nothing and an image that cannot be decoded are that row's error."""
        answer = Answer.empty(rows, 1)
        prompts = decode_texts(columns, "prompt", rows)
        for row, value in enumerate(columns.get("images", [b""] * rows)):
            try:
                wanted = find_quoted(prompts[row])
                if not wanted:
                    raise ImageError("missing_field: The prompt quotes no text that the image is to show.")
                read = read_images(value, self._read_text)
            except ImageError as error:
                answer.errors[row] = str(error)
                continue
            answer.scores[row, 0] = np.mean([score_similarity(wanted, text) for text in read])
            answer.flags[row] = 0 if all(read) else self._no_text
        return answer

    def _read_text(self, data: bytes) -> str:
        return self._reader.read_text(decode_image(data))
