"""Languages whose programs the machine's own tools run: where the tool is, and how it is called. Standard library only.

A tool is used from the folders of the system alone, which a program may read anyway: its place grants nothing more.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

FOLDERS = "/usr/local/bin:/usr/bin:/bin"
ENVIRONMENT = {"PATH": FOLDERS, "LANG": "C.UTF-8", "OPENSSL_CONF": "/dev/null"}
_SYSTEM = ("/usr/", "/bin/")

COMPILE_S = 30.0
"""Seconds that a compiler may compute."""
COMPILE_MEMORY = 2 << 30
LARGEST_BUILT = 256 << 20
"""Bytes of a file that a compiler may write."""
PROCESSES = 64
"""Processes and threads of one program at the same time."""

_MODULE = re.compile(r"^[ \t]*(?:import\b[ \t]*[^\s(.]|export\b)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Language:
    """A language.

    Attributes:
        tool: the program that runs or compiles it.
        source: name of the file with the program.
        run: what is executed in its folder; ``TOOL`` and ``SOURCE`` stand for the two above.
        build: what compiles it first; empty: nothing.
        stack: bytes of the stack.
        reserved: bytes of address space that the tool sets aside and does not use.
    """

    tool: str
    source: str
    run: tuple[str, ...]
    build: tuple[str, ...] = ()
    stack: int = 16 << 20
    reserved: int = 0

    def name_source(self, program: str) -> str:
        """The file's name, which tells node a module from a script."""
        return "program.mjs" if self.tool == "node" and _MODULE.search(program) else self.source


_DIAGNOSTICS = ("-fmax-errors=3", "-fdiagnostics-plain-output")

LANGUAGES = {
    "bash": Language("bash", "program.sh", ("TOOL", "SOURCE")),
    "node": Language(
        "node",
        "program.js",
        ("TOOL", "--max-old-space-size=MEGABYTES", "--v8-pool-size=1", "--stack-size=14000", "SOURCE"),
        reserved=2 << 30,
    ),
    "cpp": Language(
        "g++",
        "program.cpp",
        ("./program",),
        ("TOOL", "-std=gnu++17", "-O2", "-pipe", "-w", *_DIAGNOSTICS, "-o", "program", "SOURCE"),
        stack=128 << 20,
    ),
}


def find_tool(language: str) -> str | None:
    """The path of a language's tool; None if this machine has none in the folders of the system."""
    path = shutil.which(LANGUAGES[language].tool, path=FOLDERS)
    return path if path is not None and str(Path(path).resolve()).startswith(_SYSTEM) else None


def write_command(template: tuple[str, ...], tool: str, source: str, memory: int) -> list[str]:
    """A command with its names filled in.

    Args:
        memory: bytes that the program may have; a garbage collector is told of three quarters.
    """
    megabytes = str(memory * 3 // 4 >> 20)
    names = {"TOOL": tool, "SOURCE": source}
    return [names.get(part, part.replace("MEGABYTES", megabytes)) for part in template]


_OWN_FAULT = re.compile(
    r"^(?:\S*/)?(?:g\+\+|cc1plus|collect2|as|ld)(?::|\.\S*:) (?:fatal error: .*(?:terminated|signal)|out of memory"
    r"|.*(?:memory exhausted|[Cc]annot allocate memory|[Nn]o space left|[Ff]ile too large|File size limit))"
    r"|^\{standard input\}: Fatal error: can't|^\S+: internal compiler error: "
    r"|^(?:cc1plus: )?(?:virtual memory exhausted|out of memory)",
    re.MULTILINE,
)


def is_compiler_fault(said: str) -> bool:
    """Whether the compiler, or a part of it, failed for want of something, not for what is in the program."""
    return _OWN_FAULT.search(said) is not None


def describe_refusal(said: str) -> str:
    """The error of a program that does not compile, with the first line that says why: at most 300 characters."""
    lines = said.splitlines()
    first = next((line for line in lines if "rror:" in line or "undefined reference" in line), "")
    return f"compile error: {first}"[:300].rstrip(": ")
