"""Every protocol against a server that speaks it: one score, the same in every form of asking."""

from typing import Any

import numpy as np
import pytest
from reward_gateway.sample import Batch, Media

from .conftest import (
    MODEL,
    FakeServer,
    OpenUpstreams,
    StartServer,
    activate,
    chat_text,
    entry,
    raw_scores,
    soon,
    texts,
)

pytestmark = pytest.mark.anyio

PAIRS = [("Who?", "I, said the fly."), ("Why?", "Because."), ("When?", "Now — or è.")]
OIP = {"model": "rm", "tensors": {"inputs": {"prompt": "PROMPT", "response": "RESPONSE"}, "output": "SCORE"}}
MANY = {
    "path": "/many",
    "body": {"instances": [{"q": "{prompt}", "a": "{response}"}]},
    "rows": "instances",
    "answer": "predictions[].scores",
}
ONE = {"path": "/one", "body": {"q": "{prompt}", "a": "{response}"}, "answer": "reward.value", "method": "PUT"}


def conversation(prompt: str, response: str) -> str:
    return chat_text([{"role": "user", "content": prompt}, {"role": "assistant", "content": response}])


def pair(prompt: str, response: str) -> str:
    return f"{prompt}|{response}"


FORMS: list[Any] = [
    ("vllm", "vllm_classify", {}, conversation),
    ("vllm", "vllm_classify", {"input": "response"}, lambda p, r: r),
    ("vllm", "vllm_pooling", {}, conversation),
    ("vllm", "vllm_pooling", {"input": "response"}, lambda p, r: r),
    ("vllm", "vllm_score", {}, pair),
    ("vllm", "vllm_rerank", {}, pair),
    ("sglang", "sglang_classify", {"input": "response"}, lambda p, r: r),
    ("sglang", "sglang_rerank", {}, pair),
    ("tei", "tei_predict", {}, pair),
    ("tei", "tei_predict", {"input": "response"}, lambda p, r: r),
    ("tei", "tei_rerank", {}, pair),
    ("infinity", "infinity_classify", {}, lambda p, r: r),
    ("infinity", "infinity_rerank", {}, pair),
    ("openrlhf", "openrlhf", {}, lambda p, r: p + r),
    ("oip", "oip", OIP, pair),
    ("http", "http", {"http": MANY}, pair),
    ("http", "http", {"http": ONE}, pair),
    ("vllm", "word_logprob", {"words": {"positive": "yes", "negative": "no"}}, conversation),
    ("vllm", "word_logprob", {"words": {"positive": "yes", "negative": "no"}, "input": "response"}, lambda p, r: r),
]


@pytest.mark.parametrize(("kind", "protocol", "more", "read"), FORMS)
async def test_the_scores_are_the_servers(
    start: StartServer, upstreams: OpenUpstreams, kind: str, protocol: str, more: dict[str, Any], read: Any
) -> None:
    server = await start(kind)
    models = upstreams(rm=entry(server, protocol, **more))
    answer = await models.score("rm", texts(*PAIRS), [0, 1, 2], soon())
    assert answer.invalid == {}
    np.testing.assert_allclose(answer.values[:, 0], [raw_scores(read(p, r))[0] for p, r in PAIRS], atol=1e-6)
    assert answer.version == (await models.info("rm")).version != ""


LABELLED = [
    ("vllm", "vllm_classify", {"input": "response"}),
    ("vllm", "vllm_pooling", {"input": "response"}),
    ("sglang", "sglang_classify", {"input": "response"}),
    ("tei", "tei_predict", {"input": "response"}),
    ("infinity", "infinity_classify", {}),
]


@pytest.mark.parametrize(("kind", "protocol", "more"), LABELLED)
async def test_several_numbers_have_the_names_of_the_entry(
    start: StartServer, upstreams: OpenUpstreams, kind: str, protocol: str, more: dict[str, Any]
) -> None:
    server = await start(kind, k=3, labels=["kind", "short", "true"])
    models = upstreams(rm=entry(server, protocol, dimensions=["true", "kind", "short"], **more))
    answer = await models.score("rm", texts(*PAIRS), [0, 2], soon())
    by_name = protocol in ("tei_predict", "infinity_classify")
    order = [2, 0, 1] if by_name else [0, 1, 2]
    expected = [[raw_scores(r, k=3)[n] for n in order] for _, r in (PAIRS[0], PAIRS[2])]
    np.testing.assert_allclose(answer.values, expected, atol=1e-6)


