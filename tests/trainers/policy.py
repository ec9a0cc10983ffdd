"""Make a small policy that speaks ChatML, and its prompts; no download.

    python policy.py FOLDER

FOLDER gets a Qwen 2 of two layers with its tokenizer (``policy``), and ``prompts.jsonl``: ``prompt`` as chat messages,
``answer``, and ``rendered``, which is the prompt as the policy's template renders it. The weights are fitted for some
seconds to answers in the form that the recipe ``math`` asks for, a part of them wrong or without that form, so that
sampled answers differ in both rewards.
"""

import json
import random
import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, set_seed

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SYSTEM = "Think first, then answer."
OPENINGS = ["I add {a} and {b}.", "Let me add {a} to {b} for you.", "No idea, but {a} and {b} is simple."]


def messages_of(a: int, b: int) -> list[dict[str, str]]:
    """A system turn and a question."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"What is {a} + {b}?"}]


def answer_of(a: int, b: int, chance: random.Random) -> str:
    """One way to answer: two of three are right, one of six has no form."""
    total = a + b + (0 if chance.random() < 2 / 3 else chance.choice([-1, 1, 2]))
    opening = chance.choice(OPENINGS).format(a=a, b=b)
    if chance.random() < 1 / 6:
        return f"{opening} It is {total}."
    return f"<think>{opening}</think><answer>{total}</answer>"


def make_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Bytes and their frequent pairs, with the marks of ChatML as tokens."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(vocab_size=384, initial_alphabet=ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(mark, special=True) for mark in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, chat_template=TEMPLATE, pad_token="<|endoftext|>", eos_token="<|im_end|>",
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


def make_config(tokenizer: PreTrainedTokenizerFast) -> Qwen2Config:
    """Two layers of 128, some 400 thousand weights."""
    return Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=512, tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
    )  # fmt: skip


def render(tokenizer: Any, a: int, b: int) -> str:
    """The prompt that opens the assistant's turn."""
    return str(tokenizer.apply_chat_template(messages_of(a, b), tokenize=False, add_generation_prompt=True))


def fit(model: Qwen2ForCausalLM, tokenizer: Any, pairs: list[tuple[int, int]], steps: int) -> float:
    """Fit answers to questions; the last loss."""
    chance = random.Random(7)
    start = tokenizer.convert_tokens_to_ids("<|im_start|>")
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    loss = torch.tensor(float("nan"))
    for _ in range(steps):
        rows = [
            render(tokenizer, a, b) + answer_of(a, b, chance) + "<|im_end|>" for a, b in chance.choices(pairs, k=16)
        ]
        batch = tokenizer(rows, return_tensors="pt", padding=True, padding_side="right", add_special_tokens=False)
        turn = (batch["input_ids"] == start).cumsum(1)  # 1 system, 2 user, 3 assistant
        labels = batch["input_ids"].masked_fill((batch["attention_mask"] == 0) | (turn < 3), -100)
        loss = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return float(loss)


def main(folder: str, steps: int = 300) -> None:
    """Write the policy and its prompts."""
    set_seed(7)
    torch.set_num_threads(1)
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    pairs = [(a, b) for a in range(1, 5) for b in range(1, 5)]
    chance = random.Random(3)
    texts = [
        text for a, b in pairs for text in (*(m["content"] for m in messages_of(a, b)), answer_of(a, b, chance))
    ]  # fmt: skip
    home, made = str(out / "policy"), make_tokenizer(texts)
    config = make_config(made)
    config.save_pretrained(home)
    made.save_pretrained(home)
    tokenizer = AutoTokenizer.from_pretrained(home)  # as trainers read it, which depends on the model's type
    model = Qwen2ForCausalLM(config)
    loss = fit(model, tokenizer, pairs, steps)
    model.save_pretrained(home)
    rows: list[dict[str, Any]] = [
        {"prompt": messages_of(a, b), "answer": str(a + b), "rendered": render(tokenizer, a, b)} for a, b in pairs
    ]
    chance.shuffle(rows)
    (out / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(f"{sum(p.numel() for p in model.parameters())} weights, loss {loss:.2f}")


if __name__ == "__main__":
    main(sys.argv[1])
