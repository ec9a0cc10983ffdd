"""The formats of JSON Schema that its library checks loosely, or with further packages alone. All in linear time.

Each is named by JSON Schema Validation (draft 2020-12, 7.3) and defined by the RFC that stands beside it.
"""

import ipaddress
import re
from collections.abc import Callable
from datetime import date

from .patterns import compile_pattern

_DATE = r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
_TIME = (
    r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:\.[0-9]+)?"
    r"(?:[Zz]|(?P<sign>[+-])(?P<ahead>[0-9]{2}):(?P<part>[0-9]{2}))"
)
_IS_TIME = re.compile(_TIME)
_IS_DATE_TIME = re.compile(f"{_DATE}[Tt]{_TIME}")
_IS_DURATION = re.compile(
    r"P(?:[0-9]+W|(?=[0-9T])(?:[0-9]+Y)?(?:[0-9]+M)?(?:[0-9]+D)?"
    r"(?:T(?=[0-9])(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+S)?)?)"
)
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_IS_HOSTNAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_IS_LOCAL_PART = re.compile(rf'{_ATOM}(?:\.{_ATOM})*|"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"')
_IS_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")
_IS_RELATIVE_POINTER = re.compile(r"(?:0|[1-9][0-9]*)(?:#|(?:/(?:[^~/]|~[01])*)*)")
_VARIABLE = r"(?:[A-Za-z0-9_.]|%[0-9A-Fa-f]{2})+(?:\*|:[1-9][0-9]{0,3})?"
_IS_TEMPLATE = re.compile(
    rf"(?:[^\x00-\x20\x7f\"'%<>\\^`{{|}}]|%[0-9A-Fa-f]{{2}}|\{{[+#./;?&=,!@|]?{_VARIABLE}(?:,{_VARIABLE})*\}})*"
)


def _is_time(text: str) -> bool:
    found = _IS_TIME.fullmatch(text)
    return found is not None and _is_clock_time(found)


def _is_date_time(text: str) -> bool:
    found = _IS_DATE_TIME.fullmatch(text)
    if found is None or not _is_clock_time(found):
        return False
    try:
        date.fromisoformat(found["day"])
    except ValueError:
        return False
    return True


def _is_clock_time(found: "re.Match[str]") -> bool:
    """Whether a time is one of a day; a minute has 61 seconds only before midnight of UTC."""
    hour, minute, second, ahead, part = (
        int(found[name] or 0) for name in ("hour", "minute", "second", "ahead", "part")
    )
    if hour > 23 or minute > 59 or second > 60 or ahead > 23 or part > 59:
        return False
    offset = (ahead * 60 + part) * (-1 if found["sign"] == "-" else 1)
    return second < 60 or (hour * 60 + minute - offset) % (24 * 60) == 24 * 60 - 1


def _is_hostname(text: str) -> bool:
    return len(text) <= 253 and _IS_HOSTNAME.fullmatch(text) is not None


def _is_email(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    if not at or _IS_LOCAL_PART.fullmatch(local) is None:
        return False
    if domain.startswith("[") and domain.endswith("]"):
        return _is_address(domain[1:-1])
    return _is_hostname(domain)


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text[5:]) if text[:5].lower() == "ipv6:" else ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _write_uri(further: str) -> tuple[str, str]:
    """Regular expressions of RFC 3986 (RFC 3987 with ``further`` characters): an address, and one that is relative."""
    plain = rf"A-Za-z0-9\-._~!$&'()*+,;={further}"
    coded = "%[0-9A-Fa-f]{2}"
    segment = rf"(?:[{plain}:@]|{coded})*"
    authority = (
        rf"(?:(?:[{plain}:]|{coded})*@)?(?:\[(?:[0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.[{plain}:]+)\]|(?:[{plain}]|{coded})*)"
        r"(?::[0-9]*)?"
    )
    behind = rf"(?:\?(?:[{plain}:@/?]|{coded})*)?(?:\#(?:[{plain}:@/?]|{coded})*)?"
    path = rf"(?://{authority}(?:/{segment})*|/?(?!/){segment}(?:/{segment})*)"
    return (
        rf"[A-Za-z][A-Za-z0-9+.-]*:{path}{behind}",
        rf"(?![^/?\#]*:){path}{behind}|//{authority}(?:/{segment})*{behind}",
    )


_URI, _RELATIVE_URI = _write_uri("")
_IRI, _RELATIVE_IRI = _write_uri("\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef\U00010000-\U000dfffd")


def _match(pattern: "str | re.Pattern[str]") -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


def _is_regex(text: str) -> bool:
    try:
        compile_pattern(text)
    except ValueError:
        return False
    return True


FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _is_date_time,  # RFC 3339
    "time": _is_time,
    "duration": _match(_IS_DURATION),  # ISO 8601, of which RFC 3339 (appendix A) is a part
    "email": _is_email,  # RFC 5321
    "hostname": _is_hostname,  # RFC 1123
    "uri": _match(_URI),  # RFC 3986
    "uri-reference": _match(f"{_URI}|{_RELATIVE_URI}"),
    "iri": _match(_IRI),  # RFC 3987
    "iri-reference": _match(f"{_IRI}|{_RELATIVE_IRI}"),
    "uri-template": _match(_IS_TEMPLATE),  # RFC 6570
    "json-pointer": _match(_IS_POINTER),  # RFC 6901
    "relative-json-pointer": _match(_IS_RELATIVE_POINTER),
    "regex": _is_regex,
}
"""Format -> whether a text is of it."""
