"""What this process can answer, in a few words that fit beside those of others."""

from reward_gateway.backends.port import Device
from reward_gateway.errors import ModelUnavailable
from reward_gateway.gateway import Gateway
from reward_gateway.traffic.process_board import Health

MOST = 50
"""Names that are told at most."""


async def check_health(gateway: Gateway) -> Health:
    """Which recipes lack what was set up, and where the models are."""
    readiness = await gateway.check_readiness()
    try:
        models = [model for model in await gateway.list_models() if model.wanted]
    except ModelUnavailable:
        models = []
    devices = {model.name: describe_device(model.device) if model.ready else "away" for model in models[:MOST]}
    return Health(readiness.ready, sorted(readiness.failing)[:MOST], devices)


def describe_device(device: Device) -> str:
    """Where a model is."""
    where = {"gpu": "GPU", "cpu": "CPU", "upstream": "another server", "model": "its backend's choice"}.get(
        device.kind, "–"
    )
    gpus = f" {', '.join(map(str, device.gpus))}" if device.gpus else ""
    return f"{where}{gpus}" + (f" × {device.instances}" if device.instances > 1 else "")
