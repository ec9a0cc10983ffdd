"""Rendered chat text back into turns: a whole text, or prompt and response that were sent apart."""

from dataclasses import dataclass
from typing import Final

from reward_gateway.sample.turn_marks import TEMPLATE_MARKS, has_turn_marks

from .called_tools import read_answered_calls
from .chat_format import ChatFormat, Header, Turn
from .marks import find_end, strip_leading, strip_sentence
from .recognition import AUTO, NONE, recognise, recognise_response

PROMPT_TRUNCATED: Final = "prompt_truncated"
PLAIN_TEXT: Final = "plain_text"
TEXT_FLAGS: Final = (PROMPT_TRUNCATED, PLAIN_TEXT, TEMPLATE_MARKS)


@dataclass(frozen=True, slots=True)
class ChatText:
    """What was read.

    Attributes:
        turns: the prompt's. None: the prompt was plain text, and stays as it is.
        answer: the response; None if the text has no turn of the assistant.
        flags: what was noticed.
    """

    turns: tuple[Turn, ...] | None
    answer: Turn | None
    flags: tuple[str, ...] = ()


def read_whole(text: str, choice: str = AUTO) -> ChatText:
    """A conversation in one text; its last assistant turn is the response.

    Turns of the assistant that follow each other at the end are one response, as it was written, with the marks inside:
    a policy may close its turn and open a better one. A text without marks is a response.
    """
    body = strip_leading(text)
    found = recognise(body, choice)
    if found is None:
        words = text if choice == NONE else text[: find_end(text, ())]
        return _flag(ChatText(None, Turn("assistant", words), (PLAIN_TEXT,)), None)
    chat_format, headers = found.format, found.format.find_headers(body)
    last = chat_format.find_answer(body, headers)
    if last is None:
        return ChatText(_read_prompt(chat_format, body, headers, len(body), found.cut), None, _cut_flag(found.cut))
    answer = headers[last]
    turns = _read_prompt(chat_format, body, headers[:last], answer.start, found.cut)
    words = chat_format.remove_added(body[answer.end :])
    return _flag(ChatText(turns, chat_format.read_answer(words), _cut_flag(found.cut)), chat_format)


def read_response(prompt: str | None, response: str, choice: str = AUTO) -> ChatText:
    """A prompt and a response that were sent apart: the response is everything after the prompt.

    What a rendered prompt opens in the assistant's name (``<think>``) belongs to the response. Only marks at the
    response's very end are removed; others stay, and are flagged.

    Args:
        prompt: rendered or plain; None where it is no text, but messages.
    """
    found = _read_open_prompt(prompt, response, choice) if prompt else None
    if found is not None:
        return found
    if choice == NONE:
        return _flag(ChatText(None, Turn("assistant", response)), None)
    parts = recognise_response(response, choice)
    answer = parts.read_answer(response) if parts else Turn("assistant", response[: find_end(response, ())])
    return _flag(ChatText(None, answer), None)


def _read_open_prompt(prompt: str, response: str, choice: str) -> ChatText | None:
    body = strip_leading(prompt)
    found = recognise(body, choice)
    if found is None:
        return None
    chat_format, text = found.format, body + response
    headers = [header for header in chat_format.find_headers(text) if header.start < len(body)]
    if not headers:
        return None
    opened = headers[-1] if headers[-1].role == "assistant" else None
    if opened is not None:
        begun = body[opened.end :]
        if len(chat_format.cut_end(begun)) < len(begun):  # the prompt closes this turn, too
            opened = None
    if opened is None and found.cut:
        return None  # a plain prompt that quotes marks
    turns = _read_prompt(
        chat_format, body, headers[:-1] if opened else headers, opened.start if opened else len(body), found.cut
    )
    if opened is None:
        own = chat_format.find_response_header(text, len(body))
        words = text[own.end :] if own else response
    else:
        begun = body[opened.end :]
        by_template = bool(begun) and not chat_format.remove_added(begun)
        words = response if by_template else text[opened.end :]
    return _flag(ChatText(turns, chat_format.read_answer(words), _cut_flag(found.cut)), chat_format)


def _read_prompt(chat_format: ChatFormat, body: str, headers: list[Header], stop: int, cut: bool) -> tuple[Turn, ...]:
    """The turns before ``stop``, beginning with what stands before the first header."""
    lead = body[: headers[0].start if headers else stop]
    turns: list[Turn] = []
    if cut:
        lead = chat_format.cut_end(lead)
        if lead.strip():
            turns.append(Turn("user", lead))
    elif chat_format.leads and (system := strip_sentence(lead)).strip():
        turns += chat_format.tidy("system", system)
    return tuple(read_answered_calls([*turns, *chat_format.read_turns(body, headers, stop)]))


def _cut_flag(cut: bool) -> tuple[str, ...]:
    return (PROMPT_TRUNCATED,) if cut else ()


def _flag(text: ChatText, chat_format: ChatFormat | None) -> ChatText:
    answer = text.answer
    if answer is None:
        return text
    words = answer.content + (answer.reasoning or "")
    if has_turn_marks(words) or (chat_format is not None and chat_format.has_marks(words)):
        return ChatText(text.turns, answer, (*text.flags, TEMPLATE_MARKS))
    return text
