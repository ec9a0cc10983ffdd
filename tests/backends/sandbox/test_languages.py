"""Programs in bash, node and C++: what honest ones can do, and how those fail that end badly or do not compile.

With namespaces and without: the latter is what containers without the right to make any have.
"""

from collections.abc import AsyncIterator

import pytest
from reward_gateway.backends.sandbox.languages import is_compiler_fault
from reward_gateway.backends.sandbox.lockdown import MECHANISMS
from reward_gateway.backends.sandbox.sandbox import Sandbox
from reward_gateway.sample import Invalid

from .executing import EXECUTING_SETS, answer, run, start_executing
from .sandboxes import SETS

pytestmark = pytest.mark.anyio


@pytest.fixture(params=EXECUTING_SETS, scope="module")
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with start_executing(SETS[request.param]) as made:
        yield made


@pytest.fixture(scope="module")
async def full() -> AsyncIterator[Sandbox]:
    async with start_executing(MECHANISMS) as made:
        yield made


SUMS = {
    "bash": "read a b\necho $((a + b))",
    "node": "const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number);\nconsole.log(a + b);",
    "cpp": "#include <bits/stdc++.h>\nusing namespace std;\nint main() { int a, b; cin >> a >> b; cout << a + b; }",
}


@pytest.mark.parametrize("language", SUMS)
async def test_a_right_program_passes_and_a_wrong_one_does_not(sandbox: Sandbox, language: str) -> None:
    assert await run(sandbox, language, SUMS[language], "2 3\n", "5") == [True, None]
    assert await run(sandbox, language, SUMS[language], "2 3\n", "6") == [False, "wrong answer"]


HONEST: dict[str, tuple[str, str, str, str]] = {
    "bash: pipes, substitutions and the machine's programs": (
        "bash",
        "n=$(wc -l < /dev/stdin | tr -d ' ')\nprintf '%s\\n' c a b | sort | head -1 | sed s/a/$n/\n"
        "cat <(echo x) <<< y\nfor i in {1..3}; do echo $i; done | awk '{s+=$1} END {print s}'",
        "1\n2\n",
        "2\nx\n6",
    ),
    "bash: arrays and strings": ("bash", "read -a w\necho ${#w[@]} ${w[1]^^}", "a bc d", "3 BC"),
    "node: lines": (
        "node",
        "const rl = require('readline').createInterface({input: process.stdin});\nconst l = [];\n"
        "rl.on('line', x => l.push(x)).on('close', () => console.log(l.reverse().join(' ')));",
        "a\nb\n",
        "b a",
    ),
    "node: /dev/stdin, long integers, promises": (
        "node",
        "const t = require('fs').readFileSync('/dev/stdin').toString();\n"
        "(async () => { await null; console.log((BigInt(t) ** 20n).toString()); })();",
        "10",
        "1" + "0" * 20,
    ),
    "node: a module": ("node", "import fs from 'fs';\nconsole.log(await fs.readFileSync(0, 'utf8'));", "7", "7"),
    "node: deep recursion": (
        "node",
        "const f = n => n ? 1 + f(n - 1) : 0;\nconsole.log(f(50000));",
        "",
        "50000",
    ),
    "cpp: deep recursion": (
        "cpp",
        "#include <cstdio>\nint f(int n) { volatile int x = n; return n ? 1 + f(n - 1) + x - n : 0; }\n"
        'int main() { std::printf("%d", f(1000000)); }',
        "",
        "1000000",
    ),
    "cpp: threads": (
        "cpp",
        "#include <thread>\n#include <iostream>\nint main() { int x = 0; std::thread t([&] { x = 7; }); t.join();"
        " std::cout << x; }",
        "",
        "7",
    ),
    "cpp: a large output": (
        "cpp",
        '#include <cstdio>\nint main() { for (int i = 0; i < 200000; i++) std::puts("1"); }',
        "",
        "1\n" * 200_000,
    ),
    "cpp: 20 MB of input": (
        "cpp",
        '#include <cstdio>\nint main() { int n = 0, x; while (std::scanf("%d", &x) == 1) n++; std::printf("%d", n); }',
        "1 " * 1_000_000,
        "1000000",
    ),
}


