"""Programs run by SandboxFusion's and Piston's HTTP forms: the same verdicts as here, and no verdict of a failure."""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.backends.remote_sandboxes.config import SandboxConfig, SandboxesFileError, load_sandboxes
from reward_gateway.backends.remote_sandboxes.protocols import PROTOCOLS
from reward_gateway.backends.remote_sandboxes.remote_sandboxes import RemoteSandboxes
from reward_gateway.errors import NotFound
from reward_gateway.operations.apply import apply
from reward_gateway.operations.effects import RunSandboxed
from reward_gateway.operations.registry import catalog
from reward_gateway.sample import Invalid
from starlette.responses import JSONResponse, Response

from .conftest import FakeSandbox

pytestmark = pytest.mark.anyio

FORMS = ("sandboxfusion", "piston")
TOOLS = {"bash": "bash", "node": "node", "cpp": "g++"}


@pytest.fixture(params=FORMS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def declare(fake: FakeSandbox, protocol: str, **more: Any) -> SandboxConfig:
    return SandboxConfig.model_validate({"name": "far", "url": fake.address, "protocol": protocol, **more})


@pytest.fixture
async def far(fake: FakeSandbox, protocol: str) -> AsyncIterator[RemoteSandboxes]:
    made = RemoteSandboxes([declare(fake, protocol, concurrency=4)])
    yield made
    await made.close()


def make_tests(*pairs: tuple[str, str], **more: Any) -> dict[str, Any]:
    inputs, outputs = [given for given, _ in pairs], [expected for _, expected in pairs]
    asked = {"inputs": inputs, "outputs": outputs, "stop": False, "keep": False, "most_timeouts": 5}
    return {"language": "python", **asked, "rel_tol": 1e-6, "abs_tol": 1e-9, **more}


async def judge(
    far: RemoteSandboxes, program: str, *pairs: tuple[str, str], timeout_s: float = 20.0, **more: Any
) -> Any:
    deadline = more.pop("deadline", None)
    (told,) = await far.run("far", [program], [make_tests(*pairs, **more)], timeout_s, deadline)
    return told["value"] if isinstance(told, dict) else told


SUM = "a, b = map(int, input().split())\nprint(a + b)"
SUMS = {
    "python": SUM,
    "bash": "read a b\necho $((a + b))",
    "node": "const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number);\nconsole.log(a + b);",
    "cpp": "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }",
}


@pytest.mark.parametrize("language", SUMS)
async def test_outputs_are_compared_as_those_of_the_own_sandbox(far: RemoteSandboxes, language: str) -> None:
    if language in TOOLS and shutil.which(TOOLS[language]) is None:
        pytest.skip(f"this machine has no {TOOLS[language]}")
    verdicts = await judge(far, SUMS[language], ("1 2\n", "3  \n\n"), ("4 5", "8"), language=language)
    assert verdicts == [[True, None], [False, "wrong answer"]]


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("raise SystemExit(3)", "exit status 3"),
        ("import os\nos.kill(os.getpid(), 11)", "crashed"),
        ("while True: pass", "timeout"),
    ],
)
async def test_a_program_that_ends_badly_fails(far: RemoteSandboxes, program: str, error: str) -> None:
    assert await judge(far, program, ("", ""), timeout_s=1.0) == [[False, error]]


async def run_tests(far: RemoteSandboxes, *pairs: tuple[str, str], limit_s: float | None = None) -> Any:
    (told,) = await far.run("far", ["print(input())"], [make_tests(*pairs)], 20.0, limits=[limit_s])
    return told


async def test_the_longest_time_of_a_test_is_told_by_the_servers_clock(far: RemoteSandboxes, fake: FakeSandbox) -> None:
    fake.seconds = lambda given: float(given)
    told = await run_tests(far, ("0.25", "0.25"), ("0.75", "0.75"), ("0.5", "0.5"))
    assert told["slowest_s"] == pytest.approx(0.75)


async def test_a_time_that_a_server_does_not_tell_of_every_test_is_not_known(
    far: RemoteSandboxes, fake: FakeSandbox
) -> None:
    fake.seconds = lambda given: None if given == "b" else 0.5
    assert (await run_tests(far, ("a", "a"), ("b", "b")))["slowest_s"] is None


async def test_a_programs_own_limit_is_sent_in_place_of_the_time_of_all(
    far: RemoteSandboxes, fake: FakeSandbox, protocol: str
) -> None:
    await run_tests(far, ("a", "a"), limit_s=1.5)
    assert fake.bodies[0]["run_timeout"] == (1.5 if protocol == "sandboxfusion" else 1500)


