"""Tiny checkpoints with random weights, to try out and to test: ``python -m reward_models.convert.tiny KIND DIR``.

Each has the shape of a real kind: the same classes of ``transformers``, the same files, a tokeniser trained on a few
sentences. Their scores mean nothing.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from reward_models.convert.samples import EXCHANGES, WORDS

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
LLAMA = (
    "{{ bos_token }}{%- if strftime_now is defined %}{{ 'Today: ' + strftime_now('%d %b %Y') + '\\n' }}{%- endif %}\n"
    "{%- for message in messages %}\n"
    "{{- '<|start|>' + message.role + '\\n' + message.content | trim + '<|end|>' }}\n"
    "{%- endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role') }}{% endif %}"
    "{% for message in messages %}{{ '<|start|>' + ('model' if message['role'] == 'assistant' else message['role']) "
    "+ '\\n' + message['content'] | trim + '<|end|>\\n' }}{% endfor %}"
)
SPECIALS = ["<pad>", "<s>", "</s>", "<unk>", "<|im_start|>", "<|im_end|>", "<|start|>", "<|end|>", "<extra_0>"]
ENDS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
BASE: Mapping[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
}
DECODER: Mapping[str, Any] = {**BASE, "num_key_value_heads": 1, "bos_token_id": 1, "eos_token_id": 2, "head_dim": 8}


def bytes_tokenizer(template: str = "", **said: Any) -> Any:
    """A byte-level BPE as decoders have it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(make_corpus(), trainer)
    fast = hf.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **ENDS, **said)
    if template:
        fast.chat_template = template
    return fast


