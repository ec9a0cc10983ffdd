"""How a checkpoint reads a conversation, from its tokeniser's files."""

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as LANGUAGE_MODELS

from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.options import Options
from reward_models.convert.plan import Row
from reward_models.runtime.chat import ChatError
from reward_models.runtime.conversation import Conversation, read_conversation
from reward_models.runtime.reading import TEMPLATE, TOKENIZER

LONGEST = 4096
"""Default maximum tokens of a text."""

CUTS = ("left", "right", "refuse")
ROBERTAS = ("roberta", "xlm-roberta", "camembert", "mpnet")
"""Models whose position ids start after the padding id."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A tokeniser and the ``settings`` of :class:`reward_models.runtime.reading.Reader`.

    Attributes:
        tokenizer: of ``transformers``.
        settings: of the runtime.
        template: the Jinja of mode ``chat``, else empty.
    """

    tokenizer: Any
    settings: dict[str, Any]
    template: str

    def write(self, folder: Path) -> None:
        """Write ``tokenizer.json`` and the template to a folder."""
        (folder / TOKENIZER).write_text(self.tokenizer.backend_tokenizer.to_str(), "utf-8")
        if self.template:
            (folder / TEMPLATE).write_text(self.template, "utf-8")

    def ids(self, conversation: Conversation) -> dict[str, list[int]] | None:
        """The inputs of a conversation by ``transformers`` alone; None if it is rejected or too long."""
        self.tokenizer.truncation_side = "left" if self.settings["cut"] == "left" else "right"
        limits: dict[str, Any] = {"truncation": True, "max_length": self.settings["tokens"]}
        if self.settings["cut"] == "refuse":
            limits = {}
        mode = self.settings["read"]
        if mode == "chat":
            try:
                given = self.tokenizer.apply_chat_template(
                    conversation.messages, chat_template=self.template, tokenize=True, return_dict=True, **limits
                )
            except Exception:  # a template is a program and can raise any exception
                return None
        elif mode == "pair":
            given = self.tokenizer(conversation.asked, conversation.answer, **limits)
        else:
            given = self.tokenizer(conversation.answer, **limits)
        if len(given["input_ids"]) > self.settings["tokens"]:
            return None
        wanted = ("input_ids", "attention_mask") + (("token_type_ids",) if self.settings["types"] else ())
        return {name: list(given[name]) for name in wanted}

    def ids_of_turns(self, messages: list[dict[str, str]]) -> list[int]:
        """A conversation through the template, as ids, by ``transformers`` alone."""
        given = self.tokenizer.apply_chat_template(
            messages, chat_template=self.template, tokenize=True, return_dict=True
        )
        return [int(token) for token in given["input_ids"]]

    def text(self, messages: list[dict[str, Any]]) -> str:
        """A conversation through the template, by ``transformers`` alone."""
        rendered = self.tokenizer.apply_chat_template(messages, chat_template=self.template, tokenize=False)
        return str(rendered)


def conversation_of(row: Row) -> Conversation:
    """The conversation of a row. Raises Refused if it cannot be read."""
    try:
        conversation = read_conversation(*(row[name].decode() for name in ("prompt", "response", "messages")))
        return conversation.with_steps(row.get("steps", b""))
    except ChatError as error:
        raise Refused(str(error)) from None


