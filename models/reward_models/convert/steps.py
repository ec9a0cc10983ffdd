"""Which token scores a step, and where: by the checkpoint's kind, or as the user says."""

from dataclasses import dataclass
from typing import Any

from reward_models.convert.checkpoint import Checkpoint
from reward_models.convert.errors import Refused
from reward_models.convert.families import family_of
from reward_models.convert.options import Options
from reward_models.convert.tokens import Tokens
from reward_models.runtime.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Steps:
    """``split``: what separates steps; ``mark``: the token behind each."""

    split: str
    mark: str

    def settings(self, tokens: Tokens) -> dict[str, Any]:
        """The runtime's settings. Raises Refused if the mark is not one token."""
        ids = tokens.tokenizer.encode(self.mark, add_special_tokens=False)
        added = {str(token.content) for token in tokens.tokenizer.added_tokens_decoder.values()}
        if not ids or (len(ids) > 1 and self.mark in added):
            raise Refused(f"The tokeniser has no token {self.mark!r}: name the token after each step with --step-mark.")
        # Of several tokens the last is the mark, as some tokenisers add a space in front.
        return {"split": self.split, "mark": self.mark, "mark_id": ids[-1], "whole": self.mark in added}

    def ids(self, tokens: Tokens, conversation: Conversation) -> tuple[dict[str, list[int]], list[int]] | None:
        """Inputs and marks by ``transformers``' tokeniser alone; None without steps, or over the limit."""
        settings, steps = tokens.settings, conversation.split_steps(self.split)
        if not steps:
            return None
        *before, answer = conversation.messages
        try:
            if settings["whole"]:
                content = self.mark.join([*steps, ""])
                ids = self._encode_ids(tokens, tokens.text([*before, {**answer, "content": content}]))
                marks = [at for at, token in enumerate(ids) if token == settings["mark_id"]]
            else:
                head, tail = tokens.text([*before, {**answer, "content": "@@@"}]).rsplit("@@@", 1)
                ids, marks = self._encode_ids(tokens, head), []
                for step in steps:
                    ids = [*ids, *self._encode_ids(tokens, step), settings["mark_id"]]
                    marks.append(len(ids) - 1)
                ids = [*ids, *self._encode_ids(tokens, tail)]
        except Exception:  # a template is a program and can raise any exception
            return None
        limit = settings["tokens"]
        if len(ids) > limit and settings["cut"] == "refuse":
            return None
        start = max(0, len(ids) - limit) if settings["cut"] == "left" else 0
        ids, marks = ids[start : start + limit], [at - start for at in marks if start <= at < start + limit]
        inputs = {"input_ids": ids, "attention_mask": [1] * len(ids)}
        if settings["types"]:
            inputs["token_type_ids"] = [0] * len(ids)
        return (inputs, marks) if marks else None

    def described(self) -> str:
        """For a card."""
        where = f"each is judged at the token {self.mark!r} behind it"
        return f"Steps are those that the caller gives, else what {self.split!r} separates; {where}."

    @staticmethod
    def _encode_ids(tokens: Tokens, text: str) -> list[int]:
        return list(tokens.tokenizer.encode(text, add_special_tokens=False))


def steps_of(checkpoint: Checkpoint, options: Options) -> Steps:
    """How the steps of a checkpoint are marked: as its class does, else at line breaks."""
    family = family_of(checkpoint)
    mark = options.step_mark or (family.mark if family is not None else "") or "\n"
    split = options.step_split.replace("\\n", "\n").replace("\\t", "\t")  # as typed in a shell
    return Steps(split, mark.replace("\\n", "\n"))
