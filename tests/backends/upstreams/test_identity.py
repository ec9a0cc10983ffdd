"""Which weights answer: a change is noticed, a wobble is none, and no score is taken for another version's."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reward_gateway.backends.port import ModelAnswer
from reward_gateway.backends.upstreams import upstream
from reward_gateway.backends.upstreams.activation import explain_activation
from reward_gateway.backends.upstreams.identity import Identity, name_version
from reward_gateway.backends.upstreams.rows import QuestionEncoder
from reward_gateway.cache.memory import MemoryCache
from reward_gateway.sample import Batch
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.request_context import RequestContext
from scipy.special import expit, softmax

from tests.clock import LONGEST_WAIT_S

from .conftest import FakeServer, OpenUpstreams, StartServer, as_json, entry, raw_scores, soon, texts

pytestmark = pytest.mark.anyio


@pytest.fixture
def looks_are_frequent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "LOOK_EVERY_S", 0.05)


async def other_version(models: Any, version: str) -> str:
    async with asyncio.timeout(LONGEST_WAIT_S):
        while (found := (await models.info("rm")).version) == version:
            await asyncio.sleep(0.01)
    return str(found)


def test_a_change_is_noticed_within_five_seconds() -> None:
    assert upstream.LOOK_EVERY_S < 5
    assert upstream.LOOK_AGAIN_S < 2


KINDS = [("vllm", "vllm_classify"), ("sglang", "sglang_rerank"), ("tei", "tei_predict"), ("openrlhf", "openrlhf")]


@pytest.mark.parametrize(("kind", "protocol"), KINDS)
@pytest.mark.usefixtures("looks_are_frequent")
async def test_new_weights_under_an_old_name_are_another_version(
    start: StartServer, upstreams: OpenUpstreams, kind: str, protocol: str
) -> None:
    server = await start(kind)
    models = upstreams(rm=entry(server, protocol))
    first = (await models.models())[0].version
    server.weights = 1
    second = await other_version(models, first)
    server.weights = 0
    assert await other_version(models, second) == first  # the cached scores of the old weights are theirs again


@pytest.mark.usefixtures("looks_are_frequent")
async def test_cached_scores_are_never_served_for_other_weights(start: StartServer, upstreams: OpenUpstreams) -> None:
    server = await start("vllm")
    models = upstreams(rm=entry(server, "vllm_classify", input="response"))
    scorer = CachedScorer(models, MemoryCache(100, 3600))

    async def score() -> Any:
        scores, _ = (await scorer.fetch_scores(["rm"], texts(("p", "r")), RequestContext()))["rm"]
        return scores.values[0, 0], scores.version, bool(scores.cached[0])

    value, version, _ = await score()
    assert value == pytest.approx(raw_scores("r")[0])
    await asyncio.sleep(0)
    assert await score() == (value, version, True)
    server.weights = 1
    await other_version(models, version)
    value, other, cached = await score()
    assert (value, cached) == (pytest.approx(raw_scores("r", 1)[0]), False)
    assert other != version


@pytest.mark.usefixtures("looks_are_frequent")
async def test_an_answer_during_which_the_version_changed_is_of_none(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    server = await start("vllm", holds="sample")
    models = upstreams(rm=entry(server, "vllm_classify"))
    first = (await models.models())[0].version
    scoring: asyncio.Task[ModelAnswer] = asyncio.create_task(models.score("rm", texts(("p", "sample")), [0], soon()))
    server.weights = 1
    second = await other_version(models, first)
    server.holds = ""
    assert (await scoring).version not in (first, second)


@pytest.mark.usefixtures("looks_are_frequent")
async def test_a_wobble_of_the_last_bits_is_no_new_version(start: StartServer, upstreams: OpenUpstreams) -> None:
    server = await start("vllm")
    looks = 0

    def wobble(path: str, body: dict[str, Any]) -> Any:
        nonlocal looks
        if path != "/classify":
            return None
        looks += 1
        data = [
            {"index": n, "probs": [raw_scores(text)[0] * (1 + 1e-3 * (looks % 3))]}
            for n, text in enumerate(body["input"])
        ]
        return as_json({"data": data})

    server.fault = wobble
    models = upstreams(rm=entry(server, "vllm_classify", input="response", activation="server"))
    first = (await models.models())[0].version
    async with asyncio.timeout(LONGEST_WAIT_S):
        while looks < 20:
            await asyncio.sleep(0.01)
            assert (await models.info("rm")).version == first


def test_scores_that_are_not_the_same_weights_have_different_digits() -> None:
    """Or what is cached for the old weights would be found for the new."""
    config = entry(FakeServer("vllm", port=1), "vllm_classify")
    rng = np.random.default_rng(0)
    for _ in range(2000):
        one = rng.normal(0, 10 ** rng.uniform(-3, 3), (1, 1))
        other = one + rng.choice([-1, 1]) * (5e-3 + 5e-3 * abs(one)) * rng.uniform(0.9, 1.5)
        first, second = Identity("m", one), Identity("m", other)
        if not first.matches(second) and not second.matches(first):
            assert name_version(config, first) != name_version(config, second)


def test_a_version_depends_on_everything_in_the_entry_that_scores_do(tmp_path: Path) -> None:
    server, identity = FakeServer("vllm", port=1), Identity("m", np.array([[1.0]]))
    (tmp_path / "a").write_text("{{ messages }}")
    (tmp_path / "b").write_text("{{ messages }}!")
    base = entry(server, "vllm_classify")
    entries = [
        base,
        entry(server, "vllm_classify", input="response"),
        entry(server, "vllm_pooling"),
        entry(server, "vllm_classify", activation="sigmoid"),
        entry(server, "vllm_classify", dimensions=["x"]),
        entry(server, "vllm_classify", version="1"),
        entry(server, "vllm_classify", truncate=True, max_tokens=5),
        *(entry(server, "vllm_classify", input="text", template=t).read_files(tmp_path) for t in ("a", "b")),
    ]
    assert len({name_version(config, identity) for config in entries}) == len(entries)
    elsewhere = entry(FakeServer("vllm", port=2), "vllm_classify", limits={"in_flight": 3})
    assert name_version(elsewhere, identity) == name_version(base, identity)


async def test_a_version_may_be_asked_for_by_name(start: StartServer, upstreams: OpenUpstreams) -> None:
    models = upstreams(rm=entry(await start("vllm"), "vllm_classify", version="7"))
    info = await models.info("rm@7")
    assert (info.name, info.ready) == ("rm@7", True)
    answer = await models.score("rm@7", texts(("p", "r")), [0], soon())
    assert answer.version == info.version
    with pytest.raises(Exception, match="serves no version 8"):
        await models.info("rm@8")


def give_no_numbers(path: str, body: dict[str, Any]) -> Any:
    """Answers NaN to every question, and nothing to what else is asked."""
    if "input" not in body:
        return None
    return as_json({"data": [{"index": i, "probs": [float("nan")]} for i in range(len(body["input"]))]})


FAULTY: list[Any] = [
    ({}, {"fault": give_no_numbers}, "has a score for none of the fixed texts: "),
    ({"model": "org/other"}, {}, "no such path or model"),
    ({"dimensions": ["a", "b"]}, {}, "4x1 numbers in place of 4x2"),
    ({}, {"always_activates": True}, "whatever is asked"),
    ({"activation": "sigmoid"}, {"ignores_activation": True}, "raw scores whatever is asked"),
    ({}, {"max_words": 0}, "too long"),
    ({}, {"fault": lambda path, body: as_json({}, 401)}, "refuses the key"),
]


@pytest.mark.parametrize(("more", "settings", "says"), FAULTY)
async def test_a_server_whose_scores_are_not_the_wanted_ones_is_refused(
    start: StartServer, upstreams: OpenUpstreams, more: dict[str, Any], settings: dict[str, Any], says: str
) -> None:
    server = await start("vllm", **settings)
    models = upstreams(rm=entry(server, "vllm_classify", **{"input": "response", **more}))
    (info,) = await models.models()
    assert not info.ready
    assert says in info.fault
    answer = await models.score("rm", texts(("p", "r")), [0], soon())
    assert (answer.invalid[0].code, answer.invalid[0].message) == ("model_unavailable", info.fault)


async def test_the_scores_of_a_server_may_be_taken_as_they_are(start: StartServer, upstreams: OpenUpstreams) -> None:
    server = await start("vllm", always_activates=True)
    models = upstreams(rm=entry(server, "vllm_classify", activation="server"))
    (info,) = await models.models()
    assert info.ready
    assert "use_activation" not in server.asked[-1]


RAW = np.array([[2.0], [-1.5], [0.25], [7.0]])
SEVERAL = np.array([[2.0, 1.0, -3.0], [0.1, 4.0, 2.0]])


@pytest.mark.parametrize(
    ("wanted", "raw", "activated", "says"),
    [
        ("none", RAW, expit(RAW), ""),
        ("none", RAW, RAW, ""),
        ("none", SEVERAL, softmax(SEVERAL, axis=1), ""),
        ("none", SEVERAL, SEVERAL, ""),
        ("none", RAW, np.ones_like(RAW), ""),  # infinity's softmax of one label
        ("none", expit(RAW), expit(RAW), "whatever is asked"),
        ("none", softmax(SEVERAL, axis=1), softmax(SEVERAL, axis=1), "whatever is asked"),
        ("none", expit(RAW), RAW, "other way round"),
        ("none", softmax(SEVERAL, axis=1), SEVERAL, "other way round"),
        ("sigmoid", RAW, expit(RAW), ""),
        ("sigmoid", expit(RAW), expit(RAW), ""),
        ("sigmoid", RAW, RAW, "raw scores whatever is asked"),
        ("sigmoid", SEVERAL, softmax(SEVERAL, axis=1), "it applies softmax"),
        ("softmax", SEVERAL, softmax(SEVERAL, axis=1), ""),
        ("softmax", SEVERAL, expit(SEVERAL), "it applies sigmoid"),
        ("softmax", SEVERAL, SEVERAL, "raw scores whatever is asked"),
        ("softmax", SEVERAL, SEVERAL * 2, "neither sigmoid nor softmax"),
    ],
)
def test_what_is_asked_both_ways_shows_the_activation(wanted: Any, raw: Any, activated: Any, says: str) -> None:
    found = explain_activation(wanted, raw, activated)
    assert says in found
    assert bool(says) == bool(found)


async def test_truncated_samples_are_flagged_by_the_tokens_that_the_server_read(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    server = await start("vllm", max_words=6)
    models = upstreams(rm=entry(server, "vllm_classify", input="response", truncate=True, max_tokens=5))
    said = [("p", "one two three"), ("p", "one two three four five six seven")]
    answer = await models.score("rm", texts(*said), [0, 1], soon())
    assert answer.invalid == {}
    assert answer.flags == {1: ("truncated",)}
    assert server.asked[-1]["truncate_prompt_tokens"] == 5
    assert (await models.info("rm")).flags == ("truncated",)


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A tokenizer whose tokens are words."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {word: k for k, word in enumerate(["?", "one", "two", "three", "four", "+"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


@pytest.mark.parametrize("truncate", [True, False])
async def test_texts_are_measured_by_the_tokenizer_of_the_entry(
    start: StartServer, upstreams: OpenUpstreams, words: Path, truncate: bool
) -> None:
    server = await start("tei")
    more = {"tokenizer": "tokenizer.json", "max_tokens": 20, "truncate": truncate, "input": "response"}
    models = upstreams(rm=entry(server, "tei_predict", **more).read_files(words))
    answer = await models.score("rm", texts(("p", "one " * 20), ("p", "one " * 21)), [0, 1], soon())
    assert answer.flags == ({1: ("truncated",)} if truncate else {})
    assert {k: reason.code for k, reason in answer.invalid.items()} == ({} if truncate else {1: "too_large"})
    assert server.asked[-1]["truncate"] is truncate


async def test_many_characters_are_tokenized_in_a_thread_and_few_on_the_loop(
    start: StartServer, upstreams: OpenUpstreams, words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, on_loop = QuestionEncoder.encode, list[bool]()

    def note(self: QuestionEncoder, *told: Any) -> Any:
        on_loop.append(threading.current_thread() is threading.main_thread())
        return encode(self, *told)

    monkeypatch.setattr(QuestionEncoder, "encode", note)
    server = await start("tei")
    measured = {"tokenizer": "tokenizer.json", "max_tokens": 9000, "input": "response"}
    models = upstreams(
        rm=entry(server, "tei_predict", **measured).read_files(words),
        plain=entry(server, "tei_predict", input="response"),
    )
    await models.models()
    on_loop.clear()
    long = "one " * 2501
    many = [{"role": "user", "content": [{"type": "text", "text": "one " * 50}]}] * 50
    for name, batch in (
        ("rm", texts(("p", "one"))),
        ("rm", texts(("p", long))),
        ("rm", texts((long, "one"))),
        ("rm", Batch(["0"], [many], ["one"])),
        ("plain", texts(("p", long))),
    ):
        answer = await models.score(name, batch, [0], soon())
        assert answer.invalid == {}
    assert on_loop == [True, False, False, False, True]


async def test_steps_end_at_their_marks(start: StartServer, upstreams: OpenUpstreams, words: Path) -> None:
    server = await start("vllm")
    more = {"tokenizer": "tokenizer.json", "step_mark": " +", "vector": True, "input": "response"}
    models = upstreams(rm=entry(server, "vllm_pooling", **more).read_files(words))
    answer = await models.score("rm", texts(("p", "one + two three +"), ("p", "one")), [0, 1], soon())
    np.testing.assert_allclose(np.frombuffer(answer.vectors[0], "<f4"), [raw_scores("+")[0]] * 2, rtol=1e-5)
    assert {k: reason.code for k, reason in answer.invalid.items()} == {1: "invalid_field"}
