"""Tests of a program run apart from it: what honest programs may do, and what cheating ones do not gain."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from reward_gateway.backends.sandbox.sandbox import _BEGIN, Sandbox, SandboxUnavailable
from reward_gateway.sample import Invalid

from tests.clock import until

from .sandboxes import SETS, start_sandbox

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["all", "landlock and namespaces"], scope="module")
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """With every mechanism, and by landlock and namespaces without seccomp."""
    async with start_sandbox(SETS[request.param]) as made:
        yield made


@pytest.fixture(params=["seccomp alone"], scope="module")
async def lone(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with start_sandbox(SETS[request.param]) as made:
        yield made


async def run(sandbox: Sandbox, program: str, *tests: str, timeout_s: float = 10.0, most_timeouts: int = 5) -> Any:
    (answer,) = await sandbox.run(
        "unit_tests", [program], [{"tests": list(tests), "most_timeouts": most_timeouts}], timeout_s
    )
    assert isinstance(answer, dict), answer
    return answer["value"]


async def passed(sandbox: Sandbox, program: str, *tests: str, timeout_s: float = 10.0) -> list[bool]:
    return [verdict[0] for verdict in await run(sandbox, program, *tests, timeout_s=timeout_s)]


HONEST: dict[str, tuple[str, str]] = {
    "LeetCode's prelude": (
        "class Solution:\n    def f(self, a: List[int], b: Optional[int] = None) -> int:\n"
        "        h = a[:]\n        heapify(h)\n        return heappop(h) + bisect_left(sorted(a), 2) + gcd(4, 6)",
        "assert Solution().f([3, 1, 2]) == 1 + 1 + 2",
    ),
    "a list is sorted in place": ("def f(a): a.sort()", "x = [3, 1, 2]\nf(x)\nassert x == [1, 2, 3]"),
    "a nested one is changed": ("def f(g): g[0][1] = 7", "g = [[1, 2], [3]]\nf(g)\nassert g == [[1, 7], [3]]"),
    "a dictionary is filled": ("def f(d, *, k): d[k] = [1]", "d = {}\nf(d, k=(1, 2))\nassert d == {(1, 2): [1]}"),
    "an exception of Python": (
        "def f(n):\n    if n < 0: raise ValueError('negative')",
        "try:\n    f(-1)\nexcept ValueError as error:\n    assert str(error) == 'negative'\nelse:\n    assert False",
    ),
    "an exception of its own": (
        "class Bad(KeyError): pass\nclass Worse(Bad): pass\ndef f(): raise Worse('x')",
        "try:\n    f()\nexcept Bad as error:\n    assert error.args == ('x',)\nelse:\n    assert False",
    ),
    "a class with state": (
        "class Stack:\n    def __init__(self): self.a = []\n    def push(self, x): self.a.append(x)\n"
        "    def pop(self): return self.a.pop()\n    def __len__(self): return len(self.a)",
        "s = Stack()\ns.push(1)\ns.push([2])\nassert len(s) == 2 and s.pop() == [2] and s.pop() == 1 and not s.a",
    ),
    "linked nodes": (
        "class Node:\n    def __init__(self, v, next=None): self.v, self.next = v, next\n"
        "def rev(n):\n    out = None\n    while n: out, n = Node(n.v, out), n.next\n    return out",
        "a = Node(1)\na.next = Node(2)\nb = rev(a)\nassert b.v == 2 and b.next.v == 1 and b.next.next is None",
    ),
    "nodes of the test's own class": (
        "def total(n):\n    return 0 if n is None else n.v + total(n.left) + total(n.right)",
        "class T:\n    def __init__(self, v, left=None, right=None): self.v, self.left, self.right = v, left, right\n"
        "assert total(T(1, T(2), T(3, T(4)))) == 10",
    ),
    "operators of a class": (
        "class V:\n    def __init__(self, x): self.x = x\n    def __add__(self, o): return V(self.x + o.x)\n"
        "    def __mul__(self, k): return V(self.x * k)\n    def __eq__(self, o): return self.x == o.x\n"
        "    def __repr__(self): return f'V({self.x})'",
        "assert V(1) + V(2) == V(3) and V(2) * 3 != V(5) and repr(V(1)) == 'V(1)' and isinstance(V(1), V)",
    ),
    "a function is given": ("def f(g, a): return [g(x) for x in a]", "assert f(lambda x: x + 1, [1, 2]) == [2, 3]"),
    "a builtin is given": ("def f(g, a): return g(a)", "assert f(sum, [1, 2]) == 3 and f(len, 'ab') == 2"),
    "a function is returned": ("def f(n): return lambda x: x + n", "assert f(2)(3) == 5"),
    "a generator": (
        "def f(n):\n    for i in range(n): yield i * i",
        "assert list(f(3)) == [0, 1, 4] and next(f(1)) == 0 and max(f(4)) == 9 and 4 in f(3)",
    ),
    "values of many types": (
        "def f(*a): return a",
        "v = (1, 2.5, None, True, 'a\\ud800', b'x', 2**200, -2**70, 1j, {1, 2}, frozenset([3]), {'a': (1,)}, [[]])\n"
        "assert f(*v) == v and [type(x) for x in f(*v)] == [type(x) for x in v]",
    ),
    "values of the library": (
        "def f(x): return x",
        "import datetime\n"
        "for x in (Fraction(1, 3), Decimal('1.10'), Counter('aab'), deque([1], 3), OrderedDict(a=1),\n"
        "          defaultdict(list, a=[1]), datetime.date(2020, 1, 2), datetime.timedelta(1, 2), range(0, 9, 2)):\n"
        "    assert f(x) == x and type(f(x)) is type(x), x",
    ),
    "nan": ("def f(): return float('nan'), float('inf')", "a, b = f()\nassert a != a and b == inf"),
    "a named tuple": (
        "P = namedtuple('P', 'x y')\ndef f(): return P(1, 2)",
        "p = f()\nassert p == (1, 2) and p.x == 1 and p[1] == 2 and p == P(1, 2)",
    ),
    "an enumeration": (
        "from enum import IntEnum\nclass C(IntEnum):\n    A = 1\ndef f(): return C.A",
        "assert f() == 1 and f() == C.A and f() + 1 == 2",
    ),
    "text of a subclass": ("class S(str): pass\ndef f(): return S('ab')", "assert f() == 'ab' and len(f()) == 2"),
    "a name that Python has, too": ("def pow(a, b): return a ** b + 1", "assert pow(2, 3) == 9"),
    "threads": (
        "import threading, sys\nthreading.stack_size(1 << 26)\nout = []\ndef main(): out.append(7)\n"
        "t = threading.Thread(target=main)\nt.start()\nt.join()\ndef f(): return out",
        "assert f() == [7]",
    ),
    "deep recursion": ("def f(n): return 0 if n == 0 else 1 + f(n - 1)", "assert f(50_000) == 50_000"),
    "deep recursion of a cached function": (
        "@lru_cache(None)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)",
        "assert f(50_000) == 50_000",
    ),
    "long numbers": ("def f(n): return str(9 ** n)", "assert len(f(50_000)) == 47713"),
    "a guard that is not run": ("def f(): return 1\nif __name__ == '__main__':\n    f(input())", "assert f() == 1"),
    "rare modules": (
        "import xml.etree.ElementTree as E, asyncio, zoneinfo, graphlib\nfrom email.utils import parseaddr\n"
        "def f(): return E.fromstring('<a>1</a>').text + parseaddr('a <b@c>')[1]",
        "assert f() == '1b@c'",
    ),
    "a test of pytest's kind": (
        "def f(x): return x",
        "from solution import f\nimport solution\ndef test_a():\n    assert f(1) == 1\n    assert solution.f(2) == 2",
    ),
    "a check with a candidate": ("def f(x): return x", "def check(c):\n    assert c(1) == 1\ncheck(f)"),
    "tolerance": (
        "def f(): return 0.1 + 0.2",
        "assert abs(f() - 0.3) < 1e-9 and isclose(f(), 0.3) and round(f(), 2) == 0.3",
    ),
    "a global of the program": ("LIMIT = [1, 2]\ndef f(): return sum(LIMIT)", "assert f() == sum(LIMIT) == 3"),
    "printing": ("def f(x):\n    print(x)\n    return x", "print('a')\nassert f(1) == 1"),
}


@pytest.mark.parametrize("name", HONEST)
async def test_an_honest_program_passes(sandbox: Sandbox, name: str) -> None:
    program, test = HONEST[name]
    assert await run(sandbox, program, test) == [[True, None]]


FAILING: dict[str, tuple[str, str]] = {
    "test_… fails": ("def f(x): return 2", "def test_a():\n    assert f(1) == 1"),
    "not equal": ("def f(x): return 2", "assert f(1) == 1"),
    "in place, but copied": ("def f(a): return sorted(a)", "x = [2, 1]\nf(x)\nassert x == [1, 2]"),
    "no such name": ("def g(x): return 1", "assert f(1) == 1"),
    "no Python": ("def f(x: return 1", "assert True"),
    "reaches outside": ("import socket\ndef f(): return 1", "assert f() == 1"),
    "starts a process": ("import os\ndef f(): return os.fork() or 1", "assert f() == 1"),
    "reads a file": ("def f(): return open('/etc/passwd').read() and 1", "assert f() == 1"),
}


@pytest.mark.parametrize("name", FAILING)
async def test_a_program_that_is_wrong_fails(sandbox: Sandbox, name: str) -> None:
    program, test = FAILING[name]
    assert await passed(sandbox, program, test) == [False]


EQUAL = "class E:\n    def __eq__(self, o): return True\n    def __ne__(self, o): return False\n"
EVIL = """
class E:
    def __bool__(self): return True
    def __hash__(self): return 3
    def __contains__(self, o): return True
