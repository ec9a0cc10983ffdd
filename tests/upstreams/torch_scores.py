"""What torch says: the numbers that each protocol must give, from the same checkpoints.

    python torch_scores.py < QUESTIONS.json > ANSWERS.json

QUESTIONS is a list of objects with ``checkpoint`` (its folder) and one of

- ``texts``, and ``special`` if the tokenizer adds its special tokens: the logits [K] of each text;
- ``messages``: the same, of each conversation as the tokenizer's template renders it, with ``images``, a list of files
  for each, if the model sees;
- ``pairs``: the same, of each pair of texts as the tokenizer joins them;

with ``each_token`` for those of every token, and with ``words`` (two texts of one token each) for the log-odds of one
against the other behind every token. ANSWERS is a list with as many lists.
"""

import json
import sys
from functools import cache
from typing import Any

import checkpoints
import torch
import transformers
from PIL import Image
from transformers import AutoConfig, AutoProcessor, AutoTokenizer, PreTrainedModel


@cache
def load(folder: str) -> tuple[Any, PreTrainedModel]:
    """The tokenizer and the model of the class that the checkpoint names."""
    (name,) = AutoConfig.from_pretrained(folder).architectures
    model = getattr(checkpoints, name, None) or getattr(transformers, name)
    model = model.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return AutoTokenizer.from_pretrained(folder), model.eval()


def tokens_of(tokenizer: Any, question: dict[str, Any]) -> list[dict[str, torch.Tensor]]:
    """Each text as the model reads it, alone."""
    if "pairs" in question:
        return [tokenizer(*pair, return_tensors="pt") for pair in question["pairs"]]
    if "images" in question:
        processor = AutoProcessor.from_pretrained(question["checkpoint"])
        rendered = [processor.apply_chat_template(chat, tokenize=False) for chat in question["messages"]]
        images = [[Image.open(file) for file in files] or None for files in question["images"]]
        return [
            dict(processor(text=text, images=seen, add_special_tokens=False, return_tensors="pt"))
            for text, seen in zip(rendered, images, strict=True)
        ]
    texts, special = question.get("texts"), question.get("special", False)
    if texts is None:
        texts = [tokenizer.apply_chat_template(chat, tokenize=False) for chat in question["messages"]]
    return [tokenizer(text, add_special_tokens=special, return_tensors="pt") for text in texts]


@torch.inference_mode()
def answer(question: dict[str, Any]) -> list[Any]:
    """The numbers of each text of a question."""
    tokenizer, model = load(question["checkpoint"])
    answers = []
    for tokens in tokens_of(tokenizer, question):
        logits = model(**tokens).logits[0]
        if "words" in question:
            ((positive,), (negative,)) = (tokenizer(w, add_special_tokens=False).input_ids for w in question["words"])
            logits = logits[:, positive] - logits[:, negative]
        answers.append(logits.tolist() if "each_token" in question or "words" not in question else logits[-1].item())
    return answers


if __name__ == "__main__":
    torch.set_num_threads(1)
    json.dump([answer(question) for question in json.load(sys.stdin)], sys.stdout)
