"""Metrics whose every hook raises, for tests that telemetry cannot fail what it measures."""

from typing import Any

from reward_gateway.observer import Observer
from reward_gateway.telemetry.metrics import Metrics

HOOKS = sorted(name for name in vars(Observer) if not name.startswith("_"))


def raising_metrics(told: list[str]) -> Metrics:
    """Metrics that add the name of each hook that is called to ``told``, and then raise."""

    def hook(name: str) -> Any:
        def tell(*_: Any, **__: Any) -> None:
            told.append(name)
            raise RuntimeError("this cannot be measured")

        tell.__name__ = name
        return tell

    kind: type[Metrics] = type("RaisingMetrics", (Metrics,), {name: hook(name) for name in HOOKS})
    return kind()