for n in "eq le lt ge gt".split(): setattr(E, f"__{n}__", lambda *a: True)
for n in "add sub mul truediv pow mod floordiv".split():
    setattr(E, f"__{n}__", lambda *a: 0); setattr(E, f"__r{n}__", lambda *a: 0)
E.__ne__ = lambda *a: False
E.__abs__ = E.__round__ = E.__neg__ = lambda s, *a: s
def f(*a): return E()
"""
FRAMES = """
def look(frame):
    while frame is not None:
        for c in list(frame.f_code.co_consts) + list(frame.f_locals.values()) + list(frame.f_globals.values()):
            if isinstance(c, str) and 'assert f(1) ==' in c: return int(c.split('==')[1])
            if c == 40213: return c
        frame = frame.f_back
    return 0
"""
CHEATS: dict[str, tuple[str, str]] = {
    "an __eq__ that is always true": (EQUAL + "def f(x): return E()", "assert f(1) == 3"),
    "… on the other side": (EQUAL + "def f(x): return E()", "assert 3 == f(1)"),
    "… in a list": (EQUAL + "def f(x): return [E()]", "assert f(1) == [3]"),
    "… as a key": (EQUAL + "E.__hash__ = lambda s: 3\ndef f(x): return {E(): 1}", "assert f(1) == {3: 1}"),
    "… of a number": ("class E(int):\n    def __eq__(s, o): return True\ndef f(x): return E(0)", "assert f(1) == 3"),
    "… of a text": ("class E(str):\n    def __eq__(s, o): return True\ndef f(x): return E()", "assert f(1) == 'a'"),
    "… of a list": ("class E(list):\n    def __eq__(s, o): return True\ndef f(x): return E()", "assert f(1) == [3]"),
    "… of the solution itself": (
        "class Solution:\n    def f(s, x): return s\n    def __eq__(s, o): return True",
        "assert Solution().f(1) == 3",
    ),
    "an __ne__ that is always false": (EQUAL + "def f(x): return E()", "assert not f(1) != 3"),
    "arithmetic that is always right": (EVIL, "assert abs(f(1) - 3) < 1e-6"),
    "… turned round": (EVIL, "assert -1e-6 < 3 - f(1) < 1e-6"),
    "order that is always right": (EVIL, "assert 2 < f(1)"),
    "a container that has everything": (EVIL, "assert 3 in f(1)"),
    "closeness that is always right": (
        "import math\nmath.isclose = lambda *a, **k: True\ndef f(x): return 0",
        "import math\nassert math.isclose(f(1), 3)",
    ),
    "an abs of its own": ("def abs(x): return 0\ndef f(x): return 0", "assert abs(f(1) - 3) < 1e-6"),
    "a sorted of its own": ("def sorted(x): return []\ndef f(x): return []", "assert sorted(f(1)) == sorted([3])"),
    "an all of its own": ("def all(x): return True\ndef f(x): return 0", "assert all(f(x) == 3 for x in (1, 2))"),
    "an isclose of its own": ("def isclose(*a, **k): return True\ndef f(x): return 0", "assert isclose(f(1), 3.0)"),
    "builtins are changed": (
        "import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.len = lambda x: 3\nbuiltins.all = lambda x: True\n"
        "builtins.AssertionError = None\ndef f(x): return 0",
        "assert abs(f(1) - 3) == 0 and all(x == 3 for x in [f(1)])",
    ),
    "the exit is taken": ("raise SystemExit(0)", "assert f(1) == 3"),
    "quit": ("quit()", "assert f(1) == 3"),
    "the exit in a call": ("import os\ndef f(x): os._exit(0)", "assert f(1) == 3"),
    "the exit in a call, by exception": ("def f(x): raise SystemExit(0)", "assert f(1) == 3"),
    "StopIteration ends a map": ("def f(x): raise StopIteration", "assert all(map(lambda x: f(x) == 3, [1, 2]))"),
    "GeneratorExit": ("def f(x): raise GeneratorExit", "assert f(1) == 3"),
    "a text that swallows the test": ('def f(x): return 0\n"""', "assert f(1) == 3"),
    "an excepthook": ("import sys\nsys.excepthook = lambda *a: None\ndef f(x): return 0", "assert f(1) == 3"),
    "a trace": (
        "import sys\ndef t(*a): return t\ntry: sys.settrace(t)\nexcept Exception: pass\ndef f(x): return 0",
        "assert f(1) == 3",
    ),
    "the frames of the caller": (
        FRAMES + "import sys\ndef f(x):\n    try: return look(sys._getframe())\n    except Exception: return 0",
        "assert f(1) == 40213",
    ),
    "frames by an exception": (
        FRAMES + "def f(x):\n    try: 1 / 0\n    except Exception as e: return look(e.__traceback__.tb_frame)",
        "assert f(1) == 40213",
    ),
    "frames by a generator": (
        FRAMES + "def f(x):\n    def g(): yield look(h.gi_frame)\n    h = g()\n    return next(h)",
        "assert f(1) == 40213",
    ),
    "everything in memory": (
        "import gc\ndef f(x):\n    try: objects = gc.get_objects()\n    except Exception: objects = []\n"
        "    seen = set()\n    stack = object.__subclasses__() + objects\n"
        "    for o in stack[:200000]:\n"
        "        d = getattr(o, '__dict__', None)\n"
        "        for v in list(d.values()) if d else []:\n"
        "            if v == 40213: return v\n"
        "            if isinstance(v, str) and 'assert f(1)' in v: return 40213\n"
        "    return 0",
        "assert f(1) == 40213",
    ),
    "the memory of its process, read as bytes": (
        "import sys\ndef f(x):\n    c = sys.modules['ctypes']\n    a = id(x) & ~0xfff\n"
        "    for p in range(a, a + (1 << 16), 8):\n"
        "        if c.c_long.from_address(p).value == 40213: return 40213\n    return 0",
        "assert f(1) == 40213",
    ),
    "the harness is patched": (
        "import sys\nfor n, m in list(sys.modules.items()):\n    if 'sandbox' in n:\n"
        "        for k, v in list(vars(m).items()):\n"
        "            if callable(v) and not isinstance(v, type):\n                setattr(m, k, lambda *a, **k: True)\n"
        "def f(x): return 0",
        "assert f(1) == 3",
    ),
    "the verdict is printed": (
        "import os\nfor fd in range(1, 12):\n    for t in (b'[0, true, null, false]\\n', b'[\"loaded\", null]\\n'):\n"
        "        try: os.write(fd, t)\n        except OSError: pass\ndef f(x): return 0",
        "assert f(1) == 3",
    ),
    "an answer is forged": (
        "import os, struct, json\ndef f(x):\n"
        "    for fd in range(0, 32):\n"
        "        d = json.dumps(['gave', True, []]).encode()\n"
        "        try: os.write(fd, struct.pack('!Q', len(d)) + d)\n        except OSError: pass\n    return 0",
        "assert f(1) == 3",
    ),
    "code is asked for by a callback": (
        "def f(g):\n"
        "    for n in ('__code__', '__globals__', 'func_code', '__closure__', '__self__', '__class__', 'gi_frame'):\n"
        "        try:\n            v = getattr(g, n)\n"
        "            if '40213' in repr(getattr(v, 'co_consts', v)):\n                return 40213\n"
        "        except Exception: pass\n    return 0",
        "secret = 40213\nassert f(lambda x: x == 40213) == secret",
    ),
    "a callback's assertion is swallowed": (
        "def f(g):\n    try: g(1)\n    except BaseException: pass\n    return 1",
        "def g(x):\n    assert x == 2\nassert f(g) == 1",
    ),
    "a name of a class that looks like an error of the test": (
        "Bad = type('broken test', (Exception,), {})\ndef f(x): raise Bad('x')",
        "assert f(1) == 3",
    ),
    "an exception that the load is done with": (
        "raise type('!x', (Exception,), {})('[0, true]')",
        "assert f(1) == 3",
    ),
    "the verdict's name is taken": ("def main(v): return True\ndef run_tests(*a): return True", "assert f(1) == 3"),
    "the parent is killed": (
        "import os, signal\ndef f(x):\n    for p in (os.getppid(), 0, -1):\n"
        "        try: os.kill(p, signal.SIGKILL)\n        except OSError: pass\n    return 0",
        "assert f(1) == 3",
    ),
}