async def test_a_compile_error_fails_every_test_after_one_call(far: RemoteSandboxes, fake: FakeSandbox) -> None:
    if shutil.which("g++") is None:
        pytest.skip("this machine has no g++")
    first, second = await judge(far, "int main() { return x; }", ("", "1"), ("", "2"), language="cpp")
    assert first == second
    assert first[1].startswith("compile error: program.cpp:1:21: error: ‘x’ was not declared")
    assert len(fake.bodies) == 1


async def test_the_expected_output_is_never_sent(far: RemoteSandboxes, fake: FakeSandbox) -> None:
    await judge(far, "print(input())", ("17", "40213"), ("18", "40213"))
    assert len(fake.bodies) == 2
    assert "40213" not in json.dumps(fake.bodies)


async def test_what_is_sent_is_each_protocols_form(fake: FakeSandbox) -> None:
    for protocol in FORMS:
        made = RemoteSandboxes([declare(fake, protocol, memory=256 << 20)])
        await judge(made, "print(1)", ("x", "1"), timeout_s=2.5)
        await made.close()
    fusion, piston = fake.bodies
    assert fake.paths == ["/run_code", "/api/v2/execute"]
    assert fusion == {
        "language": "python",
        "code": "print(1)",
        "stdin": "x",
        "memory_limit_MB": 256,
        "run_timeout": 2.5,
        "compile_timeout": 30.0,
    }
    assert piston == {
        "language": "python",
        "version": "*",
        "files": [{"name": "program", "content": "print(1)"}],
        "stdin": "x",
        "run_timeout": 2500,
        "run_cpu_time": 2500,
        "run_memory_limit": 256 << 20,
    }


@pytest.mark.parametrize(
    ("protocol", "url", "called"),
    [
        ("sandboxfusion", "http://a:8080", "http://a:8080/run_code"),
        ("sandboxfusion", "http://a/faas/sandbox/", "http://a/faas/sandbox/run_code"),
        ("sandboxfusion", "http://a/run_code", "http://a/run_code"),
        ("piston", "http://a:2000/", "http://a:2000/api/v2/execute"),
        ("piston", "https://a/api/v2/piston", "https://a/api/v2/piston/execute"),
        ("piston", "https://a/api/v2/piston/execute", "https://a/api/v2/piston/execute"),
    ],
)
def test_the_address_that_is_called(protocol: Any, url: str, called: str) -> None:
    assert PROTOCOLS[protocol].find_url(SandboxConfig(name="a", url=url, protocol=protocol)) == called


def answered(body: Any, status: int = 200, **headers: str) -> Response:
    return JSONResponse(body, status, headers={name.replace("_", "-"): value for name, value in headers.items()})


