"""``/v1/usage``: what API keys had scored, by UTC day, and what is left of their tenants' budgets."""

from dataclasses import asdict
from datetime import date, timedelta

from starlette.requests import Request
from starlette.responses import Response

from reward_gateway.errors import InvalidRequest, NotSetUp
from reward_gateway.metering.budgets import Budgets, seconds_to_midnight
from reward_gateway.metering.usage import UsageCounter
from reward_gateway.traffic.keys import ANYBODY, ApiKey

from ..call import call_of
from ..dependencies import dependencies_of, json_response
from ..openapi import describe, parameter
from ..routing import raw_router
from ..wire.usage import UsageReport

router = raw_router("usage")

_DAY = {"type": "string", "format": "date"}
_LONGEST_DAYS = 400


@router.get(
    "/v1/usage",
    **describe(
        "Show usage",
        answer=UsageReport,
        parameters=(
            parameter("from", "query", "The first day, in UTC: today if not given.", _DAY),
            parameter("to", "query", f"The last day; at most {_LONGEST_DAYS} days. Today if not given.", _DAY),
        ),
    ),
)
async def show_usage(request: Request) -> Response:
    """Samples that the caller's key had scored, by UTC day; with the right `admin`, those of all keys. A gateway adds
    its counts every second.
    """
    deps = dependencies_of(request)
    meter, caller = deps.gateway.meter, call_of(request.scope).key
    if meter.usage is None:
        raise NotSetUp("usage is not counted: set usage_days (REWARD_GATEWAY_USAGE_DAYS)")
    first, last = _read_days(request, meter.usage)
    table = await meter.usage.read(first, last)
    sees_all = caller.has_right("admin")
    rows = [
        {"day": owner.day, "key": owner.key, "tenant": owner.tenant, **asdict(counts)}
        for owner, counts in sorted(table.items(), key=lambda row: (row[0].day, row[0].tenant, row[0].key))
        if sees_all or owner.key == caller.name
    ]
    keys = deps.traffic.keys.entries if sees_all else (caller,)
    budgets = [] if meter.budgets is None else await _list_budgets(meter.budgets, keys)
    return json_response({"rows": rows, "budgets": budgets, "shared": meter.usage.store.shared})


async def _list_budgets(budgets: Budgets, keys: tuple[ApiKey, ...]) -> list[dict[str, object]]:
    listed = []
    for tenant, budget in {key.caller: key.budget for key in keys if key is not ANYBODY}.items():
        if budget is None:
            continue
        spent = await budgets.read(tenant)
        left = None if spent is None else max(0, budget - spent)
        resets_in_s = seconds_to_midnight(budgets.now)
        listed.append({"tenant": tenant, "budget": budget, "spent": spent, "left": left, "resets_in_s": resets_in_s})
    return listed


def _read_days(request: Request, usage: UsageCounter) -> tuple[date, date]:
    last = _read_day(request, "to") or usage.today
    first = _read_day(request, "from") or min(last, usage.today)
    if first > last:
        raise InvalidRequest("from must not be later than to", param="from")
    if last - first >= timedelta(days=_LONGEST_DAYS):
        raise InvalidRequest(f"ask for at most {_LONGEST_DAYS} days at once", param="from")
    return first, last


def _read_day(request: Request, name: str) -> date | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{name} must be a day such as 2026-01-31", param=name) from None
