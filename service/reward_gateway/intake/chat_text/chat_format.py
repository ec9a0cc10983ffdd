"""How one chat template writes turns, and how they are found in its text. Everything takes time linear in the text."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from reward_gateway.sample.turn_marks import END_MARKS

from .marks import BEGIN_MARKS, LONGEST_MARK, find_end


class Turn(NamedTuple):
    """One turn of a conversation.

    Attributes:
        reasoning: what the assistant thought, where the format writes it apart.
        tool_call_id: the call that a tool's turn answers.
        tool_calls: name and arguments (JSON) of each function that the assistant calls.
    """

    role: str
    content: str
    reasoning: str | None = None
    tool_call_id: str | None = None
    tool_calls: tuple[tuple[str, str], ...] = ()


class Header(NamedTuple):
    """What opens a turn: its place in the text, and the turn's role."""

    start: int
    end: int
    role: str


IMPLIED = "_"
"""Ends the names of groups whose header opens a turn only if words follow, as the end of a tool's turn does where the
assistant goes on."""

Tidy = Callable[[str, str], Sequence[Turn]]
"""Role and content, as they were written, to the turns that they stand for: none for what the template added."""


def keep_turn(role: str, content: str) -> Sequence[Turn]:
    """The turn as it was written."""
    return (Turn(role, content),)


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """The turns of one family of chat templates.

    Attributes:
        name: as recipes and ``?chat_format=`` write it.
        header: matches what opens a turn, with the separators that the template writes around it. Of its named groups
            one takes part in a match: ``role`` holds the role, the name of any other is the role.
        ends: the marks that end a turn.
        roles: the roles that the headers' words stand for, in lower case, where they differ.
        closed: every turn has an end mark, so that a header counts only after one.
        added: what the template writes by itself before the assistant's words.
        tidy: splits turns that the template merged, and removes what it added.
        leads: text before the first header is a system turn, and not a turn that was cut on the left.
        silent: a turn without words is not written, so that a header may end the turn before it.
        spaced: the template writes a space before the mark that ends the assistant's words.
        closers: what may stand after the last words of a text, as a header that opens another turn.
    """

    name: str
    header: re.Pattern[str]
    ends: tuple[str, ...]
    roles: Mapping[str, str] = field(default_factory=dict)
    closed: bool = True
    added: re.Pattern[str] | None = None
    tidy: Tidy = keep_turn
    leads: bool = False
    silent: bool = False
    spaced: bool = False
    closers: tuple[str, ...] = ()

    def find_headers(self, text: str) -> list[Header]:
        """The headers of a text, in order."""
        headers: list[Header] = []
        implied = False
        for match in self.header.finditer(text):
            header = self._read_header(text, match)
            if header is None:
                continue
            if implied and not text[headers[-1].end : header.start].strip():
                headers.pop()
            headers.append(header)
            implied = (match.lastgroup or "").endswith(IMPLIED)
        return headers

    def find_answer(self, text: str, headers: Sequence[Header]) -> int | None:
        """Which header opens the response of a text: the first of the assistant's turns that end it."""
        last = max((k for k, header in enumerate(headers) if header.role == "assistant"), default=None)
        while last:
            step = 2 if self.silent and not text[headers[last - 1].end : headers[last].start].strip() else 1
            nearest = range(last - 1, max(-1, last - 1 - step), -1)
            before = next((k for k in nearest if headers[k].role == "assistant"), None)
            if before is None:
                break
            last = before
        return last

    def find_response_header(self, text: str, place: int) -> Header | None:
        """The assistant's header at a place where a response begins, if the response brings its own."""
        following = text[place : place + LONGEST_MARK]
        match = self.header.match(text, place + len(following) - len(following.lstrip()))
        header = self._read_header(text, match) if match else None
        return header if header is not None and header.role == "assistant" else None

    def read_turns(self, text: str, headers: Sequence[Header], stop: int) -> list[Turn]:
        """The turns that these headers open, the last one up to ``stop``."""
        turns: list[Turn] = []
        for k, header in enumerate(headers):
            until = headers[k + 1].start if k + 1 < len(headers) else stop
            content = self.cut_end(text[header.end : until])
            if header.role == "assistant":
                content = self.remove_added(content)
            turns += self.tidy(header.role, content)
        return turns

    def read_answer(self, words: str) -> Turn:
        """The response of these words, with which the text ends."""
        return Turn("assistant", self.cut_end(words, last=True))

    def remove_added(self, words: str) -> str:
        """The assistant's words without what the template writes before them."""
        match = self.added.match(words) if self.added is not None else None
        return words[match.end() :] if match else words

    def cut_end(self, words: str, *, last: bool = False) -> str:
        """A turn's words without the marks at their very end.

        Args:
            last: the text ends with them; a header that opens another turn is a mark there, too.
        """
        stop = find_end(words, self.ends, self.closers if last else ())
        if self.spaced and stop < len(words) and words[:stop].endswith(" "):
            stop -= 1
        return words[:stop]

    def has_marks(self, words: str) -> bool:
        """Whether turns of this format begin or end in these words."""
        return any(end in words for end in self.ends) or self.header.search(words) is not None

    def _read_header(self, text: str, match: re.Match[str]) -> Header | None:
        if self.closed and not self._follows_end(text, match.start()):
            return None
        name = match.lastgroup or ""
        word = match["role"].strip().lower() if name == "role" else name.rstrip(IMPLIED)
        return Header(match.start(), match.end(), self.roles.get(word, word))

    def _follows_end(self, text: str, place: int) -> bool:
        before = text[max(0, place - LONGEST_MARK) : place].rstrip()
        return before.endswith((*self.ends, *END_MARKS, *BEGIN_MARKS)) if before else place < LONGEST_MARK
