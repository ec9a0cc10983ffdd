"""Fenced blocks of code in Markdown (CommonMark 4.5), as language models write them. One pass over the lines."""

import re
from collections.abc import Collection
from dataclasses import dataclass

_LINE_END = re.compile(r"\r\n?|\n")
_ANSWER = re.compile(r"^[ \t]*<answer>", re.IGNORECASE | re.MULTILINE)
_OPENING = re.compile(r"([ \t]*)(`{3,}|~{3,})([^\n]*)")
_LANGUAGE = re.compile(r"\{?\s*\.?([^\s{}.,:=]+)")
_ALIASES = {
    **dict.fromkeys(("py", "python3", "py3", "python2", "cpython"), "python"),
    **dict.fromkeys(("js", "node", "nodejs", "mjs", "cjs"), "javascript"),
    **dict.fromkeys(("sh", "shell", "zsh"), "bash"),
    **dict.fromkeys(("c++", "cc", "cxx", "c++17", "c++20", "cpp17", "cpp20"), "cpp"),
    **dict.fromkeys(("postgresql", "postgres", "sqlite", "sqlite3", "mysql"), "sql"),
}


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block.

    Attributes:
        language: what its first line names, in lower case and by one name (python for py and python3); "" for none.
        content: its lines without the indentation of the fence and without a byte order mark.
        closed: it does not run to the end of the text for want of a closing fence.
    """

    language: str
    content: str
    closed: bool = True


def canonical_language(name: str) -> str:
    """One name per language, in lower case: ``python`` for ``py`` and ``Python3``."""
    name = name.strip().lower()
    return _ALIASES.get(name, name)


def find_fences(text: str) -> list[Fence]:
    """Every fenced block, in order; the last may be unclosed."""
    found: list[Fence] = []
    mark, language, indent, content = "", "", "", list[str]()
    for line in _LINE_END.split(text):  # not at the other ends of lines that Python knows: texts have them inside
        if not mark:
            opening = _OPENING.match(line)
            if opening is None or ("`" in opening.group(3) and opening.group(2)[0] == "`"):
                continue
            indent, mark, info = opening.groups()
            named = _LANGUAGE.match(info.strip())
            language, content = canonical_language(named.group(1)) if named else "", []
        elif _closes(line, mark):
            found.append(Fence(language, _join(content)))
            mark = ""
        else:
            content.append(_dedent(line, indent))
    if mark:
        found.append(Fence(language, _join(content), closed=False))
    return found


def _closes(line: str, mark: str) -> bool:
    bare = line.strip()
    return len(bare) >= len(mark) and not bare.strip(mark[0])


def _dedent(line: str, indent: str) -> str:
    return line[len(indent) :] if line.startswith(indent) else line.lstrip(" \t") if indent else line


def _join(lines: list[str]) -> str:
    return "\n".join(lines).removeprefix("\ufeff")


def last_program(text: str, language: str) -> str:
    """The program in a text: the last block of the language, else the last that names none, else all of the text.

    Where <answer> begins a line outside of a block, only what stands in it is read.
    """
    text = _read_answer(text)
    blocks = find_fences(text)
    for wanted in (language, ""):
        programs = [block.content for block in blocks if block.language == wanted]
        if programs:
            return programs[-1]
    return text.removeprefix("\ufeff")


def _read_answer(text: str) -> str:
    """What stands in the last <answer> that begins a line outside of a block, up to its closing tag or the end."""
    openings = list(_ANSWER.finditer(text))
    if not openings or not all(block.closed for block in find_fences(text[: openings[-1].start()])):
        return text
    content = text[openings[-1].end() :]
    end = content.lower().rfind("</answer>")
    return content if end < 0 else content[:end]


def last_named_program(text: str, languages: Collection[str]) -> tuple[str, str] | None:
    """The last block in any of the languages, as (language, program); None without one."""
    blocks = [block for block in find_fences(_read_answer(text)) if block.language in languages]
    return (blocks[-1].language, blocks[-1].content) if blocks else None
