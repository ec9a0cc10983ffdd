"""Bodies that take long to decode: in a worker process, with the answers and refusals of small ones."""

import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from reward_gateway.backends.workers.frames import decode_message, encode_frame
from reward_gateway.backends.workers.pool import WorkerPool
from reward_gateway.errors import TooLarge
from reward_gateway.intake import score_intake
from reward_gateway.intake.batch_builder import LONG_LIST, BatchBuilder
from reward_gateway.intake.chat_text import read_batch_texts
from reward_gateway.intake.decoding_cost import ITEMS, TYPED
from reward_gateway.intake.score_intake import LONG_TEXTS
from reward_gateway.sample import canonical_json
from reward_gateway.sample.fields import SampleItem
from reward_gateway.settings import Settings

from tests.http.conftest import Serve, Served, serving

pytestmark = pytest.mark.anyio

NUMBERS = [0.0] * 300_000
"""A list that alone makes a body take long."""


@pytest.fixture(scope="module")
async def large(anyio_backend: str) -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The works that worker processes have been given."""
    given: list[Any] = []
    run = WorkerPool.run

    async def record(self: WorkerPool, work: Any, *args: Any, **more: Any) -> Any:
        given.append(work)
        return await run(self, work, *args, **more)

    monkeypatch.setattr(WorkerPool, "run", record)
    return given


def sample(text: str, numbers: list[float]) -> dict[str, Any]:
    return {"prompt": "p", "response": text, "features": {"tokens": numbers}}


async def test_samples_are_decoded_in_a_worker_and_scored_like_others(large: Served, works: list[Any]) -> None:
    short = await large.score({"samples": [sample("abc", []), sample("de", [])]})
    assert works == []
    long = await large.score({"samples": [sample("abc", NUMBERS), sample("de", [])]})
    assert len(works) == 1
    assert long.json()["results"] == short.json()["results"]


LONG = "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n" + "a " * (LONG_TEXTS // 5)


@pytest.mark.parametrize(
    ("prompt", "response", "beside"),
    [
        ("p", "short", False),
        ("p", LONG, True),
        (LONG, "short", True),
        ([{"role": "user", "content": LONG}], "short", True),
        ([{"role": "user", "content": "q"}], [{"role": "assistant", "content": LONG}], True),
    ],
)
async def test_long_rendered_texts_are_read_beside_the_event_loop(
    large: Served, monkeypatch: pytest.MonkeyPatch, prompt: Any, response: Any, beside: bool
) -> None:
    threads: list[int] = []

    def record(*args: Any) -> None:
        threads.append(threading.get_ident())
        read_batch_texts(*args)

    monkeypatch.setattr(score_intake, "read_batch_texts", record)
    body = {"samples": [{"prompt": prompt, "response": response}] * 3, "options": {"chat_format": "auto"}}
    assert (await large.score(body)).status_code == 200
    assert [thread != threading.get_ident() for thread in threads] == [beside]


RECIPES = """
rewards:
  surprise:
    components:
      surprise: {score: perplexity}
