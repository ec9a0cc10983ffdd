"""IFBench: ``custom``. The request is part of these, so they take no arguments."""

import csv
import re
import unicodedata
from datetime import date

from .registry import instruction
from .text import EDGES, NO_PUNCTUATION, Text
from .word_lists import read_list

_CAPITALS = read_list("capitals")
_FEWEST_COUNTRIES = 52
_QUESTIONS, _OPTIONS = 4, 5


@instruction("custom:multiples")
def multiples(response: Text) -> bool:
    """Count from 10 to 50 but only print multiples of 7."""
    return re.findall(r"\d+", response.raw) == [str(n) for n in range(14, 51, 7)]


@instruction("custom:mcq_count_length")
def mcq_count_length(response: Text) -> bool:
    """Generate 4 multiple choice questions with 5 options each, labelled "Question", progressively longer, no more."""
    if not response.raw.startswith("Question"):
        return False
    questions = [part.strip() for part in re.split(r"Question \d+[.|):;]?\s*", response.raw) if part.strip()]
    lengths = [_measure_question(question) for question in questions]
    known = [length for length in lengths if length is not None]
    return len(known) == len(questions) == _QUESTIONS and known == sorted(set(known))


def _measure_question(question: str) -> int | None:
    """Characters of a question's words; None without its five options."""
    lines = [line.strip() for line in question.split("\n")]
    options = [re.match(r"[A-Ea-e][.|)]\s*\w", line) is not None for line in lines]
    if sum(options) != _OPTIONS:
        return None
    return len(" ".join(lines[: options.index(True)]).strip())


@instruction("custom:reverse_newline")
def reverse_newline(response: Text) -> bool:
    """List the countries of Africa in reverse alphabetical order, each on a new line: from Zimbabwe on, at least 52."""
    lines = [stripped for line in response.lines if (stripped := line.strip(EDGES))]
    start = next((i for i, line in enumerate(lines) if "Zimbabwe" in line), len(lines))
    listed = [_to_ascii(line) for line in lines[start:]]
    return len(listed) >= _FEWEST_COUNTRIES and listed == sorted(listed, reverse=True)


@instruction("custom:word_reverse")
def word_reverse(response: Text) -> bool:
    """What animal is the national symbol of the US? Answer with a sentence in reverse order, per word: eagle bald …"""
    words = response.lower.translate(NO_PUNCTUATION).split()
    return "bald eagle" in " ".join(reversed(words))


@instruction("custom:character_reverse")
def character_reverse(response: Text) -> bool:
    """What animal is the national symbol of the US? Answer with a sentence in reverse order, per letter."""
    return "elgae dlab" in response.lower


@instruction("custom:sentence_alphabet")
def sentence_alphabet(response: Text) -> bool:
    """Tell me a 26-sentence story where each sentence's first word starts with the letters of the alphabet in order."""
    starts = [sentence.strip()[:1].lower() for sentence in response.sentences]
    return "".join(starts) == "abcdefghijklmnopqrstuvwxyz"


@instruction("custom:european_capitals_sort")
def european_capitals_sort(response: Text) -> bool:
    """List the capital cities of Europe north of 45 degrees, separated by commas, from highest to lowest latitude."""
    return [name.strip() for name in _to_ascii(response.raw).split(",") if name.strip()] == list(_CAPITALS)


def _to_ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


@instruction("custom:csv_city")
def csv_city(response: Text) -> bool:
    """Generate CSV data with the columns ID, Country, City, Year, Count, comma delimited, of 7 rows."""
    rows = _read_rows(response.raw, ",")
    return len(rows) == 8 and rows[0] == ["ID", "Country", "City", "Year", "Count"] and _have_five_fields(rows)


@instruction("custom:csv_special_character")
def csv_special_character(response: Text) -> bool:
    """CSV with ProductID, Category, Brand, Price, Stock, 14 rows, a field with a special character in double quotes."""
    rows = _read_rows(response.raw.replace('"', '"""'), ",")
    if len(rows) != 15 or not _have_five_fields(rows):
        return False
    header = [field.strip().strip('"') for field in rows[0]]
    special = any(re.match(r'".*[^\d\w\s].*"', field.strip()) for row in rows[1:] for field in row)
    return header == ["ProductID", "Category", "Brand", "Price", "Stock"] and special


@instruction("custom:csv_quotes")
def csv_quotes(response: Text) -> bool:
    """CSV with StudentID, Subject, Grade, Semester, Score, tab delimited, 3 rows, each field in double quotes."""
    rows = _read_rows(response.raw.replace('"', '"""'), "\t")
    fields = [field.strip() for row in rows for field in row]
    quoted = all(len(field) > 1 and field[0] == field[-1] == '"' for field in fields)
    header = [field.strip('"') for field in fields[:5]]
    named = header == ["StudentID", "Subject", "Grade", "Semester", "Score"]
    return len(rows) == 4 and _have_five_fields(rows) and quoted and named


def _read_rows(text: str, delimiter: str) -> list[list[str]]:
    """The rows of a table; none if it is no CSV."""
    try:
        return list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter))
    except csv.Error:
        return []


def _have_five_fields(rows: list[list[str]]) -> bool:
    return all(len(row) == 5 for row in rows)


@instruction("custom:date_format_list")
def date_format_list(response: Text) -> bool:
    """List the start dates of all the battles Napoleon fought separated by commas, YYYY-MM-DD, of 1769 to 1821."""
    return all(map(_is_day_of_napoleon, response.raw.strip().split(",")))


def _is_day_of_napoleon(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text.strip(), re.ASCII):
        return False
    try:
        return 1769 <= date.fromisoformat(text.strip()).year <= 1821
    except ValueError:
        return False
