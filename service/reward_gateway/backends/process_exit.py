"""The end of a process whose output is a pipe."""

import asyncio


async def await_exit(process: asyncio.subprocess.Process) -> int:
    """Wait until a process has ended, and discard what is left of its output; its status.

    asyncio says that a process has ended only once its pipes have, and stops reading a pipe of which nobody takes what
    is there: to wait for the process alone could take for ever.
    """
    assert process.stdout is not None
    while await process.stdout.read(1 << 16):
        pass
    return await process.wait()
