"""Programs in bash, node and C++: what keeps hostile ones away from everything else.

With namespaces and without: the latter is what containers without the right to make any have.
"""

import asyncio
import os
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from reward_gateway.backends.sandbox import sandbox as sandbox_module
from reward_gateway.backends.sandbox.languages import LANGUAGES, write_command
from reward_gateway.backends.sandbox.lockdown import MECHANISMS
from reward_gateway.backends.sandbox.sandbox import Sandbox, SandboxUnavailable, can_execute
from reward_gateway.fair_queue import Share, charge_to
from reward_gateway.sample import Invalid

from tests.clock import until

from .executing import EXECUTING_SETS, answer, attempt, needs, output, run, start_executing
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


C = "#include <unistd.h>\n#include <fcntl.h>\n#include <errno.h>\n#include <cstdio>\n#include <sys/syscall.h>\n"

READS = {
    "bash": "cat {path} && echo read",
    "node": "try {{ require('fs').readFileSync('{path}'); console.log('read'); }} catch (e) {{}}",
    "cpp": C + 'int main() {{ if (open("{path}", O_RDONLY) >= 0) std::puts("read"); }}',
}


@pytest.mark.parametrize("language", READS)
@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "/proc/self/maps", "/etc/shadow", "SECRET"])
async def test_no_file_outside_is_read(sandbox: Sandbox, tmp_path: Path, language: str, path: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    secret.chmod(0o644)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder.is_relative_to(tempfile.gettempdir()):
            folder.chmod(folder.stat().st_mode | 0o055)
    program = READS[language].format(path=str(secret) if path == "SECRET" else path)
    assert "read" not in await attempt(sandbox, language, program)


WRITES = {
    "bash": "echo x > {path}; mkdir {path}d; rm -f {kept}; mv {kept} {path}; ln {kept} {path}l; chmod 777 {kept}; :",
    "node": "const fs = require('fs');\nfor (const f of [() => fs.writeFileSync('{path}', 'x'),"
    " () => fs.unlinkSync('{kept}'), () => fs.mkdirSync('{path}d'), () => fs.chmodSync('{kept}', 0o777),"
    " () => fs.symlinkSync('{kept}', '{path}l')]) try {{ f(); }} catch (e) {{}}",
    "cpp": C + '#include <sys/stat.h>\nint main() {{ creat("{path}", 0666); unlink("{kept}"); mkdir("{path}d", 0777);'
    ' rename("{kept}", "{path}"); link("{kept}", "{path}l"); truncate("{kept}", 0); chmod("{kept}", 0777); }}',
}


@pytest.mark.parametrize("language", WRITES)
async def test_nothing_is_written_not_even_to_its_own_folder(sandbox: Sandbox, tmp_path: Path, language: str) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder.is_relative_to(tempfile.gettempdir()):
            folder.chmod(folder.stat().st_mode | 0o055)
    tmp_path.chmod(0o777)
    kept = tmp_path / "kept"
    kept.write_text("kept")
    kept.chmod(0o666)
    for path in (str(tmp_path / "new"), "new"):
        await attempt(sandbox, language, WRITES[language].format(path=path, kept=kept))
    assert [*tmp_path.iterdir()] == [kept]
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("kept", 0o666)


CONNECTS = {
    "bash": "exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected",
    "node": "try {{ require('net').connect({port}, '127.0.0.1', () => console.log('connected'))"
    ".on('error', () => {{}}); }} catch (e) {{}}",
    "cpp": C + "#include <sys/socket.h>\n#include <initializer_list>\n"
    "int main() {{ for (int f : {{1, 2, 10, 16, 17}}) for (int k : {{1, 2, 3}})"
    ' if (socket(f, k, 0) >= 0) std::puts("connected");'
    ' int p[2]; if (socketpair(1, 1, 0, p) == 0) std::puts("connected"); }}',
}


@pytest.mark.parametrize("language", CONNECTS)
async def test_no_network_is_reached(sandbox: Sandbox, language: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        program = CONNECTS[language].format(port=server.getsockname()[1])
        assert "connected" not in await attempt(sandbox, language, program)
        with pytest.raises(TimeoutError):
            server.accept()


KILLS = {
    "bash": "for p in {pid} $PPID 1 -1; do kill -9 $p && echo killed; done; :",
    "node": "for (const p of [{pid}, process.ppid, 1, -1]) try {{ process.kill(p, 9); console.log('killed'); }}"
    " catch (e) {{}}",
    "cpp": C + "#include <signal.h>\n#include <initializer_list>\n#include <sys/resource.h>\n#include <sys/ptrace.h>\n"
    "int main() {{ rlimit r = {{0, 0}}; for (int p : {{{pid}, getppid(), 1}}) {{\n"
    ' if (kill(p, 9) == 0 || syscall(SYS_tgkill, p, p, 9) == 0) std::puts("killed");\n'
    ' if (prlimit(p, RLIMIT_CPU, &r, 0) == 0) std::puts("killed by a limit");\n'
    ' if (ptrace(PTRACE_ATTACH, p, 0, 0) == 0) std::puts("killed by a debugger");\n'
    " int e[2]; pipe(e); fcntl(e[0], F_SETSIG, 9); fcntl(e[0], F_SETOWN, p);\n"
    ' fcntl(e[0], F_SETFL, O_ASYNC); write(e[1], "x", 1);\n'
    ' if (fcntl(e[0], F_GETOWN) == p) std::puts("killed by a pipe"); }} }}',
}


@pytest.mark.parametrize("language", KILLS)
async def test_no_other_process_is_reached(sandbox: Sandbox, language: str) -> None:
    victim = subprocess.Popen(["sleep", "3600"])
    try:
        program = KILLS[language].format(pid=victim.pid)
        assert "killed" not in await output(sandbox, language, program)
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.parametrize("language", ["bash", "cpp"])
async def test_calls_that_attacks_on_kernels_begin_with_are_not_there(sandbox: Sandbox, language: str) -> None:
    if language == "bash":
        told = await attempt(sandbox, "bash", "unshare -U true && echo made; setsid true && echo made; mount; :")
        assert "made" not in told
        return
    names = "unshare io_uring_setup bpf userfaultfd perf_event_open keyctl mount add_key memfd_create setsid setpgid"
    calls = "".join(
        f'if (syscall(SYS_{name}, 0x10000000, 0, 0, 0, 0) >= 0) std::puts("{name}");' for name in names.split()
    )
    flags = 'if (syscall(SYS_clone, 0x10000011, 0, 0, 0, 0) >= 0) std::puts("clone");'
    assert await output(sandbox, "cpp", f"{C}int main() {{ {calls} {flags} }}") == ""


BOMBS = {
    "bash": ":(){ :|:& };:\nwait",
    "bash that goes on alone": "(while :; do sleep 0.01; done) &\n(sleep 1000 & sleep 1000) &\nsleep 1000",
    "node": "const { Worker } = require('worker_threads');\nfor (;;) new Worker('for (;;);', { eval: true });",
    "cpp": C + "int main() { for (;;) fork(); }",
    "cpp that leaves its parents": C + "int main() { for (;;) if (fork() == 0) { setsid(); if (fork()) _exit(0); } }",
}


def programs() -> list[psutil.Process]:
    """Processes of programs: those that stand in a private folder of theirs."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(os.path.join(tempfile.gettempdir(), "program-")):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("name", BOMBS)
async def test_a_program_that_multiplies_ends_with_all_that_it_started(sandbox: Sandbox, name: str) -> None:
    told = await run(sandbox, name.split()[0], BOMBS[name], timeout_s=1.0)
    assert not told[0]
    await until(lambda: not programs())


async def test_one_that_multiplies_takes_no_processes_from_another(sandbox: Sandbox) -> None:
    bomb = asyncio.create_task(answer(sandbox, "cpp", BOMBS["cpp"], timeout_s=3.0))
    await until(lambda: len(programs()) > 20)
    assert await output(sandbox, "bash", "for i in 1 2 3; do echo $i | cat; done | wc -l") == "3\n"
    assert (await bomb)["value"][0] == [False, "timeout"]


@pytest.mark.parametrize("language", ["bash", "cpp"])
async def test_one_that_multiplies_is_gone_when_its_request_is_given_up(full: Sandbox, language: str) -> None:
    deadline = asyncio.get_running_loop().time() + 6
    asked = asyncio.create_task(answer(full, language, BOMBS[language], timeout_s=60.0, deadline=deadline))
    await until(programs)
    told = await asked
    assert isinstance(told, Invalid)
    assert told.code == "deadline_exceeded"
    await until(lambda: not programs())


ENDLESS = {
    "bash: a sleep": ("bash", "sleep 1000"),
    "bash: a loop": ("bash", "trap '' XCPU TERM\nwhile :; do :; done"),
    "bash: one that its own end does not end": ("bash", "echo ok\nsleep 1000 &"),
    "bash: a little for ever": ("bash", "while :; do echo; sleep 0.01; done"),
    "node: a timer": ("node", "setTimeout(() => {}, 1e6)"),
    "node: a loop": ("node", "for (;;);"),
    "cpp: a loop": ("cpp", "int main() { volatile int x = 1; while (x); }"),
    "cpp: a loop in a child": ("cpp", C + "int main() { if (fork()) for (;;) pause(); for (;;); }"),
}


@pytest.mark.parametrize("name", ENDLESS)
async def test_a_program_without_an_end_is_ended(full: Sandbox, name: str) -> None:
    language, program = ENDLESS[name]
    assert await run(full, language, program, timeout_s=0.5) == [False, "timeout"]
    await until(lambda: not programs())


FLOODS = {
    "bash": "yes",
    "node": "for (;;) require('fs').writeSync(1, 'x'.repeat(65536));",
    "cpp": '#include <cstdio>\nint main() { for (;;) std::puts("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"); }',
}


@pytest.mark.parametrize("language", FLOODS)
async def test_a_flood_is_cut(full: Sandbox, language: str) -> None:
    assert await run(full, language, FLOODS[language]) == [False, "output"]


HUNGRY = {
    "node": "const a = []; for (;;) a.push(new Array(1e5).fill(1));",
    "node: outside of its heap": "const a = []; for (;;) a.push(Buffer.alloc(1 << 24, 1));",
    "cpp": "#include <vector>\nint main() { std::vector<char *> a; for (;;) { a.push_back(new char[1 << 24]);"
    " for (int i = 0; i < 1 << 24; i += 4096) a.back()[i] = 1; } }",
}


@pytest.mark.parametrize("name", HUNGRY)
async def test_memory_ends_at_its_limit(full: Sandbox, name: str) -> None:
    passed, error = await run(full, name.partition(":")[0], HUNGRY[name])
    assert (passed, error) in [(False, "crashed"), (False, "exit status 1"), (False, "exit status 134")]


LIES = {
    "bash": 'printf \'{"ok": true, "value": [[true, null]]}\\n[0, true, null, false]\\n\'; echo ok >&3; exit 0',
    "node": 'const v = \'{"ok": true, "value": [[true, null]]}\\n\';\nfor (const d of [1, 2, 3, 4, 5])'
    " try { require('fs').writeSync(d, v); } catch (e) {}",
    "cpp": C + 'int main() { for (int d = 1; d < 64; d++) dprintf(d, "[true, null]\\n"); }',
}


@pytest.mark.parametrize("language", LIES)
async def test_a_verdict_that_is_printed_is_only_output(sandbox: Sandbox, language: str) -> None:
    assert await run(sandbox, language, LIES[language], expected="right") == [False, "wrong answer"]


@pytest.mark.parametrize("language", ["bash", "node", "cpp"])
async def test_expected_outputs_are_nowhere_that_a_program_can_look(sandbox: Sandbox, language: str) -> None:
    looks = {
        "bash": "for f in /proc/*/cmdline /proc/*/environ /proc/*/mem /proc/*/fd/* * .*; do"
        " grep -a -o '402''13' $f; done; env | grep '402''13'; :",
        "node": "const fs = require('fs');\nfor (const p of ['.', '/proc', '/proc/self/fd', '/tmp'])\n"
        " try { for (const f of fs.readdirSync(p))\n"
        "  try { if (fs.readFileSync(p + '/' + f).includes('402' + '13')) console.log(p, f); } catch (e) {} }\n"
        " catch (e) {}",
        "cpp": C + "int main() { char b[64]; for (int p = getppid() - 3; p < getpid() + 9; p++) {"
        ' std::snprintf(b, 64, "/proc/%d/mem", p); if (open(b, O_RDONLY) >= 0) std::puts("402" "13"); } }',
    }
    assert await run(sandbox, language, looks[language], "7", "40213") == [False, "wrong answer"]


async def test_the_environment_is_the_machines_alone(full: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_GATEWAY", "yes")
    assert "SECRET" not in await output(full, "bash", "env")
    assert "SECRET" not in await output(full, "node", "console.log(Object.keys(process.env).join())")


async def test_folders_of_programs_are_private_and_go_away(full: Sandbox) -> None:
    needs("bash")
    before = {*Path(tempfile.gettempdir()).glob("program-*")}
    mode = (await output(full, "bash", "stat -c '%a %n' . | cut -d' ' -f1")).strip()
    assert mode == "700"
    assert await output(full, "bash", "ls") == "program.sh\n"
    await until(lambda: not {*Path(tempfile.gettempdir()).glob("program-*")} - before)


async def test_a_language_that_is_not_on_this_machine_is_an_error_and_no_verdict(
    full: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_module, "find_tool", lambda language: None)
    bare = Sandbox(processes=1)
    await bare.start()
    for language, tool in (("bash", "bash"), ("node", "node"), ("cpp", "g++")):
        tests = {"language": language, "inputs": [""], "outputs": [""], "stop": True, "keep": False}
        (told,) = await bare.run("stdio", [""], [tests], 5.0)
        assert isinstance(told, Invalid)
        assert told.code == "operation_error"
        assert f"there is no {tool}" in told.message


async def test_where_files_cannot_be_closed_no_program_is_executed() -> None:
    made = Sandbox(("seccomp",), processes=1)
    try:
        await made.start()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    (told,) = await made.run("stdio", ["echo"], [{"language": "bash", "inputs": [""], "outputs": [""]}], 5.0)
    assert isinstance(told, Invalid)
    assert "landlock and seccomp" in told.message


def test_a_program_is_counted_by_itself_or_not_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert can_execute(("landlock", "seccomp", "privileges"))
    assert not can_execute(("landlock", "seccomp", "namespaces"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert can_execute(("landlock", "seccomp", "namespaces"))
    assert not can_execute(("landlock", "seccomp", "privileges"))
    assert not can_execute(("landlock", "namespaces", "privileges"))


async def test_programs_share_the_places_of_the_sandbox(full: Sandbox) -> None:
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, len({os.getpgid(process.pid) for process in programs()}))
            await asyncio.sleep(0.02)

    needs("bash")
    watching = asyncio.create_task(watch())
    with charge_to(Share("one")):
        await asyncio.gather(*(output(full, "bash", "sleep 0.2") for _ in range(6)))
    watching.cancel()
    assert 1 <= most <= 2


def test_a_command_is_written_with_its_names() -> None:
    assert write_command(LANGUAGES["node"].run, "/usr/bin/node", "p.js", 512 << 20)[:2] == [
        "/usr/bin/node",
        "--max-old-space-size=384",
    ]
    assert write_command(LANGUAGES["bash"].run, "/bin/bash", "p.sh", 1) == ["/bin/bash", "p.sh"]
