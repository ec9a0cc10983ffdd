"""Keys of scores that running services have cached: a change here would make every one of them be computed again.

A key may change only together with ``NAMESPACE``.
"""

from typing import Any

import pytest
from reward_gateway.backends.port import ModelInfo
from reward_gateway.cache.keys import make_keys
from reward_gateway.sample import Batch, Media

TALK = [
    {"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image"}]},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "look"}}]},
]
PLAIN: dict[str, Any] = {"prompts": ["How do I boil an egg?"], "responses": ["Eight minutes."]}

BATCHES: dict[str, dict[str, Any]] = {
    "text": PLAIN,
    "letters beyond ASCII": {"prompts": ["Grüße 🥚"], "responses": ["acht \ud83d Minuten"]},
    "no response": {"prompts": [""], "responses": [None]},
    "chat": {"prompts": [TALK], "responses": [[{"role": "assistant", "content": "An egg."}]]},
    "reference": PLAIN | {"references": ["8 minutes"]},
    "an empty reference": PLAIN | {"references": [""]},
    "steps": PLAIN | {"steps": [["Boil water.", "Add the egg."]]},
    "images": PLAIN | {"images": [[Media(b"abc"), Media(url="https://example.org/a.png")]]},
    "frames": PLAIN | {"frames": [[Media(b"1"), Media(b"2")]]},
    "features": PLAIN | {"features": [{"b": 2.5, "a": [1.0, 2.0], "c": 3}]},
    "everything": PLAIN
    | {
        "references": ["8 minutes"],
        "steps": [["Boil water."]],
        "images": [[Media(b"abc")]],
        "frames": [[Media(b"1")]],
        "features": [{"a": 1.0}],
        "group_names": ["g"],
    },
}
EVERY = ("prompt", "response", "messages", "steps", "reference", "images", "frames", "features")
TEXT = ("prompt", "response")
SEEN = ("prompt", "frames")

GOLDEN = {
    "text": [
        "72677731d9d4ecf4c2cb4a4dbf4211cb52085576a27165fb6e2b0ca67c12a37650c3aaca",
        "726777313e7c5fa4a289c0c65915fd4a896bb9c10afa89c56be81d448431d7bf54aab3c6",
        "7267773117b6e35cb3526d738bbdb3c886318ff5ae060e1edbc39fca6fdb9a7762293c34",
    ],
    "letters beyond ASCII": [
        "72677731d9d4ecf4c2cb4a4dbf4211cb520855762d80842e988294040a9d225dc38fd611",
        "726777313e7c5fa4a289c0c65915fd4a896bb9c1234a1545d1e99fc86e6b57d0988ebbc7",
        "7267773117b6e35cb3526d738bbdb3c886318ff595fdb509a099ec466f2aed17894c4eda",
    ],
    "no response": [
        "72677731d9d4ecf4c2cb4a4dbf4211cb52085576dae13e7acd1a94dd9e9df60b9c574d1d",
        "726777313e7c5fa4a289c0c65915fd4a896bb9c1e6a26d0d070d23482135591f5146f3b2",
        "7267773117b6e35cb3526d738bbdb3c886318ff5afcc3f9509da41456c97a5567ea6f50a",
    ],
    "chat": [
        "72677731d9d4ecf4c2cb4a4dbf4211cb520855767740403da598e211ded318bad611f5e7",
        "726777313e7c5fa4a289c0c65915fd4a896bb9c1e6f46ce099c6ceea12f8a160f8d0f6d5",
        "7267773117b6e35cb3526d738bbdb3c886318ff5139f783b4b68717217a5d1a39996b97f",
    ],
    "reference": [
        "72677731d9d4ecf4c2cb4a4dbf4211cb52085576566fb1f7d142f242f720aa37e11c0683",
        "726777313e7c5fa4a289c0c65915fd4a896bb9c10afa89c56be81d448431d7bf54aab3c6",
        "7267773117b6e35cb3526d738bbdb3c886318ff5ae060e1edbc39fca6fdb9a7762293c34",
    ],
    "an empty reference": [
        "72677731d9d4ecf4c2cb4a4dbf4211cb520855768327926c3da6d644448d6ae9efbe23f6",
        "726777313e7c5fa4a289c0c65915fd4a896bb9c10afa89c56be81d448431d7bf54aab3c6",
        "7267773117b6e35cb3526d738bbdb3c886318ff5ae060e1edbc39fca6fdb9a7762293c34",
    ],
    "steps": [
        "72677731d9d4ecf4c2cb4a4dbf4211cb52085576f9696056a9d3de50b3913e48612be87b",
        "726777313e7c5fa4a289c0c65915fd4a896bb9c10afa89c56be81d448431d7bf54aab3c6",
        "7267773117b6e35cb3526d738bbdb3c886318ff5ae060e1edbc39fca6fdb9a7762293c34",
    ],
    "images": [
        "72677731d9d4ecf4c2cb4a4dbf4211cb520855763bd82b300b7a00f9c097e2a690b9f846",
        "726777313e7c5fa4a289c0c65915fd4a896bb9c10afa89c56be81d448431d7bf54aab3c6",
        "7267773117b6e35cb3526d738bbdb3c886318ff5ae060e1edbc39fca6fdb9a7762293c34",
    ],
    "frames": [
        "72677731d9d4ecf4c2cb4a4dbf4211cb52085576b07fd0af82240c3f016c3800a7c47015",
        "726777313e7c5fa4a289c0c65915fd4a896bb9c10afa89c56be81d448431d7bf54aab3c6",
        "7267773117b6e35cb3526d738bbdb3c886318ff51d62a6d6b7d6bba3654cc2b3c08667c6",
    ],
    "features": [
        "72677731d9d4ecf4c2cb4a4dbf4211cb5208557674945c5e24188a0f984b345d60599b2c",
        "726777313e7c5fa4a289c0c65915fd4a896bb9c10afa89c56be81d448431d7bf54aab3c6",
        "7267773117b6e35cb3526d738bbdb3c886318ff5ae060e1edbc39fca6fdb9a7762293c34",
    ],
    "everything": [
        "72677731d9d4ecf4c2cb4a4dbf4211cb520855761cd7752c9b0aa446764d091863edf581",
        "726777313e7c5fa4a289c0c65915fd4a896bb9c10afa89c56be81d448431d7bf54aab3c6",
        "7267773117b6e35cb3526d738bbdb3c886318ff516ce23438e3d2d285c8508c52f372b72",
    ],
}


def key(columns: dict[str, Any], inputs: tuple[str, ...]) -> str:
    info = ModelInfo("m", "1-abc", True, inputs, ("score",), 64)
    (cache_key,) = make_keys(info, Batch(["0"], **columns), params={"truncate": True})
    return cache_key.hex()


@pytest.mark.parametrize("name", BATCHES)
def test_the_keys_of_today_are_those_of_yesterday(name: str) -> None:
    assert [key(BATCHES[name], inputs) for inputs in (EVERY, TEXT, SEEN)] == GOLDEN[name]
