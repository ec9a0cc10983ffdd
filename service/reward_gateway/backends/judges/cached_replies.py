"""Answers of judges as texts, for the cache: their words, and their tokens where those were asked for."""

import json
import re

from .replies import Reply, Token

_DIGIT = re.compile("[0-9]")


def encode_reply(reply: Reply) -> str:
    """An answer as a text: its words, or JSON where it has tokens. Of tokens that are no digit the alternatives are
    left out: nobody weighs them, and twenty a token are many."""
    if not reply.tokens:
        return reply.text
    tokens = [[token.text, token.alternatives if _DIGIT.search(token.text) else ()] for token in reply.tokens]
    return json.dumps([reply.text, tokens])


def decode_reply(text: str, *, tokens: bool) -> Reply:
    """What :func:`encode_reply` wrote of an answer to a question that asked for tokens, or did not."""
    if not tokens:
        return Reply(text, cached=True)
    words, told = json.loads(text)
    return Reply(
        words,
        tokens=tuple(Token(token, tuple((other, number) for other, number in others)) for token, others in told),
        cached=True,
    )
