"""What a server does wrong, and what becomes of the rows: a failure is never a number, and no row pays for another."""

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from reward_gateway.backends.upstreams import http_connection
from starlette.responses import RedirectResponse, Response, StreamingResponse

from .conftest import FakeServer, Fault, OpenUpstreams, StartServer, as_json, entry, raw_scores, soon, texts

pytestmark = pytest.mark.anyio

PAIRS = [("p", "first"), ("p", "second"), ("p", "third")]


def for_rows(fault: Fault) -> Fault:
    """The fault, for everything but looks: of these the texts are others."""
    return lambda path, body: fault(path, body) if "first" in json.dumps(body) else None


def always(answer: Response) -> Fault:
    return for_rows(lambda path, body: Response(answer.body, answer.status_code, dict(answer.headers)))


async def score(start: StartServer, upstreams: OpenUpstreams, fault: Fault, rows: int = 1, **limits: float) -> Any:
    server = await start("vllm", fault=for_rows(fault))
    models = upstreams(rm=entry(server, "vllm_classify", input="response", limits=limits))
    return await models.score("rm", texts(*PAIRS[:rows]), [*range(rows)], soon())


REFUSALS: list[Any] = [
    (429, "overloaded"),
    (503, "overloaded"),
    (500, "model_unavailable"),
    (502, "model_unavailable"),
    (529, "model_unavailable"),
    (408, "model_unavailable"),
    (400, "invalid_field"),
    (422, "invalid_field"),
    (413, "too_large"),
    (424, "model_error"),
    (404, "model_error"),
    (405, "model_error"),
    (401, "model_error"),
    (403, "model_error"),
]


@pytest.mark.parametrize(("status", "code"), REFUSALS)
async def test_a_status_is_a_reason(start: StartServer, upstreams: OpenUpstreams, status: int, code: str) -> None:
    answer = await score(start, upstreams, always(as_json({"error": "it says: first"}, status)))
    assert answer.invalid[0].code == code
    assert "first" not in answer.invalid[0].message  # a server's words may quote the sample
    assert np.isnan(answer.values).all()
    assert answer.version is None


