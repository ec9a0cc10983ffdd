"""Make small checkpoints of random weights, with tokenizers and chat templates; no download.

    python checkpoints.py FOLDER NAME [SEED]

NAME is one of ``CHECKPOINTS``. Another seed gives other weights for the same tokenizer.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import torch
from tokenizers import AddedToken, Tokenizer, decoders
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    Idefics3Config,
    Idefics3ImageProcessorPil,
    Idefics3Model,
    Idefics3PreTrainedModel,
    Idefics3Processor,
    Idefics3VisionConfig,
    LlamaConfig,
    LlamaForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2Model,
    Qwen2PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3ForSequenceClassification,
    set_seed,
)

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "{% for call in message.tool_calls or [] %}[{{ call.function.name }} {{ call.function.arguments | tojson }}]"
    "{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
VISION_TEMPLATE = TEMPLATE.replace(
    "{{ message['content'] }}",
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}",
)
TAG = "ки"
"""Behind each step, as Math-Shepherd writes it."""

BOS, PAD, END, START = "<|bos|>", "<|pad|>", "<|im_end|>", "<|im_start|>"
IMAGE_MARKS = ("<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>")
EDGE = 56
"""Pixels of an image's longer edge."""

CORPUS = ("What is 2 + 2? yes no assistant user step + - 2 + 2 is 4. The capital of France",)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Bytes and some pairs, with the marks of ChatML; each text gets a BOS unless it is told not to. ``+`` and ``-``
    are tokens of their own, as a space and each are."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = Sequence(
        [Split(" ?[+-]", "isolated"), ByteLevel(add_prefix_space=False, use_regex=True)]
    )  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        CORPUS * 20, BpeTrainer(vocab_size=320, initial_alphabet=ByteLevel.alphabet(), show_progress=False)
    )
    tokenizer.add_special_tokens([AddedToken(mark, special=True) for mark in (BOS, PAD, START, END)])
    tokenizer.add_tokens([TAG])
    bos = tokenizer.token_to_id(BOS)
    tokenizer.post_processor = TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, bos)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, chat_template=TEMPLATE, bos_token=BOS, pad_token=PAD, eos_token=END,
        clean_up_tokenization_spaces=False, model_max_length=256,
    )  # fmt: skip


def decoder_sizes(tokenizer: PreTrainedTokenizerFast, labels: int = 1) -> dict[str, object]:
    """Two layers of two heads; vLLM's attention on a CPU takes heads of 64."""
    return {
        "vocab_size": len(tokenizer), "hidden_size": 128, "intermediate_size": 192, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 64, "max_position_embeddings": 512,
        "num_labels": labels, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id, "tie_word_embeddings": False, "initializer_range": 0.2,
    }  # fmt: skip


def make_reward(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """A reward model with one score."""
    return LlamaForSequenceClassification(LlamaConfig(**decoder_sizes(tokenizer)))


def make_labels(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """A reward model with three named scores."""
    names = {0: "helpful", 1: "honest", 2: "brief"}
    config = Qwen3Config(**decoder_sizes(tokenizer, 3), id2label=names, label2id={v: k for k, v in names.items()})
    return Qwen3ForSequenceClassification(config)


class Qwen2ForProcessRewardModel(Qwen2PreTrainedModel):  # type: ignore[misc]
    """As the code beside Qwen2.5-Math-PRM has it: two scores per token, bad and good."""

    def __init__(self, config: Qwen2Config) -> None:
        super().__init__(config)
        self.model = Qwen2Model(config)
        size = config.hidden_size
        self.score = torch.nn.Sequential(torch.nn.Linear(size, size), torch.nn.ReLU(), torch.nn.Linear(size, 2))
        self.post_init()

    def forward(self, **tokens: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.score(self.model(**tokens).last_hidden_state))


def make_process(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """A process model."""
    sizes = decoder_sizes(tokenizer, 2)
    del sizes["head_dim"]  # 128 / 2
    return Qwen2ForProcessRewardModel(Qwen2Config(**sizes))


def make_words(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """A language model."""
    return Qwen3ForCausalLM(Qwen3Config(**decoder_sizes(tokenizer) | {"initializer_range": 0.05}))


def make_cross_encoder(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """An encoder that reads a pair."""
    return BertForSequenceClassification(
        BertConfig(
            vocab_size=len(tokenizer), hidden_size=128, intermediate_size=192, num_hidden_layers=2,
            num_attention_heads=2, max_position_embeddings=256, num_labels=1, initializer_range=0.2,
            pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip


class Idefics3ForConditionalGeneration(Idefics3PreTrainedModel):  # type: ignore[misc]
    """A vision-language model with a head, under the name of the one without, of which vLLM makes such a model."""

    def __init__(self, config: Idefics3Config) -> None:
        super().__init__(config)
        self.model = Idefics3Model(config)
        self.score = torch.nn.Linear(config.text_config.hidden_size, 1, bias=False)
        self.post_init()

    def forward(self, **tokens: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.score(self.model(**tokens).last_hidden_state[:, -1]))


def make_vision(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """A reward model that sees: four tokens for each image, between marks."""
    tokenizer.add_special_tokens({"additional_special_tokens": list(IMAGE_MARKS)})
    tokenizer.chat_template = VISION_TEMPLATE
    eyes = Idefics3VisionConfig(
        hidden_size=128, intermediate_size=192, num_hidden_layers=2, num_attention_heads=2, image_size=EDGE,
        patch_size=EDGE // 4, initializer_range=0.2,
    )  # fmt: skip
    text = LlamaConfig(**decoder_sizes(tokenizer))
    config = Idefics3Config(
        vision_config=eyes, text_config=text, image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2, pad_token_id=tokenizer.pad_token_id, num_labels=1,
    )  # fmt: skip
    return Idefics3ForConditionalGeneration(config)


def make_processor(tokenizer: PreTrainedTokenizerFast) -> Idefics3Processor:
    """What makes tokens of texts and images for it."""
    edge = {"longest_edge": EDGE}
    eyes = Idefics3ImageProcessorPil(size=edge, max_image_size=edge, do_image_splitting=False)
    return Idefics3Processor(eyes, tokenizer, image_seq_len=4, chat_template=VISION_TEMPLATE)


CHECKPOINTS: dict[str, Callable[[PreTrainedTokenizerFast], PreTrainedModel]] = {
    "reward": make_reward,
    "labels": make_labels,
    "process": make_process,
    "words": make_words,
    "cross_encoder": make_cross_encoder,
    "vision": make_vision,
}


def read_by_older_transformers(file: Path) -> None:
    """infinity's does not know the class that a newer one writes."""
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"tokenizer_class": "PreTrainedTokenizerFast"}))


def main(folder: str, name: str, seed: str = "1") -> None:
    """Write a checkpoint."""
    set_seed(int(seed))
    tokenizer = make_tokenizer()
    model = CHECKPOINTS[name](tokenizer).to(torch.float32)
    tokenizer.save_pretrained(folder)
    model.config.save_pretrained(folder)
    AutoTokenizer.from_pretrained(folder).save_pretrained(folder)  # as it is read, which depends on the model's type
    read_by_older_transformers(Path(folder) / "tokenizer_config.json")
    if name == "vision":
        make_processor(tokenizer).save_pretrained(folder)
    model.save_pretrained(folder, save_original_format=False)  # names as vLLM reads them


if __name__ == "__main__":
    main(*sys.argv[1:])
