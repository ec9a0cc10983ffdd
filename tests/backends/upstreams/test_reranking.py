"""Rerankers: the documents of one query are one call, and every row gets its own number back."""

import asyncio

import numpy as np
import pytest

from tests.clock import until

from .conftest import OpenUpstreams, StartServer, entry, raw_scores, soon, texts

pytestmark = pytest.mark.anyio

RERANKERS = [
    ("vllm", "vllm_rerank", "documents"),
    ("sglang", "sglang_rerank", "documents"),
    ("tei", "tei_rerank", "texts"),
    ("infinity", "infinity_rerank", "documents"),
]
GROUPS = [("Why?", "So."), ("Who?", "I."), ("Why?", "Because."), ("Who?", "I."), ("When?", "Now."), ("Why?", "Ask.")]


@pytest.mark.parametrize(("kind", "protocol", "documents"), RERANKERS)
async def test_rows_that_share_a_prompt_are_one_call(
    start: StartServer, upstreams: OpenUpstreams, kind: str, protocol: str, documents: str
) -> None:
    server = await start(kind)
    models = upstreams(rm=entry(server, protocol))
    await models.score("rm", texts(("a", "b")), [0], soon())
    before = len(server.asked)
    answer = await models.score("rm", texts(*GROUPS), [5, 4, 3, 2, 1, 0], soon())
    assert answer.invalid == {}
    wanted = [raw_scores(f"{prompt}|{response}")[0] for prompt, response in reversed(GROUPS)]
    np.testing.assert_allclose(answer.values[:, 0], wanted, atol=1e-6)
    asked = {body["query"]: body[documents] for body in server.asked[before:]}
    assert asked == {"Why?": ["Ask.", "Because.", "So."], "When?": ["Now."], "Who?": ["I.", "I."]}


async def test_a_document_that_is_refused_costs_its_own_row_alone(start: StartServer, upstreams: OpenUpstreams) -> None:
    server = await start("vllm", max_words=30)
    models = upstreams(rm=entry(server, "vllm_rerank"))
    pairs = [("Why?", "So."), ("Why?", "word " * 40), ("Why?", "Ask."), ("Who?", "I.")]
    answer = await models.score("rm", texts(*pairs), [0, 1, 2, 3], soon())
    assert {row: reason.code for row, reason in answer.invalid.items()} == {1: "too_large"}
    for row in (0, 2, 3):
        assert answer.values[row, 0] == pytest.approx(raw_scores("|".join(pairs[row]))[0], abs=1e-6)


async def test_no_more_calls_are_under_way_than_the_entry_allows(start: StartServer, upstreams: OpenUpstreams) -> None:
    server = await start("tei")
    models = upstreams(rm=entry(server, "tei_rerank", limits={"in_flight": 2, "batch": 16}))
    await models.score("rm", texts(("a", "b")), [0], soon())

    def count_asked() -> int:
        return sum(body["query"].startswith("question") for body in server.asked)

    server.holds = "question"
    pairs = [(f"question {n}", "answer") for n in range(24)]
    scoring = asyncio.create_task(models.score("rm", texts(*pairs), list(range(24)), soon()))
    await until(lambda: count_asked() == 2)
    await asyncio.sleep(0.05)
    assert count_asked() == 2
    server.holds = ""
    assert (await scoring).invalid == {}
    assert count_asked() == 24
