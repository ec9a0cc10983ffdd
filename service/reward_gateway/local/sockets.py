"""The folder of the embedded servers' Unix sockets: who may enter it may call them, and nobody else on the machine.

A port of loopback is open to every local user; over Triton's, one may load a model with code of one's own.
"""

import os
import re
import socket
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from reward_gateway.local.private_folders import PLACES, private_folder

_LONGEST = 107 if sys.platform == "linux" else 103  # bytes of a socket's path that the kernel takes
_LONGEST_NAME = 12
_UNQUOTED = re.compile(r"[\w./+-]+", re.ASCII)  # means the same in a path and in a URL
_REFUSAL = (
    f"no Unix socket can be bound in a temporary folder (tried $TMPDIR, {', '.join(PLACES)}), and the embedded servers "
    "listen on nothing else: let TMPDIR name a folder with a short path and no special characters, or use servers "
    "elsewhere (REWARD_GATEWAY_TRITON_URL, REWARD_GATEWAY_REDIS_URL)"
)


def socket_folder() -> AbstractContextManager[Path]:
    """A private folder that sockets can be bound in; removed at the end.

    Entering it raises StackError if there is none on this machine; the message says what to do instead.
    """
    return private_folder(_REFUSAL, accepts=holds_sockets)


def holds_sockets(folder: Path) -> bool:
    """True if a socket can be bound in the folder, by a path short enough for every server's."""
    path = folder / ("x" * _LONGEST_NAME)
    if len(os.fsencode(path)) > _LONGEST or not _UNQUOTED.fullmatch(str(path)):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.bind(str(path))
    path.unlink()
    return True
