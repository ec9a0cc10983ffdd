"""Metrics of the process: what runs, what it serves, and which model servers it reaches."""

import math
from collections.abc import Mapping

from .instruments import Instruments


class ProcessMetrics:
    """Gauges that are 1 where something is so."""

    def __init__(self, make: Instruments) -> None:
        self._build = make.highest_gauge("build_info", "The version that runs; always 1.", "version", "python")
        self._recipes = make.gauge(
            "recipe_info", "Workers that serve this version of a recipe; 0: it was replaced.", "reward", "version"
        )
        self._served: dict[str, str] = {}
        self._triton = make.lowest_gauge(
            "triton_up", "Whether every worker reached this Triton server when it last asked.", "server"
        )
        self._upstream = make.lowest_gauge(
            "upstream_up", "Whether every worker reaches this replica of an upstream.", "upstream", "replica"
        )

    def set_build(self, version: str, python: str) -> None:
        self._build.labels(version, python).set(1)

    def set_recipes(self, versions: Mapping[str, str]) -> None:
        """Set the versions that are served; those before read 0."""
        for name, version in self._served.items():
            if versions.get(name) != version:
                self._recipes.labels(name, version).set(0)
        for name, version in versions.items():
            self._recipes.labels(name, version).set(1)
        self._served = dict(versions)

    def set_triton(self, server: str, reachable: bool | None) -> None:
        """Set whether it answers; the series of one that has left has no number any more, so that no alert fires."""
        self._triton.labels(server).set(math.nan if reachable is None else reachable)

    def set_upstream(self, upstream: str, replica: str, reachable: bool | None) -> None:
        """As :meth:`set_triton`, for a replica of an upstream."""
        self._upstream.labels(upstream, replica).set(math.nan if reachable is None else reachable)
