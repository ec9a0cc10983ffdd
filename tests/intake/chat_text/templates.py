"""What chat templates make of a conversation: for every format, small templates that write as published ones do.

Each says what it loses (:class:`Rendering`): what a published template trims, merges or drops cannot be read back.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jinja2

Message = Mapping[str, Any]

_ENVIRONMENT = jinja2.Environment(autoescape=False, keep_trailing_newline=True)  # no HTML
_ENVIRONMENT.filters["tojson"] = partial(json.dumps, ensure_ascii=False)  # as transformers has it


@dataclass(frozen=True)
class Rendering:
    """A template, and what it does to a conversation.

    Attributes:
        name: of the template, for the tests.
        chat_format: of the format that reads it.
        source: writes ``messages``, and with ``generate`` the header of the assistant's turn.
        end: what a policy writes at the end of its response.
        system: what becomes of a system turn: it stays, is merged into a user turn, or there can be none.
        trims: contents lose white space at their ends.
        tools: it writes turns of tools.
        closed: marks end every turn, so that contents may end with marks of other formats and with white space.
        silent: it writes no turn without words.
        strips_last: the last turn loses line breaks at its beginning.
        own: marks that no content may hold.
    """

    name: str
    chat_format: str
    source: str
    end: str
    system: Literal["kept", "merged", "none"] = "kept"
    trims: bool = False
    tools: bool = False
    closed: bool = True
    silent: bool = False
    strips_last: bool = False
    own: tuple[str, ...] = ()

    def render(self, messages: Sequence[Message], *, generate: bool = False) -> str:
        template = _ENVIRONMENT.from_string(self.source)
        return template.render(messages=messages, generate=generate, date="29 Nov 2026")

    @property
    def header(self) -> str:
        """What opens the assistant's turn after a question; empty if the question's end does."""
        question = [{"role": "user", "content": "?"}]
        asked = self.render(question).removesuffix("<|endoftext|>")
        return self.render(question, generate=True).removeprefix(asked)


_CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if generate %}<|im_start|>assistant\n{% endif %}"
)
_QWEN25 = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. "
    "You are a helpful assistant.<|im_end|>\n{% endif %}" + _CHATML
)
_QWEN3 = """\
{%- for m in messages -%}
{%- if m.role == 'tool' -%}
{%- if messages[loop.index0 - 1].role != 'tool' %}{{ '<|im_start|>user' }}{% endif -%}
{{ '\\n<tool_response>\\n' + m.content + '\\n</tool_response>' }}
{%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{ '<|im_end|>\\n' }}{% endif -%}
{%- elif m.role == 'assistant' and loop.last -%}
{{ '<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' + m.content.lstrip('\\n') + '<|im_end|>\\n' }}
{%- else -%}
{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}
{%- endif -%}
{%- endfor -%}
{%- if generate %}{{ '<|im_start|>assistant\\n' }}{% endif -%}
"""
_LLAMA2 = """\
{%- set ns = namespace(system='') -%}
{%- for m in messages -%}
{%- if m.role == 'system' %}{% set ns.system = '<<SYS>>\\n' + m.content + '\\n<</SYS>>\\n\\n' %}
{%- elif m.role == 'user' -%}{{ '<s>[INST] ' + (ns.system + m.content).strip() + ' [/INST]' }}{%- set ns.system = '' -%}
{%- else -%}{{ ' ' + m.content.strip() + ' </s>' }}{%- endif -%}
{%- endfor -%}
"""
_MISTRAL = """\
{%- set ns = namespace(system='') -%}<s>
{%- for m in messages -%}
{%- if m.role == 'system' %}{% set ns.system = m.content + '\\n\\n' %}
{%- elif m.role == 'user' -%}{{ OPEN + ns.system + m.content + CLOSE }}{%- set ns.system = '' -%}
{%- else -%}{{ ANSWER + m.content + '</s>' }}{%- endif -%}
{%- endfor -%}
"""
_MISTRAL_V7 = (
    "<s>{% for m in messages %}{% if m.role == 'system' %}[SYSTEM_PROMPT]{{ m.content }}[/SYSTEM_PROMPT]"
    "{% elif m.role == 'user' %}[INST]{{ m.content }}[/INST]{% else %}{{ m.content }}</s>{% endif %}{% endfor %}"
)
_LLAMA3 = (
    "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content.strip() }}<|eot_id|>{% endfor %}"
    "{% if generate %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
_LLAMA31 = """\
{%- set system = messages[0].content.strip() if messages[0].role == 'system' else '' -%}
{{ '<|begin_of_text|><|start_header_id|>system<|end_header_id|>\\n\\nCutting Knowledge Date: December 2023\\n'
   + 'Today Date: ' + date + '\\n\\n' + system + '<|eot_id|>' }}
{%- for m in messages if m.role != 'system' -%}
{%- if m.role == 'tool' -%}
{{ '<|start_header_id|>ipython<|end_header_id|>\\n\\n' + (m.content | tojson) + '<|eot_id|>' }}
{%- else -%}
{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' + m.content.strip() + '<|eot_id|>' }}
{%- endif -%}
{%- endfor -%}
{%- if generate %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif -%}
"""
_LLAMA4 = _LLAMA3.replace("<|start_header_id|>", "<|header_start|>").replace("<|end_header_id|>", "<|header_end|>")
_LLAMA4 = _LLAMA4.replace("<|eot_id|>", "<|eot|>")
_GEMMA = """\
{%- set ns = namespace(system='') -%}<bos>
{%- for m in messages -%}
{%- if m.role == 'system' %}{% set ns.system = m.content.strip() + '\\n\\n' %}
{%- else -%}
{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\\n' + ns.system + m.content.strip() }}
{{- '<end_of_turn>\\n' }}{%- set ns.system = '' -%}
{%- endif -%}
{%- endfor -%}
{%- if generate %}{{ '<start_of_turn>model\\n' }}{% endif -%}
"""
_GEMMA4 = (
    "<bos>{% for m in messages %}<|turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content.strip() }}"
    "<turn|>\n{% endfor %}{% if generate %}<|turn>model\n{% endif %}"
)
_PHI3 = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if generate %}<|assistant|>\n{% else %}<|endoftext|>{% endif %}"
)
_PHI4_MINI = (
    "{% for m in messages %}{% if m.role == 'tool' %}<|tool_response|>{{ m.content | tojson }}<|end|>{% else %}"
    "<|{{ m.role }}|>{{ m.content }}<|end|>{% endif %}{% endfor %}"
    "{% if generate %}<|assistant|>{% else %}<|endoftext|>{% endif %}"
)
_PHI4 = (
    "{% for m in messages %}<|im_start|>{{ m.role }}<|im_sep|>{{ m.content }}<|im_end|>{% endfor %}"
    "{% if generate %}<|im_start|>assistant<|im_sep|>{% endif %}"
)
_ZEPHYR = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}</s>\n{% endfor %}"
    "{% if generate %}<|assistant|>\n{% endif %}"
)
_TULU = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}"
    "{% if m.role == 'assistant' %}EOS{% if not loop.last %}\n{% endif %}{% else %}\n{% endif %}{% endfor %}"
    "{% if generate %}<|assistant|>\n{% endif %}"
)
_GLM4 = (
    "[gMASK]<sop>{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"
    "{% if generate %}<|assistant|>{% endif %}"
)
_GLM46 = """\
{{ '[gMASK]<sop>' }}
{%- for m in messages -%}
{%- if m.role == 'assistant' -%}{{ '<|assistant|>\\n<think></think>\\n' + m.content.strip() }}
{%- elif m.role == 'tool' -%}
{%- if messages[loop.index0 - 1].role != 'tool' %}{{ '<|observation|>' }}{% endif -%}
{{ '\\n<tool_response>\\n' + m.content + '\\n</tool_response>' }}
{%- else -%}{{ '<|' + m.role + '|>\\n' + m.content }}{%- endif -%}
{%- endfor -%}
{%- if generate %}{{ '<|assistant|>\\n<think></think>\\n' }}{% endif -%}
"""
_DEEPSEEK = """\
{{ '<｜begin▁of▁sentence｜>' + (messages[0].content if messages[0].role == 'system' else '') }}
{%- for m in messages -%}
{%- if m.role == 'user' -%}{{ '<｜User｜>' + m.content }}
{%- elif m.role == 'assistant' -%}
{%- if messages[loop.index0 - 1].role != 'tool' %}{{ '<｜Assistant｜>OPEN' }}{% endif -%}
{{ m.content + '<｜end▁of▁sentence｜>' }}
{%- elif m.role == 'tool' -%}
{%- if messages[loop.index0 - 1].role != 'tool' %}{{ '<｜tool▁outputs▁begin｜>' }}{% else %}{{ '\\n' }}{% endif -%}
{{ '<｜tool▁output▁begin｜>' + m.content + '<｜tool▁output▁end｜>' }}
{%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{ '<｜tool▁outputs▁end｜>' }}{% endif -%}
{%- endif -%}
{%- endfor -%}
{%- if generate and messages[-1].role != 'tool' %}{{ '<｜Assistant｜>OPEN' }}{% endif -%}
"""
_COMMAND_R = (
    "<BOS_TOKEN>{% for m in messages %}<|START_OF_TURN_TOKEN|><|"
    "{{ {'system': 'SYSTEM', 'user': 'USER', 'assistant': 'CHATBOT'}[m.role] }}_TOKEN|>{{ m.content.strip() }}"
    "<|END_OF_TURN_TOKEN|>{% endfor %}{% if generate %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}"
)
_COMMAND_R7B = """\
{{ '<BOS_TOKEN><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|># System Preamble\\nYou are in contextual safety mode.\\n\\n'
   + '# Default Preamble\\nYour name is Command.' }}
{%- if messages[0].role == 'system' -%}
{{ '\\n\\n\\n# Developer Preamble\\nThe following instructions take precedence.\\n' + messages[0].content }}
{%- endif -%}
{{ '<|END_OF_TURN_TOKEN|>' }}
{%- for m in messages if m.role != 'system' -%}
{%- if m.role == 'user' -%}
{{ '<|START_OF_TURN_TOKEN|><|USER_TOKEN|>' + m.content + '<|END_OF_TURN_TOKEN|>' }}
{%- else -%}
{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>' + m.content + '<|END_RESPONSE|><|END_OF_TURN_TOKEN|>' }}
{%- endif -%}
{%- endfor -%}
{%- if generate %}{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>' }}{% endif -%}
"""
_GRANITE = """\
{%- if messages[0].role != 'system' -%}
{{ "<|start_of_role|>system<|end_of_role|>Knowledge Cutoff Date: April 2024.\\nToday's Date: November 29, 2026.\\n"
   + 'You are Granite, developed by IBM. You are a helpful AI assistant.<|end_of_text|>\\n' }}
{%- endif -%}
{%- for m in messages -%}
{{ '<|start_of_role|>' + ('tool_response' if m.role == 'tool' else m.role) + '<|end_of_role|>' + m.content }}
{{- '<|end_of_text|>\\n' }}
{%- endfor -%}
{%- if generate %}{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif -%}
"""
_KIMI = """\
{%- if messages[0].role != 'system' -%}
{{ '<|im_system|>system<|im_middle|>You are Kimi, an AI assistant created by Moonshot AI.<|im_end|>' }}
{%- endif -%}
{%- for m in messages -%}
{%- if m.role in ('user', 'assistant') -%}
{{ '<|im_' + m.role + '|>' + m.role + '<|im_middle|>' + ('<think></think>' if m.role == 'assistant' else '') }}
{%- else -%}
{{ '<|im_system|>' + m.role + '<|im_middle|>' + ('## Return of f:0\\n' if m.role == 'tool' else '') }}
{%- endif -%}
{{ m.content + '<|im_end|>' }}
{%- endfor -%}
{%- if generate %}{{ '<|im_assistant|>assistant<|im_middle|>' }}{% endif -%}
"""
_VICUNA = """\
{{ 'A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, '
   + "and polite answers to the user's questions. " }}
{%- for m in messages -%}
{%- if m.role == 'user' -%}{{ 'USER: ' + m.content + ' ' }}
{%- else -%}{{ 'ASSISTANT: ' + m.content + '</s>' }}{%- endif -%}
{%- endfor -%}
{%- if generate %}{{ 'ASSISTANT:' }}{% endif -%}
"""
_ALPACA = """\
{{ 'Below is an instruction that describes a task. Write a response that appropriately completes the request.\\n\\n' }}
{%- for m in messages -%}
{%- if m.role == 'user' -%}{{ '### Instruction:\\n' + m.content + '\\n\\n' }}
{%- else -%}{{ '### Response:\\n' + m.content + '</s>\\n\\n' }}{%- endif -%}
{%- endfor -%}
{%- if generate %}{{ '### Response:\\n' }}{% endif -%}
"""
_HH = (
    "{% for m in messages %}\n\n{{ 'Human' if m.role == 'user' else 'Assistant' }}: {{ m.content }}{% endfor %}"
    "{% if generate %}\n\nAssistant:{% endif %}"
)
_LLAMA_FACTORY = (
    "{% for m in messages %}{% if m.role == 'assistant' %}Assistant:{{ m.content }}<|im_end|>\n{% else %}"
    "{{ 'Human' if m.role == 'user' else 'System' }}: {{ m.content }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if generate %}Assistant:{% endif %}"
)
_HARMONY = """\
{{ '<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\\nKnowledge cutoff: 2024-06\\n'
   + 'Current date: 2026-11-29\\n\\nReasoning: medium\\n\\n# Valid channels: analysis, commentary, final.<|end|>' }}
{%- for m in messages -%}
{%- if m.role == 'system' -%}{{ '<|start|>developer<|message|># Instructions\\n\\n' + m.content + '\\n\\n<|end|>' }}
{%- elif m.role == 'assistant' -%}
{%- if m.reasoning and loop.last -%}
{{ '<|start|>assistant<|channel|>analysis<|message|>' + m.reasoning + '<|end|>' }}
{%- endif -%}
{{ '<|start|>assistant<|channel|>final<|message|>' + m.content + ('<|return|>' if loop.last else '<|end|>') }}
{%- else -%}{{ '<|start|>user<|message|>' + m.content + '<|end|>' }}{%- endif -%}
{%- endfor -%}
{%- if generate %}{{ '<|start|>assistant' }}{% endif -%}
"""


def _mistral(opening: str, closing: str, answer: str) -> str:
    return _MISTRAL.replace("OPEN", repr(opening)).replace("CLOSE", repr(closing)).replace("ANSWER", repr(answer))


_DEEPSEEK_END = "<｜end▁of▁sentence｜>"
_INST = ("[", "s>")
_BARS = ("<|user", "<|assistant", "<|system")
_CHANNELS = ("<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>", "<|call|>")
_PEOPLE = ("Human:", "Assistant:", "<|im_end|>")

RENDERINGS: tuple[Rendering, ...] = (
    Rendering("chatml", "chatml", _CHATML, "<|im_end|>", tools=True, own=("<|im_",)),
    Rendering("qwen2.5", "qwen", _QWEN25, "<|im_end|>", own=("<|im_",)),
    Rendering(
        "qwen3", "qwen", _QWEN3, "<|im_end|>", tools=True, strips_last=True, own=("<|im_", "tool_response", "think>")
    ),
    Rendering("llama2", "llama2", _LLAMA2, " </s>", trims=True, closed=False, own=("INST]", "SYS>>", "s>")),
    Rendering(
        "mistral v1", "mistral", _mistral(" [INST] ", " [/INST]", " "), "</s>", "merged", closed=False, own=("[", "s>")
    ),
    Rendering("mistral v3", "mistral", _mistral("[INST] ", "[/INST]", " "), "</s>", "merged", closed=False, own=_INST),
    Rendering(
        "mistral tekken", "mistral", _mistral("[INST]", "[/INST]", ""), "</s>", "merged", closed=False, own=_INST
    ),
    Rendering("mistral v7", "mistral", _MISTRAL_V7, "</s>", closed=False, own=("[", "s>")),
    Rendering("llama3", "llama3", _LLAMA3, "<|eot_id|>", trims=True, own=("header_id|>", "<|eo")),
    Rendering("llama3.1", "llama3", _LLAMA31, "<|eot_id|>", trims=True, tools=True, own=("header_id|>", "<|eo")),
    Rendering("llama4", "llama4", _LLAMA4, "<|eot|>", trims=True, own=("<|header", "<|eo")),
    Rendering("gemma", "gemma", _GEMMA, "<end_of_turn>", "merged", trims=True, own=("_of_turn>",)),
    Rendering("gemma4", "gemma4", _GEMMA4, "<turn|>", trims=True, own=("turn",)),
    Rendering("phi3", "phi3", _PHI3, "<|end|>", own=(*_BARS, "<|end|>")),
    Rendering("phi4 mini", "phi3", _PHI4_MINI, "<|end|>", tools=True, closed=False, own=(*_BARS, "<|end|>")),
    Rendering("phi4", "phi4", _PHI4, "<|im_end|>", own=("<|im_",)),
    Rendering("zephyr", "zephyr", _ZEPHYR, "</s>", own=(*_BARS, "s>", "<|endoftext|>")),
    Rendering(
        "tulu",
        "tulu",
        _TULU.replace("EOS", "<|end_of_text|>"),
        "<|end_of_text|>",
        closed=False,
        own=(*_BARS, "<|end", "s>"),
    ),
    Rendering(
        "olmo2",
        "olmo2",
        "<|endoftext|>" + _TULU.replace("EOS", "<|endoftext|>"),
        "<|endoftext|>",
        closed=False,
        own=(*_BARS, "<|end", "s>"),
    ),
    Rendering("glm4", "glm4", _GLM4, "<|user|>", closed=False, silent=True, own=(*_BARS, "<|obs")),
    Rendering(
        "glm4.6",
        "glm4",
        _GLM46,
        "<|user|>",
        tools=True,
        closed=False,
        silent=True,
        own=(*_BARS, "<|obs", "tool_response", "think>"),
    ),
    Rendering(
        "deepseek",
        "deepseek",
        _DEEPSEEK.replace("OPEN", ""),
        "<｜end▁of▁sentence｜>",
        tools=True,
        closed=False,
        own=("｜",),
    ),
    Rendering(
        "deepseek v3.1",
        "deepseek",
        _DEEPSEEK.replace("OPEN", "</think>"),
        "<｜end▁of▁sentence｜>",
        closed=False,
        own=("｜", "think>"),
    ),
    Rendering("command r", "command_r", _COMMAND_R, "<|END_OF_TURN_TOKEN|>", trims=True, own=("_TOKEN|>",)),
    Rendering(
        "command r7b",
        "command_r",
        _COMMAND_R7B,
        "<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
        own=("_TOKEN|>", "_RESPONSE|>", "Preamble"),
    ),
    Rendering("granite", "granite", _GRANITE, "<|end_of_text|>", tools=True, own=("_of_role|>", "<|end_of_text|>")),
    Rendering("kimi", "kimi", _KIMI, "<|im_end|>", tools=True, own=("<|im_", "think>")),
    Rendering("vicuna", "vicuna", _VICUNA, "</s>", "none", closed=False, own=("USER:", "ASSISTANT:", "s>")),
    Rendering("alpaca", "alpaca", _ALPACA, "</s>", "none", closed=False, own=("###", "s>")),
    Rendering("hh rlhf", "hh_rlhf", _HH, "", "none", closed=False, own=("Human:", "Assistant:")),
    Rendering(
        "llama factory",
        "human_assistant",
        _LLAMA_FACTORY,
        "<|im_end|>",
        closed=False,
        own=_PEOPLE,
    ),
    Rendering(
        "harmony",
        "harmony",
        _HARMONY,
        "<|return|>",
        own=_CHANNELS,
    ),
)


def expected_of(rendering: Rendering, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages that a template leaves of a conversation."""
    kept: list[dict[str, Any]] = [dict(message) for message in messages]
    if rendering.trims:
        for message in kept:
            if message["role"] != "tool":
                message["content"] = message["content"].strip()
    if rendering.strips_last:
        kept[-1]["content"] = kept[-1]["content"].lstrip("\n")
    if kept[0]["role"] == "system" and rendering.system == "merged":
        system = kept.pop(0)["content"]
        kept[0]["content"] = f"{system}\n\n{kept[0]['content']}"
    return kept
