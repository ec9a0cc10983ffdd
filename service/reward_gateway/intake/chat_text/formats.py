"""The table of chat formats. To add one, add a row here, or a file for it as ``harmony.py`` is one.

What a template adds by itself stands in its row (``added``, ``tidy``) and is removed, so that what is read is what was
rendered. ``tests/intake/chat_text/templates.py`` renders every row.
"""

import re
from dataclasses import replace

from reward_gateway.sample.turn_marks import END_MARKS

from . import offered_tools, system_lines, tidying
from .chat_format import ChatFormat
from .harmony import Harmony, tidy_harmony

_ROLE = r"(?P<role>[A-Za-z_]{1,32})"
_BARS_ROLE = r"(?P<role>system|user|assistant|observation|tool|tool_response|environment|developer)"
_NO_THINKING = re.compile(r"<think>(?:\n\n</think>\n\n|</think>)")
_WORDS = r"(?:\A\s*|[ \n]|(?<=>)|(?<=questions\.))"
_ASSISTANT = {"model": "assistant"}
_TOOL = {"observation": "tool", "environment": "tool", "tool_response": "tool", "ipython": "tool"}

CHATML = ChatFormat(
    "chatml",
    re.compile(rf"<\|im_start\|>{_ROLE}\n"),
    ("<|im_end|>",),
    added=_NO_THINKING,
    tidy=tidying.chain(
        tidying.split_tool_responses,
        tidying.remove_offer(offered_tools.remove_signatures, "system"),
        tidying.remove_effort,
        tidying.drop_system(*system_lines.CHATML),
    ),
    closers=("<|im_start|>assistant", "<|im_start|>assistant\n<think>\n\n</think>"),
)
PHI4 = ChatFormat(
    "phi4",
    re.compile(rf"<\|im_start\|>{_ROLE}<\|im_sep\|>"),
    ("<|im_end|>",),
    tidy=tidying.drop_system(*system_lines.PHI4),
    closers=("<|im_start|>assistant<|im_sep|>",),
)
KIMI = ChatFormat(
    "kimi",
    re.compile(
        r"<\|im_user\|>[^<]{0,64}<\|im_middle\|>(?P<user>)|<\|im_assistant\|>[^<]{0,64}<\|im_middle\|>(?P<assistant>)|"
        r"<\|im_system\|>(?P<role>[^<]{0,64})<\|im_middle\|>"
    ),
    ("<|im_end|>",),
    added=re.compile(r"<think></think>"),
    tidy=tidying.chain(
        tidying.read_kimi_return,
        tidying.drop_role("tool_declare"),
        tidying.drop_system(*system_lines.KIMI),
    ),
    closers=("<|im_assistant|>assistant<|im_middle|>", "[EOS]"),
)
LLAMA3 = ChatFormat(
    "llama3",
    re.compile(rf"<\|start_header_id\|>{_ROLE}<\|end_header_id\|>\n\n"),
    ("<|eot_id|>", "<|eom_id|>"),
    roles=_TOOL,
    tidy=tidying.chain(tidying.remove_llama_dates, tidying.remove_offer(offered_tools.remove_json, "system", "user")),
    closers=("<|start_header_id|>assistant<|end_header_id|>",),
)
LLAMA4 = ChatFormat(
    "llama4",
    re.compile(rf"<\|header_start\|>{_ROLE}<\|header_end\|>\n\n"),
    ("<|eot|>", "<|eom|>"),
    roles=_TOOL,
    tidy=tidying.chain(tidying.remove_llama_dates, tidying.remove_offer(offered_tools.remove_json, "system", "user")),
    closers=("<|header_start|>assistant<|header_end|>",),
)
_INST = r"(?:<s>)?{space}\[INST\]{after}(?P<user>)|{before}\[/INST\]{answer}(?P<assistant>)"
_MISTRAL_MORE = (
    r"|\[SYSTEM_PROMPT\](?P<system>)|\[TOOL_RESULTS\]\s?(?P<tool>)|\[/TOOL_RESULTS\](?P<assistant_>)"
    r"|\[AVAILABLE_TOOLS\](?P<tools>)"
)
_MISTRAL_ENDS = ("</s>", "[/SYSTEM_PROMPT]", "[/AVAILABLE_TOOLS]")
_MISTRAL_TIDY = tidying.chain(
    tidying.drop_role("tools"),
    tidying.read_mistral_result,
    tidying.drop_system(*system_lines.MISTRAL),
)
LLAMA2 = ChatFormat(
    "llama2",
    re.compile(_INST.format(space=r"\s?", after=" ?", before=" ?", answer=" ?")),
    ("</s>",),
    closed=False,
    tidy=tidying.chain(tidying.split_system, tidying.drop_system(*system_lines.LLAMA2)),
    spaced=True,
    closers=("[INST]",),
)
MISTRAL_SPACED = ChatFormat(
    "mistral",
    re.compile(_INST.format(space=r"\s?", after=" ", before=" ?", answer=" ?") + _MISTRAL_MORE),
    _MISTRAL_ENDS,
    closed=False,
    tidy=_MISTRAL_TIDY,
    spaced=True,
    closers=("[INST]",),
)
"""Mistral's first templates, with spaces around ``[INST]`` and before ``[/INST]``; Llama 2's without a system turn."""
MISTRAL_V3 = ChatFormat(
    "mistral",
    re.compile(_INST.format(space="", after=" ", before="", answer=" ?") + _MISTRAL_MORE),
    _MISTRAL_ENDS,
    closed=False,
    tidy=_MISTRAL_TIDY,
    closers=("[INST]",),
)
"""The third, with a space after either mark."""
MISTRAL_TEKKEN = ChatFormat(
    "mistral",
    re.compile(_INST.format(space="", after="", before="", answer="") + _MISTRAL_MORE),
    _MISTRAL_ENDS,
    closed=False,
    tidy=_MISTRAL_TIDY,
    closers=("[INST]",),
)
"""The templates since Tekken, without spaces."""
GEMMA = ChatFormat(
    "gemma",
    re.compile(r"<start_of_turn>(?P<role>user|model|system|developer|tool)\n"),
    ("<end_of_turn>",),
    _ASSISTANT,
    closers=("<start_of_turn>model",),
)
GEMMA4 = ChatFormat(
    "gemma4",
    re.compile(r"<\|turn>(?P<role>user|model|system|developer|tool)\n"),
    ("<turn|>",),
    _ASSISTANT,
    added=re.compile(r"<\|channel>thought\n<channel\|>"),
    tidy=tidying.chain(
        tidying.remove_offer(offered_tools.remove_declarations, "system"),
        tidying.drop_system(*system_lines.GEMMA4),
        tidying.remove_think_mark,
    ),
    closers=("<|turn>model",),
)
PHI3 = ChatFormat(
    "phi3",
    re.compile(rf"<\|{_BARS_ROLE}\|>\n"),
    ("<|end|>",),
    _TOOL,
    tidy=tidying.decode_tool_json,
    closers=("<|assistant|>",),
)
PHI4_MINI = replace(PHI3, header=re.compile(rf"<\|{_BARS_ROLE}\|>"))
"""Without line breaks after the headers."""
ZEPHYR = ChatFormat(
    "zephyr",
    re.compile(rf"<\|{_BARS_ROLE}\|>\n"),
    ("</s>", "<|endoftext|>"),
    _TOOL,
    tidy=tidying.drop_system(*system_lines.ZEPHYR),
    closers=("<|assistant|>",),
)
TULU = ChatFormat(
    "tulu",
    re.compile(rf"(?:(?:\A|\n|(?<=>))<\|{_BARS_ROLE}\|>\n)"),
    ("</s>", "<|endoftext|>", "<|end_of_text|>"),
    _TOOL,
    closed=False,
    tidy=tidying.drop_system(*system_lines.TULU),
    closers=("<|assistant|>",),
)
"""Tulu and OLMo 2: only the assistant's turns have an end mark."""
GLM4 = ChatFormat(
    "glm4",
    re.compile(rf"(?:\[gMASK\]<?sop>?\s*)?<\|{_BARS_ROLE}\|>\n?"),
    ("<|endoftext|>",),
    _TOOL,
    closed=False,
    added=re.compile(r"<think></think>\n?"),
    tidy=tidying.chain(
        tidying.split_tool_responses,
        tidying.remove_offer(offered_tools.remove_signatures, "system"),
        tidying.drop_system(*system_lines.GLM4),
        tidying.remove_no_thinking,
    ),
    silent=True,
    closers=("<|user|>", "<|observation|>", "<|assistant|>", "<|assistant|>\n<think></think>"),
)
DEEPSEEK = ChatFormat(
    "deepseek",
    re.compile(
        r"<｜User｜>(?P<user>)|<｜Assistant｜>(?P<assistant>)|"
        r"(?:<｜tool▁outputs▁begin｜>)?\s?<｜tool▁output▁begin｜>(?P<tool>)|"
        r"<｜tool▁outputs▁end｜>(?:<｜end▁of▁sentence｜><｜Assistant｜>)?(?P<assistant_>)|<｜tool▁output▁end｜>(?!\s?<｜tool▁output)(?P<assistant__>)"
    ),
    ("<｜end▁of▁sentence｜>", "<｜tool▁output▁end｜>"),
    closed=False,
    added=re.compile(r"</think>|<think>\s*</think>\n*"),
    tidy=tidying.chain(tidying.remove_offer(offered_tools.remove_signatures, "system"), tidying.remove_blank_line),
    leads=True,
    closers=("<｜User｜>", "<｜Assistant｜>", "<｜Assistant｜></think>"),
)
COMMAND_R = ChatFormat(
    "command_r",
    re.compile(r"<\|START_OF_TURN_TOKEN\|><\|(?P<role>SYSTEM|USER|CHATBOT)_TOKEN\|>"),
    ("<|END_OF_TURN_TOKEN|>", "<|END_RESPONSE|>"),
    {"chatbot": "assistant"},
    added=re.compile(r"<\|START_RESPONSE\|>"),
    tidy=tidying.chain(
        tidying.split_tool_responses,
        tidying.remove_command_preamble,
        tidying.remove_offer(offered_tools.remove_signatures, "system"),
        tidying.drop_system(*system_lines.COMMAND_R),
    ),
    closers=("<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>", "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>"),
)
GRANITE = ChatFormat(
    "granite",
    re.compile(r"<\|start_of_role\|>(?P<role>[A-Za-z_]{1,32})[^<]{0,256}<\|end_of_role\|>"),
    ("<|end_of_text|>",),
    _TOOL,
    tidy=tidying.chain(
        tidying.drop_role("available_tools", "tools", "document", "documents"),
        tidying.remove_offer(offered_tools.remove_signatures, "system"),
        tidying.drop_system(*system_lines.GRANITE),
    ),
    closers=("<|start_of_role|>assistant<|end_of_role|>",),
)
VICUNA = ChatFormat(
    "vicuna",
    re.compile(rf"{_WORDS}(?P<role>USER|ASSISTANT|SYSTEM):[ ]?"),
    END_MARKS,
    closed=False,
    tidy=tidying.chain(
        tidying.strip_system,
        tidying.drop_system(*system_lines.VICUNA),
    ),
    leads=True,
    closers=(" USER:", "\nUSER:", " ASSISTANT:", "\nASSISTANT:", "ASSISTANT:"),
)
ALPACA = ChatFormat(
    "alpaca",
    re.compile(r"(?:\A\s*|\n{1,2}|(?<=>))### (?:Instruction:\n?(?P<user>)|Response:\n?(?P<assistant>))"),
    END_MARKS,
    closed=False,
    tidy=tidying.chain(
        tidying.strip_system,
        tidying.join_alpaca_input,
        tidying.drop_system(*system_lines.ALPACA),
    ),
    leads=True,
    closers=("\n\n### Instruction:", "\n\n### Response:", "### Response:"),
)
_PEOPLE = {"human": "user"}
_PERSON = r"(?P<role>Human|User|Assistant|System):[ ]?"
HUMAN_ASSISTANT = ChatFormat(
    "human_assistant",
    re.compile(rf"(?:\A\s*|\n|(?<=>)){_PERSON}"),
    END_MARKS,
    _PEOPLE,
    closed=False,
    closers=("\nHuman:", "\nAssistant:"),
)
"""LLaMA-Factory's ``default``: a line per turn."""
HH_RLHF = ChatFormat(
    "human_assistant",
    re.compile(rf"(?:\A\s*|\n\n|(?<=>)){_PERSON}"),
    END_MARKS,
    _PEOPLE,
    closed=False,
    closers=("\n\nHuman:", "\n\nAssistant:"),
)
"""The data of hh-rlhf: a blank line before every turn."""
HARMONY = Harmony(
    "harmony",
    re.compile(
        r"<\|start\|>(?:assistant(?P<assistant>)|(?P<role>[^<\s]{1,128})"
        r"[^<]{0,256}(?:<\|channel\|>[^<]{0,128})?<\|message\|>)"
    ),
    ("<|end|>", "<|return|>", "<|call|>"),
    tidy=tidy_harmony,
    closers=("<|start|>assistant",),
)
