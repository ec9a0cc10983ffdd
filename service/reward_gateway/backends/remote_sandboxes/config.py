"""Configuration of the remote sandboxes: a YAML file. API keys stay in the environment; the file names them.

sandboxes:
  - name: fusion
    url: http://sandbox-fusion:8080
    protocol: sandboxfusion
    concurrency: 64
  - name: piston
    url: https://piston.example.org/api/v2
    protocol: piston
    api_key_env: PISTON_API_KEY
    memory: 536870912
"""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from ..declared_servers import DeclaredServer, ServersFileError, check_address, read_servers

Protocol = Literal["sandboxfusion", "piston"]


class SandboxesFileError(ServersFileError):
    """The sandboxes file cannot be used; the message says which entry and why, and never repeats a value of it."""


class SandboxConfig(DeclaredServer):
    """One remote sandbox. Times in seconds."""

    noun: ClassVar[str] = "sandbox"
    plural: ClassVar[str] = "sandboxes"
    fault: ClassVar[type[ServersFileError]] = SandboxesFileError

    url: str = Field(
        description="http(s)://host[:port][/path]. Without a path /run_code or /api/v2/execute is called, with one "
        "(/api/v2/piston) what is below it."
    )
    protocol: Protocol = Field(description="What the server speaks.")
    concurrency: int = Field(16, ge=1, le=1024, description="Maximum concurrent requests per gateway process.")
    wait_s: float = Field(60.0, gt=0, le=3600, description="Longest wait for an answer beyond the program's time.")
    retries: int = Field(3, ge=0, le=10, description="Retries after 429, 5xx or a lost connection.")
    memory: int | None = Field(
        None, ge=1 << 20, description="Bytes that a program may have. If omitted: the server's limit."
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        return check_address(url)


def load_sandboxes(path: Path | None) -> list[SandboxConfig]:
    """Read the sandboxes of a file; an empty list without a file.

    Raises:
        SandboxesFileError: the file cannot be read, or an entry is invalid.
    """
    return read_servers(path, SandboxConfig)
