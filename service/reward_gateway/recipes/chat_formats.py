"""How a recipe wants rendered chat text to be read: the names that :mod:`reward_gateway.intake.chat_text` knows."""

from typing import Final, Literal

ChatFormatName = Literal[
    "auto",
    "none",
    "chatml",
    "qwen",
    "llama2",
    "llama3",
    "llama4",
    "mistral",
    "mixtral",
    "gemma",
    "gemma4",
    "phi3",
    "phi4",
    "zephyr",
    "tulu",
    "olmo2",
    "deepseek",
    "glm4",
    "command_r",
    "granite",
    "kimi",
    "vicuna",
    "alpaca",
    "human_assistant",
    "hh_rlhf",
    "harmony",
    "gpt_oss",
]
"""``auto`` recognises the format by its marks, ``none`` takes every text as it is."""

RequestChatFormat = Literal["recipe"] | ChatFormatName
"""What a request may ask for: a format, or ``recipe``, the one that the recipe names."""

PlainText = Literal["accept", "refuse"]
TemplateMarks = Literal["flag", "refuse"]

REPLACED_STRIP_TEMPLATE: Final = (
    "strip_template is gone: chat text is read back into messages without it. Remove the line, or name the format of "
    "the text with chat_format"
)
