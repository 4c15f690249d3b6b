import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import pytest
from tests.cluster import Cluster, kill

from pneumonia.base import cluster as dask_cluster
from pneumonia.base.engine import map_all, run_all
from pneumonia.base.errors import UserError
from pneumonia.base.study_parameters import EngineParameters


def at(address):
    return EngineParameters(address=address, pool="processes", workers=1)


def pid_of(_):
    return os.getpid()


def refuse(_):
    raise UserError("It is refused.")


def wait_for(path):
    """Say that a worker is at work, and go on once the file "go" is there."""
    (Path(path) / f"at-work-{os.getpid()}").touch()
    while not (Path(path) / "go").exists():
        time.sleep(0.02)
    return os.getpid()


def at_work(folder, number):
    """Wait until `number` workers are at work, ten minutes at most, and return their process IDs."""
    end = time.monotonic() + 600
    while len(found := list(folder.glob("at-work-*"))) < number:
        assert time.monotonic() < end
        time.sleep(0.02)
    return [int(path.name.rpartition("-")[2]) for path in found]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.mark.slow
def test_jobs_are_done_by_the_workers_of_a_cluster(cluster):
    results = dict(run_all(pid_of, range(20), at(cluster.address)))

    assert len(results) == 20
    assert os.getpid() not in results.values()


@pytest.mark.slow
def test_an_error_of_a_job_comes_back_in_its_own_words(cluster):
    with pytest.raises(UserError, match="It is refused"):
        list(run_all(refuse, [1], at(cluster.address)))


@pytest.mark.slow
def test_a_worker_that_is_frozen_before_it_was_asked_ends_the_run_in_a_sentence(cluster, monkeypatch):
    list(run_all(pid_of, range(2), at(cluster.address)))
    monkeypatch.setattr(dask_cluster, "ENVIRONMENT_PATIENCE", 1)
    cluster.workers[0].send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(UserError, match="within 1 seconds"):
            list(run_all(pid_of, range(2), at(cluster.address)))
    finally:
        cluster.workers[0].send_signal(signal.SIGCONT)


@pytest.mark.slow
def test_the_work_of_a_killed_worker_is_taken_up_by_another(tmp_path):
    with Cluster(tmp_path / "cluster") as cluster:
        results = run_all(wait_for, [tmp_path, tmp_path], at(cluster.address))
        found = []
        taker = threading.Thread(target=lambda: found.extend(results))
        taker.start()
        at_work(tmp_path, 2)
        kill(cluster.workers[0])
        (tmp_path / "go").touch()
        taker.join()

    assert [number for number, _ in sorted(found)] == [0, 1]
    assert {pid for _, pid in found} == {cluster.workers[1].pid}


@pytest.mark.slow
def test_a_scheduler_that_dies_ends_the_work_in_a_sentence(tmp_path):
    import threading

    import distributed  # noqa: F401

    said = []

    def take(results):
        try:
            list(results)
        except UserError as error:
            said.append(error.message)

    with Cluster(tmp_path / "cluster") as cluster:
        taker = threading.Thread(target=take, args=(run_all(wait_for, [tmp_path], at(cluster.address)),))
        taker.start()
        at_work(tmp_path, 1)
        kill(cluster.scheduler)
        taker.join()

    (message,) = said
    assert f"scheduler at {cluster.address} is gone" in message
    assert "resumes" in message


@pytest.mark.slow
def test_a_scheduler_that_is_stopped_and_workers_that_are_gone_are_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("pneumonia.base.engine.BEAT", 1)
    with Cluster(tmp_path / "cluster") as cluster:
        results = run_all(wait_for, [tmp_path], at(cluster.address))
        with ThreadPoolExecutor(1) as pool:
            taken = pool.submit(list, results)
            at_work(tmp_path, 1)
            monkeypatch.setattr(dask_cluster, "PATIENCE", 5)  # only now: workers may take long to start
            monkeypatch.setattr(dask_cluster, "WORKER_PATIENCE", 1)
            cluster.scheduler.send_signal(signal.SIGSTOP)
            try:
                with pytest.raises(UserError, match="no longer answers"):
                    taken.result(60)
            finally:
                cluster.scheduler.send_signal(signal.SIGCONT)
            for worker in cluster.workers:
                kill(worker)
            with pytest.raises(UserError, match="has no worker"):
                list(run_all(pid_of, [1], at(cluster.address)))


def fail_for_want_of_images(job):
    raise UserError("There are no images at /data.")


@pytest.mark.slow
def test_a_worker_without_the_images_is_named(cluster):
    with pytest.raises(UserError, match=rf"^On {socket.gethostname()}: There are no images at /data\.$"):
        list(map_all(fail_for_want_of_images, [1], at(cluster.address)))


@pytest.mark.slow
def test_a_worker_with_other_packages_is_named(cluster, monkeypatch):
    installed = metadata.version  # the workers are other processes and keep it
    monkeypatch.setattr(metadata, "version", lambda name: "99.0" if name == "keras" else installed(name))
    dask_cluster.describe_environment.cache_clear()

    with pytest.raises(UserError, match=r"tcp://127\.0\.0\.1:\d+ .*keras .*99\.0"):
        list(run_all(pid_of, [1], at(cluster.address)))
    dask_cluster.describe_environment.cache_clear()


@pytest.mark.slow
def test_a_scheduler_without_workers_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(dask_cluster, "WORKER_PATIENCE", 1)
    with (
        Cluster(tmp_path, workers=0) as cluster,
        pytest.raises(UserError, match="dask worker"),
    ):
        list(run_all(pid_of, [1], at(cluster.address)))


def test_an_address_where_nobody_answers_is_told(monkeypatch):
    monkeypatch.setattr(dask_cluster, "PATIENCE", 1)
    with pytest.raises(UserError, match="No Dask scheduler answers at tcp://127.0.0.1:9"):
        list(run_all(pid_of, [1], at("tcp://127.0.0.1:9")))


@pytest.mark.parametrize("address", ["nonsense://x", "localhost"])
def test_what_is_no_address_is_told(monkeypatch, address):
    monkeypatch.setattr(dask_cluster, "PATIENCE", 1)
    with pytest.raises(UserError, match="No Dask scheduler answers at"):
        list(run_all(pid_of, [1], at(address)))


def test_without_the_extra_a_sentence_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"pip install .*\[cluster\]"):
        list(run_all(pid_of, [1], at("tcp://127.0.0.1:9")))