BROKEN = {
    "no JSON": lambda: Response(b"<html>"),
    "half of it": lambda: Response(b'{"status": "Success", "run'),
    "another form": lambda: answered({"ok": True}),
    "a list": lambda: answered([]),
    "a status of the sandbox": lambda: answered(
        {"status": "SandboxError", "message": "no", "run": {"stdout": "", "status": "XX", "code": None}}
    ),
    "no result": lambda: answered({"status": "Success", "message": "", "run_result": None}),
    "a result of the wrong type": lambda: answered(
        {"status": "Success", "run_result": {"status": "Finished", "return_code": "0"}, "run": {"stdout": 1}}
    ),
    "no end of the program": lambda: answered(
        {"status": "Failed", "run_result": {"status": "Finished", "stdout": "3"}, "run": {"stdout": "3"}}
    ),
    "an error of its run": lambda: answered(
        {"status": "Failed", "run_result": {"status": "Error"}, "run": {"stdout": "", "status": "XX"}}
    ),
    "429": lambda: answered({"message": "slow down"}, 429),
    "500": lambda: Response(b"", 500),
    "502": lambda: Response(b"bad gateway", 502),
    "503": lambda: Response(b"", 503),
    "507": lambda: Response(b"", 507),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_failure_of_the_server_is_retryable_and_no_verdict(fake: FakeSandbox, protocol: str, name: str) -> None:
    fake.fault = lambda number: BROKEN[name]()
    made = RemoteSandboxes([declare(fake, protocol, retries=0)])
    told = await judge(made, SUM, ("1 2", "3"), ("1 3", "4"))
    await made.close()
    assert isinstance(told, Invalid), told
    assert (told.code, told.retryable) == ("worker_lost", True)
    assert told.message.startswith("the sandbox far ")


async def test_a_failure_that_passes_is_tried_again_after_the_time_that_the_server_asks_for(
    far: RemoteSandboxes, fake: FakeSandbox
) -> None:
    times: list[float] = []

    def fail_once(number: int) -> Response | None:
        times.append(time.monotonic())
        return answered({}, 429, retry_after="1") if number == 1 else None

    fake.fault = fail_once
    assert await judge(far, SUM, ("1 2", "3")) == [[True, None]]
    assert times[1] - times[0] >= 1


async def test_one_that_fails_in_the_middle_leaves_no_verdict_for_the_program_alone(
    fake: FakeSandbox, protocol: str
) -> None:
    fake.fault = lambda number: Response(b"", 500) if "broken" in json.dumps(fake.bodies[number - 1]) else None
    made = RemoteSandboxes([declare(fake, protocol, retries=0, concurrency=1)])
    tests = make_tests(("1 2", "3"), ("1 3", "4"))
    lost, right = await made.run("far", [f"{SUM} # broken", SUM], [tests, tests], 20.0)
    await made.close()
    assert isinstance(lost, Invalid)
    assert isinstance(right, dict)
    assert right["value"] == [[True, None]] * 2


async def test_a_server_that_is_not_there_or_says_nothing_is_no_verdict(protocol: str, fake: FakeSandbox) -> None:
    away = SandboxConfig.model_validate(
        {"name": "far", "url": "http://127.0.0.1:9", "protocol": protocol, "retries": 0}
    )
    made = RemoteSandboxes([away])
    told = await judge(made, SUM, ("1 2", "3"))
    await made.close()
    assert isinstance(told, Invalid)
    assert (told.code, told.message) == (
        "worker_lost",
        "the sandbox far cannot be reached, so this program has no verdict",
    )


async def test_the_deadline_of_the_request_is_kept(far: RemoteSandboxes) -> None:
    deadline = asyncio.get_running_loop().time() + 0.5
    told = await judge(far, "import time\ntime.sleep(3)", ("", ""), deadline=deadline)
    assert isinstance(told, Invalid)
    assert (told.code, told.retryable) == ("deadline_exceeded", True)


async def test_a_language_or_limit_that_the_server_refuses_says_so(fake: FakeSandbox) -> None:
    made = RemoteSandboxes([declare(fake, "piston")])
    fake.fault = lambda number: answered({"message": "c++-* runtime is unknown"}, 400) if number == 1 else None
    told = await judge(made, "int main() {}", ("", ""), language="cpp")
    assert (told.code, told.message) == (
        "operation_error",
        "the sandbox far runs no programs in cpp, so this program has no verdict",
    )
    told = await judge(made, SUM, ("", ""), timeout_s=60.0)
    assert (told.code, told.retryable) == ("operation_error", False)
    assert "run_timeout cannot exceed the configured limit of 30000" in told.message
    await made.close()


async def test_an_output_that_the_server_cut_is_wrong_only_if_no_right_one_is_so_long(fake: FakeSandbox) -> None:
    made = RemoteSandboxes([declare(fake, "piston")])
    flood = "print('1 ' * 5000)"
    assert await judge(made, flood, ("", "1")) == [[False, "output"]]
    told = await judge(made, flood, ("", "1 " * 5000))
    assert isinstance(told, Invalid)
    assert "PISTON_OUTPUT_MAX_SIZE" in told.message
    await made.close()


async def test_an_answer_over_the_limit_is_no_verdict(
    fake: FakeSandbox, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reward_gateway.backends.remote_sandboxes.endpoint.LARGEST_ANSWER", 1000)
    made = RemoteSandboxes([declare(fake, protocol)])
    told = await judge(made, "print('x' * 900, end='')\nimport sys\nprint('y' * 900, file=sys.stderr)", ("", ""))
    await made.close()
    assert isinstance(told, Invalid)
    assert told.code == "worker_lost"


async def test_no_more_than_the_declared_number_run_at_once(fake: FakeSandbox, protocol: str) -> None:
    made = RemoteSandboxes([declare(fake, protocol, concurrency=2)])
    program = "import time\ntime.sleep(0.05)\nprint(1)"
    tests = make_tests(*[("", "1")] * 6)
    answers = await made.run("far", [program] * 3, [tests] * 3, 20.0)
    await made.close()
    assert [answer["value"] for answer in answers if isinstance(answer, dict)] == [[[True, None]] * 6] * 3
    assert fake.most_running == 2


async def test_the_first_failure_and_many_timeouts_end_a_program(far: RemoteSandboxes) -> None:
    pairs = [("1 2", "3"), ("1 2", "4"), ("1 2", "3")]
    assert await judge(far, SUM, *pairs, stop=True) == [[True, None], [False, "wrong answer"], [False, "not run"]]
    verdicts = await judge(far, "while True: pass", *[("", "")] * 4, timeout_s=0.3, most_timeouts=2)
    assert verdicts == [[False, "timeout"]] * 2 + [[False, "not run"]] * 2


async def test_outputs_are_kept_for_a_checker(far: RemoteSandboxes) -> None:
    assert await judge(far, "print(input())", ("a", ""), keep=True) == [[True, "a\n"]]


async def test_a_key_is_sent_in_the_protocols_way(fake: FakeSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAR_KEY", "secret")
    for protocol in FORMS:
        made = RemoteSandboxes([declare(fake, protocol, api_key_env="FAR_KEY")])
        await judge(made, "print(1)", ("", "1"))
        await made.close()
    assert [headers["authorization"] for headers in fake.headers] == ["Bearer secret", "secret"]


async def test_only_declared_sandboxes_are_called(far: RemoteSandboxes, fake: FakeSandbox, protocol: str) -> None:
    other = next(form for form in FORMS if form != protocol)
    tests = [make_tests(("", "1"))]
    strange: list[str | tuple[str, str]] = ["near", ("http://169.254.169.254", protocol), (fake.address, other)]
    for sandbox in strange:
        with pytest.raises(NotFound, match=r"sandboxes: far"):
            await far.run(sandbox, ["print(1)"], tests, 5.0)
    assert fake.bodies == []
    for declared in ("far", (fake.address, protocol), (f"{fake.address}/", protocol)):
        (told,) = await far.run(declared, ["print(1)"], tests, 20.0)
        assert isinstance(told, dict)
        assert told["value"] == [[True, None]]


async def test_the_operation_pays_what_a_remote_sandbox_has_run(far: RemoteSandboxes, fake: FakeSandbox) -> None:
    operation = catalog().get("score", "code_stdio")
    assert operation is not None
    reference = [{"input": "1 2", "output": "3"}]
    items = [{"response": f"```python\n{text}\n```", "reference": reference} for text in (SUM, "print(4)")]
    steps = apply(operation, items, {"sandbox": "far"})
    effect = steps.send(None)
    assert isinstance(effect, RunSandboxed)
    assert effect.sandbox == "far"
    with pytest.raises(StopIteration) as stop:
        steps.send(await far.run("far", effect.programs, effect.inputs, effect.timeout_s))
    assert [result["reward"] for result in stop.value.value] == [1, 0]


def written(folder: Path, text: str) -> Path:
    path = folder / "sandboxes.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sandboxes: [{name: a, url: 'ftp://a', protocol: piston}]", r"sandboxes\[0\].url: Value error, must be http"),
        ("sandboxes: [{name: a, url: 'http://u:p@a', protocol: piston}]", "must have no user"),
        ("sandboxes: [{name: a, url: 'http://a', protocol: judge0}]", r"sandboxes\[0\].protocol"),
        ("sandboxes: [{name: a, url: 'http://a', protocol: piston, x: 1}]", r"sandboxes\[0\].x"),
        ("sandboxes: {}", "one list named sandboxes"),
        (
            "sandboxes: [{name: a, url: 'http://a', protocol: piston}, {name: a, url: 'http://b', protocol: piston}]",
            "two sandboxes share a name",
        ),
        ("sandboxes: [", "the sandboxes file cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_says_where(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(SandboxesFileError, match=fault):
        load_sandboxes(written(tmp_path, text))


def test_a_file_is_read(tmp_path: Path) -> None:
    assert load_sandboxes(None) == []
    (entry,) = load_sandboxes(written(tmp_path, "sandboxes: [{name: a, url: 'http://a/', protocol: piston}]"))
    assert (entry.name, entry.url, entry.concurrency, entry.wait_s) == ("a", "http://a", 16, 60.0)
    entry = SandboxConfig(name="a", url="http://a", protocol="piston", api_key_env="K")
    with pytest.raises(SandboxesFileError, match="the sandbox a needs its key in the environment: K is empty"):
        entry.api_key({})
