"""Requests that come again: their answers are kept by everything that they depend on, and sent without a handler."""

from collections.abc import Hashable, Sequence
from time import perf_counter

import orjson
from starlette.responses import Response
from starlette.types import Scope, Send

from reward_gateway.intake.kept_answers import KeptAnswer, KeptAnswers
from reward_gateway.scoring.fixed_scores import FixedScores

from .call import Call
from .encode import TIMING, time_stages

_JSON = (b"content-type", b"application/json")


class ScoredResponse(Response):
    """JSON that follows from the body of its request and from scores.

    Args:
        content: the answer.
        fixed: the scores that it tells, None for those that may come out otherwise the next time.
    """

    media_type = "application/json"

    def __init__(self, content: bytes, fixed: Sequence[FixedScores | None]) -> None:
        super().__init__(content)
        self.fixed = fixed


def key_of(scope: Scope, call: Call, body: bytes) -> Hashable:
    """Everything of a request that the answer to its body depends on."""
    content_type = call.headers.get("content-type")
    where = scope["method"], scope["path"], scope["query_string"]
    return *where, call.recipe, call.chat_format, call.run, call.key.name, call.key.caller, content_type, body


async def send_kept(kept: KeptAnswer, call: Call, send: Send, looked_up: float) -> None:
    """Send an answer again; what it took is that of this request.

    Args:
        looked_up: ``perf_counter`` before the answer was looked up.
    """
    now = perf_counter()
    stages = {"cache": (now - looked_up) * 1e3}
    call.stages = times = time_stages(stages, 0.0, (now - call.arrived) * 1e3)
    call.flags = {**kept.flags}
    content = kept.content
    if content.endswith(TIMING):
        content = b"%b%b}" % (content, orjson.dumps(times))
    headers = [(b"content-length", b"%d" % len(content)), _JSON]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def keep_answer(answers: KeptAnswers, call: Call, key: Hashable, body: bytes, response: ScoredResponse) -> None:
    """Keep an answer for requests that come again, without what it took."""
    content = bytes(response.body)
    head, separator, _ = content.rpartition(TIMING)
    answers.keep(key, body, head + separator or content, response.fixed, call.flags)
