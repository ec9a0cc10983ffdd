"""A tokenizer whose tokens are the characters of some texts, for trainers that hand over tokens."""

from collections.abc import Iterable
from typing import Any

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tokenizer(texts: Iterable[str]) -> Any:
    """A fast tokenizer of transformers, which speaks ChatML."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(set("".join(texts) + "<|im_startend|>\nassistant user system You are a helpful assistant. I am a"))
    model = models.WordLevel({letter: i for i, letter in enumerate(["<pad>", "<eos>", *letters])}, unk_token="<pad>")
    made = Tokenizer(model)
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<eos>")
    tokenizer.chat_template = CHATML
    return tokenizer
