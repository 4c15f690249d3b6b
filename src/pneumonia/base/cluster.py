"""A Dask cluster as an executor, after checking that it answers and that its workers match this machine."""

import logging
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from typing import Any

from pneumonia.base.environment import describe_environment, tell_difference
from pneumonia.base.errors import UserError

logger = logging.getLogger(__name__)

# How long to wait for a scheduler, and for its first worker, in seconds.
PATIENCE = 30
WORKER_PATIENCE = 30
GPU = "GPU"


@contextmanager
def cluster_executor(address: str, *, one_at_a_time: bool) -> Iterator[tuple[Executor, int]]:
    """Connect to a scheduler, and yield an executor and the number of its workers.

    Args:
        address: Of the scheduler, such as tcp://10.0.0.5:8786.
        one_at_a_time: Whether a job asks for a `GPU` if workers have such a resource.

    Raises:
        UserError: If the extra is missing, no scheduler answers, there is no worker, a worker's packages or code differ
            from this machine's, or the scheduler is lost.
    """
    try:
        import distributed
    except ImportError as error:
        raise UserError(
            "engine.address needs the extra cluster: pip install -c constraints.txt -e '.[cluster]'."
        ) from error
    client = _connect(distributed, address)
    try:
        workers = _check_workers(client, address)
        resources = {GPU: 1} if one_at_a_time and any(GPU in worker["resources"] for worker in workers) else {}
        yield client.get_executor(pure=False, resources=resources), len(workers)
    except CancelledError as error:
        raise UserError(
            f"The scheduler at {address} is gone. Finished work is kept: restart the scheduler, and the same command "
            "resumes."
        ) from error
    except distributed.KilledWorker as error:
        raise UserError(f"{error} Finished work is kept; the same command resumes.") from error
    finally:
        client.close(timeout=2)


def _connect(distributed: Any, address: str) -> Any:
    try:
        return distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UserError(
            f"No Dask scheduler answers at {address} ({str(error) or type(error).__name__}). Start one with: "
            "dask scheduler."
        ) from error


def _check_workers(client: Any, address: str) -> list[dict[str, Any]]:
    """Return what the scheduler knows of each worker, after comparing their packages with ours."""
    try:
        client.wait_for_workers(1, timeout=WORKER_PATIENCE)
    except TimeoutError as error:
        raise UserError(
            f"The scheduler at {address} has no worker. Start one with: dask worker {address} --nthreads 1."
        ) from error
    ours = describe_environment()
    for worker, theirs in client.run(describe_environment, on_error="return").items():
        if isinstance(theirs, Exception):
            raise UserError(f"The worker {worker} cannot run this project ({theirs}). Install the same release there.")
        if other := tell_difference(theirs, ours):
            raise UserError(f"The worker {worker} has {other}. Install the same there, or stop it.")
    workers = list(client.scheduler_info(n_workers=-1)["workers"].values())
    logger.info("Sending work to %d workers through %s.", len(workers), address)
    return workers
