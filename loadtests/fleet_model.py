"""A fleet on paper: gateways, Redis and Tritons, up to 64 gateways and a million samples a minute.

    python loadtests/fleet_model.py [--figures .local/fleet/figures.json] [--per-minute 1000000] [--rows-per-s 2000]

The costs are those that ``make test-fleet`` measured: the CPU of a gateway per sample, with one gateway, and without
requests; CPU and round trips of Redis per sample with as many gateways, or the most that were measured, since lookups
of several requests travel together the more rarely the more gateways share them. The rest is assumed: a gateway is one
worker on a core of its own, full at 70 %, and as fast as the measured one; Redis is one server on one core; a Triton
computes ``--rows-per-s``.
"""

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GATEWAYS = (1, 2, 4, 8, 16, 32, 64)
BUSY = 0.7
"""Share of its core at which a gateway is called full: above it, latency grows."""


@dataclass(frozen=True)
class Load:
    """What a sample costs in requests of one form.

    Attributes:
        gateway_us: of CPU, with one gateway.
        redis: CPU of Redis in µs and round trips to it, by the number of gateways that share it.
        cached: whether its raw score was in the cache.
    """

    name: str
    gateway_us: float
    redis: Mapping[int, tuple[float, float]]
    cached: bool

    def find_redis(self, gateways: int) -> tuple[float, float]:
        """CPU and round trips of Redis with so many gateways, or the most measured ones below."""
        return self.redis[max(count for count in self.redis if count <= gateways)]


@dataclass(frozen=True)
class Fleet:
    """Gateways under one load: samples per second, and what the rest has to do for them."""

    gateways: int
    samples_per_s: float
    redis_share: float
    trips_per_s: float
    tritons: int


def read_loads(figures: dict[str, Any]) -> list[Load]:
    """The loads of ``figures.json``."""
    by_name: dict[str, dict[int, dict[str, Any]]] = {}
    for cost in figures["costs"]:
        by_name.setdefault(cost["workload"], {})[cost["gateways"]] = cost
    return [
        Load(
            name,
            1e6 * costs[1]["gateway_cpu_s"] / costs[1]["samples"],
            {
                n: (1e6 * each["redis_cpu_s"] / each["samples"], each["redis_reads"] / each["samples"])
                for n, each in costs.items()
            },
            "new" not in name,
        )
        for name, costs in by_name.items()
    ]


def _find_redis(cost: dict[str, Any]) -> tuple[float, float]:
    return 1e6 * cost["redis_cpu_s"] / cost["samples"], cost["redis_reads"] / cost["samples"]


def scale(load: Load, idle: float, gateways: int, rows_per_s: float, wanted: float = math.inf) -> Fleet:
    """What so many gateways answer, or ``wanted`` samples per second if that is less.

    Args:
        idle: share of a core that a gateway needs without requests.
        rows_per_s: rows of a Triton per second.
    """
    rate = min(wanted, gateways * (BUSY - idle) * 1e6 / load.gateway_us)
    redis_us, trips = load.find_redis(gateways)
    return Fleet(
        gateways,
        rate,
        rate * redis_us / 1e6,
        rate * trips,
        0 if load.cached else math.ceil(rate / rows_per_s),
    )


def count_gateways(load: Load, idle: float, wanted: float) -> int:
    """Gateways that a rate of samples per second needs."""
    return math.ceil(wanted * load.gateway_us / 1e6 / (BUSY - idle))


def write_page(figures: dict[str, Any], per_minute: float, rows_per_s: float) -> Iterator[str]:
    idle, wanted = float(figures["idle_core_share"]), per_minute / 60
    for load in read_loads(figures):
        yield f"### {load.name[0].upper()}{load.name[1:]}"
        yield ""
        yield (
            f"{load.gateway_us:.0f} µs of a gateway per sample; Redis {_span(load, 0)} µs and {_span(load, 1)} round "
            f"trips, with few gateways and with many; {100 * idle:.0f} % of a core per gateway without requests."
        )
        yield ""
        yield from _write_table(
            ("gateways", "samples/s", "samples/minute", "Redis, of one core", "round trips/s", "Tritons"),
            (_cells(scale(load, idle, gateways, rows_per_s)) for gateways in GATEWAYS),
        )
        needed = count_gateways(load, idle, wanted)
        found = scale(load, idle, needed, rows_per_s, wanted)
        yield ""
        yield (
            f"{per_minute:,.0f} samples a minute: {needed} gateway{'' if needed == 1 else 's'}, Redis "
            f"{100 * found.redis_share:.0f} % busy at {found.trips_per_s:,.0f} round trips/s"
            + (f", {found.tritons} Tritons." if found.tritons else ".")
        )
        yield ""


def _span(load: Load, which: int) -> str:
    """The cost with the fewest and with the most gateways."""
    return f"{load.redis[min(load.redis)][which]:.3g} to {load.redis[max(load.redis)][which]:.3g}"


def _cells(fleet: Fleet) -> Sequence[str]:
    full = " (a Cluster)" if fleet.redis_share > BUSY else ""
    return (
        str(fleet.gateways),
        f"{fleet.samples_per_s:,.0f}",
        f"{60 * fleet.samples_per_s:,.0f}",
        f"{100 * fleet.redis_share:.0f} %{full}",
        f"{fleet.trips_per_s:,.0f}",
        str(fleet.tritons or ""),
    )


def _write_table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", type=Path, default=Path(".local/fleet/figures.json"), help="of make test-fleet")
    parser.add_argument("--per-minute", type=float, default=1e6, help="samples a minute that are wanted")
    parser.add_argument("--rows-per-s", type=float, default=2000.0, help="rows that one Triton computes per second")
    arguments = parser.parse_args()
    if not arguments.figures.is_file():
        parser.exit(2, f"there is no {arguments.figures}: run make test-fleet first, or name one with --figures\n")
    figures = json.loads(arguments.figures.read_text())
    print("\n".join(write_page(figures, arguments.per_minute, arguments.rows_per_s)))


if __name__ == "__main__":
    main()