def pieces_tokenizer(**said: Any) -> Any:
    """A WordPiece as BERT has it, with pairs."""
    specials = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(
        make_corpus(), trainers.WordPieceTrainer(vocab_size=200, special_tokens=specials, show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    return hf.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names, **said)


def make_corpus() -> list[str]:
    """A few sentences."""
    return [WORDS, *(text for pair in EXCHANGES for text in pair)]


def make_network(model: Any, config: Any) -> Any:
    """A network with random weights, far enough from one another that scores differ."""
    torch.manual_seed(0)
    made = model(config).eval()
    for parameter in made.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return made


def make_encoder(name: str, **said: Any) -> Callable[[Path], None]:
    """A sequence classifier that reads pairs."""

    def make(folder: Path) -> None:
        tokenizer = pieces_tokenizer(model_max_length=128, **({} if name == "Bert" else {"model_input_names": PLAIN}))
        save_classifier(folder, tokenizer, name, "SequenceClassification", {**BASE, "num_labels": 1, **said})

    return make


PLAIN = ["input_ids", "attention_mask"]


def make_decoder(name: str, template: str, task: str = "SequenceClassification", **said: Any) -> Callable[[Path], None]:
    """A classifier of sequences or tokens on a decoder."""

    def make(folder: Path) -> None:
        save_classifier(
            folder,
            bytes_tokenizer(template, model_max_length=1 << 40),
            name,
            task,
            {**DECODER, "num_labels": 1, **said},
        )

    return make


def save_classifier(folder: Path, tokenizer: Any, name: str, task: str, said: dict[str, Any]) -> None:
    """Write a classifier and its tokeniser."""
    config = getattr(hf, f"{name}Config")(vocab_size=len(tokenizer), **said)
    make_network(getattr(hf, f"{name}For{task}"), config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def process_reward(folder: Path) -> None:
    """The shape of Qwen2.5-Math-PRM: Qwen2 and two layers, judged at <extra_0>."""
    write_backbone(folder, {"score.0": (16, 16), "score.2": (2, 16)}, "Qwen2ForProcessRewardModel", CHATML)


def value_head(folder: Path) -> None:
    """A value head beside Qwen2, as Skywork's process reward models have it: judged at line ends."""
    write_backbone(folder, {"v_head.summary": (1, 16)}, "Qwen2ForPrmModel", CHATML)


def write_critic(folder: Path) -> None:
    """The text side of a critic: a backbone and two layers on the last token (BaseReward), or on the mean."""
    write_backbone(folder, {"v_head.0": (16, 16), "v_head.2": (1, 16)}, "Qwen2ForCausalLM", CHATML)


def write_backbone(
    folder: Path,
    head: Mapping[str, tuple[int, int]],
    architecture: str,
    template: str,
    more: Mapping[str, torch.Tensor] | None = None,
    prefix: str = "model.",
    **said: Any,
) -> None:
    """Write Qwen2 or Llama without a language head, and linear layers beside it; code that it names is not there."""
    name = "Llama" if architecture.startswith("Llama") else "Qwen2"
    tokenizer = bytes_tokenizer(template, model_max_length=1 << 40)
    model = make_network(
        getattr(hf, f"{name}Model"), getattr(hf, f"{name}Config")(vocab_size=len(tokenizer), **DECODER)
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    tensors = {f"{prefix}{name}": value.contiguous() for name, value in model.state_dict().items()} | dict(more or {})
    for name, shape in head.items():
        tensors |= {f"{name}.weight": 0.3 * torch.randn(shape), f"{name}.bias": 0.1 * torch.randn(shape[0])}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config |= {"architectures": [architecture], "auto_map": {"AutoModel": "modeling.py"}, **said}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")


def write_sentencepiece(folder: Path) -> None:
    """Llama with SentencePiece's model as its only tokeniser, as first published; needs ``sentencepiece``."""
    import sentencepiece

    with (folder / "tokenizer.model").open("wb") as model:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(make_corpus() * 20),
            model_writer=model,
            vocab_size=420,
            model_type="bpe",
            byte_fallback=True,
            minloglevel=2,
        )
    config = hf.LlamaConfig(vocab_size=420, num_labels=1, **{**DECODER, "pad_token_id": 2})
    make_network(hf.LlamaForSequenceClassification, config).save_pretrained(folder)
    said = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(said), "utf-8")
    (folder / "chat_template.jinja").write_text(LLAMA, "utf-8")


def write_pickled(folder: Path) -> None:
    """BERT whose weights are a pickle of bfloat16 tensors, ``pytorch_model.bin``, in two parts."""
    make_encoder("Bert")(folder)
    tensors = {name: value.bfloat16() for name, value in load_file(folder / "model.safetensors").items()}
    (folder / "model.safetensors").unlink()
    index: dict[str, str] = {}
    for part in range(2):
        held = {name: value for k, (name, value) in enumerate(sorted(tensors.items())) if k % 2 == part}
        file = f"pytorch_model-{part + 1:05}-of-00002.bin"
        torch.save(held, folder / file)
        index |= dict.fromkeys(held, file)
    said = {"metadata": {}, "weight_map": index}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(said), "utf-8")


def write_gated(folder: Path) -> None:
    """ArmoRM's shape: Llama, three objectives, and gates of two layers that read where the assistant's turn begins."""
    write_backbone(
        folder,
        {"regression_layer": (3, 16), "gating.layers.0": (8, 16), "gating.layers.1": (3, 8)},
        "LlamaForRewardModelWithGating",
        CHATML,
        {"reward_transform_matrix": torch.randn(3, 3), "gating.logit_scale": torch.tensor([1.5])},
        gating_temperature=0.5,
    )


def write_quantiles(folder: Path) -> None:
    """QRM's shape: ArmoRM's with four quantiles for each objective, and normalisations behind the gates' layers."""
    torch.manual_seed(0)
    norm = {"weight": 1 + 0.3 * torch.randn(8), "bias": 0.3 * torch.randn(8), "running_mean": 0.3 * torch.randn(8)}
    norm |= {"running_var": 0.5 + torch.rand(8), "num_batches_tracked": torch.tensor(7)}
    more = {f"gating.layers.{layer}.{name}": value.clone() for layer in (2, 5) for name, value in norm.items()}
    more |= {"gating.layers.0.weight": torch.randn(8, 16), "gating.layers.3.weight": torch.randn(8, 8)}
    more |= {"regression_layer.weight": torch.randn(12, 16), "gating.logit_scale": torch.tensor([1.5])}
    more["reward_transform_matrix"] = torch.randn(3, 3)
    said: dict[str, Any] = {"gating_temperature": 0.5, "num_quantiles": 4, "num_objectives": 3}
    write_backbone(folder, {"gating.layers.6": (3, 8)}, "LlamaForRewardModelWithGating", CHATML, more, **said)


