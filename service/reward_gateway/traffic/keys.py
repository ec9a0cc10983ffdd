"""API keys: who calls, and what they may do.

The file holds a list; each entry gives the key as text or as the SHA-256 of its text:

    keys:
      - name: trainer
        sha256: 48089213720e62853fceaa28c3adf672ec25246e4b89d2f6995feb4a8cd8453a
        rights: [score]
        rate: 600/minute
        priority: training
        callback_secret_env: TRAINER_CALLBACK_SECRET    # signs callbacks of its jobs; without it there are none
      - name: trainer-2026-11        # a new key of the same caller: it goes on with the caller's state
        tenant: trainer
        sha256: c23cb83c384ea8488f97517af1a88ee5bf711a1530e2d91e44be2c3160f69502
        keep_samples: false                             # none of its samples are kept, also where others are

A key with ``rewards`` may use the recipes, aliases and served models of these names; any other name is refused, whether
anything has it or not. ``budget`` is how many samples its tenant may have scored per UTC day.

Callers share what is scarce, the slots of the gateway and the calls of a model. ``priority`` says how large a key's
share is while others wait: ``interactive`` 16 parts, ``training`` 4 (the default), ``batch`` 1.

Keys with the same ``tenant`` are one caller: they share state, cohorts and cached scores. Without it a key is a caller
of its own, by its name; the key itself may change.

Keys are compared as hashes, in constant time, against every entry, so that response times reveal nothing.
Without a file, no key is required, and tokens that clients send anyway are ignored.
"""

import base64
import hashlib
import hmac
import ipaddress
import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from reward_gateway.accounts import Account
from reward_gateway.errors import PermissionDenied, Unauthenticated
from reward_gateway.fair_queue import Priority, Share
from reward_gateway.rates import parse_rate
from reward_gateway.settings import Settings
from reward_gateway.yaml_file import YamlFault, read_yaml

from .secret_files import describe_writers

Right = Literal["score", "state", "admin"]
"""``score``: request rewards and read the catalogue. ``state``: change named state. ``admin``: everything."""


class UnsafeExposure(RuntimeError):
    """The gateway would be reachable from a network without API keys."""


class KeysFileError(ValueError):
    """The keys file cannot be used; the message says which entry and why, and never repeats a key."""


_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def is_key_name(name: str) -> bool:
    """True if a key or a tenant may have this name."""
    return _NAME.fullmatch(name) is not None


class ApiKey(BaseModel):
    """One key, and what its bearer may do."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(max_length=64, pattern=r"^[A-Za-z0-9_.-]+$", description="Its name, in logs and metrics.")
    key: SecretStr | None = Field(None, description="The key as text, of 8 characters or more; or `sha256`.")
    sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-fA-F]{64}$",
        description="SHA-256 of the key in hexadecimal, so that the file lacks it.",
    )
    tenant: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="The caller that the key belongs to: keys of one tenant share state, cohorts and cached scores. "
        "Unset: its name.",
    )
    rights: tuple[Right, ...] = Field(
        ("score",),
        description="score: request rewards and read the catalogue. state: read and change named state. admin: "
        "everything, for all callers.",
    )
    rate: str | None = Field(None, description="Maximum request rate, for example 600/minute. Unset: `rate_limit`.")
    priority: Priority = Field(
        "training",
        description="Its share of what is scarce while others wait: interactive 16 parts, training 4, batch 1.",
    )
    callback_secret_env: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="Environment variable with the secret that signs callbacks of its jobs. Unset: it has none.",
    )
    rewards: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Recipes, aliases and served models that it may use, by name; any other is refused (403). Unset: "
        "all.",
    )
    budget: int | None = Field(
        None,
        ge=1,
        le=10**15,
        description="Samples that all keys of its tenant together may have scored per UTC day; over it requests get "
        "429 over_budget. One key of a tenant may name it for all. Unset: no limit.",
    )
    keep_samples: bool = Field(
        True, description="Whether its samples may be kept where the operator keeps any (`--keep-samples`)."
    )

    @field_validator("rate")
    @classmethod
    def _check_rate(cls, rate: str | None) -> str | None:
        if rate is not None:
            parse_rate(rate)
        return rate

    @model_validator(mode="after")
    def _check_one_secret(self) -> Self:
        if (self.key is None) == (self.sha256 is None):
            raise ValueError("give either key or sha256")
        if self.key is not None and len(self.key.get_secret_value()) < 8:
            raise ValueError("a key needs at least 8 characters")
        return self

    @model_validator(mode="after")
    def _check_rewards(self) -> Self:
        if self.rewards is not None and "admin" in self.rights:
            raise ValueError("a key with the right admin may use every recipe: leave rewards out")
        return self

    @property
    def caller(self) -> str:
        """Whose state and cached scores the key's requests use."""
        return self.tenant or self.name

    @property
    def digest(self) -> bytes:
        if self.sha256 is not None:
            return bytes.fromhex(self.sha256)
        return digest(self.key.get_secret_value() if self.key else "")

    @property
    def callback_secret(self) -> str | None:
        """What signs callbacks of its jobs; None: it has no callbacks."""
        return os.environ.get(self.callback_secret_env) or None if self.callback_secret_env else None

    @cached_property
    def share(self) -> Share:
        """What the requests with this key are counted against where callers share what is scarce."""
        return Share(self.caller, self.priority)

    @cached_property
    def account(self) -> Account:
        """What its requests may use, and are counted against."""
        rewards = None if self.rewards is None else frozenset(self.rewards)
        return Account(self.name, self.caller, rewards, self.budget)

    def has_right(self, right: Right) -> bool:
        return right in self.rights or "admin" in self.rights