@pytest.mark.parametrize("name", CHEATS)
async def test_cheating_does_not_pay(sandbox: Sandbox, name: str) -> None:
    program, test = CHEATS[name]
    for verdict, error in await run(sandbox, program, test, timeout_s=2.0):
        assert verdict is False
        assert not error.startswith("broken test")


async def test_cheating_does_not_pay_under_seccomp_alone(lone: Sandbox) -> None:
    for program, test in CHEATS.values():
        assert await passed(lone, program, test, timeout_s=2.0) == [False], program


async def test_cheating_in_one_test_pays_for_no_other(sandbox: Sandbox) -> None:
    program = """
import builtins, sys
count = 0
def f(x):
    global count
    count += 1
    if x == 1:
        builtins.AssertionError = None
        for m in list(sys.modules.values()):
            if 'sandbox' in getattr(m, '__name__', ''): vars(m).clear()
    return x
"""
    assert await passed(sandbox, program, "assert f(0) == 0", "assert f(1) == 2", "assert f(2) == 3") == [
        True,
        False,
        False,
    ]


async def test_a_time_bomb_does_not_pay(sandbox: Sandbox) -> None:
    program = """
import time, os
def f(x):
    end = time.monotonic() + 1.5
    while time.monotonic() < end: pass
    os._exit(0)
"""
    assert await passed(sandbox, program, "assert f(1) == 3", timeout_s=10.0) == [False]


