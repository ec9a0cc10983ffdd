"""The byte-level BPE tokeniser that a GGUF file carries, as the ``tokenizer.json`` that ``tokenizers`` reads.

GGUF keeps the vocabulary, the merges and the names of the rule that cuts a text before the merges. The rule here is
SmolLM's: every digit alone, then GPT-2's pattern over bytes (Radford et al., 2019).
"""

import json
from pathlib import Path
from typing import Any

CONTROL = 3
"""GGUF's type of a token that stands for no text."""

RULES = {"smollm": [{"type": "Digits", "individual_digits": True}]}
"""GGUF's name of a rule -> what comes before GPT-2's pattern."""

BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def convert_tokenizer(source: Path, target: Path) -> None:
    """Write the tokeniser of a GGUF file.

    Raises:
        ValueError: it is not a byte-level BPE, or cuts texts by a rule that is not known here.
        KeyError: the file carries no tokeniser.
    """
    from gguf import GGUFReader  # only the build reads GGUF; a machine that serves does without

    fields: dict[str, Any] = GGUFReader(str(source)).fields

    def read(name: str) -> Any:
        return fields[f"tokenizer.ggml.{name}"].contents()

    kind, rule = read("model"), read("pre")
    if kind != "gpt2" or rule not in RULES:
        raise ValueError(f"its tokeniser is {kind} with the rule {rule}; known: gpt2 with {', '.join(RULES)}.")
    tokens, types = read("tokens"), read("token_type")
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": index, "content": token, **special}
            for index, (token, type_) in enumerate(zip(tokens, types, strict=True))
            if type_ == CONTROL
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*RULES[rule], BYTES]},
        "post_processor": None,
        "decoder": BYTES,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: index for index, token in enumerate(tokens)},
            "merges": read("merges"),
        },
    }
    target.write_text(json.dumps(content, ensure_ascii=False, indent=None, separators=(",", ":")), "utf-8")
