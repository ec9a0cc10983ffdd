"""What chat templates change of turns beside marking them, undone: merged turns, JSON around texts, added lines."""

import json
import re
from collections.abc import Sequence

from .chat_format import Tidy, Turn, keep_turn

_QWEN_TOOLS = re.compile(
    r"(?:\A|\n\n)# Tools\n\nYou (?:may|are provided|have access)[^\n]*\n(?:(?!<tools>)[^\n]*\n){0,4}<tools>.*\Z",
    re.DOTALL,
)
_TOOL_RESPONSE = re.compile(r"\n?<tool_response>\n?(.*?)\n?</tool_response>", re.DOTALL)
_LLAMA_DATES = re.compile(
    r"(?:Environment: ipython\n)?(?:Tools: [^\n]*\n\n)?Cutting Knowledge Date: [^\n]*\nToday Date: [^\n]*\n\n?"
)
_EFFORT = re.compile(r"Reasoning effort is set to [^\n]*(?:\n\n|\Z)")
_SYS = re.compile(r"<<SYS>>\n(.*?)\n<</SYS>>(?:\n\n|\Z)", re.DOTALL)
_KIMI_RETURN = re.compile(r"## Return of ([^\n]{1,256})\n")
_COMMAND_PREAMBLE = re.compile(r"# (?:System|Safety) Preamble\n")
_COMMAND_DEVELOPER = re.compile(r"# Developer Preamble\n[^\n]*\n(.*)\Z", re.DOTALL)
_TOOL_RESULT = re.compile(r"<\|START_TOOL_RESULT\|>(.*?)(?:<\|END_TOOL_RESULT\|>)?\Z", re.DOTALL)
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
    """Turns of tools that Qwen and GLM write into one turn, and the list of tools in the system turn."""
    if role == "system" and "<tools>" in content and (tools := _QWEN_TOOLS.search(content)):
        rest = content[: tools.start()]
        return (Turn(role, rest),) if rest else ()
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
    if role == "system" and (match := _LLAMA_DATES.match(content)):
        rest = content[match.end() :]
        return (Turn(role, rest),) if rest else ()
    return decode_tool_json(role, content)


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
        return (Turn("tool", result[1]),)
    if not _COMMAND_PREAMBLE.match(content):
        return keep_turn(role, content)
    given = _COMMAND_DEVELOPER.search(content)
    return (Turn(role, given[1]),) if given else ()


def strip_system(role: str, content: str) -> Sequence[Turn]:
    """A system turn that blank space parts from the first header."""
    return (Turn(role, content.strip()),) if role == "system" else keep_turn(role, content)


def join_alpaca_input(role: str, content: str) -> Sequence[Turn]:
    """An instruction and its input are one turn, in two lines."""
    return (Turn(role, _ALPACA_INPUT.sub("\n", content, count=1)),) if role == "user" else keep_turn(role, content)
