"""Whatever is sent, the answer is one of the contract, and the next good request is scored."""

import json
import random
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

GOOD = json.dumps(
    {
        "reward": "mixed",
        "samples": [
            {
                "id": "a",
                "prompt": "p",
                "response": "one two three",
                "features": {"x": 1.5},
                "metadata": {"k": [1, {"d": None}]},
            },
            {
                "prompt": [{"role": "user", "content": [{"type": "text", "text": "é"}]}],
                "response": "",
                "steps": [{"text": "s"}],
            },
        ],
        "options": {"on_invalid": "null", "cache": "use", "explain": True, "deadline_ms": 30000},
    }
).encode()
PIECES = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b"\xff",
    b"\x00",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"null",
    b":",
    b",",
    b"\\ud800",
    b"9" * 40,
]


def spoiled(draw: random.Random) -> bytes:
    """The good body, cut, repeated, or with pieces that do not belong."""
    body = bytearray(GOOD)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(body) + 1)
        match draw.randrange(4):
            case 0:
                del body[at:]
            case 1:
                body[at:at] = draw.choice(PIECES) * draw.randint(1, 3)
            case 2:
                del body[at : at + draw.randint(1, 12)]
            case _:
                body[at : at + 1] = bytes([draw.randrange(256)])
    return bytes(body)


async def test_a_thousand_spoiled_requests_and_then_a_good_one(served: Any) -> None:
    draw = random.Random(7)
    seen: dict[int, int] = {}
    for _ in range(1000):
        body = spoiled(draw)
        encoding = draw.choice([None] * 8 + ["gzip", "zstd"])
        answer = await served.score(body, headers={"content-encoding": encoding} if encoding else None)
        seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
        assert answer.status_code in (200, 400, 404, 413, 422), (body, answer.text)
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == {"code", "message", "type", "param"}
    assert {200, 400, 422} <= set(seen)
    assert (served.traffic.admission.in_flight, served.traffic.admission.queued) == (0, 0)
    last = await served.score(GOOD)
    assert [result["valid"] for result in last.json()["results"]] == [True, True]