def write_weighed(folder: Path) -> None:
    """URM's shape: Llama, three pairs of mean and deviation, and three gates of three layers."""
    more = {"score.weight": torch.randn(6, 16)}
    gates = {"weights.fc.0": (16, 16), "weights.fc.2": (16, 16), "weights.fc.4": (3, 16)}
    write_backbone(folder, gates, "LlamaForSequenceClassificationWithNormal_Weights", CHATML, more)


def write_beaver(folder: Path) -> None:
    """The shape of safe-rlhf's reward models: one layer, and a mean and variance that apply."""
    said: dict[str, Any] = {"score_type": "reward", "do_normalize": True, "mean": [0.7], "var": [4.0]}
    held = {"normalizer.mean": torch.tensor([0.7]), "normalizer.var": torch.tensor([4.0])}
    write_backbone(folder, {"score_head": (1, 16)}, "LlamaForScore", CHATML, held, **said)


def write_starling(folder: Path) -> None:
    """A backbone under the name ``transformer``, as Starling's code has it, and a value head."""
    write_backbone(folder, {"v_head": (1, 16)}, "LlamaForCausalLM", CHATML, prefix="transformer.")


MADE: Mapping[str, Callable[[Path], None]] = {
    "bert": make_encoder("Bert"),
    "roberta": make_encoder(
        "Roberta", type_vocab_size=1, num_labels=3, id2label={0: "helpful", 1: "honest", 2: "harmless"}
    ),
    "deberta": make_encoder(
        "DebertaV2",
        relative_attention=True,
        position_buckets=16,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        max_relative_positions=-1,
        position_biased_input=False,
        type_vocab_size=0,
    ),
    "modernbert": make_encoder("ModernBert", local_attention=16, cls_token_id=1, sep_token_id=2, type_vocab_size=None),
    "pickled": write_pickled,
    "sentencepiece": write_sentencepiece,
    "llama": make_decoder("Llama", LLAMA),
    "llama-unpadded": make_decoder("Llama", LLAMA, pad_token_id=None),
    "qwen2": make_decoder("Qwen2", CHATML, pad_token_id=5),
    "qwen3": make_decoder("Qwen3", CHATML),
    "mistral": make_decoder("Mistral", LLAMA, sliding_window=16),
    "gemma": make_decoder("Gemma", GEMMA),
    "gemma2": make_decoder("Gemma2", GEMMA, sliding_window=16, query_pre_attn_scalar=8),
    "step-tokens": make_decoder("Qwen2", CHATML, "TokenClassification", num_labels=2),
    "process-reward": process_reward,
    "value-head": value_head,
    "critic": write_critic,
    "language": make_decoder("Mistral", LLAMA, "CausalLM", sliding_window=64),
    "gated": write_gated,
    "beaver": write_beaver,
    "starling": write_starling,
    "qrm": write_quantiles,
    "urm": write_weighed,
}
"""Name -> what writes such a checkpoint over texts into a folder; those over images are in ``tiny_images``."""


def everything() -> Mapping[str, Callable[[Path], None]]:
    """Those over texts and those over images."""
    from reward_models.convert.tiny_images import IMAGES

    return {**MADE, **IMAGES}


def main() -> None:
    """Write one."""
    parser = argparse.ArgumentParser(prog="reward_models.convert.tiny", description=__doc__)
    parser.add_argument("kind", choices=everything())
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    everything()[arguments.kind](arguments.folder)


if __name__ == "__main__":
    main()
