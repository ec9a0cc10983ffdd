"""A conversion holds the weights once: what torch has of them is gone before the runtime loads the graph."""

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from reward_models.convert import Options  # noqa: E402
from reward_models.convert.add import choose_options, make_plan  # noqa: E402
from reward_models.convert.checkpoint import fetch_checkpoint  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_no_weight_outlives_the_export(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    """torch's exporter keeps the last graphs that it has simplified for as long as the process lives."""
    opened = fetch_checkpoint(str(checkpoint("llama")))
    plan = make_plan(opened, choose_options(opened, Options()))
    held = [weakref.ref(parameter) for parameter in plan.network.parameters()]
    assert len(held) > 10
    plan.write(tmp_path)
    plan = plan.without_network()
    gc.collect()
    assert [reference() for reference in held if reference() is not None] == []
