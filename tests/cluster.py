"""A Dask cluster on this machine: a scheduler and workers, each a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


class Cluster:
    """Started by `with`; `address` is the scheduler's."""

    def __init__(self, folder, workers=2):
        self.folder, self.file = Path(folder), Path(folder) / "scheduler.json"
        self.processes = []
        self.n_workers = workers

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.scheduler = self._start(
            "scheduler", "--host=127.0.0.1", "--port=0", f"--scheduler-file={self.file}", "--no-show"
        )
        while not (self.file.exists() and self.file.read_text()):
            time.sleep(0.05)
        self.address = json.loads(self.file.read_text())["address"]
        self.workers = [self.add_worker() for _ in range(self.n_workers)]
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()

    def add_worker(self):
        how = ("--nthreads=1", "--no-nanny", "--no-dashboard", f"--local-directory={self.folder}")
        return self._start("worker", self.address, *how)

    def _start(self, *command):
        root = Path(__file__).parents[1]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])}
        log = (self.folder / f"{len(self.processes)}.log").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *command], cwd=self.folder, env=environment, stdout=log, stderr=log
        )
        self.processes.append(process)
        return process


def kill(process):
    """End a process as a failing machine would."""
    process.send_signal(signal.SIGKILL)
    process.wait()
