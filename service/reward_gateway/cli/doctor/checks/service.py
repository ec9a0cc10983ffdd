"""A running service, over HTTP."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from pydantic import SecretStr

from ...output import without_password
from ..check import Finding, Subject, fault, join_names, ok, service_check, warning
from ..http_server import Answer, ask_server

_CLOCK_S = 2.0


@service_check("service")
def check_service(subject: Subject) -> Iterator[Finding]:
    """It is there, and is a reward gateway."""
    answer, name = _ask(subject, "/livez"), without_password(subject.url)
    if answer.failure:
        yield fault(f"{name} cannot be reached ({answer.failure}); check the address, and whether it runs")
    elif answer.body.get("live") is not True:
        yield fault(f"{name} is not a reward gateway (status {answer.status}); check the address")
    else:
        version = _ask(subject, "/").body.get("version")
        yield ok(f"{name} answers{f' (version {version})' if isinstance(version, str) else ''}")


@service_check("clock")
def check_service_clock(subject: Subject) -> Iterator[Finding]:
    """Its clock and this machine's agree."""
    answer = _ask(subject, "/livez")
    try:
        difference = parsedate_to_datetime(answer.date).timestamp() - time.time()
    except ValueError:
        return
    if abs(difference) > _CLOCK_S:
        yield warning(f"the service's clock differs from this machine's by {difference:+.0f} s: set both by NTP")
    else:
        yield ok("the service's clock agrees with this machine's")


@service_check("key")
def check_key(subject: Subject) -> Iterator[Finding]:
    """The key is accepted, where one is required."""
    answer = _ask(subject, "/v1/rewards")
    if answer.status in (401, 403):
        given = "the key is refused" if subject.api_key else "an API key is required"
        yield fault(f"{given} ({answer.status}): name one with --api-key (REWARD_GATEWAY_API_KEY)")
    elif answer.status == 200:
        yield ok("requests are accepted")


@service_check("recipes")
def check_service_recipes(subject: Subject) -> Iterator[Finding]:
    """The default recipe answers, and the others, or why they do not."""
    body = _ask(subject, "/readyz").body
    default, missing = body.get("reward"), body.get("not_ready")
    if not isinstance(missing, dict):
        if isinstance(error := body.get("error"), dict):
            yield fault(str(error.get("message")))
        return
    by_reason: dict[str, list[str]] = {}
    for name, reason in missing.items():
        by_reason.setdefault(str(reason), []).append(name)
    for reason, names in by_reason.items():
        level = fault if default in names else warning
        yield level(f"{join_names(names)} cannot answer: {reason}")
    if default not in missing:
        yield ok(f"the default recipe {default} can answer")


@service_check("stores")
def check_service_stores(subject: Subject) -> Iterator[Finding]:
    """The cache and the store of state are reached."""
    stores = _ask(subject, "/readyz").body.get("stores")
    if not isinstance(stores, dict):
        return
    if not stores:
        yield warning(
            "there is no Redis: each worker caches scores and keeps state by itself, and a restart loses them"
        )
    for name, state in stores.items():
        if state == "ready":
            yield ok(f"{name} is ready")
        elif state == "lost":
            yield fault(
                f"{name} came back without what it kept; to accept the loss: `reward-gateway state accept-reset --url "
                f"{without_password(subject.url)}`"
            )
        else:
            yield fault(f"{name} cannot be reached: check its server, and --redis-url or --state-redis-url")


@service_check("models")
def check_service_models(subject: Subject) -> Iterator[Finding]:
    """The models and upstreams that are served."""
    rows = _ask(subject, "/v1/models").body.get("models")
    if not isinstance(rows, list):
        return
    names = {row["name"]: row["ready"] for row in rows if isinstance(row, dict) and "ready" in row and "name" in row}
    for name in sorted(name for name, ready in names.items() if not ready):
        yield warning(f"{name} is not ready: `reward-gateway models load {name}`, or look at its server")
    if ready := sum(map(bool, names.values())):
        yield ok(f"{ready} are ready")


def _ask(subject: Subject, path: str) -> Answer:
    key = SecretStr(subject.api_key) if subject.api_key else None
    return ask_server(subject.url + path, key, subject.server_s / 2, own=True)
