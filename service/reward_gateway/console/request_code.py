"""Requests as code to copy, to **this** address, with a placeholder where a key is needed."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from reward_gateway.pages.operation_page import format_json

from .page import Visit

KEY = "$REWARD_GATEWAY_API_KEY"
"""The variable that stands where the key goes."""


def format_curl(visit: Visit, path: str, body: Any) -> str:
    """A shell command that sends a body."""
    key = f' -H "Authorization: Bearer {KEY}"' if visit.parts.traffic.keys.required else ""
    sent = shlex.quote(format_json(body))
    return f"curl -s {visit.origin}{path}{key} \\\n  -H 'Content-Type: application/json' -d {sent}"


def format_python(visit: Visit, recipe: str, samples: Sequence[Mapping[str, Any]]) -> str:
    """A program that sends samples with the client."""
    needs_key = visit.parts.traffic.keys.required
    key = ', api_key=os.environ["REWARD_GATEWAY_API_KEY"]' if needs_key else ""
    written = json.loads(json.dumps(samples))
    lines = ",\n    ".join(repr(sample) for sample in written)
    return (
        ("import os\n\n" if needs_key else "") + f"from reward_gateway.client import RewardClient\n\n"
        f'with RewardClient("{visit.origin}"{key}) as client:\n'
        f"    scores = client.score_samples([\n    {lines},\n    ], reward={recipe!r})\n"
        "print(scores.rewards)\n"
    )
