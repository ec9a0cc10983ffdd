"""score/code_stdio: programs against inputs and outputs, in the forms of the published data sets, right and wrong."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from reward_gateway.backends.sandbox.languages import find_tool
from reward_gateway.backends.sandbox.outputs import same_output
from reward_gateway.backends.sandbox.sandbox import Sandbox, SandboxUnavailable
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import RunSandboxed
from reward_gateway.operations.registry import catalog
from reward_gateway.sample import Invalid

OP = "score/code_stdio"

SUM = "a, b = map(int, input().split())\nprint(a + b)"
PRODUCT = "a, b = map(int, input().split())\nprint(a * b)"
PAIRS = [("1 2\n", "3\n"), ("10 -4\n", "6\n"), ("0 0\n", "0\n")]
TWO_SUM = """class Solution:
    def twoSum(self, nums: List[int], target: int) -> List[int]:
        seen = {}
        for i, n in enumerate(nums):
            if target - n in seen: return [seen[target - n], i]
            seen[n] = i
"""
NO_SUM = "class Solution:\n    def twoSum(self, nums, target): return [0, 1]\n"
ADD = "def add(a, b): return a + b"
SUBTRACT = "def add(a, b): return a - b"

LIVE = [{"input": i, "output": o, "testtype": "stdin"} for i, o in PAIRS]
LIVE_CALLS = [
    {"input": "[2,7,11,15]\n9", "output": "[0, 1]", "testtype": "functional"},
    {"input": "[3,2,4]\n6", "output": "[1, 2]", "testtype": "functional"},
]
APPS = {"inputs": [i for i, _ in PAIRS], "outputs": [o for _, o in PAIRS]}
APPS_LINES = {"inputs": [["1 2"], ["3 4"]], "outputs": [["3"], ["7"]]}
APPS_CALLS = {"fn_name": "add", "inputs": [[1, 2], [5, 6]], "outputs": [[3], [11]]}
TACO_CALLS = {"fn_name": "add", "inputs": [[1, 2], [5, 6]], "outputs": [3, 11]}
CONTESTS = {
    "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
    "private_tests": {"input": ["5 5\n"], "output": ["10\n"]},
    "generated_tests": {"input": [], "output": []},
}
SYNTHETIC = {"test_cases": [{"type": "stdin_stdout", "input": i, "output": o} for i, o in PAIRS]}
SYNTHETIC_CALLS = {"test_cases": [{"type": "function_call", "fn_name": "add", "input": [1, 2], "output": 3}]}

FORMS: dict[str, tuple[Any, str, str]] = {
    "LiveCodeBench": (LIVE, SUM, PRODUCT),
    "LiveCodeBench as JSON": (json.dumps(LIVE), SUM, PRODUCT),
    "LiveCodeBench's functions": ({"tests": LIVE_CALLS, "fn_name": "twoSum"}, TWO_SUM, NO_SUM),
    "LiveCodeBench's functions as JSON": ({"tests": json.dumps(LIVE_CALLS), "fn_name": "twoSum"}, TWO_SUM, NO_SUM),
    "APPS": (APPS, SUM, PRODUCT),
    "APPS with lists of lines": (APPS_LINES, SUM, PRODUCT),
    "APPS' functions": (APPS_CALLS, ADD, SUBTRACT),
    "TACO as JSON": (json.dumps(APPS), SUM, PRODUCT),
    "TACO's functions": (TACO_CALLS, ADD, SUBTRACT),
    "CodeContests": (CONTESTS, SUM, PRODUCT),
    "CodeContests as JSON": (json.dumps(CONTESTS), SUM, PRODUCT),
    "PRIME": (json.dumps({"inputs": APPS["inputs"], "outputs": APPS["outputs"]}), SUM, PRODUCT),
    "Eurus' functions": (json.dumps(APPS_CALLS), ADD, SUBTRACT),
    "SYNTHETIC-1": (SYNTHETIC, SUM, PRODUCT),
    "SYNTHETIC-1's functions": (SYNTHETIC_CALLS, ADD, SUBTRACT),
}

ONE = [{"input": "5\n", "output": "1 2 3\n4.5\n"}]
RIGHT: dict[str, tuple[Any, str]] = {
    "space at the end": (ONE, "print('1 2 3  ')\nprint('4.5')"),
    "no line end": (ONE, "print('1 2 3\\n4.5', end='')"),
    "blank lines": (ONE, "print('1 2 3\\n\\n4.5\\n\\n')"),
    "Windows' line ends": (ONE, "print('1 2 3\\r\\n4.5\\r')"),
    "a tolerable decimal": (ONE, "print('1 2 3')\nprint(4.5000000001)"),
    "an exponent": (ONE, "print('1 2 3')\nprint('45e-1')"),
    "input by sys.stdin": (LIVE, "import sys\nprint(sum(map(int, sys.stdin.read().split())))"),
    "input by lines": (LIVE, "import sys\nfor line in sys.stdin: print(sum(map(int, line.split())))"),
    "input by bytes": (LIVE, "import sys\nprint(sum(map(int, sys.stdin.buffer.readline().split())))"),
    "input by open(0)": (LIVE, "print(sum(map(int, open(0).read().split())))"),
    "input by os.read": (LIVE, "import os\nprint(sum(map(int, os.read(0, os.fstat(0).st_size).split())))"),
    "output by os.write": (LIVE, "import os\nos.write(1, b'%d' % sum(map(int, input().split())))"),
    "output by sys.stdout": (LIVE, "import sys\nsys.stdout.write(str(sum(map(int, input().split()))))"),
    "an exit at the end": (LIVE, SUM + "\nexit()"),
    "an exit with 0": (LIVE, "import sys\n" + SUM + "\nsys.exit(0)"),
    "a guarded main": (
        LIVE,
        "def main():\n    print(sum(map(int, input().split())))\nif __name__ == '__main__': main()",
    ),
    "a thread with a larger stack": (
        LIVE,
        "import sys, threading\nsys.setrecursionlimit(10**7)\nthreading.stack_size(2**27)\n"
        "def main(): print(sum(map(int, input().split())))\n"
        "t = threading.Thread(target=main)\nt.start()\nt.join()",
    ),
    "deep recursion": (
        [{"input": "50000", "output": "50000"}],
        "def f(n): return n and 1 + f(n - 1)\nprint(f(int(input())))",
    ),
    "large input": (
        [{"input": "1 " * 200_000, "output": "200000"}],
        "print(sum(map(int, input().split())))",
    ),
    "words to standard error": (LIVE, "import sys\nprint('debug', file=sys.stderr)\n" + SUM),
    "a tuple for a list": ({"fn_name": "f", "inputs": [[1]], "outputs": [[1, 2]]}, "def f(x): return (1, 2)"),
    "numbers as keys": ({"fn_name": "f", "inputs": [[1]], "outputs": [{"1": 2}]}, "def f(x): return {1: 2}"),
    "a decimal result": ({"fn_name": "f", "inputs": [[1]], "outputs": [0.3]}, "def f(x): return 0.1 + 0.2"),
    "null": ({"fn_name": "f", "inputs": [[1]], "outputs": [None]}, "def f(x): pass"),
}
WRONG: dict[str, tuple[Any, str]] = {
    "tokens on other lines": (ONE, "print('1 2\\n3 4.5')"),
    "a token too many": (ONE, "print('1 2 3\\n4.5 6')"),
    "a line too few": (ONE, "print('1 2 3')"),
    "a decimal off": (ONE, "print('1 2 3\\n4.51')"),
    "a whole number off by one": ([{"input": "", "output": "1000000000"}], "print(1000000001)"),
    "… written as a decimal": ([{"input": "", "output": "1000000000"}], "print('1000000001.0')"),
    "nearly a whole number": ([{"input": "", "output": "3"}], "print(3.0000001)"),
    "another case": ([{"input": "", "output": "YES"}], "print('yes')"),
    "nothing": (LIVE, "x = 1"),
    "an error after the output": (LIVE, SUM + "\n1 / 0"),
    "an exit that says failure": (LIVE, SUM + "\nimport sys\nsys.exit(1)"),
    "the last test alone is wrong": (LIVE, "a, b = map(int, input().split())\nprint(a + b if a else 1)"),
    "a sleep": ([LIVE[0]], "import time\ntime.sleep(99)"),
    "no end": ([LIVE[0]], SUM + "\nwhile True: pass"),
    "a little for ever": ([LIVE[0]], "import time\nwhile True:\n    print(3, flush=True)\n    time.sleep(0.01)"),
    "a flood": ([LIVE[0]], "while True: print('3' * 10000)"),
    "os._exit": (LIVE, SUM + "\nimport os, sys\nsys.stdout.flush()\nos._exit(3)"),
    "nan": ([{"input": "", "output": "1.0"}], "print('nan')"),
    "infinity": ([{"input": "", "output": "1.0"}], "print('inf')"),
    "no Python": (LIVE, "print((1"),
    "the answers are looked for": (
        [{"input": "1", "output": "40213"}],
        "import gc, sys\nobjects = getattr(gc, 'get_objects', list)()\n"
        "print(next((o for o in objects if isinstance(o, str) and o.strip() == '40213'), 0))",
    ),
    "True for 1": ({"fn_name": "f", "inputs": [[1]], "outputs": [1]}, "def f(x): return True"),
    "a text for a number": ({"fn_name": "f", "inputs": [[1]], "outputs": [3]}, "def f(x): return '3'"),
    "an __eq__ that is always true": (
        {"fn_name": "f", "inputs": [[1]], "outputs": [3]},
        "class E:\n    def __eq__(s, o): return True\ndef f(x): return E()",
    ),
    "a number for a list of one": (
        {"tests": [{"input": "1", "output": "[3]"}], "fn_name": "f"},
        "def f(x): return 3",
    ),
    "a list of other order": ({"fn_name": "f", "inputs": [[1]], "outputs": [[1, 2]]}, "def f(x): return [2, 1]"),
    "a result wrapped for one of two": (
        {"fn_name": "f", "inputs": [[1], [2]], "outputs": [[1], [2, 3]]},
        "def f(x): return 1 if x == 1 else [2, 3]",
    ),
}


@pytest.fixture(scope="module")
async def sandbox(anyio_backend: str) -> AsyncIterator[Sandbox]:
    running = Sandbox(processes=2)
    try:
        await running.start()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    yield running
    await running.close()


async def score(sandbox: Sandbox, *items: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
    operation = catalog().get("score", "code_stdio")
    assert operation is not None
    steps = apply(operation, list(items), {"timeout_s": 2, **params})
    reply: Any = None
    while True:
        try:
            effect = steps.send(reply)
        except StopIteration as stop:
            results: list[dict[str, Any]] = stop.value
            return results
        assert isinstance(effect, RunSandboxed)
        reply = await sandbox.run(effect.language, effect.programs, effect.inputs, effect.timeout_s)


def fenced(program: str) -> str:
    return f"<think>\nHm.\n</think>\nThis is it:\n```python\n{program}\n```\n"


@pytest.mark.anyio
@pytest.mark.parametrize("form", FORMS)
async def test_tests_of_published_forms_are_read(sandbox: Sandbox, form: str) -> None:
    reference, right, wrong = FORMS[form]
    results = await score(sandbox, *({"response": fenced(each), "reference": reference} for each in (right, wrong)))
    assert [result["reward"] for result in results] == [1, 0], results
    item: dict[str, Any] = dict(reference) if isinstance(reference, dict) else {"tests": reference}
    assert (await score(sandbox, {"response": right, **item}))[0]["reward"] == 1


@pytest.mark.anyio
@pytest.mark.parametrize("name", RIGHT)
async def test_a_right_program_is_paid(sandbox: Sandbox, name: str) -> None:
    tests, program = RIGHT[name]
    (result,) = await score(sandbox, {"response": fenced(program), "reference": tests})
    assert result["reward"] == 1, result


@pytest.mark.anyio
@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_program_is_not_paid(sandbox: Sandbox, name: str) -> None:
    tests, program = WRONG[name]
    (result,) = await score(sandbox, {"response": fenced(program), "reference": tests})
    assert result["reward"] == 0, result


@pytest.mark.anyio
async def test_the_share_of_tests_and_the_first_failure_without_what_is_in_it(sandbox: Sandbox) -> None:
    program = "a, b = map(int, input().split())\nprint(a + b if a != 10 else 'secret')"
    (result,) = await score(sandbox, {"response": program, "reference": LIVE}, reward="fraction")
    assert result["reward"] == pytest.approx(2 / 3)
    assert result["details"]["first_failure"] == {"test": 1, "error": "wrong answer"}
    (result,) = await score(sandbox, {"response": "raise ValueError(input())", "reference": LIVE})
    assert result["details"]["first_failure"] == {"test": 0, "error": "ValueError"}
    (result,) = await score(sandbox, {"response": SUBTRACT, "reference": TACO_CALLS}, reward="fraction")
    assert result["details"]["first_failure"] == {"test": 0, "error": "wrong answer"}


@pytest.mark.anyio
async def test_a_checker_judges_where_there_are_many_right_outputs(sandbox: Sandbox) -> None:
    checker = "def check(input, expected, output):\n    a, b = map(int, output.split())\n    return a + b == int(input)"
    reference = {"tests": [{"input": "7", "output": "3 4"}, {"input": "9", "output": "4 5"}], "checker": checker}
    programs = ["n = int(input())\nprint(n - 1, 1)", "print(3, 4)", "print('x')", "1 / 0"]
    results = await score(
        sandbox, *({"response": program, "reference": reference} for program in programs), reward="fraction"
    )
    assert [result["reward"] for result in results] == [1, 0.5, 0, 0]
    (result,) = await score(sandbox, {"response": programs[0], "reference": {**reference, "checker": "def chek(): 1"}})
    assert result["error"]["param"] == "checker"


SUM_IN = {
    "python": SUM,
    "bash": "read a b\necho $((a + b))",
    "node": "const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number);\nconsole.log(a + b);",
    "cpp": "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }",
}


@pytest.mark.anyio
@pytest.mark.parametrize("language", SUM_IN)
async def test_programs_in_other_languages_are_paid_as_their_parameter_or_fence_says(
    sandbox: Sandbox, language: str
) -> None:
    program = SUM_IN[language]
    if language != "python" and find_tool(language) is None:
        pytest.skip("this machine has no tool for it")
    responses = [f"So:\n```{language}\n{text}\n```" for text in (program, program.replace("+", "-"))]
    items = [{"response": response, "reference": LIVE} for response in responses]
    for params in ({"language": language}, {"language": "auto"}):
        assert [result["reward"] for result in await score(sandbox, *items, timeout_s=10, **params)] == [1, 0]


@pytest.mark.anyio
async def test_a_compile_error_is_told_and_a_checker_judges_other_languages(sandbox: Sandbox) -> None:
    if find_tool("cpp") is None or find_tool("bash") is None:
        pytest.skip("this machine has no g++ or no bash")
    (result,) = await score(sandbox, {"response": "int main() { return x; }", "reference": LIVE}, language="cpp")
    assert (result["reward"], result["details"]["first_failure"]["test"]) == (0, 0)
    assert result["details"]["first_failure"]["error"].startswith("compile error: program.cpp:1:21: error: ‘x’ was not")
    checker = "def check(input, expected, output): return output.split() == ['7']"
    reference = {"tests": [{"input": "7", "output": "-"}], "checker": checker}
    (result,) = await score(sandbox, {"response": "cat", "reference": reference}, language="bash")
    assert result["reward"] == 1


@pytest.mark.parametrize(
    ("response", "language", "program"),
    [
        ("```cpp\nx\n```\nCompile it:\n```bash\ng++ x.cpp\n```", "cpp", "x"),
        ("```c++\nx\n```", "cpp", "x"),
        ("```js\nx\n```\n```javascript\ny\n```", "node", "y"),
        ("```node\nx\n```", "node", "x"),
        ("```sh\nx\n```", "bash", "x"),
        ("```py\nx\n```\n```cpp\ny\n```", "cpp", "y"),
        ("```cpp\ny\n```\n```python3\nx\n```", "python", "x"),
        ("```\nx\n```", "python", "x"),
        ("x", "python", "x"),
    ],
)
def test_the_language_is_what_the_last_block_names(response: str, language: str, program: str) -> None:
    operation = catalog().get("score", "code_stdio")
    assert operation is not None
    effect = apply(operation, [{"response": response, "reference": LIVE}], {"language": "auto"}).send(None)
    assert isinstance(effect, RunSandboxed)
    assert (effect.inputs[0]["language"], effect.programs[0]) == (language, program)


def test_functions_are_called_in_python_alone(call: Any) -> None:
    (result,) = call(OP, {"response": "int add() {}", "reference": APPS_CALLS}, language="cpp")
    assert (result["reward"], result["error"]["param"]) == (None, "fn_name")


@pytest.mark.parametrize(
    ("reference", "param"),
    [
        (None, "tests"),
        ("", "tests"),
        ("eJxrYJmqxgABsdxAYrM=", "tests"),
        ([], "tests"),
        ([{"input": "1"}], "tests[0]"),
        ({"inputs": ["1"], "outputs": []}, "tests"),
        ({"tests": LIVE_CALLS}, "fn_name"),
        ({"tests": LIVE_CALLS, "fn_name": "no name"}, "fn_name"),
        ({"test_cases": [SYNTHETIC["test_cases"][0], SYNTHETIC_CALLS["test_cases"][0]]}, "tests[1]"),
        ({"tests": [{"input": "[1", "output": "2"}], "fn_name": "f"}, "tests[0]"),
    ],
)
def test_tests_that_cannot_be_read_are_an_error_of_the_item(call: Any, reference: Any, param: str) -> None:
    item = {"response": SUM} if reference is None else {"response": SUM, "reference": reference}
    (result,) = call(OP, item)
    assert (result["reward"], result["error"]["param"]) == (None, param)


def test_a_failure_of_the_sandbox_is_no_reward(call: Any) -> None:
    lost = Invalid("worker_lost", "the sandbox failed")
    (result,) = call(OP, {"response": SUM, "reference": LIVE}, answers=[[lost]])
    assert (result["reward"], result["error"]["code"]) == (None, "worker_lost")


def test_a_response_without_a_program_is_wrong_and_not_run(call: Any) -> None:
    (result,) = call(OP, {"response": "<think>\nHm", "reference": LIVE})
    assert (result["reward"], result["details"]["unfinished_reasoning"]) == (0, True)


@pytest.mark.parametrize(
    ("expected", "written", "same"),
    [
        ("1e5", "100000", True),
        ("0.0", "0.0000000001", True),
        ("0.0", "0.001", False),
        ("12345678901234567890", "12345678901234567891", False),
        ("1.0", "1", True),
        ("1", "1.0", True),
        ("1", "01", False),
        ("0.5", "1_0.5", False),
        ("a.e", "a.f", False),
        ("", "\n\n", True),
        ("", "0", False),
    ],
)
def test_outputs_are_compared_by_tokens(expected: str, written: str, same: bool) -> None:
    assert same_output(expected, written, 1e-6, 1e-9) is same
