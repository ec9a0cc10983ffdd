"""Tests against real servers, in environments that ``make test-upstreams`` prepares; ``make test`` leaves them out."""

import os

if "UPSTREAMS_PYTHON" not in os.environ:
    collect_ignore_glob = ["test_*.py"]
