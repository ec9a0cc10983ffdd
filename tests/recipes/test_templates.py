"""Special tokens of a chat template go; what was said stays."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.recipes.templates import Template, strip_special_tokens

WRITTEN = {
    "chatml": "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nSo.<|im_end|>\n",
    "qwen": "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nSo.<|im_end|><|endoftext|>",
    "llama2": "<s>[INST] Why? [/INST] So.</s>",
    "llama3": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWhy?<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\nSo.<|eot_id|>",
    "mistral": "<s>[INST] Why? [/INST] So.</s>",
    "gemma": "<bos><start_of_turn>user\nWhy?<end_of_turn>\n<start_of_turn>model\nSo.<end_of_turn>\n",
    "phi": "<|user|>\nWhy?<|end|>\n<|assistant|>\nSo.<|end|>\n",
    "deepseek": "<｜begin▁of▁sentence｜><｜User｜>Why?<｜Assistant｜>So.<｜end▁of▁sentence｜>",
    "zephyr": "<|user|>\nWhy?</s>\n<|assistant|>\nSo.</s>\n",
}


@pytest.mark.parametrize("template", get_args(Template))
def test_two_turns_are_two_lines(template: str) -> None:
    assert strip_special_tokens(WRITTEN[template], template) == "Why?\nSo."


@given(st.text(alphabet=st.characters(exclude_characters="<[")), st.sampled_from(get_args(Template)))
def test_a_text_without_tokens_stays_as_it_is(text: str, template: str) -> None:
    assert strip_special_tokens(text, template) == text
