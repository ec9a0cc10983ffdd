"""gpt-oss' harmony: an assistant's turn is several messages, each in a channel.

The ``final`` channel is what the assistant says, ``analysis`` its reasoning; calls of functions go to ``commentary``.
Everything from the first final message on is said: what follows it within the turn is no other answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .chat_format import ChatFormat, Header, Turn, keep_turn
from .tidying import decode_tool_json

_MESSAGE = re.compile(
    r"(?:<\|start\|>assistant)?(?P<before>[^<]{0,128})<\|channel\|>(?P<channel>[^<]{1,128})"
    r"(?:<\|constrain\|>[^<]{0,64})?<\|message\|>"
)
_RECIPIENT = re.compile(r"to=(?:functions\.)?([^\s<]+)")
_INSTRUCTIONS = re.compile(r"# Instructions\n\n(.*?)(?:\n\n)?(?:# Tools\n\n## .*)?\Z", re.DOTALL)
_TOOLS = re.compile(r"# Tools\n\n## ")
_IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."
_SYSTEM = re.compile(
    rf"(?:{re.escape(_IDENTITY)}|(?P<identity>[^\n]*))\n"
    r"Knowledge cutoff: [^\n]*\n(?:Current date: [^\n]*\n)?"
)


def tidy_harmony(role: str, content: str) -> Sequence[Turn]:
    """The developer's instructions are the system turn that was given; the system message is the template's own."""
    if role == "system" and content == _IDENTITY:
        return ()
    if role == "system" and (system := _SYSTEM.match(content)):
        return (Turn("system", system["identity"]),) if system["identity"] else ()
    if role == "developer":
        if instructions := _INSTRUCTIONS.match(content):
            return (Turn("system", instructions[1]),)
        return () if _TOOLS.match(content) else (Turn("system", content),)
    return decode_tool_json(role, content) if role == "tool" else keep_turn(role, content)


@dataclass(frozen=True, slots=True)
class Harmony(ChatFormat):
    """A header of the assistant is ``<|start|>assistant`` alone, so that its turn begins with the first channel."""

    def find_headers(self, text: str) -> list[Header]:
        """The headers of a text; messages of the assistant that follow each other have one."""
        headers: list[Header] = []
        for header in ChatFormat.find_headers(self, text):
            role = header.role if header.role in ("assistant", "user", "system", "developer") else "tool"
            if not (role == "assistant" and headers and headers[-1].role == role):
                headers.append(header._replace(role=role))
        return headers

    def read_turns(self, text: str, headers: Sequence[Header], stop: int) -> list[Turn]:
        """The turns that these headers open, the last one up to ``stop``."""
        turns: list[Turn] = []
        for k, header in enumerate(headers):
            until = headers[k + 1].start if k + 1 < len(headers) else stop
            words = text[header.end : until]
            if header.role == "assistant":
                turns.append(self.read_answer(words))
            else:
                turns += self.tidy(header.role, self.cut_end(words))
        return turns

    def read_answer(self, words: str) -> Turn:
        """The response of these words: what is said, what was thought, and the functions that are called."""
        messages = list(_MESSAGE.finditer(words))
        if not messages or messages[0].start() > 0:
            return Turn("assistant", self.cut_end(words, last=True))
        thoughts, calls, said = [], [], ""
        for k, message in enumerate(messages):
            channel = message["channel"].split()[0] if message["channel"].strip() else ""
            if channel == "final":
                said = self.cut_end(words[message.end() :], last=True)
                break
            until = messages[k + 1].start() if k + 1 < len(messages) else len(words)
            content = self.cut_end(words[message.end() : until], last=True)
            recipient = _RECIPIENT.search(f"{message['before']} {message['channel']}")
            if recipient is not None:
                calls.append((recipient[1], content))
            elif channel == "analysis":
                thoughts.append(content)
            else:
                said += content
        return Turn("assistant", said, "\n\n".join(thoughts) or None, tool_calls=tuple(calls))