async def test_a_test_that_ends_the_process_fails_alone(sandbox: Sandbox) -> None:
    program = """
import os, sys
def f(x):
    if x == 1: os._exit(0)
    if x == 2: sys.modules['ctypes'].string_at(0)
    while x == 3: pass
    return x
"""
    tests = [f"assert f({x}) == {x}" for x in range(5)]
    verdicts = await run(sandbox, program, *tests, timeout_s=1.0)
    assert [ok for ok, _ in verdicts] == [True, False, False, False, True]
    assert verdicts[3][1] == "timeout"


async def test_after_enough_timeouts_the_rest_is_not_run(sandbox: Sandbox) -> None:
    verdicts = await run(sandbox, "def f():\n    while True: pass", *["f()"] * 50, timeout_s=0.3, most_timeouts=2)
    assert [ok for ok, _ in verdicts] == [False] * 50
    assert verdicts[1][1] == "timeout"
    assert verdicts[2][1].startswith("not run")


async def test_memory_ends_at_its_limit_and_a_sleep_at_its_time(sandbox: Sandbox) -> None:
    grow = "def f():\n    kept = []\n    while True: kept.append(bytearray(1 << 22))\n"
    assert (await run(sandbox, grow, "assert f()"))[0][1].startswith("MemoryError")
    assert (await run(sandbox, "import time\ndef f(): time.sleep(99)", "f()", timeout_s=0.5))[0][1] == "timeout"
    assert (await run(sandbox, "import time\ntime.sleep(99)", "f()", "g()", timeout_s=0.5)) == [[False, "timeout"]] * 2


