"""Settings and the files that they name."""

from collections.abc import Iterator

from reward_gateway.traffic.keys import describe_unchecked_hosts
from reward_gateway.traffic.tls import describe_readable_key

from ...gateway_checks import find_gateway_faults
from ..check import Finding, Subject, fault, machine_check, ok, warning


@machine_check("settings")
def check_settings(subject: Subject) -> Iterator[Finding]:
    """Values, and files of keys, certificates, judges and upstreams, as the start checks them."""
    settings = subject.settings
    found = [fault(each.sentence) for each in find_gateway_faults(settings)]
    found += map(warning, filter(None, (describe_unchecked_hosts(settings), describe_readable_key(settings))))
    yield from found or [ok("all values and the files that they name can be used")]
