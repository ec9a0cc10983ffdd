"""Flow-GRPO's and verl-omni's reward servers: a pickle with images in, a pickle with scores out, on ``POST /``.

Off unless the operator sets ``REWARD_GATEWAY_PICKLE``, and then only for callers on this machine or with an API key.
Request pickles are read by :mod:`.unpickling`, which executes nothing. Errors are never 500, which Flow-GRPO retries a
thousand times: a bad request is 400, a temporary failure 503.
"""

import asyncio
import base64
import pickle
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from reward_gateway.errors import InvalidRequest, NotFound, PermissionDenied
from reward_gateway.intake.request import SampleItem
from reward_gateway.traffic.keys import ANYBODY, is_loopback

from ..call import call_of
from ..dependencies import dependencies_of
from .dialect import Dialect
from .error_formats import NO_500
from .policy import Policy
from .request import DialectRequest
from .row_metadata import write_metadata
from .unpickling import load_plain

dialect = Dialect(
    Policy(
        name="flow_grpo",
        title="Flow-GRPO and verl-omni",
        clients=("Flow-GRPO", "verl-omni"),
        prefix="flow_grpo",
        deadline_s=110.0,
        error_format=NO_500,
    )
)
router = dialect.router


@dialect.post_bytes("/", answer_type="application/octet-stream")
async def pickled(request: DialectRequest, body: bytes) -> Any:
    """Scores of images, with the keys that the client expects.

    With `meta_datas` the keys of GenEval (strict rewards equal the recipe's rewards), with `metadata` those of
    verl-omni, else those of DeQA and UnifiedReward.
    """
    _check_allowed(request)
    content = await asyncio.to_thread(load_plain, body)
    if not isinstance(content, Mapping):
        raise InvalidRequest("the body: expected a dict")
    images = _read_column(content, "images")
    metadata_rows = content.get("meta_datas")
    prompts = _read_column(content, "prompts") if "prompts" in content else _read_prompts(metadata_rows, len(images))
    if len(prompts) != len(images):
        raise InvalidRequest(f"prompts: {len(prompts)} entries for {len(images)} images", param="prompts")
    samples = [_read_sample(image, prompt, i) for i, (image, prompt) in enumerate(zip(images, prompts, strict=True))]
    named = content.get("metadata") if metadata_rows is None else metadata_rows
    for sample, row in zip(samples, named if isinstance(named, list | tuple) else (), strict=False):
        sample.metadata = write_metadata(row, without=("prompt",))
    rewards = (await request.score(samples)).numbers() if samples else []
    if metadata_rows is not None:
        rewards_by_tag = _group_rewards(metadata_rows, rewards)
        answer: dict[str, Any] = {"scores": rewards, "rewards": rewards, "strict_rewards": rewards}
        answer |= {"group_rewards": rewards_by_tag, "group_strict_rewards": rewards_by_tag}
    else:
        answer = {"scores": rewards} if "metadata" in content else {"outputs": rewards}
    return Response(pickle.dumps(answer, protocol=4), media_type="application/octet-stream")


def _check_allowed(request: DialectRequest) -> None:
    """Raise NotFound while the dialect is off, PermissionDenied for a remote caller without an API key."""
    if not dependencies_of(request.http_request).settings.pickle:
        raise NotFound("pickles are not accepted; the operator can allow them (REWARD_GATEWAY_PICKLE)")
    client = request.http_request.client
    if call_of(request.http_request.scope).key is ANYBODY and (client is None or not is_loopback(client.host)):
        raise PermissionDenied("pickles are accepted only from this machine or with an API key")


def _read_column(content: Mapping[Any, Any], name: str) -> list[Any]:
    column = content.get(name)
    if not isinstance(column, list | tuple):
        raise InvalidRequest(f"{name}: expected a list", param=name)
    return list(column)


def _read_prompts(metadata_rows: Any, n: int) -> list[Any]:
    if not isinstance(metadata_rows, list | tuple):
        return [""] * n
    return [row.get("prompt", "") if isinstance(row, dict) else "" for row in metadata_rows]


def _group_rewards(metadata_rows: Any, rewards: list[float]) -> dict[str, list[float]]:
    """Group the rewards by the tag of their row."""
    groups: dict[str, list[float]] = {}
    for row, reward in zip(metadata_rows if isinstance(metadata_rows, list | tuple) else (), rewards, strict=False):
        tag = row.get("tag") if isinstance(row, dict) else None
        if isinstance(tag, str):
            groups.setdefault(tag, []).append(reward)
    return groups


def _read_sample(image: Any, prompt: Any, i: int) -> SampleItem:
    if not isinstance(image, bytes):
        raise InvalidRequest(f"images[{i}]: expected bytes", param=f"images[{i}]")
    if not isinstance(prompt, str):
        raise InvalidRequest(f"prompts[{i}]: expected str", param=f"prompts[{i}]")
    return SampleItem(prompt=prompt, images=[base64.b64encode(image).decode()])
