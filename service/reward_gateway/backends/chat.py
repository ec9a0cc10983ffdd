"""Chat conversations for models: as JSON messages for a chat model, as plain text for any other model."""

from reward_gateway.sample import Message, Text, canonical_json, shown_text


def encode_conversation(prompt: Text, response: Text) -> str:
    """The canonical JSON of a whole exchange: the prompt's messages, then the response as the assistant's."""
    before = [{"role": "user", "content": prompt}] if isinstance(prompt, str) and prompt else prompt or []
    after = [{"role": "assistant", "content": response}] if isinstance(response, str) else response
    return canonical_json([*before, *after])


def flatten_prompt(prompt: Text) -> str:
    """A prompt for a model without chat: a line ``role: text`` per message; a single user message is just its text."""
    if isinstance(prompt, str):
        return prompt
    if len(prompt) == 1 and prompt[0].get("role") == "user":
        return shown_text(prompt)
    return _join_messages(prompt)


def flatten_response(response: Text) -> str:
    """A response for a model without chat: a single message is just its text, a trajectory keeps its roles."""
    if isinstance(response, str):
        return response
    return shown_text(response) if len(response) == 1 else _join_messages(response)


def _join_messages(messages: Text) -> str:
    return "\n".join(_flatten_message(message) for message in messages if not isinstance(message, str))


def _flatten_message(message: Message) -> str:
    return f"{message.get('role', 'user')}: {shown_text([message])}"
