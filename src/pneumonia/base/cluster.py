"""A Dask cluster as an executor, after checking that it answers and that its workers match this machine."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from functools import partial
from typing import Any

from pneumonia.base.environment import describe_environment, tell_difference
from pneumonia.base.errors import UserError

logger = logging.getLogger(__name__)

# How long to wait for a scheduler, and for its first worker, in seconds.
PATIENCE = 30
WORKER_PATIENCE = 30
# And for all workers to say what is installed there.
ENVIRONMENT_PATIENCE = 60.0
GPU = "GPU"


@contextmanager
def cluster_executor(address: str, *, one_at_a_time: bool) -> Iterator[tuple[Executor, int, Callable[[], None]]]:
    """Connect to a scheduler, and yield an executor, the number of its workers, and a check that it still works.

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
    for name in ("distributed", "tornado"):  # a lost connection is said once, by us
        logging.getLogger(name).setLevel(logging.CRITICAL)
    client = _connect(distributed, address)
    try:
        workers = _check_workers(client, address)
        resources = {GPU: 1} if one_at_a_time and any(GPU in worker["resources"] for worker in workers) else {}
        executor = client.get_executor(pure=False, resources=resources)
        yield executor, len(workers), partial(_check_alive, client, address)
    except CancelledError as error:
        raise UserError(
            f"The scheduler at {address} is gone. Finished work is kept: restart the scheduler, and the same command "
            "resumes."
        ) from error
    except distributed.KilledWorker as error:
        raise UserError(f"{error} Finished work is kept; the same command resumes.") from error
    finally:
        client.close(timeout=2)


def _check_alive(client: Any, address: str) -> None:
    """Refuse to wait for a scheduler that was stopped, or for workers that are all gone.

    Raises:
        UserError: If there is nothing to wait for.
    """
    again = "Finished work is kept: restart it, and the same command resumes."
    try:
        known = client.sync(client.scheduler.identity, callback_timeout=PATIENCE)
    except (TimeoutError, OSError) as error:
        raise UserError(f"The scheduler at {address} no longer answers. {again}") from error
    if not known["workers"]:
        try:
            client.wait_for_workers(1, timeout=WORKER_PATIENCE)
        except TimeoutError as error:
            raise UserError(f"The scheduler at {address} has no worker any more. {again}") from error


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
    for worker, theirs in _environments(client, address).items():
        if isinstance(theirs, Exception):
            raise UserError(f"The worker {worker} cannot run this project ({theirs}). Install the same release there.")
        if other := tell_difference(theirs, ours):
            raise UserError(f"The worker {worker} has {other}. Install the same there, or stop it.")
    workers = list(client.scheduler_info(n_workers=-1)["workers"].values())
    logger.info("Sending work to %d workers through %s.", len(workers), address)
    return workers


def _environments(client: Any, address: str) -> dict[str, Any]:
    """Return the environment of each worker, or the error instead.

    Raises:
        UserError: If one does not answer.
    """
    try:
        return client.run(describe_environment, on_error="return", callback_timeout=ENVIRONMENT_PATIENCE)
    except TimeoutError as error:
        raise UserError(
            f"A worker of the scheduler at {address} does not answer within {ENVIRONMENT_PATIENCE:g} seconds: it is "
            "frozen, or unreachable. Stop it, or start it again."
        ) from error