def tokens_of(checkpoint: Checkpoint, options: Options, config: Any, *, chat_only: bool = False) -> Tokens:
    """How conversations are read, from a checkpoint's files and the options.

    Args:
        checkpoint: whose tokeniser is read.
        options: ``template``, ``truncate``, ``max_length``.
        config: of the network, by ``transformers``.
        chat_only: the kind needs a template; without one, prompt, line break and answer are used.

    Raises:
        Refused: there is no tokeniser, or no way to know how a conversation is to be written.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder, trust_remote_code=False)
    except Exception as error:
        raise Refused(f"The tokeniser cannot be read ({type(error).__name__}): {error}") from error
    if not getattr(tokenizer, "is_fast", False):
        raise Refused("The tokeniser has no tokenizer.json and none can be created; save it with a fast tokeniser.")
    mode, template = _choose_mode(options.template, tokenizer, config, chat_only)
    cut = options.truncate or _said_side(checkpoint) or ("left" if mode == "chat" else "right")
    if cut not in CUTS:
        raise Refused(f"--truncate is {cut!r}: give one of {', '.join(CUTS)}.")
    pad = next((i for i in (getattr(config, "pad_token_id", None), tokenizer.pad_token_id) if i is not None), 0)
    settings: dict[str, Any] = {
        "read": mode,
        "tokens": options.max_length or _find_longest(tokenizer, config),
        "cut": cut,
        "pad": pad,
        "types": "token_type_ids" in tokenizer.model_input_names and getattr(config, "type_vocab_size", 0) > 1,
    }
    if mode == "chat":
        settings["special_tokens"] = {
            name: str(value) for name, value in tokenizer.special_tokens_map.items() if isinstance(value, str)
        }
    if "strftime_now" in template:
        settings["date"] = datetime.datetime.now().astimezone().date().isoformat()
    return Tokens(tokenizer, settings, template)


PLAIN = (
    "{{ bos_token }}{% for message in messages %}{{ message['content'] }}"
    "{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}"
)
"""Prompt, line break, answer: the usual format of process reward models without a template."""


def _choose_mode(asked: str, tokenizer: Any, config: Any, chat_only: bool) -> tuple[str, str]:
    if asked in ("pair", "response") and not chat_only:
        return asked, ""
    if asked and asked != "chat":
        path = Path(asked).expanduser()
        if not path.is_file():
            raise Refused(f"--template is {asked!r}: give chat, pair, response, or a file of Jinja.")
        return "chat", path.read_text("utf-8")
    held = tokenizer.chat_template
    if isinstance(held, dict):
        held = held.get("default")
    if held:
        return "chat", str(held)
    if asked == "chat":
        raise Refused("The checkpoint has no chat template: give one as a file with --template.")
    if chat_only:
        return "chat", PLAIN if tokenizer.bos_token else PLAIN.removeprefix("{{ bos_token }}")
    if is_decoder(config):
        raise Refused(
            "The checkpoint has no chat template, and scores depend on the format of the conversation: give a template "
            "with --template FILE, or use --template pair or response."
        )
    return "pair", ""


def is_decoder(config: Any) -> bool:
    """Whether a network reads from left to right, as language models do; ModernBERT and EuroBERT read both ways."""
    rotates = hasattr(config, "rope_parameters") or hasattr(config, "rope_theta")
    return bool(getattr(config, "is_decoder", False)) or (rotates and config.model_type in LANGUAGE_MODELS)


def _said_side(checkpoint: Checkpoint) -> str:
    side = checkpoint.read_json("tokenizer_config.json").get("truncation_side", "")
    return side if side in CUTS else ""


def _find_longest(tokenizer: Any, config: Any) -> int:
    positions = int(getattr(config, "max_position_embeddings", 0) or LONGEST)
    if getattr(config, "model_type", "") in ROBERTAS:
        positions -= int(config.pad_token_id) + 1
    return min(LONGEST, positions, int(tokenizer.model_max_length))


def describe_reading(tokens: Tokens) -> str:
    """How a conversation is read, for a card."""
    limit = tokens.settings["tokens"]
    how = {
        "chat": "written by the checkpoint's chat template",
        "pair": "prompt and response as a pair of texts",
        "response": "the response alone",
    }[tokens.settings["read"]]
    over = {"left": "loses its beginning", "right": "loses its end", "refuse": "is refused"}[tokens.settings["cut"]]
    return f"A conversation is read as {json.dumps(tokens.settings['read'])} ({how}); over {limit} tokens it {over}."