ANYBODY = ApiKey(name="anonymous", sha256="0" * 64, rights=("score", "state", "admin"))
"""The caller when API keys are off."""


def _share_budgets(keys: Sequence[ApiKey]) -> list[ApiKey]:
    """The keys, each with the budget of its tenant. Raises KeysFileError if two of a tenant name different ones."""
    budgets: dict[str, int] = {}
    for key in keys:
        if key.budget is not None and budgets.setdefault(key.caller, key.budget) != key.budget:
            raise KeysFileError(f"two keys of the tenant {key.caller} name different budgets: name it once")
    return [key.model_copy(update={"budget": budgets.get(key.caller)}) for key in keys]


def digest(token: str) -> bytes:
    """SHA-256 of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class KeyRing:
    """The keys of one gateway; empty: keys are off."""

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        keys = _share_budgets(keys)
        self._keys = [(key.digest, key) for key in keys]
        names = [key.name for key in keys]
        if len(set(names)) < len(names) or len({secret for secret, _ in self._keys}) < len(keys):
            raise KeysFileError("two entries share a name or a key")

    @property
    def required(self) -> bool:
        return bool(self._keys)

    @property
    def entries(self) -> tuple[ApiKey, ...]:
        """All keys, in the order of their file."""
        return tuple(key for _, key in self._keys)

    def replace(self, other: "KeyRing") -> None:
        """Hold the keys of another ring from now on."""
        self._keys = other._keys

    def find(self, name: str) -> ApiKey | None:
        """The key of a name; None: there is none any more."""
        return next((key for _, key in self._keys if key.name == name), None)

    def authenticate(self, token: str | None) -> ApiKey:
        """Return the caller of a token. Raises Unauthenticated if it is missing or unknown."""
        if not self._keys:
            return ANYBODY
        if not token:
            raise Unauthenticated(
                "send an API key: Authorization: Bearer KEY, X-Api-Key: KEY, or an address http://x:KEY@HOST"
            )
        given = digest(token)
        caller = None
        for secret, key in self._keys:  # compare all, so that the time does not reveal which one matched
            if hmac.compare_digest(secret, given):
                caller = key
        if caller is None:
            raise Unauthenticated("unknown API key")
        return caller

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """Read the keys file. Raises KeysFileError."""
        if path is None:
            return cls([])
        try:
            entries = read_yaml(path)
            writable = describe_writers(path)
        except OSError as error:
            raise KeysFileError(f"the keys file cannot be read ({error.strerror})") from None
        except YamlFault as error:
            raise KeysFileError(f"the keys file cannot be read: {error}") from None
        if writable:
            raise KeysFileError(writable)
        if not isinstance(entries, dict) or set(entries) != {"keys"} or not isinstance(entries["keys"], list):
            raise KeysFileError("the keys file must hold one list named keys")
        if not entries["keys"]:
            raise KeysFileError("the keys file names no key, so that every request would be rejected: add a key")
        return cls([_parse_entry(i, entry) for i, entry in enumerate(entries["keys"])])


def _parse_entry(index: int, entry: Any) -> ApiKey:
    try:
        return ApiKey.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise KeysFileError(f"keys[{index}]{'.' + where if where else ''}: {first['msg']}") from None


def token_of(authorization: str | None, x_api_key: str | None) -> str | None:
    """The token from the two headers that may carry one: Bearer, else ``X-Api-Key``, else the password of HTTP Basic.

    Basic is for clients that take only an address (``http://x:KEY@HOST``). It comes last, because it may as well be the
    login of a proxy before the gateway.
    """
    scheme, _, value = (authorization or "").partition(" ")
    bearer = value.strip() if scheme.lower() == "bearer" else ""
    password = _read_password(value.strip()) if scheme.lower() == "basic" and not x_api_key else ""
    return bearer or x_api_key or password or None


def _read_password(credentials: str) -> str:
    """The password in the credentials of HTTP Basic; empty if there is none."""
    try:
        decoded = base64.b64decode(credentials, validate=True)
    except ValueError:
        return ""
    return decoded.partition(b":")[2].decode("utf-8", "surrogateescape")


def require_right(key: ApiKey, right: Right) -> None:
    """Raise PermissionDenied unless the key has the right."""
    if not key.has_right(right):
        raise PermissionDenied(f"this API key lacks the right {right!r}")


def is_loopback(host: str) -> bool:
    """True if only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def describe_unchecked_hosts(settings: Settings) -> str:
    """What a web page may do to a public address without keys, and what to set against it; empty if nothing."""
    if settings.api_keys_file is not None or settings.allowed_hosts or is_loopback(settings.http_host):
        return ""
    return (
        f"no API keys are required on {settings.http_host}, and a web page that somebody on this network opens can "
        "reach it by a name of the page's own: name the hosts under which the gateway is reached in "
        "REWARD_GATEWAY_ALLOWED_HOSTS"
    )


def check_exposure(settings: Settings) -> None:
    """Refuse to listen on a public address without keys. Raises UnsafeExposure."""
    if settings.api_keys_file is None and not settings.allow_unauthenticated and not is_loopback(settings.http_host):
        raise UnsafeExposure(
            f"{settings.http_host} can be reached from other machines and no API keys are required: "
            "set REWARD_GATEWAY_API_KEYS_FILE, or listen on 127.0.0.1, or, on a network that is protected by "
            "other means, set REWARD_GATEWAY_ALLOW_UNAUTHENTICATED=true"
        )