async def test_labels_without_names_are_read_by_their_numbers(start: StartServer, upstreams: OpenUpstreams) -> None:
    server = await start("tei", k=3)
    models = upstreams(rm=entry(server, "tei_predict", dimensions=["a", "b", "c"], input="response"))
    answer = await models.score("rm", texts(*PAIRS), [0], soon())
    np.testing.assert_allclose(answer.values[0], raw_scores(PAIRS[0][1], k=3), atol=1e-6)


@pytest.mark.parametrize("protocol", ["vllm_classify", "tei_predict"])
async def test_an_activation_is_asked_for_where_it_is_wanted(
    start: StartServer, upstreams: OpenUpstreams, protocol: str
) -> None:
    kind = protocol.partition("_")[0]
    one, three = await start(kind), await start(kind, k=3)
    models = upstreams(
        one=entry(one, protocol, input="response", activation="sigmoid"),
        three=entry(three, protocol, input="response", activation="softmax", dimensions=["a", "b", "c"]),
    )
    answers = [await models.score(name, texts(*PAIRS), [1], soon()) for name in ("one", "three")]
    np.testing.assert_allclose(answers[0].values[0], activate(raw_scores("Because.")), atol=1e-6)
    np.testing.assert_allclose(answers[1].values[0], activate(raw_scores("Because.", k=3)), atol=1e-6)


async def test_both_names_of_the_activation_are_sent(start: StartServer, upstreams: OpenUpstreams) -> None:
    server = await start("vllm")
    await upstreams(rm=entry(server, "vllm_classify")).score("rm", texts(*PAIRS), [0], soon())
    assert server.asked[-1]["use_activation"] is False
    assert server.asked[-1]["activation"] is False


