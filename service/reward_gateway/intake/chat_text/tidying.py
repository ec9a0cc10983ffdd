"""What chat templates change of turns beside marking them, undone: merged turns, JSON around texts, added lines."""

import json
import re
from collections.abc import Callable, Sequence

from .chat_format import Tidy, Turn, keep_turn

_TOOL_RESPONSE = re.compile(r"\n?<tool_response>\n?(.*?)\n?</tool_response>", re.DOTALL)
_LLAMA_DATES = re.compile(
    r"(?:Environment: ipython\n)?(?:Tools: [^\n]*\n\n?)?(?:Cutting Knowledge Date: [^\n]*\nToday Date: [^\n]*\n\n?)?"
)
_EFFORT = re.compile(r"Reasoning effort is set to [^\n]*(?:\n\n|\Z)")
_SYS = re.compile(r"<<SYS>>\n(.*?)\n<</SYS>>(?:\n\n|\Z)", re.DOTALL)
_KIMI_RETURN = re.compile(r"## Return of ([^\n]{1,256}?)(?:\n|\\n)")
_COMMAND_PREAMBLE = re.compile(r"# (?:System|Safety) Preamble\n")
_COMMAND_GIVEN = re.compile(
    r"# Developer Preamble\n[^\n]*\n(.*)\Z|# User Preamble\n((?!## Task and Context\nYou help people answer ).*?)"
    r"(?:\n\n## Available Tools\n.*)?\Z",
    re.DOTALL,
)
_COMMAND_ACTION = re.compile(r"Write 'Action:' followed by a json-formatted list of actions ")
_TOOL_RESULT = re.compile(
    r"<\|START_TOOL_RESULT\|>(.*?)(?:<\|END_TOOL_RESULT\|>)?\Z|<results>\n(.*?)\n?</results>\Z", re.DOTALL
)
_MISTRAL_RESULT = re.compile(
    r'\{"content": (.*), "call_id": "([^"]{1,64})"\}\Z|([^\[\]\s]{1,64})\[TOOL_CONTENT\](.*)\Z', re.DOTALL
)
_THINK_MARK = re.compile(r"<\|think\|>\n?")
_ALPACA_INPUT = re.compile(r"\n\n?### Input:\n")


def drop_system(*lines: str) -> Tidy:
    """Drop system turns that are, as a whole, one of these patterns."""
    whole = re.compile("|".join(f"(?:{line})" for line in lines), re.DOTALL)

    def tidy(role: str, content: str) -> Sequence[Turn]:
        return () if role == "system" and whole.fullmatch(content) else keep_turn(role, content)

    return tidy


def drop_role(*roles: str) -> Tidy:
    """Drop turns that hold what the template was given beside the messages: tools, documents."""

    def tidy(role: str, content: str) -> Sequence[Turn]:
        return () if role in roles else keep_turn(role, content)

    return tidy


def remove_offer(remove: Callable[[str], str], *roles: str) -> Tidy:
    """Take what the template wrote of the tools on offer out of turns of these roles; a system turn may be gone then.

    Args:
        remove: gives the words without it (:mod:`.offered_tools`).
    """

    def tidy(role: str, content: str) -> Sequence[Turn]:
        if role not in roles:
            return keep_turn(role, content)
        rest = remove(content)
        return () if role == "system" and content and not rest else (Turn(role, rest),)

    return tidy


def chain(*steps: Tidy) -> Tidy:
    """One after the other."""

    def tidy(role: str, content: str) -> Sequence[Turn]:
        turns: Sequence[Turn] = (Turn(role, content),)
        for step in steps:
            turns = [new for turn in turns for new in (step(turn.role, turn.content) if _is_plain(turn) else (turn,))]
        return turns

    return tidy


def _is_plain(turn: Turn) -> bool:
    return turn == Turn(turn.role, turn.content)


def split_tool_responses(role: str, content: str) -> Sequence[Turn]:
    """Turns of tools that Qwen and GLM write into one turn."""
    if (
        role in ("user", "tool")
        and content[:20].lstrip("\n").startswith("<tool_response>")
        and content.endswith("</tool_response>")
    ):
        found = list(_TOOL_RESPONSE.finditer(content))
        if "".join(match[0] for match in found) == content:
            return [Turn("tool", match[1]) for match in found]
    return keep_turn(role, content)


