"""The fleet on paper: from measured costs to gateways, Redis and Tritons."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "loadtests"))
import fleet_model


def make_cost(name: str, gateways: int, reads: int) -> dict[str, Any]:
    """A thousand samples: 100 µs of a gateway and 10 µs of Redis for each, times the number of gateways."""
    seconds = {"gateway_cpu_s": 0.1, "redis_cpu_s": 0.01 * gateways}
    return {"workload": name, "gateways": gateways, "samples": 1000, "redis_reads": reads} | seconds


FIGURES = {
    "idle_core_share": 0.1,
    "costs": [make_cost("cached", 1, 100), make_cost("cached", 4, 400), make_cost("new", 1, 100)],
}


def test_gateways_add_up_and_redis_costs_what_was_measured_with_as_many() -> None:
    load, new = fleet_model.read_loads(FIGURES)
    one, four, eight = (fleet_model.scale(load, 0.1, n, 2000.0) for n in (1, 4, 8))
    assert (one.samples_per_s, four.samples_per_s) == pytest.approx((6000.0, 24_000.0))
    assert (one.redis_share, four.redis_share, eight.redis_share) == pytest.approx((0.06, 0.96, 1.92))
    assert (one.trips_per_s, eight.trips_per_s) == pytest.approx((600.0, 19_200.0))
    assert (one.tritons, fleet_model.scale(new, 0.1, 1, 2000.0).tritons) == (0, 3)


def test_a_rate_needs_so_many_gateways() -> None:
    (load, _) = fleet_model.read_loads(FIGURES)
    assert fleet_model.count_gateways(load, 0.1, 1e6 / 60) == 3
    assert fleet_model.scale(load, 0.1, 3, 2000.0, 1e6 / 60).samples_per_s == pytest.approx(1e6 / 60)


def test_the_page_says_what_a_million_samples_a_minute_need() -> None:
    page = "\n".join(fleet_model.write_page(FIGURES, 1e6, 2000.0))
    assert "1,000,000 samples a minute: 3 gateways" in page
    assert "9 Tritons" in page
