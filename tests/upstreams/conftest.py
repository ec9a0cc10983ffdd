"""Tests against real servers, in environments that ``make test-upstreams`` prepares; ``make test`` leaves them out."""

import os
from pathlib import Path

import pytest

if "UPSTREAMS_PYTHON" not in os.environ:
    collect_ignore_glob = ["test_*.py"]

LIMIT_S = 1800
"""Of one test with the servers that it starts, of which some take a minute on an idle machine."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent.as_posix() + "/"
    for item in items:
        if item.path.as_posix().startswith(folder):
            item.add_marker(pytest.mark.timeout(LIMIT_S))
