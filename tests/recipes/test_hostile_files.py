"""Recipe files of any content: they load, or they are refused with faults; nothing else comes of reading one."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRecipe
from reward_gateway.recipes.book import load_book

RECIPE: dict[str, Any] = {
    "rewards": {
        "r": {
            "description": "d",
            "components": {
                "a": {
                    "score": "given",
                    "inputs": {"value": {"feature": "v"}},
                    "transforms": [{"affine": {"scale": 2.0}}],
                },
                "b": {
                    "score": "given_steps",
                    "inputs": {"values": {"feature": "w"}},
                    "transforms": [{"aggregate": {}}],
                },
                "c": {
                    "score": "length_penalty",
                    "params": {"free_words": 3},
                    "inputs": {"response": {"sample": "prompt"}},
                },
                "d": {"score": "given", "inputs": {"value": {"component": "a"}}, "optional": False},
                "e": {
                    "score": "given",
                    "inputs": {"value": 1.0},
                    "transforms": [{"par": {"reference_rewards": {"stored": "s"}}}],
                },
                "f": {
                    "score": "given",
                    "inputs": {"value": 1.0},
                    "transforms": [{"log_sigmoid": {"reference": {"quantile": 0.5}}}],
                },
            },
            "guards": [{"saturated": {"component": "a", "low": 0.0}}],
            "combine": {
                "weighted_sum": {"over": ["a", "b", "c", "d", "e"], "weights": {"a": 1.0}},
                "then": {"add": ["f"]},
            },
            "group": {"normalize": "gdpo", "weights": {"a": 2.0}, "cohort": {"size": 2}},
            "range": [0.0, 1.0],
            "default_reward": 0.0,
        }
    },
    "experiments": {"x": {"model": "m", "candidate": "m@2", "fraction": 0.5}},
    "default": "r",
}

ODDITIES: list[Any] = [
    *[None, True, 0, -1, 10**30, 10**400, 1e308, 0.5, "", "a", "r", "m@", "@1", [], {}, [[]], [{}], [1], ["a", ["b"]]],
    *[{"feature": 1}, {"feature": ["v"]}, {"component": {"a": 1}}, {"component": []}, {"sample": None}, {"stored": {}}],
    *[{"quantile": "x"}, {"references": 1}, {"a": {"b": {"c": []}}}, {"": ""}, {"add": 3}, {"over": 5}],
]
ODD = st.sampled_from(ODDITIES) | st.recursive(
    st.none() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=2), max_leaves=4
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def replaced(path: tuple[Any, ...], odd: Any) -> dict[str, Any]:
    recipe = copy.deepcopy(RECIPE)
    target: Any = recipe
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = odd
    return recipe


def load_or_refuse(content: bytes) -> list[dict[str, str]]:
    try:
        load_book(content)
    except InvalidRecipe as error:
        faults = error.faults
    else:
        return []
    assert faults
    assert all(set(fault) == {"path", "place", "message"} for fault in faults)
    return faults


@given(st.sampled_from(sorted(places(RECIPE), key=str)), ODD)
@settings(max_examples=400)
def test_an_odd_value_at_any_place_is_a_fault_or_fits(path: tuple[Any, ...], odd: Any) -> None:
    load_or_refuse(json.dumps(replaced(path, odd)).encode())


@given(st.binary(max_size=60) | st.text(alphabet="{}[]:,-?!&*#|>%@`'\"\n ax0.", max_size=40).map(str.encode))
@settings(max_examples=300)
def test_bytes_that_are_no_recipe_are_faults(content: bytes) -> None:
    assert load_or_refuse(content)


@pytest.mark.parametrize(
    ("content", "place", "word"),
    [
        (b"rewards:\n  r: \xff\xfe", "line 2", "UTF-8"),
        (b"rewards: " + b"9" * 5000, "line 1", "number"),
        (b"rewards: 0x" + b"f" * 20_000, "line 1", ""),
        (b"a: " + b"[" * 100_000, "line", "nested"),
        (b"[" * 70 + b"]" * 70, "line 1", "nested"),
        (b"- " * 2000 + b"a", "line 1", "nested"),
        (b"{a: " * 900 + b"1" + b"}" * 900, "line 1", "nested"),
        (b"rewards: 2001-13-45", "line 1", "date"),
        (b"rewards: {r: {description: 2001-01-01}}", "line 1", "date"),
        (b"rewards: !!binary aGFsbG8=", "line 1", "tags"),
        *[(b"rewards: {r: !!%s}" % odd, "line 1", "") for odd in (b'int ""', b"bool x", b"timestamp x", b'float ""')],
        (b"rewards: !!python/object:os.system {}", "line 1", ""),
        (b"rewards: {r: {default_reward: .nan}}", "line 1", ""),
        (b"rewards: {r: {default_reward: 1e999}}", "line 1", ""),
        (b"", "line 1", ""),
        (b"\x00", "line 1", ""),
    ],
)
def test_what_a_file_can_do_to_its_reader_is_a_fault_with_its_place(content: bytes, place: str, word: str) -> None:
    faults = load_or_refuse(content)
    assert faults[0]["place"].startswith(place)
    assert word in faults[0]["message"]
