"""Digests of bodies: equal for the same content, different for any other."""

from typing import Any

import numpy as np
import pytest
from reward_gateway.sample import Batch, Invalid
from reward_gateway.scoring.body_digest import digest_batch, digest_body


def batch_of(**columns: Any) -> Batch:
    base: dict[str, Any] = {"ids": ["1", "2"], "prompts": ["p", "q"], "responses": ["a", "b"]}
    return Batch(**{**base, **columns})


def test_the_order_of_keys_does_not_count_and_that_of_a_list_does() -> None:
    assert digest_body({"a": 1, "b": 2}) == digest_body({"b": 2, "a": 1})
    assert digest_body({"a": "\ud800", "b": 2}) == digest_body({"b": 2, "a": "\ud800"})
    assert digest_body([1, 2]) != digest_body([2, 1])


def test_different_bodies_have_different_digests() -> None:
    bodies = [None, "", "a", "\ud800", "\ud801", [], ["a"], {}, {"a": None}, 0, 1, 1.5, b"a", True, False]
    digests = [digest_body(body) for body in bodies]
    assert len(set(digests)) == len(bodies)
    assert {len(digest) for digest in digests} == {40}


def test_numbers_of_numpy_and_mappings_count_as_plain_ones() -> None:
    assert digest_body([np.array([1.0, 2.0]), np.float64(3.0)]) == digest_body([[1.0, 2.0], 3.0])


def test_what_has_no_plain_form_has_no_digest() -> None:
    with pytest.raises(NotImplementedError, match="object"):
        digest_body(object())


def test_samples_and_options_count_and_faults_that_were_found_on_the_way_do_not() -> None:
    plain = digest_batch(batch_of(), "option")
    assert digest_batch(batch_of(), "option") == plain
    assert digest_batch(batch_of(flags={1: ("plain_text",)}), "option") == plain
    assert digest_batch(batch_of(), "other") != plain
    assert digest_batch(batch_of(responses=["a", "c"]), "option") != plain
    assert digest_batch(batch_of(group_names=["g", "g"]), "option") != plain
    faulty = batch_of()
    faulty.invalid[0] = Invalid("invalid_media", "it could not be fetched")
    assert digest_batch(faulty, "option") == plain
