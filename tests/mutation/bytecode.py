"""What a mutant changes of the compiled code: a function that may be exchanged in place, or what runs at import."""

import gc
from collections.abc import Iterator
from types import CodeType, FunctionType

from tests.mutation.mutants import Mutant

_OPTIMIZED = 0x0001
"""The flag of functions' code; a module's and a class's code has it not."""


class RunsAtImport(Exception):
    """The change is of code that a module runs when it is imported: a constant, a field, a default, a decorator."""


def changed_functions(mutant: Mutant) -> list[tuple[CodeType, CodeType]]:
    """The code before and after of each module-level function or method that differs. Raises RunsAtImport."""
    before, after = (
        compile(text, str(mutant.path), "exec", dont_inherit=True) for text in (mutant.path.read_text(), mutant.code)
    )
    return list(_changed(before, after))


def _changed(before: CodeType, after: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    if _own(before) != _own(after):
        raise RunsAtImport
    for old, new in zip(_nested(before), _nested(after), strict=True):
        if not old.co_flags & _OPTIMIZED:
            yield from _changed(old, new)
        elif _all(old) != _all(new):
            yield old, new


def exchange_functions(changed: list[tuple[CodeType, CodeType]]) -> None:
    """Give the living functions their changed code. Raises RunsAtImport if one of them cannot be found."""
    functions = [thing for thing in gc.get_objects() if isinstance(thing, FunctionType)]
    for old, new in changed:
        if len(old.co_freevars) != len(new.co_freevars):
            raise RunsAtImport
        found = [function for function in functions if _place(function.__code__) == _place(old)]
        if not found:
            raise RunsAtImport
        for function in found:
            function.__code__ = new


def lines_of(code: CodeType) -> set[int]:
    """The lines of a function's body, those of functions inside it too; its ``def`` and its decorators left out."""
    lines = {line for _, _, line in code.co_lines() if line is not None} - {code.co_firstlineno}
    return lines.union(*(lines_of(nested) for nested in _nested(code))) if _nested(code) else lines


def _place(code: CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _nested(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _own(code: CodeType) -> tuple[object, ...]:
    """What a code does, without that of the functions inside it and without line numbers."""
    constants = tuple(
        "code" if isinstance(value, CodeType) else (type(value).__name__, repr(value)) for value in code.co_consts
    )
    arguments = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_varnames)
    closure = (code.co_freevars, code.co_cellvars, code.co_flags, code.co_name)
    return (code.co_code, constants, code.co_names, code.co_exceptiontable, arguments, closure)


def _all(code: CodeType) -> tuple[object, ...]:
    return _own(code), *(_all(nested) for nested in _nested(code))
