import os
import signal
import threading
import time

import pandas as pd
import pytest
from tests.cluster import Cluster
from tests.study.conftest import changed
from tests.tiny_network import run_tiny_task

from pneumonia.base.parameters import Parameters
from pneumonia.study.run import run_jobs

pytestmark = pytest.mark.slow

# How long a training took says nothing about its result.
TIMES = ["seconds", "cpu_seconds"]


def study(make_jobs, parameters, folder, **engine):
    given = changed(parameters, {"engine": engine})
    table = run_jobs(make_jobs(given, folder), Parameters.model_validate(given).engine, run_tiny_task)
    return table.drop(columns=TIMES)


def test_threads_processes_and_a_cluster_that_loses_a_worker_give_the_same_table(make_jobs, parameters, tmp_path):
    by_threads = study(make_jobs, parameters, tmp_path / "threads", pool="threads", workers=2)
    by_processes = study(make_jobs, parameters, tmp_path / "processes", pool="processes", workers=2)
    with Cluster(tmp_path / "cluster") as cluster:
        states = tmp_path / "dask/records/states"
        killer = threading.Thread(target=kill_at_first_state, args=(states, cluster.workers[0].pid))
        killer.start()
        by_cluster = study(make_jobs, parameters, tmp_path / "dask", address=cluster.address)
        killer.join()
        assert cluster.workers[0].wait() == -signal.SIGKILL

    assert len(by_threads) == 8
    assert by_threads["untouched_auc"].nunique() > 3
    pd.testing.assert_frame_equal(by_processes, by_threads)
    pd.testing.assert_frame_equal(by_cluster, by_threads)


def kill_at_first_state(states, pid):
    """Kill a worker by SIGKILL once a training has saved its first epoch."""
    while not list(states.glob("*.npz")):
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
