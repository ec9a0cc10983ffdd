"""What operations ask of judges, as questions to them, and their replies as operations read them."""

from collections.abc import Mapping, Sequence

from reward_gateway.backends.judges.judges import Judges
from reward_gateway.backends.judges.questions import CacheUse, Question
from reward_gateway.backends.judges.replies import Reply
from reward_gateway.errors import NotFound
from reward_gateway.operations.effects import AskJudge, JudgeAnswer, JudgeToken
from reward_gateway.sample import Invalid

from .request_context import RequestContext


async def put_questions(
    judges: Judges | None, asked: AskJudge, context: RequestContext, *, tokens: bool = False
) -> list[Reply | Invalid]:
    """The judge's replies, in the order of the conversations. The context's ``usage`` is added to.

    Raises:
        NotFound: there is no such judge.
    """
    if judges is None:
        raise NotFound("no judges are configured; set REWARD_GATEWAY_JUDGES_FILE to a file of judges")
    size, schema = len(asked.conversations), asked.schema
    schemas = [schema] * size if schema is None or isinstance(schema, Mapping) else schema
    draws: Sequence[int | None] = asked.draws or [None] * size
    questions = [
        Question(conversation, asked.temperature, own, tokens, draw)
        for conversation, own, draw in zip(asked.conversations, schemas, draws, strict=True)
    ]
    cache = CacheUse(context.cache, context.scope.cache_owner)
    replies = await judges.answer(asked.judge, questions, context.deadline, cache)
    hits = sum(isinstance(reply, Reply) and reply.cached for reply in replies)
    context.usage.cache_hits += hits
    context.usage.cache_misses += size - hits if context.cache != "off" else 0
    sent = {id(reply) for reply in replies if isinstance(reply, Invalid) or not reply.cached}
    context.usage.model_calls += len(sent)  # equal questions share one reply
    return replies


def texts_of(replies: Sequence[Reply | Invalid]) -> list[str | Invalid]:
    """The words of replies."""
    return [reply.text if isinstance(reply, Reply) else reply for reply in replies]


def tokens_of(replies: Sequence[Reply | Invalid]) -> list[JudgeAnswer | Invalid]:
    """Replies with their tokens."""
    return [
        JudgeAnswer(reply.text, [JudgeToken(token.text, token.alternatives) for token in reply.tokens])
        if isinstance(reply, Reply)
        else reply
        for reply in replies
    ]
