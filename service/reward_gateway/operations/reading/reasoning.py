"""Reasoning apart from the answer: blocks such as <think>…</think>, and the channels of gpt-oss. All in linear time.

A block counts where its tag opens a line, outside fences and backticks. A closing tag without an opening one ends
reasoning that a prompt opened, so all before it is reasoning. What stands only in reasoning is no answer.
"""

import re
from dataclasses import dataclass

_NAMES = ("think", "thinking", "thought", "reasoning", "seed:think")
_PAIRS = {
    **{f"<{name}>": f"</{name}>" for name in _NAMES},
    "[think]": "[/think]",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|start_thinking|>": "<|end_thinking|>",
    "◁think▷": "◁/think▷",
}
"""Opening tag -> closing tag, in lower case: R1, Qwen, Magistral, OpenThinker, Command-A, Kimi, Seed."""
_CLOSING = frozenset(_PAIRS.values())

_TOKEN = re.compile(
    r"(?P<fence>^[ \t]{0,3}(?:`{3,}(?=[^`\n]*$)|~{3,}))|(?P<code>`[^`\n]+`)|(?P<tag>"
    + "|".join(re.escape(tag) for tag in sorted((*_PAIRS, *_CLOSING), key=len, reverse=True))
    + ")",
    re.IGNORECASE | re.MULTILINE,
)
_OPENS_AT_END = re.compile("(?:" + "|".join(map(re.escape, _PAIRS)) + r")\s*\Z", re.IGNORECASE)

_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]{0,200}(?:<\|constrain\|>[^<]{0,40})?<\|message\|>")
_CHANNEL_END = re.compile(r"<\|(?:end|return|call|start|channel)\|>")


@dataclass(frozen=True, slots=True)
class Split:
    """A text in two: ``reasoning`` (blocks joined by a blank line) and ``final``, what is left.

    ``unfinished``: a block was opened and not closed, so there is no final text.
    """

    reasoning: str
    final: str
    unfinished: bool = False


def opens_reasoning(prompt: str) -> bool:
    """Whether a prompt ends in the opening tag of a block, so that the response begins inside it."""
    return _OPENS_AT_END.search(prompt[-64:]) is not None


def split_reasoning(text: str, *, opened: bool = False) -> Split:
    """Part a text.

    Args:
        opened: the text begins inside a block that the prompt opened.

    Returns:
        Without a block, the text itself as ``final``; with blocks, what stands outside of them, without outer space.
    """
    if "<|channel|>" in text and (found := _split_channels(text)) is not None:
        return found
    return _split_blocks(text, opened)


def _split_channels(text: str) -> Split | None:
    """The channels of the harmony format: ``final`` answers, all others are reasoning; None without any."""
    reasoning, final = [], None
    for mark in _CHANNEL.finditer(text):
        end = _CHANNEL_END.search(text, mark.end())
        content = text[mark.end() : end.start() if end else len(text)].strip()
        if mark.group(1).lower() == "final":
            final = content
        else:
            reasoning.append(content)
    if final is None and not reasoning:
        return None
    return Split("\n\n".join(reasoning), final or "", unfinished=final is None)


def _split_blocks(text: str, opened: bool) -> Split:
    reasoning: list[str] = []
    final: list[str] = []
    start = 0  # of what has not been assigned yet
    closing = "any" if opened else ""  # the tag that ends the present block
    fence = ""
    inline = dict.fromkeys(_CLOSING, 0)  # opening tags inside a line, whose closing tags end nothing
    seen, line_has_words = 0, False  # what stands on the present line before a token
    for token in _TOKEN.finditer(text):
        between = text[seen : token.start()]
        line_has_words = bool(between[between.rfind("\n") + 1 :].strip()) or (line_has_words and "\n" not in between)
        had_words, line_has_words, seen = line_has_words, True, token.end()
        if token.lastgroup == "fence":
            if not closing:
                line_end = text.find("\n", token.end())
                fence = _follow_fence(fence, text[token.start() : line_end if line_end >= 0 else len(text)])
            continue
        if fence or token.lastgroup == "code":
            continue
        tag = token.group().lower()
        if tag in _PAIRS:
            if closing:
                continue
            if had_words:
                inline[_PAIRS[tag]] += 1
                continue
            final.append(text[start : token.start()])
            start, closing = token.end(), _PAIRS[tag]
        elif closing:
            if closing in ("any", tag):
                reasoning.append(text[start : token.start()])
                start, closing, line_has_words = token.end(), "", False
        elif inline[tag]:
            inline[tag] -= 1
        else:  # everything up to here was reasoning that a prompt had opened
            reasoning.append("".join((*final, text[start : token.start()])))
            final.clear()
            start, line_has_words = token.end(), False
    if closing:
        reasoning.append(text[start:])
        return Split(_join(reasoning), "".join(final).strip(), unfinished=True)
    if not reasoning:
        return Split("", text)
    final.append(text[start:])
    return Split(_join(reasoning), "".join(final).strip())


def _follow_fence(fence: str, line: str) -> str:
    """The fence that is open after a line that begins with backticks or tildes; empty if none is."""
    line = line.strip()
    mark = line[: len(line) - len(line.lstrip(line[0]))]
    if not fence:
        return mark
    return "" if line == mark and mark[0] == fence[0] and len(mark) >= len(fence) else fence


def _join(blocks: list[str]) -> str:
    return "\n\n".join(block.strip() for block in blocks)
