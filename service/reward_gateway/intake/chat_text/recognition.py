"""Which chat format a text is written in, by the marks at its start, or by the first ones if it was cut on the left."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, get_args

from reward_gateway.recipes.chat_formats import ChatFormatName

from . import formats
from .chat_format import ChatFormat
from .marks import LONGEST_MARK, SENTENCE

AUTO = "auto"
NONE = "none"

Choose = Callable[[str], ChatFormat]


@dataclass(frozen=True, slots=True)
class Family:
    """Formats whose texts begin alike.

    Attributes:
        mark: stands in every text of the family.
        starts: matches the beginning of a text.
        cut: matches where a text that was cut on the left goes on: a header after the end of a turn. None: a text of
            the family is recognised at its start alone, because the marks are ordinary words.
        choose: the format of a text of the family.
    """

    mark: str
    starts: re.Pattern[str]
    cut: re.Pattern[str] | None
    choose: Choose


class Recognised(NamedTuple):
    """The format of a text, and whether its first turn is not whole."""

    format: ChatFormat
    cut: bool


_BARS = r"<\|(?:system|user|assistant|observation|tool|environment)\|>"
_NEXT_BAR = re.compile(_BARS)


def choose_bars(text: str) -> ChatFormat:
    """Phi-3, Zephyr, Tulu or GLM-4, by what stands before the first header of the assistant that follows another turn.

    Zephyr and Phi-3 end the turns of users, too; Tulu begins a line for a header, and GLM-4 does not.
    """
    if text.lstrip().startswith("[gMASK]"):
        return formats.GLM4
    headers = [header.start() for header in _NEXT_BAR.finditer(text)]
    if headers and not text[: headers[0]].strip():
        headers = headers[1:]
    if headers:
        place = next((start for start in headers if text.startswith("<|assistant|>", start)), headers[0])
        before = text[max(0, place - LONGEST_MARK) : place]
    else:
        before = text[-LONGEST_MARK:].rstrip()
    if before.rstrip().endswith("<|end|>"):
        return choose_phi3(text)
    if before.rstrip().endswith(formats.ZEPHYR.ends):
        return formats.ZEPHYR
    return formats.TULU if before.endswith("\n") else formats.GLM4


def choose_phi3(text: str) -> ChatFormat:
    """Phi-3, or Phi-4-mini if no line break follows the first header."""
    first = _NEXT_BAR.search(text)
    return formats.PHI4_MINI if first and text[first.end() : first.end() + 1] != "\n" else formats.PHI3


_UNSPACED = re.compile(r"(?:\A|</?s>|\[/SYSTEM_PROMPT\]|\[/AVAILABLE_TOOLS\])\s*\[INST\](?! )")


def choose_inst(text: str) -> ChatFormat:
    """Llama 2, or one of Mistral's templates, by the spaces around the marks."""
    opened, closed = text.find("[INST]"), text.find("[/INST]")
    if text.startswith("<<SYS>>\n", opened + len("[INST] ")) or "</s><s>[INST]" in text:
        return formats.LLAMA2
    if _UNSPACED.search(text):  # of a first mark alone, a space may be its turn's own
        return formats.MISTRAL_TEKKEN
    return formats.MISTRAL_SPACED if text[max(0, closed - 1) : max(0, closed)] == " " else formats.MISTRAL_V3


def choose_mistral(text: str) -> ChatFormat:
    """One of Mistral's templates."""
    chosen = choose_inst(text)
    return formats.MISTRAL_SPACED if chosen is formats.LLAMA2 else chosen


def choose_people(text: str) -> ChatFormat:
    """hh-rlhf if the first answer comes after a blank line, else LLaMA-Factory's default."""
    place = text.find("\nAssistant:")
    return formats.HH_RLHF if place > 0 and text[place - 1] == "\n" else formats.HUMAN_ASSISTANT


def _always(chat_format: ChatFormat) -> Choose:
    return lambda text: chat_format


def _family(chat_format: ChatFormat, mark: str, header: str, end: str) -> Family:
    return Family(mark, re.compile(rf"\s*{header}"), re.compile(rf"{end}\s*{header}"), _always(chat_format))


