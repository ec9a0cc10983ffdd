"""Rows in the layouts of published data sets, made up, each with a right and a wrong response."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PublishedRow:
    """A row as ``datasets.load_dataset`` gives it."""

    row: dict[str, Any]
    right: Any
    wrong: Any


MESSAGES = [{"role": "user", "content": "What is half of 1?"}]
EXACT = r"So it is $\boxed{\frac{1}{2}}$."
RULE = {"style": "rule", "ground_truth": "1/2"}
ADD = "```python\nprint(sum(map(int, input().split())))\n```"
THREE = "```python\nprint(3)\n```"
SUMS = {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}
CASES = [{"input": "1 2\n", "output": "3\n"}, {"input": "3 4\n", "output": "7\n"}]
TWICE = "```python\ndef twice(n):\n    return 2 * n\n```"
SQUARE = "```python\ndef twice(n):\n    return n * n\n```"
OPTIONS = ["Paris", "Rome", "Oslo", "Bern"]
OLDER = "SELECT name FROM singer WHERE age > 28"
SAME = "```sql\nSELECT name FROM singer WHERE NOT age <= 28\n```"
YOUNGER = "SELECT name FROM singer WHERE age < 28"
CALL = {"name": "weather", "arguments": {"city": "Rome"}}
WEATHER = {
    "name": "weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "dict",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
        "required": ["city"],
    },
}

ROWS = {
    "openai/gsm8k": PublishedRow(
        {"question": "How many eggs?", "answer": "2 dozen are 2*12=<<2*12=24>>24 eggs.\n#### 24"},
        "That makes 24 eggs.",
        "That makes 12 eggs.",
    ),
    "EleutherAI/hendrycks_math": PublishedRow(
        {"problem": "Half of 1?", "solution": r"Halving 1 gives $\boxed{\frac12}$.", "level": "Level 1", "type": "x"},
        "0.5",
        "2",
    ),
    "HuggingFaceH4/MATH-500": PublishedRow(
        {"problem": "Half of 1?", "solution": "Halve it.", "answer": r"\frac{1}{2}", "level": 1}, EXACT, "2"
    ),
    "BytedTsinghua-SIA/DAPO-Math-17k": PublishedRow(
        {"data_source": "math_dapo", "prompt": MESSAGES, "ability": "MATH", "reward_model": RULE}, "Answer: 1/2", "3"
    ),
    "open-r1/OpenR1-Math-220k": PublishedRow(
        {"problem": "Solve.", "solution": "Thus.", "answer": r"\{1, 2\}"}, r"\boxed{\{2, 1\}}", r"\boxed{\{2\}}"
    ),
    "agentica-org/DeepScaleR-Preview-Dataset": PublishedRow(
        {"problem": "Sum?", "answer": "-\\frac{2}{3}", "solution": ""}, "-2/3", "2/3"
    ),
    "PRIME-RL/Eurus-2-RL-Data (mathematics)": PublishedRow(
        {"data_source": "numina_olympiads", "prompt": MESSAGES, "ability": "math", "reward_model": RULE}, EXACT, "2"
    ),
    "cais/mmlu": PublishedRow(
        {"question": "Capital of Italy?", "subject": "geography", "choices": OPTIONS, "answer": 1},
        "The answer is Rome.",
        "The answer is (A).",
    ),
    "TIGER-Lab/MMLU-Pro": PublishedRow(
        {"question": "Eighth?", "options": [*"abcdefgh", "i", "j"], "answer": "I", "answer_index": 8},
        "The answer is (I).",
        "The answer is (B).",
    ),
    "allenai/ai2_arc": PublishedRow(
        {"question": "Capital?", "choices": {"text": OPTIONS, "label": ["1", "2", "3", "4"]}, "answerKey": "2"},
        "B",
        "C",
    ),
    "PRIME-RL/Eurus-2-RL-Data (code)": PublishedRow(
        {"data_source": "taco", "ability": "code", "reward_model": {"style": "rule", "ground_truth": json.dumps(SUMS)}},
        ADD,
        THREE,
    ),
    "BAAI/TACO": PublishedRow({"question": "Add.", "input_output": json.dumps(SUMS)}, ADD, THREE),
    "codeparrot/apps": PublishedRow(
        {"question": "Double.", "input_output": json.dumps({"fn_name": "twice", "inputs": [[3]], "outputs": [6]})},
        TWICE,
        SQUARE,
    ),
    "livecodebench/code_generation_lite (public tests)": PublishedRow(
        {
            "question_content": "Double.",
            "public_test_cases": json.dumps([{"input": "3", "output": "6", "testtype": "functional"}]),
            "metadata": json.dumps({"func_name": "twice"}),
        },
        "```python\nclass Solution:\n    def twice(self, n: int) -> int:\n        return 2 * n\n```",
        SQUARE,
    ),
    "deepmind/code_contests": PublishedRow(
        {
            "description": "Add.",
            "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
            "private_tests": {"input": [], "output": []},
            "generated_tests": {"input": ["3 4\n"], "output": ["7\n"]},
        },
        ADD,
        THREE,
    ),
    "open-r1/verifiable-coding-problems-python": PublishedRow(
        {
            "prompt": "Add.",
            "verification_info": {
                "language": "python",
                "test_cases": [{"fn_name": None, "type": "stdin_stdout", **case} for case in CASES],
            },
        },
        ADD,
        THREE,
    ),
    "PrimeIntellect/SYNTHETIC-1 (code)": PublishedRow(
        {
            "prompt": "Add.",
            "verification_info": json.dumps(
                {
                    "language": "python",
                    "test_cases": [{"fn_name": None, "type": "stdin_stdout", **case} for case in CASES],
                }
            ),
        },
        ADD,
        THREE,
    ),
    "openai/openai_humaneval": PublishedRow(
        {
            "prompt": 'def twice(n):\n    """Double."""\n',
            "test": "def check(candidate):\n    assert candidate(3) == 6\n",
            "entry_point": "twice",
        },
        TWICE,
        SQUARE,
    ),
    "google-research-datasets/mbpp": PublishedRow(
        {"text": "Double.", "test_list": ["assert twice(3) == 6", "assert twice(0) == 0"]},
        TWICE,
        "```python\ndef twice(n): return 1\n```",
    ),
    "google/IFEval": PublishedRow(
        {
            "key": 1000,
            "prompt": "Write without commas.",
            "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
            "kwargs": [{}, {"relation": "at least", "num_words": 3, "num_highlights": None}],
        },
        "one two three",
        "one, two three",
    ),
    "allenai/IFBench_test": PublishedRow(
        {"key": "0", "prompt": "One number.", "instruction_id_list": ["count:numbers"], "kwargs": [{"N": 1}]},
        "seven cats saw 2 dogs",
        "seven cats",
    ),
    "allenai/IF_multi_constraints_upto5": PublishedRow(
        {"ground_truth": "[{'instruction_id': ['punctuation:no_comma'], 'kwargs': [None]}]"}, "one two", "one, two"
    ),
    "allenai/RLVR-IFeval": PublishedRow(
        {"ground_truth": json.dumps({"func_name": "validate_no_commas", "N": None, "word": None})},
        "one two",
        "one, two",
    ),
    "PeterJinGo/nq_hotpotqa_train (Search-R1)": PublishedRow(
        {
            "question": "Which band?",
            "golden_answers": ["Fab Four", "Beatles"],
            "reward_model": {"ground_truth": {"target": ["Fab Four", "Beatles"]}, "style": "rule"},
        },
        "<answer>The Beatles</answer>",
        "<answer>The Who</answer>",
    ),
    "google-research-datasets/nq_open": PublishedRow(
        {"question": "Where?", "answer": ["Rome", "Roma"]}, "<answer>Roma</answer>", "<answer>Oslo</answer>"
    ),
    "mandarjoshi/trivia_qa": PublishedRow(
        {"question": "Where?", "answer": {"value": "Rome", "aliases": ["Roma", "Eternal City"]}},
        "the Eternal City",
        "Oslo",
    ),
    "hotpotqa/hotpot_qa": PublishedRow({"question": "Is it?", "answer": "yes"}, "<answer>Yes.</answer>", "no"),
    "rajpurkar/squad": PublishedRow(
        {"question": "Where?", "answers": {"text": ["in Rome", "Rome"], "answer_start": [1, 4]}}, "Rome", "Oslo"
    ),
    "BFCL (possible_answer/ and the question with its id)": PublishedRow(
        {
            "id": "simple_0",
            "function": [WEATHER],
            "ground_truth": [{"weather": {"city": ["Rome", "Roma"], "unit": ["celsius", ""]}}],
        },
        "[weather(city='Roma')]",
        "[weather(city='Oslo')]",
    ),
    "Salesforce/xlam-function-calling-60k": PublishedRow(
        {"query": "Weather?", "tools": "[]", "answers": json.dumps([CALL])},
        f"<tool_call>{json.dumps(CALL)}</tool_call>",
        "[]",
    ),
    "Team-ACE/ToolACE (first call)": PublishedRow(
        {
            "system": "You may call …",
            "conversations": [
                {"from": "user", "value": "Weather?"},
                {"from": "assistant", "value": '[weather_report(city="Rome", days=2)]'},
            ],
        },
        '[weather_report(city="Rome", days=2)]',
        '[weather_report(city="Rome", days=3)]',
    ),
    "xlangai/spider (--sql-databases spider/database)": PublishedRow(
        {"db_id": "concert_singer", "query": OLDER, "question": "Who is over 28?"}, SAME, YOUNGER
    ),
    "BIRD (--sql-databases dev_databases)": PublishedRow(
        {"question_id": 0, "db_id": "concert_singer", "SQL": OLDER, "evidence": "", "difficulty": "simple"},
        SAME,
        YOUNGER,
    ),
    "gretelai/synthetic_text_to_sql": PublishedRow(
        {
            "sql_prompt": "Who is over 28?",
            "sql_context": "CREATE TABLE singer (name TEXT, age INT); INSERT INTO singer VALUES ('Ann', 30), ('Bo', 9)",
            "sql": OLDER,
        },
        SAME,
        YOUNGER,
    ),
}
"""By the name of the data set, as the guides write it without the marks of code."""
