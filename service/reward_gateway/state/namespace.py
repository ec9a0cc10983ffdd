"""Whose state it is. What scoring writes belongs to a tenant and one of its runs, what is uploaded to the tenant.

Two runs that name the same stream, or send samples of the same prompt, therefore never meet. A name that begins with
``tenant/`` is shared by all runs of the tenant, because both ask for it by that name. Nothing is shared by two tenants;
API keys that are to share state have the same ``tenant:`` in the keys file.

State of a version without namespaces (*legacy* state) is read by every namespace until it first writes the name.
"""

from dataclasses import dataclass

UPLOADED = frozenset({"references", "labels", "sets"})
"""Kinds that are uploaded, not written by scoring: the tenant's."""

SHARED_PREFIX = "tenant/"
"""How a name begins that all runs of a tenant share."""

TAG = "state"

PREFIX = f"reward_gateway:{{{TAG}}}"
"""How all Redis keys of state begin: they have one hash tag, since every script reads the store's marker, and some name
keys of a run, of its tenant and of legacy state."""

LEGACY = f"{PREFIX}:"
"""How the Redis keys of legacy state, and those of the store as a whole, begin."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A tenant and one of its training runs.

    Attributes:
        tenant: of letters, digits, ``_``, ``.`` and ``-``.
        run: without a slash; empty for requests that name no run.
    """

    tenant: str = "anonymous"
    run: str = ""

    @property
    def tenant_keys(self) -> str:
        """How the Redis keys of the tenant's state begin."""
        return make_tenant_prefix(self.tenant)

    @property
    def run_keys(self) -> str:
        """How the Redis keys of the run's state begin."""
        return f"{make_tenant_prefix(self.tenant)}run/{self.run}/"

    def find_keys(self, kind: str, name: str) -> str:
        """How the Redis keys of a name begin."""
        return self.tenant_keys if is_shared(kind, name) else self.run_keys


def make_tenant_prefix(tenant: str) -> str:
    """How all Redis keys of a tenant begin."""
    return f"{PREFIX}/{tenant}/"


def is_shared(kind: str, name: str) -> bool:
    """True if all runs of a tenant share a name."""
    return kind in UPLOADED or name.startswith(SHARED_PREFIX)


NO_NAMESPACE = Namespace()
"""The namespace of a gateway without API keys, for requests that name no run."""
