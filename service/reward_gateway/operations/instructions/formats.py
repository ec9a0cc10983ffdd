"""IFEval: ``detectable_format``."""

import json
import re

from .registry import Count, Relation, Wanted, instruction
from .text import Text, compare

_OPTIONS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


@instruction("detectable_format:number_bullet_lists")
def number_bullet_lists(response: Text, *, num_bullets: Count) -> bool:
    """Your answer must contain exactly {num_bullets} bullet points, as lines that begin with * or -."""
    lines = [line.lstrip() for line in response.lines]
    return sum(line[:1] == "-" or (line[:1] == "*" and line[1:2] not in ("", "*")) for line in lines) == num_bullets


@instruction("detectable_format:constrained_response")
def constrained_response(response: Text) -> bool:
    """Answer with one of the following options: "My answer is yes.", "My answer is no.", "My answer is maybe."."""
    return any(option in response.raw for option in _OPTIONS)


@instruction("detectable_format:number_highlighted_sections")
def number_highlighted_sections(response: Text, *, num_highlights: Count, relation: Relation = "at least") -> bool:
    """Highlight at least {num_highlights} sections in your answer with markdown, i.e. *highlighted section*."""
    single = re.findall(r"\*([^\n*]*)\*", response.raw)
    double = re.findall(r"\*\*([^\n*]*)\*\*", response.raw)
    return compare(len([inner for inner in single + double if inner.strip()]), relation, num_highlights)


@instruction("detectable_format:multiple_sections")
def multiple_sections(
    response: Text, *, section_spliter: Wanted, num_sections: Count, relation: Relation = "at least"
) -> bool:
    """Your response must have {num_sections} sections, each marked with {section_spliter} X, such as Section 1."""
    marks = re.findall(re.escape(section_spliter.strip()) + r"\s?\d+", response.raw)
    return compare(len(marks), relation, num_sections)


@instruction("detectable_format:json_format")
def json_format(response: Text) -> bool:
    """Entire output should be wrapped in JSON format. It may stand in a fence."""
    text = response.raw.strip()
    for opening in ("```json", "```Json", "```JSON", "```"):
        text = text.removeprefix(opening)
    try:
        json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


@instruction("detectable_format:title")
def title(response: Text) -> bool:
    """Your answer must contain a title, wrapped in double angular brackets, such as <<poem of joy>>."""
    for line in response.lines:
        start, end = line.find("<<"), line.rfind(">>")
        if 0 <= start < end - 2 and line[start : end + 2].lstrip("<").rstrip(">").strip():
            return True
    return False
