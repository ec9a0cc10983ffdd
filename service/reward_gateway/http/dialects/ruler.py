"""ART's RULER: one prompt that holds several trajectories as JSON, answered with a score for each.

The prompt is ``<context>`` with the messages that all have in common, if there are any, ``<available_tools>`` with the
tools that the policy had, if it had any, then every ``<trajectory>`` with its further messages. JSON has no line break
within it, so no trajectory can end itself or open another.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from reward_gateway.errors import InvalidRequest
from reward_gateway.intake.nesting import check_nesting
from reward_gateway.intake.request import SampleItem
from reward_gateway.recipes.judging import format_decimal

from .request import Scores
from .texts import parse_messages, plain_if_single

_CONTEXT = re.compile(r"<context>\n(.*)\n</context>")
_TOOLS = re.compile(r"<available_tools>\n(.*)\n</available_tools>")
_TRAJECTORY = re.compile(r'<trajectory id="([^"\n]{1,64})">\n(.*)\n</trajectory>')
_OPENING = "Trajectories:"


def read_trajectories(text: str, max_nesting: int) -> tuple[list[str], list[SampleItem]] | None:
    """The ids of the trajectories and their samples; None if the text is no prompt of RULER.

    The messages before the first assistant message are the prompt, all that follow are the response. All trajectories
    of one prompt of RULER are one group, whether they begin alike or not.

    Raises:
        InvalidRequest: a trajectory holds no messages, or none of the assistant.
    """
    pieces = text.split("\n\n")
    context: list[Any] = []
    if held := _CONTEXT.fullmatch(pieces[0]):
        context, pieces = _decode_list(held[1], "context", max_nesting), pieces[1:]
    if pieces and _TOOLS.fullmatch(pieces[0]):  # a sample has no place for what the policy could have called
        pieces = pieces[1:]
    if pieces[:1] != [_OPENING] or len(pieces) < 2:
        return None
    found = [_TRAJECTORY.fullmatch(piece) for piece in pieces[1:]]
    ids, samples = [], []
    for trajectory in found:
        if trajectory is None:
            return None
        place = f"trajectory {trajectory[1]}"
        ids.append(trajectory[1])
        samples.append(_make_sample([*context, *_decode_list(trajectory[2], place, max_nesting)], place))
    if any(sample.prompt != samples[0].prompt for sample in samples):
        group = f"ruler-{hashlib.blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"
        for sample in samples:
            sample.group = group
    return ids, samples


def write_scores(ids: Sequence[str], scores: Scores) -> str:
    """The answer that RULER parses: id, explanation and score of every trajectory, in their order."""
    rewards, components = scores.numbers(), scores.components
    rows = [
        {
            "trajectory_id": trajectory,
            "explanation": f"{scores.plan.name}: "
            + ", ".join(f"{name} {format_decimal(column[i])}" for name, column in components.items()),
            "score": rewards[i],
        }
        for i, trajectory in enumerate(ids)
    ]
    return orjson.dumps({"scores": rows}).decode()


def _decode_list(text: str, place: str, max_nesting: int) -> list[Any]:
    content = text.encode("utf-8", "surrogatepass")
    check_nesting(content, max_nesting, param="messages")
    try:
        messages = msgspec.json.decode(content)
    except msgspec.DecodeError:
        messages = None
    if not isinstance(messages, list):
        raise InvalidRequest(f"messages: {place} is no JSON list of messages", param="messages")
    return messages


def _make_sample(values: list[Any], place: str) -> SampleItem:
    messages = parse_messages(values, f"messages: {place}")
    first = next((i for i, message in enumerate(messages) if message.role == "assistant"), None)
    if first is None:
        raise InvalidRequest(f"messages: {place} has no assistant message to score", param="messages")
    prompt = plain_if_single(messages[:first], "user") if first else None  # nothing was asked: there is no prompt
    return SampleItem(prompt=prompt, response=plain_if_single(messages[first:], "assistant"))
