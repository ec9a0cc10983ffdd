"""IFEval: ``detectable_content``, ``combination``, ``startend`` and ``punctuation``."""

import re

from .registry import Count, Relation, Wanted, instruction
from .text import Text, compare


@instruction("detectable_content:number_placeholders")
def number_placeholders(response: Text, *, num_placeholders: Count, relation: Relation = "at least") -> bool:
    """The response must contain at least {num_placeholders} placeholders in square brackets, such as [address]."""
    return compare(sum(map(_count_placeholders, response.lines)), relation, num_placeholders)


def _count_placeholders(line: str) -> int:
    count, end = 0, -1
    while (start := line.find("[", end + 1)) >= 0 and (end := line.find("]", start)) >= 0:
        count += 1
    return count


@instruction("detectable_content:postscript")
def postscript(response: Text, *, postscript_marker: Wanted) -> bool:
    """At the end of your response, please explicitly add a postscript starting with {postscript_marker}.

    The marker may stand anywhere, in any case, with a space after each point.
    """
    marker = postscript_marker.strip()
    if marker == "P.P.S":
        return re.search(r"p\.\s?p\.\s?s", response.lower) is not None
    if marker == "P.S.":
        return re.search(r"p\.\s?s\.", response.lower) is not None
    return marker.lower() in response.lower


@instruction("combination:two_responses")
def two_responses(response: Text) -> bool:
    """Give two different responses, separated by 6 asterisk symbols: ******."""
    parts = [part.strip() for part in response.raw.split("******")]
    given = [part for part in parts if part]
    return all(parts[1:-1]) and len(given) == 2 and given[0] != given[1]


@instruction("combination:repeat_prompt")
def repeat_prompt(response: Text, *, prompt_to_repeat: Wanted) -> bool:
    """First repeat the request word for word without change, then give your answer. Case does not count."""
    return response.lower.strip().startswith(prompt_to_repeat.strip().lower())


@instruction("startend:end_checker")
def end_checker(response: Text, *, end_phrase: Wanted) -> bool:
    """Finish your response with this exact phrase {end_phrase}. Case, and quotation marks around all, do not count."""
    return response.raw.strip().strip('"').lower().endswith(end_phrase.strip().lower())


@instruction("startend:quotation")
def quotation(response: Text) -> bool:
    """Wrap your entire response with double quotation marks."""
    text = response.raw.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


@instruction("punctuation:no_comma")
def no_comma(response: Text) -> bool:
    """In your entire response, refrain from the use of any commas."""
    return "," not in response.raw
