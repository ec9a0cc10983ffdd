"""The report of a run: every row is on the page, whatever is missing of it."""

import json
import re
from typing import Any

import numpy as np
from reward_gateway.lab.page.run import render_run


def row(at: int, bucket: str = "step", **more: Any) -> dict[str, Any]:
    quantiles = {q: k + at / 10 for k, q in enumerate(("0.05", "0.25", "0.5", "0.75", "0.95"))}
    return {
        ("step" if bucket == "step" else "t"): at,
        "n": 64,
        "invalid": 2,
        "flagged": 1,
        "mean": 2 + at / 10,
        "std": 1.0,
        "quantiles": quantiles,
        "components": {"quality": {"mean": 1 + at / 20, "std": 0.5}, "brevity": {"mean": -0.1, "std": 0.2}},
        "zero_variance_share": min(1.0, 0.1 + at / 100),
        "length_correlation": 0.3,
        "advantage": None,
        **more,
    }


def run_of(*rows: dict[str, Any], bucket: str = "step", run: str = "grpo-7") -> dict[str, Any]:
    versions = [
        {"version": "b3:0123456789", "since": 1_700_000_000.0, "step": 0},
        {"version": "b3:9876543210", "since": 1_700_003_000.0, "step": 20},
    ]
    return {
        "run": run,
        "caller": "anonymous",
        "first_seen": 1_700_000_000.0,
        "last_seen": 1_700_006_000.0,
        "samples": 64 * len(rows),
        "invalid": 2 * len(rows),
        "bucket": bucket,
        "shared": True,
        "rewards": {"helpful_harmless": {"versions": versions, "series": list(rows)}},
    }


def lively_run() -> dict[str, Any]:
    """Rows as those of a training run."""
    draw = np.random.default_rng(0)
    rows = []
    for step in range(80):
        mean = 2 - 2.5 * float(np.exp(-step / 25)) + float(draw.normal(0, 0.08)) + (0.4 if step >= 50 else 0.0)
        spread = 1.1 - step / 160
        advantage = {"mean": 0.0, "std": spread, "quantiles": {"0.05": -1.6 * spread, "0.5": 0.0, "0.95": 1.7 * spread}}
        quantiles = {q: mean + z * spread for q, z in (("0.05", -1.6), ("0.25", -0.7), ("0.5", 0.05), ("0.75", 0.7))}
        rows.append(
            row(
                step,
                mean=mean,
                std=spread,
                quantiles={**quantiles, "0.95": mean + 1.6 * spread},
                advantage=advantage,
                components={
                    "helpful": {"mean": mean * 0.7 + float(draw.normal(0, 0.05)), "std": 1.0},
                    "harmless": {"mean": 0.4 + mean * 0.2, "std": 0.5},
                    "brevity": {"mean": -0.01 * step, "std": 0.2},
                },
                zero_variance_share=min(0.9, 0.02 + step / 110 + abs(float(draw.normal(0, 0.03)))),
                invalid=int(draw.integers(0, 3)),
                flagged=int(draw.integers(0, 9)),
                length_correlation=float(np.tanh(step / 60 + draw.normal(0, 0.05))),
            )
        )
    told = run_of(*rows)
    told["rewards"]["helpful_harmless"]["versions"][1]["step"] = 50
    return told


def charts_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.S)
    assert found is not None
    return {chart["id"]: chart for chart in json.loads(found[1])}


def test_the_charts_have_the_numbers_of_the_rows() -> None:
    told = run_of(row(1), row(2, mean=None, quantiles=None))
    charts = charts_of(render_run(told))
    mean, median, std = charts["r0-reward"]["series"]
    assert (mean["x"], mean["y"]) == ([1, 2], [2.1, None])
    assert (mean["low"], mean["high"]) == ([0.1, None], [4.1, None])
    assert (median["y"], std["y"]) == ([2.1, None], [1.0, 1.0])
    assert [(one["label"], one["y"]) for one in charts["r0-components"]["series"]] == [
        ("quality", [1.05, 1.1]),
        ("brevity", [-0.1, -0.1]),
    ]
    shares = {one["label"]: one["y"] for one in charts["r0-shares"]["series"]}
    assert shares["invalid"] == [2 / 64] * 2
    assert charts["r0-reward"]["marks"] == [[20, "b3:9876543"]]
    assert "r0-advantage" not in charts


def test_minutes_are_times_and_a_change_is_marked_at_its_time() -> None:
    charts = charts_of(render_run(run_of(row(1_700_000_000, "minute"), bucket="minute")))
    assert charts["r0-reward"]["time"]
    assert charts["r0-reward"]["marks"] == [[1_700_003_000.0, "b3:9876543"]]


def test_the_advantage_has_a_chart_where_samples_are_compared() -> None:
    advantage = {"mean": 0.0, "std": 1.0, "quantiles": {"0.05": -1.0, "0.5": 0.0, "0.95": 1.0}}
    charts = charts_of(render_run(run_of(row(1, advantage=advantage), row(2))))
    assert charts["r0-advantage"]["series"][0]["y"] == [0.0, None]


def test_a_run_without_rows_says_so() -> None:
    page = render_run(run_of(run=""))
    assert "no run" in page
    assert "No sample of this run" in page
    assert charts_of(page) == {}


def test_names_are_text() -> None:
    told = run_of(row(1, components={"<b>": {"mean": 1.0, "std": None}}))
    told["rewards"] = {"<i>": told["rewards"]["helpful_harmless"]}
    page = render_run(told)
    assert "<b>" not in page
    assert "<i>" not in page
