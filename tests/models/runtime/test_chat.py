"""A conversation becomes one prompt and one response."""

import json

import pytest
from reward_models.runtime.chat import ChatError, Exchange, read_exchange


def chat(*turns: tuple[str, object]) -> str:
    return json.dumps([{"role": role, "content": content} for role, content in turns])


def test_plain_texts_are_read_as_they_are() -> None:
    assert read_exchange("Why?", " Because. ", "") == Exchange("Why?", " Because. ")


def test_a_single_question_is_its_own_text() -> None:
    assert read_exchange("", "", chat(("user", "Why?"), ("assistant", "Because."))) == Exchange("Why?", "Because.")


def test_a_conversation_names_its_speakers() -> None:
    said = chat(("system", "Be kind."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Why?"), ("assistant", "So."))
    assert read_exchange("", "", said).prompt == "System: Be kind.\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Why?"


def test_a_response_beside_the_messages_is_the_answer_to_them() -> None:
    assert read_exchange("", "Because.", chat(("user", "Why?"))) == Exchange("Why?", "Because.")


def test_all_turns_of_the_assistant_at_the_end_are_the_answer() -> None:
    said = chat(("user", "Why?"), ("assistant", "One."), ("assistant", "Two."))
    assert read_exchange("", "", said).response == "One.\n\nTwo."


def test_parts_other_than_text_are_left_out_and_said() -> None:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    assert read_exchange("", "", chat(("user", parts), ("assistant", "A cat."))) == Exchange(
        "What is it?", "A cat.", True
    )


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ("[", "not JSON"),
        ('{"role": "user"}', "not a list"),
        ("[1]", "Message 0 has no role"),
        ('[{"role": "user", "content": 1}]', "content of message 0"),
        ('[{"role": "user", "content": "secret"}]', "without an assistant's answer"),
        ("[]", "without an assistant's answer"),
    ],
)
def test_what_is_no_chat_is_refused_without_quoting_it(messages: str, words: str) -> None:
    with pytest.raises(ChatError, match=words) as caught:
        read_exchange("", "", messages)
    assert "secret" not in str(caught.value)