async def test_the_longest_time_of_a_test_is_told(sandbox: Sandbox) -> None:
    request = {"tests": ["pass", "import time\ntime.sleep(0.3)", "pass"], "most_timeouts": 5}
    (answer,) = await sandbox.run("unit_tests", ["x = 1"], [request], 60.0)
    assert isinstance(answer, dict)
    assert 0.15 <= answer["slowest_s"] < 60  # the supervisor sees a test begin a little later


async def test_a_programs_own_limit_ends_its_test(sandbox: Sandbox) -> None:
    request = {"tests": ["f()"], "most_timeouts": 5}
    (answer,) = await sandbox.run("unit_tests", ["def f():\n    while True: pass"], [request], 3600.0, limits=[0.3])
    assert isinstance(answer, dict)
    assert answer["value"] == [[False, "timeout"]]


async def test_a_test_that_is_no_python_is_no_fault_of_the_program(sandbox: Sandbox) -> None:
    (verdict,) = await run(sandbox, "def f(): return 1", "assert f( == 1")
    assert verdict[1].startswith("broken test: SyntaxError")


async def test_packages_of_the_operators_python_can_be_imported_and_no_others(sandbox: Sandbox) -> None:
    program = "import numpy as np\ndef f(n): return np.arange(n) * 2"
    tests = (
        "import numpy as np\nassert (f(3) == np.array([0, 2, 4])).all() and f(2).tolist() == [0, 2]",
        "import numpy as np\nassert np.allclose(f(3), [0, 2, 5])",
    )
    assert await passed(sandbox, program, *tests) == [False, False]
    with_numpy = Sandbox(sandbox.in_force, memory=4 << 30, python=Path(sys.executable))
    await with_numpy.start()
    assert await passed(with_numpy, program, *tests) == [True, False]
    await with_numpy.close()


async def test_an_interpreter_that_is_not_there_is_said() -> None:
    with pytest.raises(SandboxUnavailable, match="SANDBOX_PYTHON"):
        await Sandbox(python=Path("/none")).start()


async def test_a_program_that_leaves_its_group_is_ended_when_it_is_given_up(sandbox: Sandbox) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    program = """
import os, sys, time
try: os.setsid()
except OSError: pass
libc = sys.modules['ctypes'].CDLL(None)
libc.prctl(1, 0, 0, 0, 0)
time.sleep(999)
"""
    deadline = asyncio.get_running_loop().time() + 2
    request = {"tests": ["f()"], "most_timeouts": 1}
    (answer,) = await sandbox.run("unit_tests", [program], [request], 60, deadline)
    assert isinstance(answer, Invalid)
    assert answer.code == "deadline_exceeded"

    def left() -> list[psutil.Process]:
        lines = [(process, process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
        return [process for process, line in lines if _BEGIN in line and process.pid not in before]

    await until(lambda: not left())
