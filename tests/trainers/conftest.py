"""Tests that train, in an environment that ``make test-trainers`` prepares; ``make test`` leaves them out."""

import os

if "TRAINERS_PYTHON" not in os.environ:
    collect_ignore_glob = ["test_*.py"]
