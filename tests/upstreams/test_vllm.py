"""vLLM's pooling server: every protocol gives what torch gives for the same checkpoint."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reward_gateway.sample import Batch

from tests.upstreams.scoring import CLOSE, PAIRS, ask, conversation, score, upstream, wait_until_known
from tests.upstreams.servers import Server, ask_torch, make_checkpoint, serving_vllm

pytestmark = pytest.mark.anyio

CHATS = [conversation(*pair) for pair in PAIRS]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "reward", "reward")


@pytest.fixture(scope="module")
def vllm(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving_vllm(checkpoint, tmp_path_factory.mktemp("vllm") / "log") as server:
        yield server


@pytest.fixture(scope="module")
def torch_says(checkpoint: Path) -> dict[str, Any]:
    """[n, 1] logits: of conversations, of responses, of pairs."""
    of = {"checkpoint": str(checkpoint)}
    responses = [response for _, response in PAIRS]
    asked: list[dict[str, Any]] = [
        of | {"messages": CHATS},
        of | {"texts": responses, "special": True},
        of | {"pairs": PAIRS},
    ]
    return dict(zip(("chats", "responses", "pairs"), ask_torch(asked), strict=True))


def template(checkpoint: Path) -> dict[str, Any]:
    """What renders conversations here."""
    return {"template": str(checkpoint / "chat_template.jinja"), "special_tokens": {"bos_token": "<|bos|>"}}


@pytest.mark.parametrize("protocol", ["vllm_classify", "vllm_pooling"])
async def test_messages_that_the_server_renders(vllm: Server, torch_says: Any, tmp_path: Path, protocol: str) -> None:
    async with upstream(tmp_path, protocol=protocol, urls=[vllm.url], model="rm", input="messages") as server:
        assert np.allclose(await score(server), torch_says["chats"], atol=CLOSE)


@pytest.mark.parametrize("protocol", ["vllm_classify", "vllm_pooling"])
async def test_text_that_the_gateway_renders_with_one_bos(
    vllm: Server, checkpoint: Path, torch_says: Any, tmp_path: Path, protocol: str
) -> None:
    entry = {"protocol": protocol, "urls": [vllm.url], "model": "rm", "input": "text", **template(checkpoint)}
    async with upstream(tmp_path, **entry) as server:
        assert np.allclose(await score(server), torch_says["chats"], atol=CLOSE)


def calling(arguments: Any) -> list[dict[str, Any]]:
    """A conversation in which a tool is called."""
    call = {"type": "function", "function": {"name": "add", "arguments": arguments}}
    return [
        {"role": "user", "content": "What is 2 + 2?"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "call_1", **call}]},
    ]


@pytest.mark.parametrize("arguments", [{"a": 2, "b": "zwei é"}, '{"a": 2, "b": "zwei é"}'], ids=["object", "text"])
@pytest.mark.parametrize("input", ["messages", "text"])
async def test_tool_calls_are_seen_alike_whoever_renders_them(
    vllm: Server, checkpoint: Path, tmp_path: Path, input: str, arguments: Any
) -> None:
    object_form = calling({"a": 2, "b": "zwei é"})
    (expected,) = ask_torch([{"checkpoint": str(checkpoint), "messages": [object_form]}])
    (nothing,) = ask_torch([{"checkpoint": str(checkpoint), "messages": [calling({})]}])
    entry = {"protocol": "vllm_classify", "urls": [vllm.url], "model": "rm", "input": input}
    prompt, response = calling(arguments)[:1], calling(arguments)[1:]
    async with upstream(tmp_path, **entry, **(template(checkpoint) if input == "text" else {})) as server:
        await wait_until_known(server)
        answer = await server.score(
            "rm", Batch(["0"], [prompt], [response]), [0], asyncio.get_running_loop().time() + 60
        )
        assert answer.invalid == {}
        assert np.allclose(answer.values, expected, atol=CLOSE)
        assert not np.allclose(answer.values, nothing, atol=CLOSE)


@pytest.mark.parametrize("protocol", ["vllm_classify", "vllm_pooling"])
async def test_responses_alone_with_the_special_tokens_of_the_tokenizer(
    vllm: Server, torch_says: Any, tmp_path: Path, protocol: str
) -> None:
    async with upstream(tmp_path, protocol=protocol, urls=[vllm.url], model="rm", input="response") as server:
        assert np.allclose(await score(server), torch_says["responses"], atol=CLOSE)


@pytest.mark.parametrize("protocol", ["vllm_score", "vllm_rerank"])
async def test_pairs(vllm: Server, torch_says: Any, tmp_path: Path, protocol: str) -> None:
    pairs = [pair for pair in PAIRS if pair[0]]
    expected = [value for pair, value in zip(PAIRS, torch_says["pairs"], strict=True) if pair[0]]
    async with upstream(tmp_path, protocol=protocol, urls=[vllm.url], model="rm", input="pair") as server:
        assert np.allclose(await score(server, pairs), expected, atol=CLOSE)


async def test_a_sigmoid_where_one_is_wanted(vllm: Server, torch_says: Any, tmp_path: Path) -> None:
    entry = {"protocol": "vllm_classify", "urls": [vllm.url], "model": "rm", "activation": "sigmoid"}
    async with upstream(tmp_path, **entry) as server:
        expected = 1 / (1 + np.exp(-np.array(torch_says["chats"])))
        assert np.allclose(await score(server), expected, atol=CLOSE)


@pytest.mark.parametrize("protocol", ["vllm_classify", "vllm_pooling", "vllm_score", "vllm_rerank"])
async def test_a_text_that_is_too_long_is_refused_and_no_other(vllm: Server, tmp_path: Path, protocol: str) -> None:
    pairs = [PAIRS[0], ("What?", "long " * 400), PAIRS[1]]
    async with upstream(tmp_path, protocol=protocol, urls=[vllm.url], model="rm", **only_text(protocol)) as server:
        answer = await ask(server, pairs)
        assert {row: reason.code for row, reason in answer.invalid.items()} == {1: "too_large"}
        assert np.allclose(answer.values[[0, 2]], await score(server, [pairs[0], pairs[2]]), atol=1e-5)


def only_text(protocol: str) -> dict[str, Any]:
    """The input of a protocol that is no conversation, so that a call holds several rows."""
    return {"input": "pair" if protocol in ("vllm_score", "vllm_rerank") else "response"}


async def test_a_wrong_name_is_said_and_is_no_score(vllm: Server, tmp_path: Path) -> None:
    async with upstream(tmp_path, protocol="vllm_classify", urls=[vllm.url], model="other") as server:
        answer = await ask(server, PAIRS[:1])
        (reason,) = answer.invalid.values()
        assert reason.code in ("model_error", "model_unavailable")
        assert "see `model`" in reason.message
        assert np.isnan(answer.values).all()


async def test_an_empty_text_is_refused_and_no_other(vllm: Server, tmp_path: Path, checkpoint: Path) -> None:
    """The server takes no prompt without a token, and refuses the whole call for one."""
    (tmp_path / "bare.jinja").write_text("{{ messages[-1]['content'] }}")
    entry = {"protocol": "vllm_classify", "urls": [vllm.url], "model": "rm", "input": "text"}
    async with upstream(tmp_path, **entry, template="bare.jinja") as server:
        answer = await ask(server, [PAIRS[0], ("What?", ""), PAIRS[1]])
        assert {row: reason.code for row, reason in answer.invalid.items()} == {1: "invalid_field"}
