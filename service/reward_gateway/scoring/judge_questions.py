"""What operations ask of judges, as questions to them, and their replies as operations read them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reward_gateway.backends.judges.judges import Judges
from reward_gateway.backends.judges.questions import CacheUse, Question
from reward_gateway.backends.judges.replies import Reply
from reward_gateway.errors import JudgeNotFound
from reward_gateway.operations.effects import AskJudge, AskJudgeAgain, AskJudgeForTokens, JudgeAnswer, JudgeToken
from reward_gateway.sample import Invalid

from .request_context import RequestContext


async def ask_for_texts(judges: Judges | None, asked: AskJudge, context: RequestContext) -> list[str | Invalid]:
    """The judge's words, in the order of the conversations. The context's ``usage`` is added to.

    Raises:
        JudgeNotFound: there is no such judge.
    """
    return _texts_of(await _put_questions(judges, asked, context))


async def ask_for_tokens(
    judges: Judges | None, effect: AskJudgeForTokens, context: RequestContext
) -> list[JudgeAnswer | Invalid]:
    """As :func:`ask_for_texts`, with their tokens."""
    return _tokens_of(await _put_questions(judges, effect.asked, context, tokens=True))


async def ask_again(
    judges: Judges | None, effect: AskJudgeAgain, context: RequestContext
) -> list[str | Invalid] | list[JudgeAnswer | Invalid] | None:
    """As the effect that it repeats; None if the judge would say the same, or has been asked as often as it may."""
    again, tokens = effect.asked, isinstance(effect.asked, AskJudgeForTokens)
    asked = again.asked if isinstance(again, AskJudgeForTokens) else again
    if judges is None or not judges.may_say_otherwise(asked.judge, asked.temperature, effect.attempt):
        return None
    if context.cache == "use":  # a cached answer may be the one that cannot be read
        context = replace(context, cache="refresh")
    replies = await _put_questions(judges, asked, context, tokens=tokens)
    return _tokens_of(replies) if tokens else _texts_of(replies)


async def _put_questions(
    judges: Judges | None, asked: AskJudge, context: RequestContext, *, tokens: bool = False
) -> list[Reply | Invalid]:
    if judges is None:
        raise JudgeNotFound("no judges are configured; set REWARD_GATEWAY_JUDGES_FILE to a file of judges")
    size, schema = len(asked.conversations), asked.schema
    schemas = [schema] * size if schema is None or isinstance(schema, Mapping) else schema
    draws: Sequence[int | None] = asked.draws or [None] * size
    problems = [""] * size if asked.problems is None else name_problems(asked.problems, context)
    limits = asked.limits or [None] * size
    questions = [
        Question(conversation, asked.temperature, own, tokens, draw, problem, limit_s)
        for conversation, own, draw, problem, limit_s in zip(
            asked.conversations, schemas, draws, problems, limits, strict=True
        )
    ]
    cache = CacheUse(context.cache, context.scope.cache_owner)
    replies = await judges.answer(asked.judge, questions, context.deadline, cache)
    hits = sum(isinstance(reply, Reply) and reply.cached for reply in replies)
    context.usage.cache_hits += hits
    context.usage.cache_misses += size - hits if context.cache != "off" else 0
    sent = {id(reply) for reply in replies if isinstance(reply, Invalid) or not reply.cached}
    context.usage.model_calls += len(sent)  # equal questions share one reply
    return replies


def name_problems(problems: Sequence[str], context: RequestContext) -> list[str]:
    """The names of a caller's problems: no other caller's answers count among theirs."""
    return [f"{context.scope.cache_owner}/{problem}" if problem else "" for problem in problems]


def _texts_of(replies: Sequence[Reply | Invalid]) -> list[str | Invalid]:
    """The words of replies."""
    return [reply.text if isinstance(reply, Reply) else reply for reply in replies]


def _tokens_of(replies: Sequence[Reply | Invalid]) -> list[JudgeAnswer | Invalid]:
    """Replies with their tokens."""
    return [
        JudgeAnswer(reply.text, [JudgeToken(token.text, token.alternatives) for token in reply.tokens])
        if isinstance(reply, Reply)
        else reply
        for reply in replies
    ]
