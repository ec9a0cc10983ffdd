"""For whom the running task works: the recipes that its API key may use, and what its samples are counted against.

Every entry says so once it knows the caller; the dataplane looks here, so that no entry has a check to forget. Work in
the background, and jobs, which were checked and counted when they were submitted, work for nobody.
"""

from contextvars import ContextVar
from dataclasses import dataclass

from reward_gateway.errors import PermissionDenied


@dataclass(frozen=True, slots=True)
class Account:
    """An API key as the dataplane sees it.

    Attributes:
        key: its name.
        tenant: whose budget its samples count against.
        rewards: names of the recipes that it may use; None: all.
        budget: samples per UTC day of its tenant; None: no limit.
    """

    key: str
    tenant: str
    rewards: frozenset[str] | None = None
    budget: int | None = None


_CURRENT: ContextVar[Account | None] = ContextVar("account", default=None)


def current_account() -> Account | None:
    """For whom the running task works; None: for no caller."""
    return _CURRENT.get()


def work_for(account: Account) -> None:
    """Let the running task, and the tasks that it starts, work for a caller from now on."""
    _CURRENT.set(account)


class working_for:  # noqa: N801 (read as a phrase: `with working_for(account)`)
    """Let the ``with`` block, and the tasks that it starts, work for a caller; None: for nobody."""

    __slots__ = ("_account", "_token")

    def __init__(self, account: Account | None) -> None:
        self._account = account

    def __enter__(self) -> None:
        self._token = _CURRENT.set(self._account)

    def __exit__(self, *_: object) -> None:
        _CURRENT.reset(self._token)


def restricted_rewards() -> frozenset[str] | None:
    """The names of recipes that the running task may use; None: all."""
    account = current_account()
    return None if account is None else account.rewards


def refuse_recipe(param: str = "reward") -> PermissionDenied:
    """The refusal of a recipe that a key may not use: the same whether there is such a recipe or not."""
    return PermissionDenied(
        "this API key may use only the recipes that its entry in the keys file names (rewards); GET /v1/rewards lists "
        "them",
        param=param,
    )
