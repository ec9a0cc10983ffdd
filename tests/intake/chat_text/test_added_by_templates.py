"""What published chat templates write by themselves is not read as part of the conversation."""

import json

import pytest
from reward_gateway.intake.chat_text import read_response, read_whole
from reward_gateway.intake.chat_text.chat_format import Turn

KIND = Turn("system", "Be kind.")
WHY = Turn("user", "Why?")
CHATML = "<|im_start|>system\n{}<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nSo.<|im_end|>\n"
LLAMA3 = (
    "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n{}<|eot_id|><|start_header_id|>user"
    "<|end_header_id|>\n\nWhy?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nSo.<|eot_id|>"
)
MISTRAL = "<s>[SYSTEM_PROMPT]{}[/SYSTEM_PROMPT][INST]Why?[/INST]So.</s>"
GEMMA4 = "<bos><|turn>system\n{}<turn|>\n<|turn>user\nWhy?<turn|>\n<|turn>model\nSo.<turn|>\n"
ZEPHYR = "<|system|>\n{}</s>\n<|user|>\nWhy?</s>\n<|assistant|>\nSo.</s>"
GRANITE = (
    "<|start_of_role|>system<|end_of_role|>{}<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>Why?<|end_of_text|>\n"
    "<|start_of_role|>assistant<|end_of_role|>So.<|end_of_text|>\n"
)
KIMI = (
    "<|im_system|>system<|im_middle|>{}<|im_end|><|im_user|>user<|im_middle|>Why?<|im_end|>"
    "<|im_assistant|>assistant<|im_middle|>So.<|im_end|>"
)
COMMAND = (
    "<BOS_TOKEN><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{}<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Why?"
    "<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>So.<|END_OF_TURN_TOKEN|>"
)
HARMONY = (
    "<|start|>system<|message|>{}<|end|><|start|>user<|message|>Why?<|end|>"
    "<|start|>assistant<|channel|>final<|message|>So.<|return|>"
)
LLAMA2 = "<s>[INST] <<SYS>>\n{}\n<</SYS>>\n\nWhy? [/INST] So. </s>"
MISTRAL_LINE = (
    "You are {}, a Large Language Model (LLM) created by Mistral AI, a French startup headquartered in Paris.\nYour "
    "knowledge base was last updated on 2023-10-01. The current date is 2026-11-29.\n\n{}"
)
ASKS = (
    '(e.g. "What are some good restaurants?" => "Where are you?" or "The next flight" => "Where do you travel from?")'
)
NO_TOOLS = "If tools are not available, inform the user that you cannot perform the requested action at the moment."
CURIOUS = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and polite answers to the user's questions."
)


@pytest.mark.parametrize(
    ("template", "line"),
    [
        (CHATML, "You are a helpful assistant"),
        (CHATML, "You are a helpful assistant."),
        (CHATML, "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."),
        (CHATML, "You are a helpful AI assistant named SmolLM, trained by Hugging Face."),
        (
            CHATML,
            "You are OLMo, a helpful function-calling AI assistant built by Ai2. Your date cutoff is November "
            "2024, and your model weights are available at https://huggingface.co/allenai. You do not currently have "
            "access to any functions. <functions></functions>",
        ),
        (CHATML, "You are OpenCoder, created by OpenCoder Team."),
        (LLAMA3, "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"),
        (LLAMA3, "Environment: ipython\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"),
        (MISTRAL, MISTRAL_LINE.format("Mistral Small 3", ASKS)),
        (MISTRAL, MISTRAL_LINE.format("Mistral Small 3.1", ASKS)),
        (MISTRAL, MISTRAL_LINE.format("Mistral Small 3", f"{ASKS}.\n\n# TOOLS\n\n{NO_TOOLS}")),
        (
            MISTRAL,
            "You are Devstral, a helpful agentic model trained by Mistral AI and using the OpenHands scaffold. You can "
            "interact with a computer.\n\n<TROUBLESHOOTING>\n* Try again.\n</TROUBLESHOOTING>",
        ),
        (GEMMA4, "<|think|>\n"),
        (ZEPHYR, ""),
        (ZEPHYR, "You are Zephyr, a helpful assistant."),
        (GRANITE, "Knowledge Cutoff Date: April 2024.\nToday's Date: May 1, 2026.\nYou are Granite, developed by IBM."),
        (GRANITE, "You are Granite, developed by IBM. You are a helpful AI assistant."),
        (KIMI, "You are a helpful assistant provided by Moonshot-AI."),
        (HARMONY, "You are ChatGPT, a large language model trained by OpenAI."),
        (
            LLAMA2,
            "You are a helpful, respectful and honest assistant. Always answer as helpfully as possible, while being "
            "safe. Be fair.\n\nIf you don't know, please don't share false information.",
        ),
        (CURIOUS + "{}USER: Why? ASSISTANT:So.</s>", ""),
        (CURIOUS + "{} USER: Why? ASSISTANT: So.</s>", ""),
        ("<|system|>\n{}\n<|user|>\nWhy?\n<|assistant|>\nSo.<|end_of_text|>", CURIOUS),
    ],
)
def test_a_system_turn_that_the_template_writes_where_there_is_none_is_no_turn(template: str, line: str) -> None:
    found = read_whole(template.format(line))
    assert (found.turns, found.answer, found.flags) == ((WHY,), Turn("assistant", "So."), ())


