"""Whose state a request about named state means: the caller's own, or the tenant's that ``?tenant=`` names."""

from dataclasses import replace

from starlette.requests import Request

from reward_gateway.errors import InvalidRequest
from reward_gateway.scoring.request_scope import RequestScope
from reward_gateway.traffic.keys import is_key_name, require_right

from .call import call_of


def owner_scope(request: Request) -> RequestScope:
    """The scope whose namespace the request reads or changes.

    Raises:
        PermissionDenied: another tenant is named and the key lacks the right ``admin``.
    """
    call = call_of(request.scope)
    tenant = request.query_params.get("tenant")
    if tenant is None or tenant == call.scope.caller:
        return call.scope
    require_right(call.key, "admin")
    if not is_key_name(tenant):
        raise InvalidRequest("a tenant is 1 to 64 letters, digits, underscores, dots and dashes", param="tenant")
    return replace(call.scope, caller=tenant)
