"""Parsing in the process of the tests: pytest does it for every module that it rewrites, at any moment."""

import ast
import gc

SOURCE = "\n".join("x = [1, 2, 3, (4, 5)]" for _ in range(300))


class Reported:
    """A cycle whose end is reported with a traceback, for which Python parses the line at fault."""

    ended = 0

    def __init__(self) -> None:
        self._itself = self

    def __del__(self) -> None:
        Reported.ended += 1
        self._report(depth=3)

    def _report(self, depth: int) -> None:
        if depth:
            self._report(depth - 1)
        else:
            ast.parse("x.y")


def test_what_is_collected_meanwhile_does_not_fail_the_parsing() -> None:
    gc.collect()
    for _ in range(20):
        Reported()
    ended = Reported.ended
    assert len(ast.parse(SOURCE).body) == 300
    assert Reported.ended == ended
    gc.collect()
    assert Reported.ended >= ended + 20