async def test_a_text_over_a_servers_limit_of_characters_is_too_large(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    """As infinity says it, whose forms are pydantic's."""
    words = {"detail": [{"type": "string_too_long", "msg": "String should have at most 122880 characters"}]}
    answer = await score(start, upstreams, always(as_json(words, 422)))
    assert answer.invalid[0].code == "too_large"


@pytest.mark.parametrize(("told", "passed_on"), [("7", 7.0), ("0.5", 0.5), (None, None), ("9" * 400, 3600.0)])
async def test_how_long_to_wait_is_passed_on(
    start: StartServer, upstreams: OpenUpstreams, told: str | None, passed_on: float | None
) -> None:
    headers = {"retry-after": told} if told else {}
    answer = await score(start, upstreams, always(Response(b"", 503, headers)))
    assert (answer.invalid[0].code, answer.invalid[0].retry_after_s) == ("overloaded", passed_on)


def row(score: Any, index: int = 0) -> dict[str, Any]:
    return {"index": index, "probs": score}


MALFORMED: list[Any] = [
    {"data": [row([0.5])]},  # too few
    {"data": [row([0.5], n) for n in range(3)]},  # too many
    {"data": [row([0.5], 0), row([0.5], 0)]},  # one twice
    {"data": [row([0.5], 1), row([0.5], 2)]},
    {"data": [row([0.5, 0.5], n) for n in range(2)]},  # another K
    {"data": [row([0.5]), row([0.5, 0.5], 1)]},  # two Ks
    {"data": [row(["0.5"], n) for n in range(2)]},
    {"data": [row([True], n) for n in range(2)]},
    {"data": [row({"a": 1}, n) for n in range(2)]},
    {"data": {"0": 1}},
    {"data": [1, 2]},
    {"results": []},
    [],
    None,
    "first",
]


@pytest.mark.parametrize("said", MALFORMED)
async def test_a_malformed_answer_is_no_score_of_any_row(
    start: StartServer, upstreams: OpenUpstreams, said: Any
) -> None:
    answer = await score(start, upstreams, always(as_json(said)), rows=2)
    assert {reason.code for reason in answer.invalid.values()} == {"model_error"}
    assert sorted(answer.invalid) == [0, 1]
    assert all("first" not in reason.message for reason in answer.invalid.values())


@pytest.mark.parametrize("body", [b"", b"<html>first</html>", b'{"data": [', b"[" * 100_000, b"\xff\xfe"])
async def test_what_is_not_json_is_no_score(start: StartServer, upstreams: OpenUpstreams, body: bytes) -> None:
    answer = await score(start, upstreams, always(Response(body)))
    assert answer.invalid[0].code == "model_error"
    assert "not JSON" in answer.invalid[0].message


@pytest.mark.parametrize("number", [float("nan"), float("inf"), None, 1e300])
async def test_a_number_that_is_none_costs_its_own_row_alone(
    start: StartServer, upstreams: OpenUpstreams, number: float | None
) -> None:
    said = {"data": [row([0.25]), row([number], 1), row([0.75], 2)]}
    answer = await score(start, upstreams, always(as_json(said)), rows=3)
    assert {k: reason.code for k, reason in answer.invalid.items()} == {1: "model_error"}
    assert answer.values[[0, 2], 0].tolist() == [0.25, 0.75]


async def test_answers_in_another_order_are_put_right(start: StartServer, upstreams: OpenUpstreams) -> None:
    said = {"data": [row([2.0], 2), row([0.0], 0), row([1.0], 1)]}
    answer = await score(start, upstreams, always(as_json(said)), rows=3)
    assert answer.values[:, 0].tolist() == [0.0, 1.0, 2.0]


KINDS = [("vllm", "vllm_classify"), ("sglang", "sglang_classify"), ("tei", "tei_predict")]


@pytest.mark.parametrize(("kind", "protocol"), KINDS)
async def test_a_text_too_long_costs_its_own_row_alone(
    start: StartServer, upstreams: OpenUpstreams, kind: str, protocol: str
) -> None:
    server = await start(kind, max_words=20)
    models = upstreams(rm=entry(server, protocol, input="response"))
    said = [str(k) if k != 5 else "word " * 30 for k in range(16)]
    answer = await models.score("rm", texts(*(("p", text) for text in said)), [*range(16)], soon())
    assert {k: reason.code for k, reason in answer.invalid.items()} == {5: "too_large"}
    others = [k for k in range(16) if k != 5]
    np.testing.assert_allclose(answer.values[others, 0], [raw_scores(said[k])[0] for k in others], atol=1e-5)


async def test_a_text_that_the_model_cannot_score_costs_its_own_row_alone(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    """TEI fails a whole call for a NaN in it."""
    models = upstreams(rm=entry(await start("tei"), "tei_predict", input="response"))
    answer = await models.score("rm", texts(("p", "a"), ("p", "unscorable"), ("p", "b")), [0, 1, 2], soon())
    assert {row: reason.code for row, reason in answer.invalid.items()} == {1: "model_error"}
    assert answer.values[[0, 2], 0] == pytest.approx([raw_scores("a")[0], raw_scores("b")[0]])


async def test_a_redirect_is_not_followed(start: StartServer, upstreams: OpenUpstreams) -> None:
    elsewhere = await start("vllm")
    answer = await score(start, upstreams, lambda path, body: RedirectResponse(f"{elsewhere.url}{path}", 307))
    assert answer.invalid[0].code == "model_error"
    assert "redirect" in answer.invalid[0].message
    assert elsewhere.paths == []


async def test_an_answer_without_end_is_cut_off(
    start: StartServer, upstreams: OpenUpstreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connection, "LARGEST_ANSWER", 1 << 16)

    async def endless() -> Any:
        for _ in range(1000):
            yield b" " * 4096

    answer = await score(start, upstreams, lambda path, body: StreamingResponse(endless()))
    assert (answer.invalid[0].code, "size limit" in answer.invalid[0].message) == ("model_error", True)


async def test_a_connection_cut_in_the_midst_of_an_answer_is_tried_once_more(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    cut: list[str] = []

    def cut_once(path: str, body: dict[str, Any]) -> Response | None:
        if cut:
            return None
        cut.append(path)
        return Response(b"{", headers={"content-length": "99"})

    answer = await score(start, upstreams, cut_once)
    assert answer.invalid == {}
    assert answer.values[0, 0] == pytest.approx(raw_scores("first")[0])


async def test_a_connection_that_is_always_cut_is_no_score(start: StartServer, upstreams: OpenUpstreams) -> None:
    answer = await score(start, upstreams, lambda path, body: Response(b"{", headers={"content-length": "99"}))
    assert answer.invalid[0].code == "model_unavailable"


async def test_a_server_that_does_not_answer_in_time_is_away(start: StartServer, upstreams: OpenUpstreams) -> None:
    async def silence() -> Any:
        await asyncio.sleep(3600)
        yield b""

    answer = await score(start, upstreams, lambda path, body: StreamingResponse(silence()), timeout_s=0.2)
    assert answer.invalid[0].code == "model_unavailable"
    assert "within 0.2 s" in answer.invalid[0].message


async def test_a_caller_in_a_hurry_is_no_fault_of_the_server(start: StartServer, upstreams: OpenUpstreams) -> None:
    server = await start("vllm")
    models = upstreams(rm=entry(server, "vllm_classify"))
    await models.models()
    server.fault = for_rows(lambda path, body: StreamingResponse(_never()))
    for _ in range(5):
        answer = await models.score("rm", texts(("p", "first")), [0], soon(0.05))
        assert answer.invalid[0].code == "deadline_exceeded"
    server.fault = None
    answer = await models.score("rm", texts(("p", "first")), [0], soon())
    assert answer.invalid == {}


async def _never() -> Any:
    await asyncio.sleep(3600)
    yield b""


async def test_a_sample_without_a_response_is_not_sent(start: StartServer, upstreams: OpenUpstreams) -> None:
    server: FakeServer = await start("vllm")
    models = upstreams(rm=entry(server, "vllm_classify"))
    await models.models()
    before = len(server.asked)
    batch = texts(("p", "r"))
    batch.responses = [None]
    answer = await models.score("rm", batch, [0], soon())
    assert (answer.invalid[0].code, len(server.asked)) == ("missing_field", before)