@pytest.mark.parametrize("name", HONEST)
async def test_what_honest_programs_do_is_possible(sandbox: Sandbox, name: str) -> None:
    language, program, given, expected = HONEST[name]
    assert await run(sandbox, language, program, given, expected) == [True, None]


FAILING: dict[str, tuple[str, str, str]] = {
    "bash: exit status": ("bash", "echo ok\nexit 3", "exit status 3"),
    "bash: no bash": ("bash", "echo ok\nif then", "exit status 2"),
    "node: exception": ("node", "console.log('ok'); throw 1", "exit status 1"),
    "node: no JavaScript": ("node", "console.log('ok'", "exit status 1"),
    "node: exit": ("node", "console.log('ok'); process.exitCode = 4", "exit status 4"),
    "cpp: exit status": ("cpp", '#include <cstdio>\nint main() { std::puts("ok"); return 1; }', "exit status 1"),
    "cpp: a null pointer": ("cpp", "int main() { volatile int *p = 0; return *p; }", "crashed"),
    "cpp: assert": ("cpp", "#include <cassert>\nint main() { assert(false); }", "crashed"),
    "cpp: an exception": ("cpp", "int main() { throw 1; }", "crashed"),
}


@pytest.mark.parametrize("name", FAILING)
async def test_a_program_that_ends_badly_fails_whatever_it_wrote(full: Sandbox, name: str) -> None:
    language, program, error = FAILING[name]
    assert await run(full, language, program) == [False, error]


COMPILE_ERRORS = {
    "an unknown name": ("int main() { return x; }", "‘x’ was not declared"),
    "no C++": ("def main(): pass", "error:"),
    "no main": ("int f() { return 1; }", "undefined reference to `main'"),
    "a file of the machine": ('#include "/etc/passwd"\nint main() {}', "/etc/passwd: Permission denied"),
    "a file taken into the program": (
        'asm(".incbin \\"/etc/passwd\\"");\nint main() {}',
        "file not found: /etc/passwd",
    ),
    "words of a compiler that fails": ("#error internal compiler error: out of memory\nint main() {}", "#error"),
}


@pytest.mark.parametrize("name", COMPILE_ERRORS)
async def test_a_program_that_does_not_compile_fails_every_test_and_says_so(sandbox: Sandbox, name: str) -> None:
    program, words = COMPILE_ERRORS[name]
    passed, error = await run(sandbox, "cpp", program)
    assert not passed
    assert error.startswith("compile error: ")
    assert words in error
    assert len(error) <= 300


async def test_a_compiler_that_fails_by_itself_is_no_verdict(full: Sandbox) -> None:
    bomb = "struct A { char x[1L << 31]; };\nA a = {1};\nint main() { return a.x[7]; }"  # more than a file may have
    told = await answer(full, "cpp", bomb)
    assert isinstance(told, Invalid), told
    assert (told.code, told.retryable) == ("operation_error", False)
    assert "the compiler g++ failed by itself" in told.message


@pytest.mark.parametrize(
    ("said", "own"),
    [
        ("g++: fatal error: Killed signal terminated program cc1plus\ncompilation terminated.", True),
        ("cc1plus: out of memory allocating 65536 bytes after a total of 1 bytes", True),
        ("/usr/bin/ld: final link failed: memory exhausted", True),
        ("collect2: fatal error: ld terminated with signal 9 [Killed]", True),
        ("/usr/bin/ld: final link failed: No space left on device", True),
        ("program.cpp:1:1: internal compiler error: Segmentation fault", True),
        ("{standard input}: Fatal error: can't write 2 bytes to section .data of a.o: 'File too large'", True),
        ("virtual memory exhausted: Cannot allocate memory", True),
        ("program.cpp:1:2: error: #error internal compiler error: x", False),
        ("program.cpp:1:2: error: out of memory", False),
        ("collect2: error: ld returned 1 exit status", False),
        ("/usr/bin/ld: program.o: undefined reference to `memory_exhausted'", False),
    ],
)
def test_what_a_compiler_says_of_itself_is_told_from_what_it_says_of_a_program(said: str, own: bool) -> None:
    assert is_compiler_fault(said) is own
