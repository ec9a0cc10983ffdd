"""A model of the Open Inference Protocol with tensors of its own: tokens, features, outputs of any type and number."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reward_gateway.backends.upstreams.config import UpstreamConfig
from reward_gateway.backends.upstreams.rows import inputs_of
from reward_gateway.sample import Batch
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from .conftest import FakeServer, OpenUpstreams, StartServer, soon, texts
from .oip_server import Columns, OwnTensors

pytestmark = pytest.mark.anyio

Place = Callable[[OwnTensors], Awaitable[str]]


@pytest.fixture(params=["http", "grpc"])
async def place(request: pytest.FixtureRequest, start: StartServer) -> AsyncIterator[Place]:
    """Starts a server over HTTP, then over gRPC; its address."""
    started: list[OwnTensors] = []

    async def start_one(server: OwnTensors) -> str:
        started.append(server)
        if request.param == "grpc":
            return await server.start()
        front: FakeServer = await start("oip", fault=server.over_http)
        return front.url

    yield start_one
    for server in started:
        await server.stop()


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A tokenizer of whole words: [CLS] and [SEP] around texts, [PAD] is 3."""
    vocabulary = {word: k for k, word in enumerate(["[UNK]", "[CLS]", "[SEP]", "[PAD]", "a", "b", "c"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    tokenizer.enable_padding(pad_id=3, pad_token="[PAD]")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def upstream(url: str, inputs: dict[str, str], output: Any = "SCORE", **more: Any) -> UpstreamConfig:
    return UpstreamConfig.model_validate(
        {"protocol": "oip", "urls": [url], "model": "rm", "tensors": {"inputs": inputs, "output": output}, **more}
    )


def weigh(columns: Columns) -> Columns:
    """A model of tokens, to which padding and the second text's tokens are something else."""
    ids, mask, types = columns["input_ids"], columns["attention_mask"], columns["token_type_ids"]
    return {"logits": (ids * mask * (1 + 10 * types)).sum(axis=1, keepdims=True)}


@pytest.mark.parametrize("integers", ["INT64", "INT32"])
async def test_a_model_takes_the_tokens_of_a_pair(
    place: Place, upstreams: OpenUpstreams, words: Path, integers: str
) -> None:
    names = ("input_ids", "attention_mask", "token_type_ids")
    server = OwnTensors(dict.fromkeys(names, (integers, (-1, -1))), {"logits": ("FP32", (-1, 1))}, weigh)
    config = upstream(
        await place(server), {name: name for name in names}, "logits", input="pair", tokenizer="tokenizer.json"
    )
    served = upstreams(rm=config.read_files(words))
    (info,) = await served.models()
    assert (info.ready, info.fault, info.inputs) == (True, "", ("prompt", "response"))
    answer = await served.score("rm", texts(("a b", "c"), ("a", "a b c a b c"), ("", "b")), [0, 1, 2], soon())
    # [CLS] a b [SEP] c [SEP]: 1 + 4 + 5 + 2 + 11 · (6 + 2)
    assert answer.values[:, 0].tolist() == [100.0, 1 + 4 + 2 + 11 * (30 + 2), 1 + 2 + 11 * (5 + 2)]
    assert server.rows[-1] == 3, "one call, its shorter rows filled up"


async def test_without_a_mask_texts_of_different_lengths_are_calls_of_their_own(
    place: Place, upstreams: OpenUpstreams, words: Path
) -> None:
    server = OwnTensors(
        {"ids": ("INT64", (-1, -1))},
        {"SCORE": ("FP32", (-1, 1))},
        lambda columns: {"SCORE": columns["ids"].sum(axis=1, keepdims=True)},
    )
    config = upstream(await place(server), {"input_ids": "ids"}, input="response", tokenizer="tokenizer.json")
    answer = await upstreams(rm=config.read_files(words)).score("rm", texts(("", "a"), ("", "b c")), [0, 1], soon())
    assert answer.values[:, 0].tolist() == [1 + 4 + 2, 1 + 5 + 6 + 2]


def featured(*samples: dict[str, Any]) -> Batch:
    n = len(samples)
    return Batch([str(k) for k in range(n)], ["p"] * n, ["r"] * n, features=[*samples])


@pytest.mark.parametrize("kind", ["FP32", "FP64", "INT32"])
async def test_a_model_takes_features_as_numbers(place: Place, upstreams: OpenUpstreams, kind: str) -> None:
    server = OwnTensors(
        {"X": (kind, (-1, 3)), "BIAS": (kind, (-1,)), "TEXT": ("BYTES", (-1, 1))},
        {"SCORE": ("FP64", (-1,))},
        lambda columns: {"SCORE": columns["X"] @ [1, 10, 100] + columns["BIAS"] + [len(t) for (t,) in columns["TEXT"]]},
    )
    config = upstream(await place(server), {"features.x": "X", "features.b": "BIAS", "response": "TEXT"})
    assert inputs_of(config) == ("features", "response")
    served = upstreams(rm=config)
    batch = featured(
        {"x": [1, 2, 3], "b": 4},
        {"x": np.array([3, 2, 1]), "b": 0},
        {"x": [1, 2, 3]},
        {"x": [1], "b": 0},
        {"x": [[1], [2, 3]], "b": 0},
    )
    answer = await served.score("rm", batch, [0, 1, 2, 3, 4], soon())
    assert answer.values[:2, 0].tolist() == [321 + 4 + 1, 123 + 1]
    assert {row: (reason.code, reason.param) for row, reason in answer.invalid.items()} == {
        2: ("missing_field", "features"),
        3: ("invalid_field", "response"),
        4: ("invalid_field", "features"),
    }


async def test_a_number_that_the_type_does_not_hold_costs_its_own_row_alone(
    place: Place, upstreams: OpenUpstreams
) -> None:
    server = OwnTensors(
        {"X": ("UINT8", (-1, 1))}, {"SCORE": ("FP32", (-1, 1))}, lambda columns: {"SCORE": columns["X"] * 1.0}
    )
    served = upstreams(rm=upstream(await place(server), {"features.x": "X"}))
    answer = await served.score("rm", featured({"x": 7}, {"x": 256}, {"x": 0.5}, {"x": -1}), [0, 1, 2, 3], soon())
    assert answer.values[0, 0] == 7
    assert {reason.code for reason in answer.invalid.values()} == {"invalid_field"}
    assert answer.invalid.keys() == {1, 2, 3}


TYPES = ["FP64", "FP32", "FP16", "BF16", "INT64", "INT32", "UINT32", "UINT8", "BOOL"]


@pytest.mark.parametrize("kind", TYPES)
async def test_an_output_may_be_of_any_numeric_type(place: Place, upstreams: OpenUpstreams, kind: str) -> None:
    def compute(columns: Columns) -> Columns:
        lengths = np.array([[len(text) % 2, len(text) % 2 + 1] for (text,) in columns["TEXT"]], np.float64)
        return {"SCORE": lengths > 1 if kind == "BOOL" else lengths}

    server = OwnTensors({"TEXT": ("BYTES", (-1, 1))}, {"SCORE": (kind, (-1, 2))}, compute)
    url = await place(server)
    served = upstreams(rm=upstream(url, {"response": "TEXT"}, dimensions=["odd", "more"]))
    (info,) = await served.models()
    if url.startswith("http") and kind in ("FP16", "BF16"):
        assert info.fault == f"Its tensor SCORE is {kind}, which JSON does not hold: name it by grpc://."
        return
    answer = await served.score("rm", texts(("", "one"), ("", "four")), [0, 1], soon())
    expected = [[0, 1], [0, 0]] if kind == "BOOL" else [[1, 2], [0, 1]]
    assert answer.values.tolist() == expected


async def test_several_outputs_are_the_numbers_of_one_score(place: Place, upstreams: OpenUpstreams) -> None:
    server = OwnTensors(
        {"TEXT": ("BYTES", (-1, 1))},
        {"help": ("FP32", (-1, 1)), "harm": ("INT64", (-1,)), "more": ("FP32", (-1, 2)), "ok": ("BOOL", (-1,))},
        lambda columns: {
            "help": np.array([[len(text)] for (text,) in columns["TEXT"]], np.float64),
            "harm": np.array([2 for _ in columns["TEXT"]]),
            "more": np.array([[3, 4] for _ in columns["TEXT"]]),
            "ok": np.array([text != "bad" for (text,) in columns["TEXT"]]),
        },
    )
    names = ["help", "harm", "more_3", "more_4"]
    config = upstream(await place(server), {"response": "TEXT"}, ["help", "harm", "more"], dimensions=names)
    config = config.model_copy(update={"tensors": config.tensors.model_copy(update={"valid": "ok"})})  # type: ignore[union-attr]
    answer = await upstreams(rm=config).score("rm", texts(("", "one"), ("", "bad")), [0, 1], soon())
    assert answer.values[0].tolist() == [3, 2, 3, 4]
    assert answer.invalid[1].code == "model_error"


async def test_what_is_mapped_to_a_tensor_of_another_kind_is_said_at_the_start(
    place: Place, upstreams: OpenUpstreams
) -> None:
    server = OwnTensors({"X": ("FP32", (-1, 3))}, {"SCORE": ("FP32", (-1, 1))}, lambda columns: {})
    served = upstreams(rm=upstream(await place(server), {"response": "X"}))
    (info,) = await served.models()
    assert "Its tensor X is FP32, and `response` is text (numbers are features.NAME, input_ids" in info.fault


async def test_no_call_has_more_rows_than_the_models_configuration_says(place: Place, upstreams: OpenUpstreams) -> None:
    server = OwnTensors(
        {"TEXT": ("BYTES", (-1, 1))},
        {"SCORE": ("FP32", (-1, 1))},
        lambda columns: {"SCORE": np.array([[len(text)] for (text,) in columns["TEXT"]], np.float64)},
        most_rows=8,
    )
    config = upstream(await place(server), {"response": "TEXT"}, limits={"in_flight": 1, "batch": 64})
    served = upstreams(rm=config)
    await served.models()
    batch = texts(*(("", "x" * k) for k in range(100)))
    answers = await asyncio.gather(*(served.score("rm", batch, [k], soon()) for k in range(100)))
    assert [answer.values[0, 0] for answer in answers] == [*range(100)]
    assert max(server.rows) == 8
    assert len(server.rows) < 30


def test_what_the_tensors_hold_is_what_the_score_depends_on(words: Path) -> None:
    tokens = {"input_ids": "i", "attention_mask": "m"}
    config = upstream("http://x", tokens, input="response", tokenizer=str(words / "tokenizer.json"))
    assert inputs_of(config) == ("response",)
    template = {"input": "text", "template": "t"}
    assert inputs_of(upstream("http://x", {"text": "T"}, **template)) == ("messages", "prompt", "response")
    assert inputs_of(upstream("http://x", {"reference": "R"})) == ("reference",)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"tensors": {"inputs": {"input_ids": "i"}}}, "input_ids, attention_mask, token_type_ids need `tokenizer`"),
        ({"tensors": {"inputs": {"features": "f"}}}, None),
        ({"tensors": {"inputs": {"feature.x": "f"}}}, "only fields of a sample can be named"),
        ({"tensors": {"inputs": {"prompt": "p"}, "output": []}}, "at least 1 item"),
    ],
)
def test_an_entry_that_cannot_be_is_refused(more: dict[str, Any], says: str | None) -> None:
    fields = {"protocol": "oip", "urls": ["http://x"], "model": "rm", **more}
    if says is None:
        UpstreamConfig.model_validate(fields)
        return
    with pytest.raises(ValueError, match=says):
        UpstreamConfig.model_validate(fields)
