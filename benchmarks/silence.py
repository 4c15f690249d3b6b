"""How long a run says nothing: its longest silences, and what was said before and after each.

    python benchmarks/silence.py [--folder DIR] [kedro run's options, such as --env=demo]

Runs `kedro run` in a copy of the project that is removed afterwards, or in `--folder`, whose data the run then uses.
"""

import argparse
import contextlib
import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).parents[1]
SHOWN = 10


def main() -> None:
    """Run, repeat what is said with the seconds since the start, and print the longest silences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    arguments, options = parser.parse_known_args()
    with contextlib.ExitStack() as stack:
        folder = arguments.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "project"
            shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns(".*", "data", "node_modules", "build"))
            shutil.copy(PROJECT / ".telemetry", folder)  # without it, Kedro reports the run to its makers
        command = [str(Path(sys.executable).with_name("kedro")), "run", *(options or ["--env=demo"])]
        begin = time.monotonic()
        said = [(0.0, "the start")]
        with subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for line in process.stdout:
                said.append((time.monotonic() - begin, line.strip()))
                print(f"{said[-1][0]:6.1f} {line}", end="", flush=True)
    said.append((time.monotonic() - begin, f"the end, with status {process.returncode}"))
    silences = [(later[0] - earlier[0], earlier[1], later[1]) for earlier, later in itertools.pairwise(said)]
    print(f"\n{said[-1][0]:.0f} s in all, {len(said) - 2} lines; the longest silences:")
    for seconds, before, after in sorted(silences, reverse=True)[:SHOWN]:
        print(f"{seconds:5.1f} s between {before[:70]!r} and {after[:70]!r}")


if __name__ == "__main__":
    main()
