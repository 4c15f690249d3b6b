"""What a whole run costs, by stage, on this checkout and on others, in turn: CPU and wall seconds, and peak memory.

    python benchmarks/whole_run.py [--beside CHECKOUT ...] [--repeats N] [kedro run's options]

Options of `kedro run` are such as --env=demo or --params=images=/PATH. Every run starts from nothing, in a copy of the
checkout that is removed afterwards. CPU seconds are those of the run and of all processes that it starts; memory is the
largest sum of their resident sets, looked at every half second. Compare figures of one call with each other only.
"""

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pandas as pd
import psutil

PROJECT = Path(__file__).parents[1]
# A line that says which stage begins, such as "Inputs (3 of 5): decoding the images once for all runs."
BEGINS = re.compile(r"INFO +([A-Z][a-z]+) \(\d+ of \d+\): ")
LEFT_OUT = (".git", ".venv", "data", "node_modules", "build")
START, WHOLE = "start", "whole run"


class Used(NamedTuple):
    """What was used until a moment: CPU and wall seconds; and the memory at it, bytes."""

    cpu: float
    wall: float
    memory: float


def main() -> None:
    """Run each checkout in turn; print a table of the medians by stage, and the ratio to the first checkout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", nargs="+", type=Path, default=[], help="other checkouts of the project")
    parser.add_argument("--repeats", type=int, default=1)
    arguments, options = parser.parse_known_args()
    checkouts = [PROJECT, *(path.resolve() for path in arguments.beside)]
    tables = []
    for repeat in range(arguments.repeats):
        for checkout in checkouts:
            table = measure(checkout, options)
            print(f"\n{checkout}, repeat {repeat + 1}\n{table.round(1).to_string(index=False)}", flush=True)
            tables.append(table.assign(checkout=str(checkout)))
    every = pd.concat(tables)
    print(f"\nMedians of {arguments.repeats}")
    print(every.groupby(["checkout", "stage"], sort=False).median(numeric_only=True).round(1).to_string())
    whole = every[every["stage"] == WHOLE].groupby("checkout", sort=False)["cpu_s"]
    for checkout in checkouts[1:]:
        ratios = [a / b for a, b in zip(whole.get_group(str(PROJECT)), whole.get_group(str(checkout)), strict=True)]
        spread = f" ({min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else ""
        print(f"CPU seconds of {PROJECT} over those of {checkout}: {median(ratios):.2f}{spread}")


def measure(checkout: Path, options: list[str]) -> pd.DataFrame:
    """Run a checkout once; return stage, cpu_s, wall_s and peak_mb, one row per stage and one of the whole run."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "project"
        shutil.copytree(checkout, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
        command = [sys.executable, "-m", "kedro", "run", *options]
        environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
        process = psutil.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        meter = Meter(process)
        for line in process.stdout:
            print(line, end="", file=sys.stderr, flush=True)
            if begins := BEGINS.search(line):
                meter.begin(begins[1].lower())
        meter.end()
        if process.wait():
            sys.exit(f"The run in {checkout} ended with status {process.returncode}; see above.")
        return meter.table()


class Meter:
    """Reads every half second what a process and its descendants have used."""

    def __init__(self, process: psutil.Process) -> None:
        """Begin."""
        self._process, self._started = process, time.perf_counter()
        self._used, self._stages = Used(0.0, 0.0, 0.0), {START: [Used(0.0, 0.0, 0.0)]}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def begin(self, stage: str) -> None:
        """Count what follows for a stage."""
        self._stages[stage] = [self._read()]

    def end(self) -> None:
        """Stop."""
        self._ended.set()
        self._thread.join()

    def table(self) -> pd.DataFrame:
        """Return stage, cpu_s, wall_s and peak_mb, one row per stage, and one of the whole run."""
        begun = [seen[0] for seen in self._stages.values()] + [self._used]
        rows = [
            {
                "stage": stage,
                "cpu_s": after.cpu - before.cpu,
                "wall_s": after.wall - before.wall,
                "peak_mb": max(used.memory for used in seen) / 1e6,
            }
            for (stage, seen), before, after in zip(self._stages.items(), begun, begun[1:], strict=False)
        ]
        peak = max(row["peak_mb"] for row in rows)
        whole = {"stage": WHOLE, "cpu_s": self._used.cpu, "wall_s": self._used.wall, "peak_mb": peak}
        return pd.DataFrame([*rows, whole])

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            self._read()

    def _read(self) -> Used:
        cpu = memory = 0.0
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in [self._process, *self._process.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended; its parent counts it
                    memory += one.memory_info().rss
                    cpu += sum(one.cpu_times()[:4])  # its own, and of those of its children that have ended
        self._used = Used(max(cpu, self._used.cpu), time.perf_counter() - self._started, memory)
        next(reversed(self._stages.values())).append(self._used)
        return self._used


if __name__ == "__main__":
    main()
