"""The processes behind a pool of workers."""

from reward_gateway.backends.workers.pool import WorkerPool


def pids_of(pool: WorkerPool) -> set[int]:
    """The worker processes that are running."""
    return {worker.process.pid for worker in pool._all}