async def test_rows_of_a_batch_are_one_call_where_the_protocol_takes_several(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    server = await start("vllm")
    models = upstreams(rm=entry(server, "vllm_score"))
    await models.models()
    before = len(server.asked)
    answer = await models.score("rm", texts(*PAIRS), [0, 1, 2], soon())
    assert (answer.calls, len(server.asked) - before) == (1, 1)


async def test_a_rendered_text_has_its_special_tokens_once(
    start: StartServer, upstreams: OpenUpstreams, tmp_path: Any
) -> None:
    """vLLM is told not to add any; SGLang and TEI always do, so that the template's own is left out."""
    (tmp_path / "chat.jinja").write_text("{{ bos_token }}{% for m in messages %}[{{ m.content }}]{% endfor %}")
    more = {"input": "text", "template": "chat.jinja", "special_tokens": {"bos_token": "<s>"}}
    seen = {}
    for kind, protocol in (("vllm", "vllm_classify"), ("sglang", "sglang_classify"), ("tei", "tei_predict")):
        server = await start(kind)
        models = upstreams(rm=entry(server, protocol, **more).read_files(tmp_path))
        answer = await models.score("rm", texts(("a", "b")), [0], soon())
        assert answer.invalid == {}
        seen[kind] = server.asked[-1]
    assert (seen["vllm"]["input"], seen["vllm"]["add_special_tokens"]) == (["<s>[a][b]"], False)
    assert seen["sglang"]["text"] == ["[a][b]"]
    assert seen["tei"]["inputs"] == [["[a][b]"]]


async def test_a_template_that_rejects_a_conversation_says_so_of_its_row(
    start: StartServer, upstreams: OpenUpstreams, tmp_path: Any
) -> None:
    (tmp_path / "t").write_text(
        "{% if not messages[0]['content'] %}{{ raise_exception('secret') }}{% endif %}{{ messages|tojson }}"
    )
    server = await start("vllm")
    models = upstreams(rm=entry(server, "vllm_classify", input="text", template="t").read_files(tmp_path))
    answer = await models.score("rm", texts(("", "alone"), ("a", "b")), [0, 1], soon())
    assert answer.invalid[0].code == "invalid_field"
    assert "secret" not in answer.invalid[0].message
    assert np.isfinite(answer.values[1, 0])


@pytest.mark.parametrize(
    ("prompt", "response", "roles"),
    [
        ("", "alone", ["user", "assistant"]),
        ("", [{"role": "assistant", "content": "alone"}], ["assistant"]),
        ([], "alone", ["assistant"]),
        ([{"role": "system", "content": "Be brief."}], "alone", ["system", "assistant"]),
    ],
)
async def test_an_empty_prompt_is_a_turn_where_both_are_texts_as_for_a_model_on_triton(
    start: StartServer, upstreams: OpenUpstreams, prompt: Any, response: Any, roles: list[str]
) -> None:
    server = await start("vllm")
    models = upstreams(rm=entry(server, "vllm_classify"))
    answer = await models.score("rm", Batch(["0"], [prompt], [response]), [0], soon())
    assert answer.invalid == {}
    assert [message["role"] for message in server.asked[-1]["messages"]] == roles


async def test_images_stand_where_the_messages_have_them(start: StartServer, upstreams: OpenUpstreams) -> None:
    server = await start("vllm")
    models = upstreams(rm=entry(server, "vllm_classify", images=True))
    png, gif = Media(b"\x89PNG\r\n\x1a\n1"), Media(b"GIF89a2")
    prompt = [
        {
            "role": "user",
            "content": [{"type": "text", "text": "this"}, {"type": "image"}, {"type": "text", "text": "?"}],
        }
    ]
    batch = Batch(["0", "1"], [prompt, "what?"], ["a", "b"], images=[[png, gif], [gif]])
    answer = await models.score("rm", batch, [0, 1], soon())
    assert answer.invalid == {}
    first, second = (
        next(body["messages"] for body in server.asked[::-1] if body["messages"][-1]["content"] == said)[0]["content"]
        for said in ("a", "b")
    )
    assert [part["type"] for part in first] == ["image_url", "text", "image_url", "text"]
    assert first[0]["image_url"]["url"].startswith("data:image/gif;base64,")  # one that no message has comes first
    assert first[2]["image_url"]["url"].startswith("data:image/png;base64,")
    assert [part["type"] for part in second] == ["image_url", "text"]


async def test_an_image_that_was_not_fetched_is_no_score(start: StartServer, upstreams: OpenUpstreams) -> None:
    models = upstreams(rm=entry(await start("vllm"), "vllm_classify", images=True))
    batch = Batch(["0"], ["p"], ["r"], images=[[Media(None)]])
    answer = await models.score("rm", batch, [0], soon())
    assert (answer.invalid[0].code, answer.invalid[0].param) == ("invalid_media", "images[0]")


async def test_a_text_with_a_lone_surrogate_is_sent_as_triton_gets_it(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    models = upstreams(rm=entry(await start("vllm"), "vllm_classify"))
    answer = await models.score("rm", texts(("p", "a\ud800b"), ("p", "b")), [0, 1], soon())
    assert answer.invalid == {}
    assert answer.values[0, 0] == pytest.approx(raw_scores(conversation("p", "a?b"))[0])


async def test_a_word_that_is_not_among_the_most_probable_has_no_score(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    words = {"positive": "yes", "negative": "no"}
    models = upstreams(rm=entry(await start("vllm"), "word_logprob", words=words, input="response"))
    answer = await models.score("rm", texts(("p", "unsure"), ("p", "b")), [0, 1], soon())
    assert {row: reason.code for row, reason in answer.invalid.items()} == {0: "model_error"}
    assert answer.values[1, 0] == pytest.approx(raw_scores("b")[0])


async def test_pooling_per_token_gives_a_number_per_row_of_the_server(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    models = upstreams(rm=entry(await start("vllm", k=2), "vllm_pooling", input="response", vector=True))
    answer = await models.score("rm", texts(("p", "one two three")), [0], soon())
    steps = np.frombuffer(answer.vectors[0], "<f4")
    np.testing.assert_allclose(steps, [raw_scores(word, k=2)[-1] for word in ("one", "two", "three")], rtol=1e-5)
    assert answer.values[0, 0] == pytest.approx(steps[-1], rel=1e-5)


async def test_a_text_in_which_the_server_finds_no_step_is_refused_and_no_other(
    start: StartServer, upstreams: OpenUpstreams
) -> None:
    models = upstreams(rm=entry(await start("vllm", k=2), "vllm_pooling", input="response", vector=True))
    answer = await models.score("rm", texts(("p", "one"), ("p", " "), ("p", "two")), [0, 1, 2], soon())
    assert {row: reason.code for row, reason in answer.invalid.items()} == {1: "invalid_field"}
    assert answer.vectors.keys() == {0, 2}


async def test_the_key_is_sent_and_shown_nowhere(
    start: StartServer, upstreams: OpenUpstreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RM_KEY", "sk-secret")
    server: FakeServer = await start("vllm")
    models = upstreams(rm=entry(server, "vllm_classify", api_key_env="RM_KEY"))
    await models.score("rm", texts(*PAIRS), [0], soon())
    assert {headers["authorization"] for headers in server.headers} == {"Bearer sk-secret"}
    info = await models.info("rm")
    assert "secret" not in repr(info)
    assert server.url not in repr(info)
    assert info.card == {"upstream": "vllm_classify", "model": MODEL}