@pytest.mark.parametrize("template", [CHATML, LLAMA3, MISTRAL, GEMMA4, ZEPHYR, GRANITE, KIMI, COMMAND, LLAMA2])
def test_a_system_turn_that_begins_as_the_templates_own_is_the_callers(template: str) -> None:
    for line in ("Be kind.", "You are a helpful assistant. Answer in JSON.", "You are Qwen, created by nobody."):
        assert read_whole(template.format(line)).turns == (Turn("system", line), WHY)


FUNCTION = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
WRITTEN = json.dumps(FUNCTION)
QWEN_TOOLS = (
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function "
    f"signatures within <tools></tools> XML tags:\n<tools>\n{WRITTEN}\n</tools>\n\nFor each function call, return a "
    'json object within <tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <name>}\n</tool_call>'
)
CODER_TOOLS = (
    f"# Tools\n\nYou have access to the following functions:\n\n<tools>\n{WRITTEN}\n</tools>\n\nIf you choose to call "
    "a function ONLY reply in the following format:\n\n<IMPORTANT>\nReminder:\n- Required parameters MUST be "
    "specified\n</IMPORTANT>"
)


@pytest.mark.parametrize(
    ("template", "system"),
    [
        (CHATML, f"Be kind.\n\n{QWEN_TOOLS}"),
        (CHATML, f"Be kind.\n\n{CODER_TOOLS}"),
        (CHATML, f"{CODER_TOOLS}\n\nBe kind."),
        (CHATML, "Be kind. You do not currently have access to any functions. <functions></functions>"),
        (GEMMA4, "<|think|>\nBe kind."),
        (GEMMA4, 'Be kind.<|tool>declaration:look{description:<|"|>Looks.<|"|>}<tool|>'),
        (
            COMMAND,
            "# Safety Preamble\nBe safe.\n\n# System Preamble\n## Basic Rules\nYou are powerful.\n\n# User Preamble\n"
            "Be kind.\n\n## Available Tools\nHere is a list of tools:\n\n```python\ndef look(): pass\n```",
        ),
        (
            COMMAND,
            "# System Preamble\nBe safe.\n\n# Developer Preamble\nThe following instructions take precedence.\nBe kind."
            f"\n# Tools\nYou have access to the following functions:\n\n<tools>{WRITTEN}</tools>\n\nReply.",
        ),
        (
            LLAMA3,
            "Environment: ipython\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nYou have access "
            "to the following functions. To call a function, please respond with JSON for a function call. Respond in "
            'the format {"name": function name, "parameters": dictionary of argument name and its value}. Do not use '
            f"variables.\n\n{json.dumps(FUNCTION, indent=4)}\n\n{WRITTEN}\n\nBe kind.",
        ),
    ],
)
def test_the_tools_on_offer_are_taken_out_of_the_system_turn(template: str, system: str) -> None:
    found = read_whole(template.format(system))
    assert (found.turns, found.answer) == ((KIND, WHY), Turn("assistant", "So."))


