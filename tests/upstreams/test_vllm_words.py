"""Language models in vLLM as scorers: words as the next token, of whole samples and behind each step, as torch says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.upstreams.scoring import CLOSE, PAIRS, ask, conversation, score, upstream, vectors
from tests.upstreams.servers import Server, ask_torch, make_checkpoint, serving_vllm

pytestmark = pytest.mark.anyio

YES_NO = {"positive": "yes", "negative": " no"}
PLUS_MINUS = {"positive": "+", "negative": "-"}
SOLUTIONS = [
    ("What is 2 + 2 + 1?", "2 + 2 is 4, so +.\n\n4 + 1 - 0 is 5.\n\nIt is +5."),
    ("What is 2 + 2 + 1?", "It is 5."),
    ("What is 2 - 2?", "No + idea.\n\n- 1?"),
]
"""Prompts and responses of several steps, with words of judgement of their own."""

TURNS = (
    "{{ bos_token }}{% for step in messages[-1]['content'].split('\n\n') %}<|im_start|>user\n"
    "{% if loop.first %}{{ messages[0]['content'] }} {% endif %}{{ step }}<|im_end|>\n"
    "<|im_start|>assistant\n+<|im_end|>\n{% endfor %}"
)
"""As RLHFlow's process models read steps: each is a turn of the user, judged by the assistant's word."""

TAGS = "{{ messages[0]['content'] }} {% for step in messages[-1]['content'].split('\n\n') %}{{ step }} ки\n{% endfor %}"
"""As Math-Shepherd's reads them: one text, judged behind each tag."""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "words", "words")


@pytest.fixture(scope="module")
def vllm(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving_vllm(checkpoint, tmp_path_factory.mktemp("vllm") / "log", generate=True) as server:
        yield server


def entry(vllm: Server, checkpoint: Path, **named: Any) -> dict[str, Any]:
    """Of a file of upstreams."""
    tokenizer = str(checkpoint / "tokenizer.json")
    return {"protocol": "word_logprob", "urls": [vllm.url], "model": "rm", "tokenizer": tokenizer, **named}


def steps_of(pair: tuple[str, str]) -> list[str]:
    return pair[1].split("\n\n")


def turns_until(pair: tuple[str, str], last: int) -> str:
    """What precedes the word that judges a step, of RLHFlow's form."""
    text = "<|bos|>"
    for k, step in enumerate(steps_of(pair)[: last + 1]):
        said = f"{pair[0]} {step}" if k == 0 else step
        text += f"<|im_start|>user\n{said}<|im_end|>\n<|im_start|>assistant\n"
        text += "+<|im_end|>\n" if k < last else ""
    return text


def tags_until(pair: tuple[str, str], last: int) -> str:
    """The same, of Math-Shepherd's form."""
    return f"{pair[0]} " + "\n".join(f"{step} ки" for step in steps_of(pair)[: last + 1])


async def test_a_chat_is_asked_for_a_word_whatever_its_probability(
    vllm: Server, checkpoint: Path, tmp_path: Path
) -> None:
    chats = [conversation(*pair) for pair in PAIRS]
    texts = ["<|bos|>" + "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in c) for c in chats]
    asked = [text + "<|im_start|>assistant\n" for text in texts]
    (expected,) = ask_torch([{"checkpoint": str(checkpoint), "texts": asked, "words": list(YES_NO.values())}])
    async with upstream(tmp_path, **entry(vllm, checkpoint, words=YES_NO, input="messages")) as server:
        assert np.allclose((await score(server))[:, 0], expected, atol=CLOSE)


async def test_completions_are_asked_for_a_word_in_one_call(vllm: Server, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "judge.jinja").write_text("{{ bos_token }}Is '{{ messages[-1]['content'] }}' right?")
    rendered = [f"<|bos|>Is '{response}' right?" for _, response in PAIRS]
    (expected,) = ask_torch([{"checkpoint": str(checkpoint), "texts": rendered, "words": list(YES_NO.values())}])
    more = {"input": "text", "template": "judge.jinja", "special_tokens": {"bos_token": "<|bos|>"}}
    async with upstream(tmp_path, **entry(vllm, checkpoint, words=YES_NO, **more)) as server:
        assert np.allclose((await score(server))[:, 0], expected, atol=CLOSE)


@pytest.mark.parametrize(
    ("template", "mark", "until"),
    [(TURNS, "<|im_start|>assistant\n", turns_until), (TAGS, " ки", tags_until)],
    ids=["RLHFlow", "Math-Shepherd"],
)
async def test_each_step_is_judged_behind_its_mark_and_words_of_its_own_do_not_count(
    vllm: Server, checkpoint: Path, tmp_path: Path, template: str, mark: str, until: Any
) -> None:
    (tmp_path / "steps.jinja").write_text(template)
    asked = [[until(pair, k) for k in range(len(steps_of(pair)))] for pair in SOLUTIONS]
    words = list(PLUS_MINUS.values())
    expected = ask_torch([{"checkpoint": str(checkpoint), "texts": texts, "words": words} for texts in asked])
    more = {"input": "text", "template": "steps.jinja", "special_tokens": {"bos_token": "<|bos|>"}}
    steps = {"vector": True, "step_mark": mark}
    async with upstream(tmp_path, **entry(vllm, checkpoint, words=PLUS_MINUS, **more, **steps)) as server:
        answer = await ask(server, SOLUTIONS)
        found = vectors(answer)
        assert [len(row) for row in found] == [3, 1, 2]
        for row, numbers in zip(found, expected, strict=True):
            assert np.allclose(row, numbers, atol=CLOSE)
        assert np.allclose(answer.values[:, 0], [row[-1] for row in expected], atol=CLOSE)


async def test_a_word_of_two_tokens_is_said_at_the_start(vllm: Server, checkpoint: Path, tmp_path: Path) -> None:
    words = {"positive": "yes", "negative": "perhaps"}
    async with upstream(tmp_path, **entry(vllm, checkpoint, words=words, input="messages")) as server:
        answer = await ask(server, PAIRS[:1])
        assert "'perhaps' is 5 tokens" in answer.invalid[0].message


async def test_another_models_tokenizer_is_said_at_the_start(vllm: Server, tmp_path: Path) -> None:
    other = make_checkpoint(tmp_path / "other", "words")
    file = other / "tokenizer.json"
    file.write_text(file.read_text().replace('"Ġ": 220', '"Ġ": 221').replace('"ġ": 221', '"ġ": 220'))
    async with upstream(tmp_path, **entry(vllm, other, words=YES_NO, input="messages")) as server:
        answer = await ask(server, PAIRS[:1])
        assert "another tokenizer" in answer.invalid[0].message


async def test_without_a_tokenizer_a_word_beyond_the_most_probable_has_no_score(
    vllm: Server, checkpoint: Path, tmp_path: Path
) -> None:
    more = entry(vllm, checkpoint, words={"positive": "yes"}, input="messages")
    del more["tokenizer"]
    async with upstream(tmp_path, **more) as server:
        answer = await ask(server, PAIRS[:1])
        assert answer.invalid[0].code in ("model_error", "model_unavailable")
        assert "has a score for none of the fixed texts" in answer.invalid[0].message
        assert np.isnan(answer.values).all()
