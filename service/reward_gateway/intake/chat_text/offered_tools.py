"""What chat templates write of the tools that a request offers: beside the system turn, or before the user's words.

The messages do not hold it, so that it is removed. Each function takes the words of a turn and gives what is left.
"""

import json
import re

_SIGNATURES = re.compile(
    r"(?:\A|\n\n|\n(?=# Tools\n))# Tools\n\n?You (?:may|are provided|have access)[^\n]*\n"
    r"(?:(?!<tools>)[^\n]*\n){0,4}<tools>.*?(?:</IMPORTANT>\n\n|\Z)",
    re.DOTALL,
)
"""Of Qwen and GLM; some templates write the system turn's own words after it."""
_HELPFUL = re.compile(r"(?:\A|\n\n)You are a helpful assistant with access to the following tools\. .*\Z", re.DOTALL)
_FUNCTIONS = re.compile(
    r" (?:You do not currently have access to any functions\. )?<functions>[^<]*</functions>\Z"
    r"|\A<functions>[^<]*</functions>\Z"
)
_LISTED = re.compile(r"(?:\A|\n\n)## Tools\nYou have access to the following tools:\n.*\Z", re.DOTALL)
_DECLARED = re.compile(r"<\|tool>.*?<tool\|>", re.DOTALL)
_JSON = re.compile(
    r"(?:Given the following functions, please respond with a JSON for a function call with its proper arguments that "
    r"best answers the given prompt\.\n\n|You have access to the following functions\. To call a function, please "
    r"respond with JSON for a function call\. ?)Respond in the format [^\n]*Do not use variables\.\n\n"
)
_decoder = json.JSONDecoder()


def remove_signatures(words: str) -> str:
    """A system turn without the signatures in ``<tools>``, ``<functions>`` or a list."""
    for pattern in (_SIGNATURES, _HELPFUL, _FUNCTIONS, _LISTED):
        if (found := pattern.search(words)) is not None:
            words = words[: found.start()] + words[found.end() :]
    return words


def remove_declarations(words: str) -> str:
    """A system turn without Gemma 4's declarations, which end it."""
    begin = place = words.find("<|tool>")
    if begin < 0:
        return words
    while declared := _DECLARED.match(words, place):
        place = declared.end()
    return words[:begin] if place == len(words) else words


def remove_json(words: str) -> str:
    """Words without the functions that Llama writes before them, each as JSON and a blank line."""
    match = _JSON.match(words)
    if match is None:
        return words
    place = match.end()
    while words.startswith("{", place):
        try:
            function, end = _decoder.raw_decode(words, place)
        except (ValueError, RecursionError):
            break
        if not ("function" in function or "name" in function) or not words.startswith("\n\n", end):
            break
        place = end + 2
    return words[place:]
