"""Cache keys: equal for what a model sees as equal, different for everything else that it could tell apart."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.backends.port import ModelInfo
from reward_gateway.cache.keys import DIGEST_BYTES, NAMESPACE, SampleDigests, make_keys
from reward_gateway.sample import Batch, Media

EVERY = ("prompt", "response", "messages", "steps", "reference", "images", "frames", "features")


def info(*inputs: str, name: str = "m", version: str = "1") -> ModelInfo:
    return ModelInfo(name, version, True, inputs or ("prompt", "response"), ("score",), 64)


def batch_of(samples: list[dict[str, Any]], **columns: Any) -> Batch:
    def column(name: str, default: Any) -> list[Any]:
        return [sample.get(name, default) for sample in samples]

    return Batch(
        columns.pop("ids", [str(i) for i in range(len(samples))]),
        column("prompt", ""),
        column("response", ""),
        column("reference", None),
        column("images", []),
        column("frames", []),
        column("steps", None),
        features=column("features", {}),
        **columns,
    )


def key(sample: dict[str, Any], model: ModelInfo | None = None, **params: Any) -> bytes:
    return make_keys(model or info(*EVERY), batch_of([sample]), [0], params)[0]


# Few characters, and those of the framing itself, so that neighbouring fields could run into each other.
texts = st.text(alphabet='at1:;\ud83d{}"bcmn0é', max_size=6)
messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": texts}), max_size=2
)
media = st.lists(st.one_of(st.binary(max_size=3).map(Media), texts.map(lambda url: Media(url=url))), max_size=3)
samples = st.fixed_dictionaries(
    {
        "prompt": texts | messages,
        "response": st.none() | texts | messages,
        "steps": st.none() | st.lists(texts, min_size=1, max_size=3),
        "reference": st.none() | texts,
        "images": media,
        "frames": media,
        "features": st.dictionaries(texts, st.integers(-2, 2) | st.floats(-1, 1), max_size=2),
    }
)


def written(value: Any) -> str:
    """A value in full, its members in order; 1 and 1.0 are written differently, as in JSON."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name!r}:{written(value[name])}" for name in sorted(value)) + "}"
    return "[" + ",".join(map(written, value)) + "]" if isinstance(value, list) else repr(value)


@given(samples, samples)
def test_two_samples_have_one_key_only_if_they_are_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (key(one) == key(other)) == (written(one) == written(other))


@given(st.lists(texts, min_size=2, max_size=2), st.lists(texts, min_size=2, max_size=2))
def test_no_text_runs_into_its_neighbour(one: list[str], other: list[str]) -> None:
    pairs = [key({"prompt": p, "response": r}, info()) for p, r in (one, other)]
    assert (pairs[0] == pairs[1]) == (one == other)


@given(samples, st.sets(st.sampled_from(EVERY[:2] + EVERY[3:]), min_size=1))
def test_only_the_fields_that_the_model_reads_count(sample: dict[str, Any], inputs: set[str]) -> None:
    model = info(*inputs)
    seen = {name: value for name, value in sample.items() if name in inputs}
    assert key(sample, model) == key(seen, model)


@given(samples)
def test_id_and_group_do_not_count(sample: dict[str, Any]) -> None:
    plain = make_keys(info(*EVERY), batch_of([sample]), [0])
    named = batch_of([sample], ids=["another"], group_names=["g"])
    assert make_keys(info(*EVERY), named, [0]) == plain


@given(st.lists(samples, min_size=1, max_size=5))
def test_a_sample_has_the_same_key_alone_and_in_any_batch(several: list[dict[str, Any]]) -> None:
    batch = batch_of(several)
    assert make_keys(info(*EVERY), batch) == [key(sample) for sample in several]


def test_model_version_parameters_and_inputs_count() -> None:
    sample = {"prompt": "p", "response": "r"}
    asked = [
        key(sample, info()),
        key(sample, info(name="other")),
        key(sample, info(version="2")),
        key(sample, info("prompt", "response", "reference")),
        key(sample, info(), truncate=True),
        key(sample, info(), truncate=False),
        key(sample, info(name="m1", version="")),
        key(sample, info(name="", version="m1")),
    ]
    assert len(set(asked)) == len(asked)
    assert {len(one) for one in asked} == {len(NAMESPACE) + 2 * DIGEST_BYTES}


def test_the_order_of_inputs_parameters_and_members_does_not_count() -> None:
    sample = {"prompt": [{"role": "user", "content": "hi"}], "features": {"a": 1, "b": 2}}
    turned = {"prompt": [{"content": "hi", "role": "user"}], "features": {"b": 2, "a": 1}}
    assert key(sample, info("prompt", "features"), x=1, y=2) == key(turned, info("features", "prompt"), y=2, x=1)


def test_chat_counts_for_a_model_that_names_only_messages() -> None:
    said = [key({"prompt": [{"role": "user", "content": text}]}, info("messages")) for text in ("a", "b")]
    assert said[0] != said[1]


def test_an_answer_that_is_cut_is_another_one_and_no_steps_are_none() -> None:
    said = [key({"response": "ab", "steps": steps}) for steps in (None, [], ["ab"], ["a", "b"], ["b", "a"])]
    assert said[0] == said[1]
    assert len(set(said)) == 4


def test_a_missing_field_is_no_empty_one() -> None:
    assert key({"response": None}) != key({"response": ""})
    assert key({"reference": None}) != key({"reference": ""})


def test_components_that_read_the_same_fields_share_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = SampleDigests(batch_of([{"prompt": "a"}, {"prompt": "b"}]))
    first = digests.digest_fields(("prompt", "response"))
    assert digests.digest_fields(("response", "prompt")) is first
    one, other = digests.make_keys(info(name="a")), digests.make_keys(info(name="b"))
    assert [mine[-16:] for mine in one] == [theirs[-16:] for theirs in other] == first
    assert not set(one) & set(other)


def test_the_key_of_a_tenant_begins_with_its_name_and_goes_on_as_without_keys() -> None:
    batch = Batch(["0"], ["p"], ["r"])
    (plain,), (alice,), (bob,) = (make_keys(info(), batch, tenant=tenant) for tenant in ("", "alice", "bob"))
    assert (alice, bob) == (b"alice:" + plain, b"bob:" + plain)