default: surprise
"""


async def test_a_long_list_of_numbers_is_read_as_a_short_one(serve: Serve, works: list[Any]) -> None:
    async with serve(recipes=RECIPES) as served:
        short = await served.score({"samples": [{"response": "a", "features": {"logprobs": [-1.5] * 2}}]})
        long = await served.score({"samples": [{"response": "a", "features": {"logprobs": [-1.5] * 300_000}}]})
        assert works
        assert long.json()["results"] == short.json()["results"]
        assert short.json()["results"][0]["valid"]


def test_long_lists_of_numbers_become_arrays_off_the_event_loop() -> None:
    line, flat = [0.0] * LONG_LIST, [[0.0, 1.0]] * LONG_LIST
    ragged = [*flat, [0.0]]
    given: dict[str, Any] = {"line": line, "flat": flat, "ragged": ragged, "short": [1.0], "number": 2.0}
    batch = BatchBuilder(Settings()).build([SampleItem(response="a", features=dict(given)), SampleItem(response="b")])
    assert batch.features is not None
    row, missing = batch.features
    assert missing == {}
    assert {name: value.shape for name, value in row.items() if isinstance(value, np.ndarray)} == {
        "line": (LONG_LIST,),
        "flat": (LONG_LIST, 2),
    }
    assert canonical_json(row) == canonical_json(given), "and its addresses in the cache stay as they are"


def test_a_large_array_is_sent_whole() -> None:
    numbers = np.arange(300_000.0)
    content = b"".join(encode_frame(numbers)[1:])
    pieces = [content[at : at + 70_000] for at in range(0, len(content), 70_000)]
    assert np.array_equal(decode_message(pieces), numbers)


async def test_tensors_are_read_in_a_worker(large: Served, works: list[Any]) -> None:
    def tensor(name: str, *rows: Any) -> dict[str, Any]:
        return {"name": name, "shape": [len(rows), 1], "datatype": "BYTES", "data": list(rows)}

    async def infer(numbers: list[float]) -> Any:
        features = json.dumps({"tokens": numbers})
        inputs = [tensor("response", "abc", "de"), tensor("features", features, "{}"), tensor("prompt", "p", "q")]
        return (await large.client.post("/v2/models/plain/infer", json={"inputs": inputs})).json()

    short = await infer([])
    assert works == []
    assert await infer(NUMBERS) == short
    assert len(works) == 2, "the body, and its tensors"
    assert "outputs" in short


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"samples": [sample("a", NUMBERS), {"prompt": 1}]}, 422, "samples[1].prompt"),
    ({"samples": [sample("a", NUMBERS), sample("a" * 200_001, [])]}, 413, "samples[1].response"),
    ({"samples": [sample("a", NUMBERS)], "options": {"on_invalid": "default"}}, 422, "options.default_reward"),
    ({"samples": [sample("a" * 200_001, NUMBERS)], "options": {"deadline_ms": -1}}, 422, "options.deadline_ms"),
    ({"text_1": NUMBERS}, 422, "text_1"),
]


@pytest.mark.parametrize(("body", "status", "param"), REFUSED)
async def test_what_is_wrong_with_them_is_said_in_the_same_words(
    large: Served, works: list[Any], body: dict[str, Any], status: int, param: str
) -> None:
    refusal = large.refused(await large.score(body), status, param)
    short = json.loads(json.dumps(body).replace(json.dumps(NUMBERS), "[0.0]"))
    decoded = len(works)
    assert decoded
    assert large.refused(await large.score(short), status, param)["message"] == refusal["message"]
    assert len(works) == decoded


async def test_what_is_no_json_is_refused(large: Served, works: list[Any]) -> None:
    body = json.dumps({"samples": [sample("a", NUMBERS)]}).encode()[:-1]
    large.refused(await large.score(body), 400)
    assert works


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/get_reward", {"query": ["pabc"], "prompts": ["p"], "labels": ["x"], "more": NUMBERS}),
        ("/rerank", {"query": "p", "documents": ["abc"], "more": NUMBERS}),
        ("/v2/models/plain/infer", {"inputs": [], "more": NUMBERS}),
    ],
)
async def test_bodies_of_every_kind_of_entry_are_decoded_in_a_worker(
    large: Served, works: list[Any], path: str, body: dict[str, Any]
) -> None:
    answer = await large.client.post(path, json=body)
    assert answer.status_code != 500
    assert works


async def test_more_texts_than_samples_are_refused_where_they_are_decoded(large: Served, works: list[Any]) -> None:
    body = {"query": "p", "documents": ["a"] * 250_000}
    refusal = (await large.client.post("/rerank", json=body)).json()
    with pytest.raises(TooLarge) as refused:
        works[-1](json.dumps(body).encode())
    assert str(refused.value) in json.dumps(refusal)


def test_the_estimate_grows_with_bytes_values_and_lists() -> None:
    assert not TYPED.exceeds_limit(b"x" * (4 << 20)), "4,096 samples of 1 KiB"
    assert TYPED.exceeds_limit(b"x" * (8 << 20))
    assert TYPED.exceeds_limit(b"0," * 250_000)
    assert TYPED.exceeds_limit(b"[]" * 25_000)
    assert ITEMS.exceeds_limit(b"0," * 50_000)
    assert not ITEMS.exceeds_limit(b"")
