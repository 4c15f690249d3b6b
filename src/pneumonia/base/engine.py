"""Runs jobs in parallel: in threads, in processes, or on a Dask cluster, each an executor of `concurrent.futures`."""

import logging
import multiprocessing
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from pneumonia.base.cluster import cluster_executor
from pneumonia.base.errors import UserError
from pneumonia.base.study_parameters import NONE, EngineParameters

logger = logging.getLogger(__name__)

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")
# An executor, the number of its workers, and a check that it still works.
Pool = tuple[Executor, int, Callable[[], None]]

# Process files in threads on this machine.
LOCAL = EngineParameters(address=NONE, pool="threads", workers=1)

# How often processes may be killed before one of them finishes a job.
ATTEMPTS = 3
# How often to check, in seconds, that what is waited for is still there.
BEAT = 30.0
# Jobs queued ahead for each worker: few, because results that nobody has taken yet need memory.
AHEAD = 2


def map_all(function: Callable[[JobT], ResultT], jobs: Iterable[JobT], engine: EngineParameters) -> Generator[ResultT]:
    """Do short jobs, such as work on files: in threads on all cores of this machine, or on a cluster.

    Args:
        function: Does one job; for a cluster it must be a module's function.
        jobs: Consumed a few at a time; for a cluster each is pickled.
        engine: Where.

    Yields:
        The results, in the order of the jobs.

    Raises:
        UserError: As a job does, or if the cluster cannot be used.
    """
    on_cluster = engine.address != NONE
    place = cluster_executor(engine.address, one_at_a_time=False) if on_cluster else _threads(thread_count())
    do = partial(_on_a_worker, function) if on_cluster else function
    with place as (executor, workers, check):
        waiting = iter(jobs)
        futures = deque(executor.submit(do, job) for job in islice(waiting, workers * AHEAD))
        while futures:
            _wait([futures[0]], check)
            result = futures.popleft().result()
            futures.extend(executor.submit(do, job) for job in islice(waiting, 1))
            yield result


def run_all(
    function: Callable[[JobT], ResultT], jobs: Sequence[JobT], engine: EngineParameters
) -> Generator[tuple[int, ResultT]]:
    """Do long jobs, such as trainings, as many at the same time as there are workers.

    Args:
        function: Does one job; for processes and clusters it must be a module's function.
        jobs: Each is pickled if it goes to another process.
        engine: Where.

    Yields:
        The number of a job and its result, as jobs end.

    Raises:
        UserError: As a job does; if processes are killed three times in a row; if the cluster cannot be used.
    """
    left, killed = dict(enumerate(jobs)), 0
    while killed < ATTEMPTS:
        try:
            with _executor(engine) as (executor, workers, check):
                for number, result in _run(executor, function, left, workers * AHEAD, check):
                    del left[number]
                    killed = 0
                    yield number, result
            return
        except BrokenExecutor:
            killed += 1
            logger.warning("A process was killed. Another process takes over its work.")
    raise UserError(
        f"A process was killed {ATTEMPTS} times in a row, perhaps for lack of memory: lower engine.workers or "
        "training.batch_size. The same command resumes."
    )


def _run(
    executor: Executor, function: Callable[[JobT], ResultT], left: dict[int, JobT], most: int, check: Callable[[], None]
) -> Iterator[tuple[int, ResultT]]:
    """Hand jobs over, a few more than are being done, and give their results as they end."""
    waiting = iter(list(left.items()))
    futures: dict[Future[ResultT], int] = {}
    while True:
        for number, job in waiting:
            futures[executor.submit(function, job)] = number
            if len(futures) >= most:
                break
        if not futures:
            return
        for future in _wait(futures, check):
            yield futures.pop(future), future.result()


def _wait(futures: Collection[Future[ResultT]], check: Callable[[], None]) -> set[Future[ResultT]]:
    """Wait for any of these, and meanwhile check now and then that there is something to wait for."""
    while not (done := wait(futures, BEAT, FIRST_COMPLETED).done):
        check()
    return done


def _on_a_worker(function: Callable[[JobT], ResultT], job: JobT) -> ResultT:
    """Do a job; what goes wrong is said with the name of the machine, such as one that has no images."""
    try:
        return function(job)
    except UserError as error:
        raise UserError(f"On {socket.gethostname()}: {error.message}") from error


def _no_check() -> None:
    """On this machine, work that ends unfinished raises by itself."""


def _executor(engine: EngineParameters) -> AbstractContextManager[Pool]:
    if engine.address != NONE:
        return cluster_executor(engine.address, one_at_a_time=True)
    return _threads(engine.workers) if engine.pool == "threads" else _processes(engine.workers)


def thread_count() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _threads(workers: int) -> Iterator[Pool]:
    executor = ThreadPoolExecutor(workers)
    try:
        yield executor, workers, _no_check
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _processes(workers: int) -> Iterator[Pool]:
    """Give a pool of processes; after an exception none of them goes on."""
    spawn: Any = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    executor = ProcessPoolExecutor(workers, spawn, initializer=_start_worker)
    try:
        yield executor, workers, _no_check
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Let this package's messages reach the terminal, and do not outlive the process that started this one."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s [%(process)d] %(message)s", "%H:%M:%S"))
    ours = logging.getLogger("pneumonia")
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    ours.propagate = False
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # whatever it is doing: nobody needs the result
