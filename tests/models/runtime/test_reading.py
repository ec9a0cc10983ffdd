"""Rows become tokens as a checkpoint's tokeniser makes them: by template, as a pair, or the answer alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from reward_models.runtime.conversation import Conversation, read_conversation
from reward_models.runtime.reading import Reader, RowError
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "one", "two", "three", "four", "user", "assistant"]
SETTINGS: dict[str, Any] = {"read": "pair", "tokens": 8, "cut": "right", "pad": 0, "types": True}
CHAT = SETTINGS | {"read": "chat", "special_tokens": {"bos_token": "[CLS]"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(WORDS[:4])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    source = "{{ bos_token }}{% for m in messages %} {{ m.role }} {{ m.content | trim }}{% endfor %}"
    (tmp_path / "chat_template.jinja").write_text(source)
    return tmp_path


def words(folder: Path, settings: dict[str, Any], conversation: Conversation) -> list[str]:
    return [WORDS[index] for index in Reader(folder, settings).encode_conversation(conversation).ids]


def test_a_pair_gets_the_tokeniser_s_own_special_tokens_and_types(folder: Path) -> None:
    row = Reader(folder, SETTINGS).encode_conversation(read_conversation("one two", "three", ""))
    assert [WORDS[index] for index in row.ids] == ["[CLS]", "one", "two", "[SEP]", "three", "[SEP]"]
    assert row.types == [0, 0, 0, 0, 1, 1]


def test_a_lone_answer_is_read_without_its_question(folder: Path) -> None:
    said = words(folder, SETTINGS | {"read": "response"}, read_conversation("one two", "three", ""))
    assert said == ["[CLS]", "three", "[SEP]"]


def test_a_template_writes_its_special_tokens_once(folder: Path) -> None:
    said = words(folder, CHAT, read_conversation("one", " two ", ""))
    assert said == ["[CLS]", "user", "one", "assistant", "two"]


@pytest.mark.parametrize(
    ("cut", "kept"),
    [("right", ["[CLS]", "user", "one", "one"]), ("left", ["assistant", "two", "three", "four"])],
)
def test_a_long_text_loses_the_side_that_is_named(folder: Path, cut: str, kept: list[str]) -> None:
    settings = CHAT | {"tokens": 4, "cut": cut}
    row = Reader(folder, settings).encode_conversation(read_conversation("one one one", "two three four", ""))
    assert [WORDS[index] for index in row.ids] == kept
    assert row.truncated


def test_a_text_of_just_the_limit_is_whole(folder: Path) -> None:
    row = Reader(folder, CHAT | {"tokens": 5, "cut": "refuse"}).encode_conversation(read_conversation("one", "two", ""))
    assert (len(row.ids), row.truncated) == (5, False)


def test_one_token_more_is_refused_where_the_card_says_so(folder: Path) -> None:
    with pytest.raises(RowError, match="too_large: The text has more than 4 tokens"):
        Reader(folder, CHAT | {"tokens": 4, "cut": "refuse"}).encode_conversation(read_conversation("one", "two", ""))


@pytest.mark.parametrize(("settings", "own"), [(CHAT, ["two", "three"]), (SETTINGS, ["two", "three"])])
def test_the_answer_s_own_tokens_are_marked(folder: Path, settings: dict[str, Any], own: list[str]) -> None:
    row = Reader(folder, settings).encode_conversation(read_conversation("two", " two three", ""), answers_tokens=True)
    assert [WORDS[row.ids[mark]] for mark in row.marks] == own
    assert row.marks[0] > 1


def test_other_fields_of_a_message_reach_the_template(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ messages[0].tool_calls[0].name }} {{ messages[1].content }}")
    turns = [
        {"role": "assistant", "content": None, "tool_calls": [{"name": "three"}]},
        {"role": "assistant", "content": "four"},
    ]
    assert words(folder, CHAT, read_conversation("", "", json.dumps(turns))) == ["three", "four"]