FAMILIES: tuple[Family, ...] = (
    Family(
        "Assistant:",
        re.compile(rf"\s*(?:{SENTENCE})?(?:Human|User|System):[\s\S]*?\n\n?Assistant:"),
        None,
        choose_people,
    ),
    Family(
        "ASSISTANT:",
        re.compile(r"\s*(?:A chat between a curious [^\n]*?\s{0,2})?(?:SYSTEM|USER):[\s\S]*?\sASSISTANT:"),
        None,
        _always(formats.VICUNA),
    ),
    Family(
        "### Response:",
        re.compile(
            r"\s*(?:Below (?:is an instruction that describes a task|are some instructions that)[^\n]*\n+)?"
            r"### Instruction:[\s\S]*?### Response:"
        ),
        None,
        _always(formats.ALPACA),
    ),
    _family(formats.CHATML, "<|im_start|>", r"<\|im_start\|>[A-Za-z_]{1,32}\n", r"<\|im_end\|>"),
    _family(formats.PHI4, "<|im_sep|>", r"<\|im_start\|>[A-Za-z_]{1,32}<\|im_sep\|>", r"<\|im_end\|>"),
    _family(
        formats.KIMI, "<|im_middle|>", r"<\|im_(?:system|user|assistant)\|>[^<]{0,64}<\|im_middle\|>", r"<\|im_end\|>"
    ),
    _family(formats.LLAMA3, "<|start_header_id|>", r"<\|start_header_id\|>", r"<\|eo[tm]_id\|>"),
    _family(formats.LLAMA4, "<|header_start|>", r"<\|header_start\|>", r"<\|eo[tm]\|>"),
    _family(formats.GEMMA, "<start_of_turn>", r"<start_of_turn>", r"<end_of_turn>"),
    _family(formats.GEMMA4, "<|turn>", r"<\|turn>", r"<turn\|>"),
    _family(
        formats.COMMAND_R, "_TOKEN|>", r"<\|START_OF_TURN_TOKEN\|><\|[A-Z]{1,32}_TOKEN\|>", r"<\|END_OF_TURN_TOKEN\|>"
    ),
    _family(formats.GRANITE, "<|start_of_role|>", r"<\|start_of_role\|>", r"<\|end_of_text\|>"),
    _family(formats.HARMONY, "<|start|>", r"<\|start\|>[^<\s]{1,128}", r"<\|(?:end|return|call)\|>"),
    Family(
        "<｜",
        re.compile(rf"\s*(?:{SENTENCE}[\s\S]*?)?<｜(?:User|Assistant)｜>"),
        re.compile(r"<｜(?:User|Assistant)｜>"),
        _always(formats.DEEPSEEK),
    ),
    Family(
        "[/INST]",
        re.compile(r"\s*\[(?:SYSTEM_PROMPT|INST|AVAILABLE_TOOLS)\]"),
        re.compile(r"\[/INST\]"),
        choose_inst,
    ),
    Family(
        "|>",
        re.compile(rf"\s*(?:\[gMASK\]<?sop>?\s*)?{_BARS}"),
        re.compile(rf"(?:<\|end\|>|</s>|<\|endoftext\|>|<\|end_of_text\|>|\n|(?<=[^>\n])){_BARS}\n?"),
        choose_bars,
    ),
)
"""The families; first those that ordinary words mark, whose texts may hold any other mark."""

FORMATS: Mapping[str, Choose] = {
    "chatml": _always(formats.CHATML),
    "qwen": _always(formats.CHATML),
    "llama2": _always(formats.LLAMA2),
    "llama3": _always(formats.LLAMA3),
    "llama4": _always(formats.LLAMA4),
    "mistral": choose_mistral,
    "mixtral": choose_mistral,
    "gemma": _always(formats.GEMMA),
    "gemma4": _always(formats.GEMMA4),
    "phi3": choose_phi3,
    "phi4": _always(formats.PHI4),
    "zephyr": _always(formats.ZEPHYR),
    "tulu": _always(formats.TULU),
    "olmo2": _always(formats.TULU),
    "deepseek": _always(formats.DEEPSEEK),
    "glm4": _always(formats.GLM4),
    "command_r": _always(formats.COMMAND_R),
    "granite": _always(formats.GRANITE),
    "kimi": _always(formats.KIMI),
    "vicuna": _always(formats.VICUNA),
    "alpaca": _always(formats.ALPACA),
    "human_assistant": choose_people,
    "hh_rlhf": _always(formats.HH_RLHF),
    "harmony": _always(formats.HARMONY),
    "gpt_oss": _always(formats.HARMONY),
}
"""What recipes and ``?chat_format=`` may name."""


RECIPE = "recipe"
CHOICES = (RECIPE, AUTO, NONE, *FORMATS)
"""What requests may name."""
assert set(CHOICES) == {RECIPE, *get_args(ChatFormatName)}


def recognise(text: str, choice: str = AUTO) -> Recognised | None:
    """The format of a text after :func:`.strip_leading`; None for plain text.

    Args:
        choice: ``auto``, ``none``, or the name of the format that the text has if it has marks.
    """
    if choice == NONE:
        return None
    if choice != AUTO:
        chosen = FORMATS[choice](text)
        headers = chosen.find_headers(text)
        if not headers:
            return None
        return Recognised(chosen, bool(text[: headers[0].start].strip()) and not _leads(chosen, headers[0].role))
    present = [family for family in FAMILIES if family.mark in text]
    for family in present:
        if family.starts.match(text):
            return Recognised(family.choose(text), cut=False)
    found = [(match.start(), family) for family in present if family.cut and (match := family.cut.search(text))]
    if not found:
        return None
    _, family = min(found, key=lambda place: place[0])
    chosen = family.choose(text)
    headers = chosen.find_headers(text)
    return Recognised(chosen, not _leads(chosen, headers[0].role)) if headers else None


def recognise_response(response: str, choice: str = AUTO) -> ChatFormat | None:
    """The format of a response whose prompt was not rendered: one that writes a response in parts; else None."""
    own = choice == AUTO or (choice != NONE and FORMATS[choice](response) is formats.HARMONY)
    return formats.HARMONY if own and response.startswith("<|channel|>") else None


def _leads(chat_format: ChatFormat, first_role: str) -> bool:
    return chat_format.leads and first_role == "user"
