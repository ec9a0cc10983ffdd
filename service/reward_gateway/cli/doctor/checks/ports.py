"""The ports that the gateway is to listen on."""

import http.client
import json
from collections.abc import Iterator

from reward_gateway.local.workers import EVERYWHERE

from ...preflight import find_port_faults
from ..check import Finding, Subject, fault, machine_check, ok


@machine_check("ports")
def check_ports(subject: Subject) -> Iterator[Finding]:
    """They are free, and this user may listen on them."""
    settings = subject.settings
    if faults := [*find_port_faults(settings)]:
        host = EVERYWHERE.get(settings.http_host, settings.http_host)
        running = _is_gateway(host, settings.http_port, subject.server_s)
        hint = f" (a gateway answers there: `reward-gateway doctor --url http://{host}:{settings.http_port}`)"
        yield from (fault(f"{each.sentence}{hint if running else ''}") for each in faults)
        return
    grpc = f" and {settings.grpc_port} (gRPC)" if settings.grpc_port else ""
    yield ok(f"{settings.http_port} (HTTP){grpc} on {settings.http_host} can be listened on")


def _is_gateway(host: str, port: int, timeout_s: float) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", "/livez")
        answer = json.loads(connection.getresponse().read(1 << 12))
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
    return isinstance(answer, dict) and answer.get("live") is True
