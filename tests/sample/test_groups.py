"""The default group of a sample: equal prompts fall into one, different prompts into different ones."""

import hashlib
from collections import ChainMap, OrderedDict
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.sample import Batch, prompt_group

CALL: dict[str, Any] = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
TALK: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image"}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
]


def turned(value: Any) -> Any:
    """The same value, with the keys of every mapping in the opposite order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(entry) for entry in value] if isinstance(value, list) else value


def rebuilt(value: Any, mapping: Any, sequence: Any) -> Any:
    """The same value, held by other types."""
    if isinstance(value, dict):
        return mapping({key: rebuilt(entry, mapping, sequence) for key, entry in value.items()})
    return sequence(rebuilt(entry, mapping, sequence) for entry in value) if isinstance(value, list) else value


EQUAL = {
    "the order of keys": turned(TALK),
    "ordered mappings": rebuilt(TALK, OrderedDict, list),
    "read-only mappings": rebuilt(TALK, MappingProxyType, list),
    "layered mappings": rebuilt(TALK, ChainMap, list),
    "tuples": rebuilt(TALK, dict, tuple),
}


@pytest.mark.parametrize("prompt", EQUAL.values(), ids=EQUAL)
def test_equal_messages_are_one_group(prompt: Any) -> None:
    assert prompt_group(prompt) == prompt_group(TALK)
    assert len(set(Batch(["0", "1"], [prompt, TALK], ["", ""]).groups())) == 1


texts = st.text(alphabet='a"\ud83d[]{}:,é', max_size=5)
conversations = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": texts | st.none()}), max_size=3
)


@given(texts | conversations, texts | conversations)
def test_prompts_share_a_group_only_if_they_are_equal(one: Any, other: Any) -> None:
    assert (prompt_group(one) == prompt_group(other)) == (one == other)


@given(conversations)
def test_the_order_of_keys_does_not_count(prompt: Any) -> None:
    assert prompt_group(turned(prompt)) == prompt_group(prompt)


@given(texts)
def test_the_group_of_a_text_is_the_hash_that_it_always_was(prompt: str) -> None:
    digest = hashlib.blake2b(prompt.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    assert prompt_group(prompt) == f"prompt-{digest}"


def test_a_text_that_looks_like_messages_is_no_member_of_their_group() -> None:
    assert prompt_group('[{"content":"a","role":"user"}]') != prompt_group([{"role": "user", "content": "a"}])
