"""Words as the next token: known by their tokens where a tokenizer is named, one per sample or one per step."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backends.upstreams.conftest import (
    FakeServer,
    OpenUpstreams,
    StartServer,
    chat_text,
    entry,
    raw_scores,
    soon,
    texts,
)

pytestmark = pytest.mark.anyio

VOCABULARY = ["?", "one", "two", "three", "+", "-", "<judge>"]
PLUS, MINUS, JUDGE = (VOCABULARY.index(word) for word in ("+", "-", "<judge>"))
PLUS_MINUS = {"positive": "+", "negative": "-"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a tokenizer whose tokens are words, and a template that puts a mark and a word behind each step."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({word: k for k, word in enumerate(VOCABULARY)}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "steps.jinja").write_text(
        "{% for step in messages[-1]['content'].split(';') %}{{ step }} <judge> + {% endfor %}"
    )
    return tmp_path


def log_odds(tokens: str) -> float:
    """What the server says of ``+`` against ``-`` behind tokens."""
    plus, minus = (raw_scores(f"{tokens}>{word}")[0] for word in (PLUS, MINUS))
    return plus - minus


def of_steps(server: FakeServer, folder: Path, mark: str = "<judge>", **more: Any) -> Any:
    settings = {"input": "text", "template": "steps.jinja", "tokenizer": "tokenizer.json", "vector": True}
    return entry(server, "word_logprob", **settings, words=PLUS_MINUS, step_mark=mark, **more).read_files(folder)


async def test_each_step_is_asked_about_with_the_tokens_up_to_its_mark(
    start: StartServer, upstreams: OpenUpstreams, folder: Path
) -> None:
    server = await start("vllm")
    models = upstreams(rm=of_steps(server, folder))
    answer = await models.score("rm", texts(("p", "one + two;three -"), ("p", "two")), [0, 1], soon())
    assert answer.invalid == {}
    steps = [log_odds("1 4 2 6"), log_odds("1 4 2 6 4 3 5 6")]
    np.testing.assert_allclose(np.frombuffer(answer.vectors[0], "<f4"), steps, rtol=1e-5)
    np.testing.assert_allclose(np.frombuffer(answer.vectors[1], "<f4"), [log_odds("2 6")], rtol=1e-5)
    np.testing.assert_allclose(answer.values[:, 0], [steps[-1], log_odds("2 6")], rtol=1e-5)
    assert server.asked[-1]["logprob_token_ids"] == [PLUS, MINUS]


async def test_a_mark_counts_with_all_that_it_says(start: StartServer, upstreams: OpenUpstreams, folder: Path) -> None:
    """Of ``<judge> +`` the last token is also a word of the responses."""
    models = upstreams(rm=of_steps(await start("vllm"), folder, mark="<judge> +"))
    answer = await models.score("rm", texts(("p", "one + two;three + +")), [0], soon())
    steps = [log_odds("1 4 2 6 4"), log_odds("1 4 2 6 4 3 4 4 6 4")]
    np.testing.assert_allclose(np.frombuffer(answer.vectors[0], "<f4"), steps, rtol=1e-5)


async def test_a_step_without_an_answer_takes_the_whole_sample(
    start: StartServer, upstreams: OpenUpstreams, folder: Path
) -> None:
    server = await start("vllm")
    models = upstreams(rm=of_steps(server, folder))
    await models.models()
    answered = server._words

    def lose_one(path: str, body: dict[str, Any]) -> Any:
        return answered(path, {**body, "logprob_token_ids": [PLUS]} if [1, JUDGE] in body["prompt"] else body)

    server._words = lose_one  # type: ignore[method-assign]
    answer = await models.score("rm", texts(("p", "one;two")), [0], soon())
    assert answer.invalid[0].code == "model_error"
    assert answer.vectors == {}
    assert np.isnan(answer.values).all()


async def test_a_chat_is_asked_for_the_tokens_of_the_words(
    start: StartServer, upstreams: OpenUpstreams, folder: Path
) -> None:
    more = {"words": PLUS_MINUS, "input": "messages", "tokenizer": "tokenizer.json"}
    models = upstreams(rm=entry(await start("vllm"), "word_logprob", **more).read_files(folder))
    answer = await models.score("rm", texts(("p", "one")), [0], soon())
    chat = chat_text([{"role": "user", "content": "p"}, {"role": "assistant", "content": "one"}])
    np.testing.assert_allclose(answer.values[0, 0], log_odds(chat), rtol=1e-5)


async def test_a_word_has_to_be_one_token(start: StartServer, upstreams: OpenUpstreams, folder: Path) -> None:
    more = {"words": {"positive": "one two"}, "input": "messages", "tokenizer": "tokenizer.json"}
    models = upstreams(rm=entry(await start("vllm"), "word_logprob", **more).read_files(folder))
    (info,) = await models.models()
    assert "'one two' is 2 tokens, and has to be one" in info.fault


@pytest.mark.parametrize(("tokens", "ready"), [(None, True), ([0] * 13, True), ([1, 2], False)])
async def test_the_tokenizer_has_to_be_the_servers(
    start: StartServer, upstreams: OpenUpstreams, folder: Path, tokens: list[int] | None, ready: bool
) -> None:
    """A server that does not say its tokens is trusted."""
    if tokens is not None and ready:
        from reward_gateway.backends.upstreams.protocols.words import SHOWN
        from tokenizers import Tokenizer

        tokens = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(SHOWN).ids
    models = upstreams(rm=of_steps(await start("vllm", tokens=tokens), folder))
    (info,) = await models.models()
    assert info.ready is ready
    assert ("another tokenizer" in info.fault) is not ready
