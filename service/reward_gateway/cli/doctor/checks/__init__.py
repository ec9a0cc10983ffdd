"""The checks: a new one is a function with ``@machine_check`` or ``@service_check`` in a module of this folder."""

from importlib import import_module

from reward_gateway.operations.registry import catalog

ORDER = ("settings", "machine", "ports", "triton", "stores", "models", "recipes", "servers", "service")
"""The modules, in the order in which their findings are printed."""


def load_all() -> None:
    """Import every module, which registers its checks, and what they use, which may take longer than a check has."""
    for name in ORDER:
        import_module(f"{__name__}.{name}")
    catalog()
