"""Usage of API keys, as types for the OpenAPI page."""

from msgspec import Struct


class UsageRow(Struct):
    """What an API key had scored on a UTC day: samples of answered requests and accepted jobs, cached ones and those
    without a reward (`invalid`) included. `cache_hits` and `model_calls` are those of its requests, not of its jobs.
    """

    day: str
    key: str
    tenant: str
    requests: int
    samples: int
    invalid: int
    cache_hits: int
    model_calls: int


class BudgetState(Struct):
    """A tenant's budget of today: samples, and the seconds until the next day (UTC). `spent` and `left` are null while
    the store of state does not answer: nothing is refused then.
    """

    tenant: str
    budget: int
    spent: int | None
    left: int | None
    resets_in_s: int


class UsageReport(Struct):
    """Usage by day and key, and the budgets. `shared`: all workers and pods see the same."""

    rows: list[UsageRow]
    budgets: list[BudgetState]
    shared: bool
