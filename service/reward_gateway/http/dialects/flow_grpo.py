"""Flow-GRPO's and verl-omni's reward servers: a pickle with images in, a pickle with scores out, on ``POST /``.

Off unless the operator sets ``REWARD_GATEWAY_PICKLE``, and then for callers on this machine or with a key. Request
pickles are read by :mod:`.unpickling`, which runs nothing. Errors are never a 500, on which Flow-GRPO tries a thousand
times: a bad request is a 400, "not now" a 503.
"""

import asyncio
import base64
import pickle
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
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
from .unpickling import loads

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
async def pickled(ask: DialectRequest, body: bytes) -> Any:
    """Scores of images, in the words of the client that asks.

    With `meta_datas` GenEval's answer (the recipe's number stands for the strict one too), with `metadata` verl-omni's,
    else that of DeQA and UnifiedReward.
    """
    _admit(ask)
    asked = await asyncio.to_thread(loads, body)
    if not isinstance(asked, Mapping):
        raise InvalidRequest("the body: expected a dict")
    images = _column(asked, "images")
    metas = asked.get("meta_datas")
    prompts = _column(asked, "prompts") if "prompts" in asked else _prompts(metas, len(images))
    if len(prompts) != len(images):
        raise InvalidRequest(f"prompts: {len(prompts)} of them, and {len(images)} images", param="prompts")
    samples = [_sample(image, prompt, i) for i, (image, prompt) in enumerate(zip(images, prompts, strict=True))]
    rewards = (await ask.score(samples)).numbers() if samples else []
    if metas is not None:
        groups = _groups(metas, rewards)
        answer: dict[str, Any] = {"scores": rewards, "rewards": rewards, "strict_rewards": rewards}
        answer |= {"group_rewards": groups, "group_strict_rewards": groups}
    else:
        answer = {"scores": rewards} if "metadata" in asked else {"outputs": rewards}
    return Response(pickle.dumps(answer, protocol=4), media_type="application/octet-stream")


@router.get("/", include_in_schema=False)
async def nothing(request: Request) -> Response:
    """There is no page here: to whoever looks with a browser, the path of pickles does not exist."""
    raise NotFound("there is nothing at this path; GET /openapi.json lists what there is")


def _admit(ask: DialectRequest) -> None:
    """Raises NotFound while the dialect is off, PermissionDenied for a stranger."""
    if not dependencies_of(ask.request).settings.pickle:
        raise NotFound("pickles are not read here; the operator may allow them (REWARD_GATEWAY_PICKLE)")
    client = ask.request.client
    if call_of(ask.request.scope).key is ANYBODY and (client is None or not is_loopback(client.host)):
        raise PermissionDenied("pickles are read from this machine, or with an API key")


def _column(asked: Mapping[Any, Any], name: str) -> list[Any]:
    held = asked.get(name)
    if not isinstance(held, list | tuple):
        raise InvalidRequest(f"{name}: expected a list", param=name)
    return list(held)


def _prompts(metas: Any, n: int) -> list[Any]:
    if not isinstance(metas, list | tuple):
        return [""] * n
    return [meta.get("prompt", "") if isinstance(meta, dict) else "" for meta in metas]


def _groups(metas: Any, rewards: list[float]) -> dict[str, list[float]]:
    """Rewards by the tag of their row."""
    groups: dict[str, list[float]] = {}
    for meta, reward in zip(metas if isinstance(metas, list | tuple) else (), rewards, strict=False):
        tag = meta.get("tag") if isinstance(meta, dict) else None
        if isinstance(tag, str):
            groups.setdefault(tag, []).append(reward)
    return groups


def _sample(image: Any, prompt: Any, i: int) -> SampleItem:
    if not isinstance(image, bytes):
        raise InvalidRequest(f"images[{i}]: expected bytes", param=f"images[{i}]")
    if not isinstance(prompt, str):
        raise InvalidRequest(f"prompts[{i}]: expected str", param=f"prompts[{i}]")
    return SampleItem(prompt=prompt, images=[base64.b64encode(image).decode()])
