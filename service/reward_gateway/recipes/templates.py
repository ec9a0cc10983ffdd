"""Special tokens of chat templates, which dialects strip from texts that a policy's tokenizer wrote.

A policy that decodes its rollouts with special tokens sends ``<|im_end|>`` where a reward model expects the end of a
sentence. The tokens depend on the template; a recipe names it (``strip_template``), and nothing is guessed.
"""

import re
from typing import Literal, get_args

Template = Literal["chatml", "qwen", "llama2", "llama3", "mistral", "gemma", "phi", "deepseek", "zephyr"]

_ROLE = r"(?:system|user|assistant|tool|model|ipython|developer)"
_CHATML = rf"<\|im_start\|>(?:{_ROLE}(?=\n))?|<\|im_end\|>|<\|endoftext\|>"
_PATTERNS: dict[str, str] = {
    "chatml": _CHATML,
    "qwen": _CHATML,
    "llama2": r"</?s>|\[/?INST\]|<</?SYS>>",
    "llama3": rf"<\|start_header_id\|>{_ROLE}<\|end_header_id\|>|"
    r"<\|(?:begin_of_text|eot_id|eom_id|end_of_text)\|>",
    "mistral": r"</?s>|\[/?(?:INST|SYSTEM_PROMPT)\]",
    "gemma": rf"<(?:bos|eos)>|<start_of_turn>(?:{_ROLE}(?=\n))?|<end_of_turn>",
    "phi": rf"<\|(?:{_ROLE}|end|endoftext)\|>",
    "deepseek": r"<｜(?:begin▁of▁sentence|end▁of▁sentence|User|Assistant)｜>",
    "zephyr": rf"<\|{_ROLE}\|>|</s>",
}
_TOKENS = {name: re.compile(pattern) for name, pattern in _PATTERNS.items()}
assert set(_TOKENS) == set(get_args(Template))


def strip_special_tokens(text: str, template: str) -> str:
    """The text without the template's special tokens and role headers, which become line breaks between its parts."""
    pieces = _TOKENS[template].split(text)
    return text if len(pieces) == 1 else "\n".join(part for piece in pieces if (part := piece.strip()))
