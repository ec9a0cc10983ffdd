"""Which process of ``pytest -n N --dist loadfile`` runs which files: those with few and long tests first, and all that
use the whole stack in one process, so that it is started once."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[1]
LONG = ("tests/stack/", "tests/deploy/", "tests/models/", "tests/local/")
"""Folders whose files start servers. xdist begins with the files that have most tests, and would leave these to the
end, when one process waits for the other."""
STACK = "the whole stack"

_ASKS = re.compile(r"^ *(async )?def test_\w+\([^)]*\bstack: ", re.MULTILINE)
_HAS_ITS_OWN = re.compile(r"^def stack\(", re.MULTILINE)


@cache
def uses_stack(file: str) -> bool:
    """Whether a file's tests ask for the stack of the session."""
    text = (ROOT / file).read_text(encoding="utf-8")
    return bool(_ASKS.search(text)) and not _HAS_ITS_OWN.search(text)


def rank(scope: str) -> int:
    """Lower is sooner."""
    return 0 if scope == STACK else 1 if scope.startswith(LONG) else 2


class Scheduling(LoadFileScheduling):  # type: ignore[misc]
    """Files as a whole, in the order above."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return STACK if uses_stack(file) else file

    def _assign_work_unit(self, node: Any) -> None:
        self.workqueue.move_to_end(min(self.workqueue, key=rank), last=False)  # of equals, the one that was first
        super()._assign_work_unit(node)
