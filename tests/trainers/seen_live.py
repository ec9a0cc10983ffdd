"""What the gateway shows of a run while TRL trains, beside TRL's own log."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest
from reward_gateway.lab.words import number


def check_history(url: str, run: str, logged: Mapping[int, Mapping[str, float]], recipes: Sequence[str], n: int) -> Any:
    """The gateway's history of the run, and the page that shows it live, have the numbers of TRL's own log, by its
    steps, of n samples each; the history."""
    history = httpx.get(f"{url}/v1/runs/{run}", params={"bucket": "step"}).raise_for_status().json()
    for recipe in recipes:
        rows = {row["step"]: row for row in history["rewards"][recipe]["series"]}
        assert rows.keys() == logged.keys()
        for step, row in rows.items():
            assert row["mean"] == pytest.approx(logged[step][f"rewards/{recipe}/mean"], rel=1e-3, abs=1e-4)
            assert row["std"] == pytest.approx(logged[step][f"rewards/{recipe}/std"], rel=1e-3, abs=1e-4)
            assert (row["n"], row["invalid"]) == (n, 0)
    page = httpx.get(f"{url}/console/live", params={"name": run}, headers={"accept": "text/html"}).raise_for_status()
    assert number(history["rewards"][recipes[0]]["series"][-1]["mean"]) in page.text
    return history
