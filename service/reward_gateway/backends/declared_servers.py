"""Servers that the operator declares in a YAML file: a list of entries with a name, an address, and where a key is.

API keys stay in the environment; the file names them.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from reward_gateway.yaml_file import YamlFault, read_yaml


class ServersFileError(ValueError):
    """The file cannot be used; the message says which entry and why, and never repeats a value of it."""


class DeclaredServer(BaseModel):
    """What every entry has."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    noun: ClassVar[str]
    """What an entry is, as messages call it; the file's list has its plural."""
    plural: ClassVar[str]
    fault: ClassVar[type[ServersFileError]] = ServersFileError

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="Name by which operations refer to it.")
    api_key_env: str | None = Field(
        None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Environment variable that holds the API key."
    )

    def api_key(self, environment: Mapping[str, str] = os.environ) -> SecretStr | None:
        """The API key, or None if it needs none.

        Raises:
            ServersFileError: the environment variable is not set.
        """
        if self.api_key_env is None:
            return None
        key = environment.get(self.api_key_env)
        if not key:
            raise self.fault(
                f"the {self.noun} {self.name} needs its key in the environment: {self.api_key_env} is empty"
            )
        return SecretStr(key)


def check_address(url: str) -> str:
    """An http(s) address without its trailing slash. Raises ValueError for any other."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be http://host or https://host")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must have no user, query or fragment; put a key into the environment (api_key_env)")
    return url.rstrip("/")


S = TypeVar("S", bound=DeclaredServer)


def read_servers(path: Path | None, kind: type[S]) -> list[S]:
    """Read the servers of a file; an empty list without a file.

    Raises:
        ServersFileError: of the kind: the file cannot be read, or an entry is invalid.
    """
    if path is None:
        return []
    plural = kind.plural
    try:
        entries = read_yaml(path)
    except YamlFault as error:
        raise kind.fault(f"the {plural} file cannot be read: {error}") from None
    if not isinstance(entries, dict) or set(entries) != {plural} or not isinstance(entries[plural], list):
        raise kind.fault(f"the {plural} file must hold one list named {plural}")
    servers = [_parse_entry(kind, i, entry) for i, entry in enumerate(entries[plural])]
    if len({server.name for server in servers}) < len(servers):
        raise kind.fault(f"two {plural} share a name")
    return servers


def _parse_entry(kind: type[S], index: int, entry: Any) -> S:
    try:
        return kind.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        where = ".".join((f"{kind.plural}[{index}]", *(str(part) for part in first["loc"])))
        raise kind.fault(f"{where}: {first['msg']}") from None