def remove_llama_dates(role: str, content: str) -> Sequence[Turn]:
    """Llama 3.1's dates before the system turn, which is there even if there is none; JSON around a tool's turn."""
    match = _LLAMA_DATES.match(content) if role == "system" else None
    if match is None or not match[0]:
        return decode_tool_json(role, content)
    rest = content[match.end() :]
    return (Turn(role, rest),) if rest else ()


def remove_effort(role: str, content: str) -> Sequence[Turn]:
    """The line of some Qwen templates that says how much to think."""
    if role == "system" and (match := _EFFORT.match(content)):
        return (Turn(role, content[match.end() :]),)
    return keep_turn(role, content)


def remove_blank_line(role: str, content: str) -> Sequence[Turn]:
    """The blank line that DeepSeek V2.5 writes after the system turn."""
    return (Turn(role, content.removesuffix("\n\n")),) if role == "system" else keep_turn(role, content)


def decode_tool_json(role: str, content: str) -> Sequence[Turn]:
    """A tool's text that the template wrote as a JSON string."""
    if role == "tool" and content.startswith('"'):
        try:
            decoded = json.loads(content)
        except (ValueError, RecursionError):
            decoded = None
        if isinstance(decoded, str):
            return (Turn(role, decoded),)
    return keep_turn(role, content)


def split_system(role: str, content: str) -> Sequence[Turn]:
    """Llama 2's system turn, which stands within the first user turn."""
    if role == "user" and (match := _SYS.match(content)):
        return Turn("system", match[1]), Turn("user", content[match.end() :])
    return keep_turn(role, content)


def read_kimi_return(role: str, content: str) -> Sequence[Turn]:
    """The name of the call that a tool's turn answers."""
    if role not in ("user", "assistant") and (match := _KIMI_RETURN.match(content)):
        return (Turn("tool", content[match.end() :], tool_call_id=match[1]),)
    return keep_turn(role, content)


def remove_command_preamble(role: str, content: str) -> Sequence[Turn]:
    """Command's preamble, around the system turn that was given; results of tools, which are system turns there."""
    if role != "system":
        return keep_turn(role, content)
    if result := _TOOL_RESULT.match(content):
        return (Turn("tool", _decode_result(result[1]) if result[1] is not None else result[2]),)
    if _COMMAND_ACTION.match(content):
        return ()
    if not _COMMAND_PREAMBLE.match(content):
        return keep_turn(role, content)
    given = _COMMAND_GIVEN.search(content)
    return (Turn(role, given[1] or given[2]),) if given and (given[1] or given[2]) else ()


def _decode_result(listed: str) -> str:
    """A single result's text, from Command's list of results; other lists stay."""
    try:
        results = json.loads(listed)
        ((result,),) = [list(entry["results"].values()) for entry in results]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return listed
    return result if isinstance(result, str) else listed


def read_mistral_result(role: str, content: str) -> Sequence[Turn]:
    """The words of a tool's turn, and the call that it answers, which Mistral writes around them."""
    match = _MISTRAL_RESULT.match(content) if role == "tool" else None
    if match is None:
        return keep_turn(role, content)
    return (Turn(role, match[1] if match[1] is not None else match[4], tool_call_id=match[2] or match[3]),)


def remove_no_thinking(role: str, content: str) -> Sequence[Turn]:
    """What GLM-4.5 writes after the user's words where it shall not think."""
    return (Turn(role, content.removesuffix("/nothink")),) if role == "user" else keep_turn(role, content)


def remove_think_mark(role: str, content: str) -> Sequence[Turn]:
    """What Gemma 4 writes before the system turn's words where it shall think."""
    if role == "system" and (match := _THINK_MARK.match(content)):
        return (Turn(role, content[match.end() :]),)
    return keep_turn(role, content)


def strip_system(role: str, content: str) -> Sequence[Turn]:
    """A system turn that blank space parts from the first header."""
    return (Turn(role, content.strip()),) if role == "system" else keep_turn(role, content)


def join_alpaca_input(role: str, content: str) -> Sequence[Turn]:
    """An instruction and its input are one turn, in two lines."""
    return (Turn(role, _ALPACA_INPUT.sub("\n", content, count=1)),) if role == "user" else keep_turn(role, content)