def test_the_tools_that_llama_writes_before_the_users_words_are_no_words_of_the_user() -> None:
    offered = (
        "Given the following functions, please respond with a JSON for a function call with its proper arguments that "
        'best answers the given prompt.\n\nRespond in the format {"name": function name, "parameters": dictionary of '
        f"argument name and its value}}.Do not use variables.\n\n{json.dumps(FUNCTION, indent=4)}\n\n"
    )
    for words in ("Why?", '{"a": 1}\n\nWhat is this?', "{"):
        text = LLAMA3.format("Be kind.").replace("Why?", offered + words)
        assert read_whole(text).turns == (KIND, Turn("user", words))
    llama4 = text.replace("start_header_id", "header_start").replace("end_header_id", "header_end")
    assert read_whole(llama4.replace("eot_id", "eot").replace("Be kind.", "Environment: ipython\nBe kind.")).turns == (
        KIND,
        Turn("user", "{"),
    )


def test_glms_request_not_to_think_is_no_word_of_the_user() -> None:
    text = "[gMASK]<sop><|user|>\nWhy?/nothink<|assistant|>\n<think></think>\nSo."
    assert (read_whole(text).turns, read_whole(text).answer) == ((WHY,), Turn("assistant", "So."))


TOOL_TURNS = [
    (
        "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n{}<|im_end|>\n<|im_start|>user\n<tool_response>\nrain\n"
        "</tool_response><|im_end|>\n<|im_start|>assistant\nSo.<|im_end|>",
        [
            '\n<tool_call>\n{"name": "look", "arguments": {"at": "Paris", "n": 2}}\n</tool_call>',
            "\n\n<tool_call>\n<function=look>\n<parameter=at>\nParis\n</parameter>\n<parameter=n>\n2\n</parameter>\n"
            "</function>\n</tool_call>",
        ],
    ),
    (
        "[gMASK]<sop><|user|>\nWhy?<|assistant|>\n{}<|observation|>\n<tool_response>\nrain\n</tool_response>"
        "<|assistant|>\nSo.",
        [
            "\n<tool_call>look\n<arg_key>at</arg_key>\n<arg_value>Paris</arg_value>\n<arg_key>n</arg_key>\n"
            "<arg_value>2</arg_value>\n</tool_call>"
        ],
    ),
    (
        "<|im_user|>user<|im_middle|>Why?<|im_end|><|im_assistant|>assistant<|im_middle|>{}<|im_end|><|im_system|>tool"
        "<|im_middle|>rain<|im_end|><|im_assistant|>assistant<|im_middle|>So.<|im_end|>",
        [
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.look:0<|tool_call_argument_begin|>"
            '{"at": "Paris", "n": 2}<|tool_call_end|><|tool_calls_section_end|>'
        ],
    ),
    (
        "<s>[INST]Why?[/INST]{}</s>[TOOL_RESULTS]rain[/TOOL_RESULTS]So.</s>",
        [
            '[TOOL_CALLS][{"name": "look", "arguments": {"at": "Paris", "n": 2}, "id": "call00001"}]',
            '[TOOL_CALLS]look[CALL_ID]call00001[ARGS]{"at": "Paris", "n": 2}',
            '[TOOL_CALLS]look[ARGS]{"at": "Paris", "n": 2}',
        ],
    ),
    (
        "<｜begin▁of▁sentence｜><｜User｜>Why?<｜Assistant｜>{}<｜end▁of▁sentence｜><｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>"
        "rain<｜tool▁output▁end｜><｜tool▁outputs▁end｜>So.<｜end▁of▁sentence｜>",
        [
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>look\n```json\n"
            '{"at": "Paris", "n": 2}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
            '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>look<｜tool▁sep｜>{"at": "Paris", "n": 2}'
            "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        ],
    ),
    (
        "<|start_of_role|>user<|end_of_role|>Why?<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>{}"
        "<|end_of_text|>\n<|start_of_role|>tool_response<|end_of_role|>rain<|end_of_text|>\n<|start_of_role|>assistant"
        "<|end_of_role|>So.<|end_of_text|>",
        ['<|tool_call|>[{"name": "look", "arguments": {"at": "Paris", "n": 2}}]'],
    ),
    (
        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>Why?<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"
        "<|START_THINKING|>{}<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|><|START_TOOL_RESULT|>[{{"
        '"tool_call_id": "0", "results": {{"0": "rain"}}, "is_error": null}}]<|END_TOOL_RESULT|><|END_OF_TURN_TOKEN|>'
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|><|START_RESPONSE|>So.<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
        [
            '<|END_THINKING|><|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "look", "parameters": '
            '{"at": "Paris", "n": 2}}\n]<|END_ACTION|>'
        ],
    ),
]


@pytest.mark.parametrize(("text", "call"), [(text, call) for text, calls in TOOL_TURNS for call in calls])
def test_the_calls_that_tools_answered_are_calls(text: str, call: str) -> None:
    for said in ("", "Let me look."):
        found = read_whole(text.format(said + call))
        (why, called, answered) = found.turns or ()
        assert (why, called.content, answered) == (WHY, said, Turn("tool", "rain"))
        assert [(name, json.loads(arguments)) for name, arguments in called.tool_calls] == [
            ("look", {"at": "Paris", "n": 2})
        ]
        assert found.answer == Turn("assistant", "So.")
    twice = read_whole(text.format(call + call.lstrip())).turns
    assert twice is not None
    assert len(twice[1].tool_calls) in (0, 2)  # lists cannot stand twice


def test_llamas_call_is_the_whole_turn() -> None:
    header = "<|start_header_id|>{}<|end_header_id|>\n\n{}<|eot_id|>"
    for mark in ("", "<|python_tag|>"):
        for call, read in (
            ('{"name": "look", "parameters": {"at": "Paris"}}', (("look", '{"at": "Paris"}'),)),
            ('{"name": "Ann", "age": 3}', ()),
            ('See: {"name": "look", "parameters": {}}', ()),
        ):
            turns = [("user", "Why?"), ("assistant", mark + call), ("ipython", '"rain"'), ("assistant", "So.")]
            found = read_whole("".join(header.format(*turn) for turn in turns))
            assert found.turns is not None
            assert found.turns[1].tool_calls == read
            assert found.turns[1].content == ("" if read else mark + call)


def test_harmonys_recipient_stands_before_or_in_the_channel() -> None:
    for before, within in ((" to=functions.look", "commentary json"), ("", "commentary to=functions.look ")):
        text = (
            f"<|start|>user<|message|>Why?<|end|><|start|>assistant{before}<|channel|>{within}<|message|>{{}}<|call|>"
            '<|start|>functions.look to=assistant<|channel|>commentary<|message|>"rain"<|end|>'
            "<|start|>assistant<|channel|>final<|message|>So.<|return|>"
        )
        assert read_whole(text).turns == (
            WHY,
            Turn("assistant", "", tool_calls=(("look", "{}"),)),
            Turn("tool", "rain"),
        )


def test_a_call_that_no_tool_answered_stays_as_it_was_written() -> None:
    call = '<tool_call>\n{"name": "look", "arguments": {}}\n</tool_call>'
    prompt = "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
    assert read_response(prompt, call + "<|im_end|>").answer == Turn("assistant", call)
    again = prompt + call + "<|im_end|>\n<|im_start|>user\nWell?<|im_end|>\n<|im_start|>assistant\nSo.<|im_end|>"
    assert read_whole(again).turns == (WHY, Turn("assistant", call), Turn("user", "Well?"))


@pytest.mark.parametrize(
    "held", ["", "{", '{"name": 3}', "[1]", '{"name": "look", "arguments": {}} and more', "look", "[" * 100_000]
)
def test_what_only_looks_like_calls_is_text(held: str) -> None:
    words = f"See <tool_call>{held}</tool_call> there."
    text = TOOL_TURNS[0][0].format("{}").replace("{}", words)
    found = read_whole(text).turns
    assert found is not None
    assert found[1] == Turn("assistant", words)
