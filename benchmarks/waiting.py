"""How long a whole run waits at the ends of tf.data's iterators, in training, validation and evaluation.

    python benchmarks/waiting.py --images PATH [--epochs 3] [--autotuner]

Runs the default pipelines in this process, in a folder of its own, and times each call that finds an iterator at its
end and each iterator's removal. --autotuner turns on tf.data's autotuner, which this project switches off: this control
must show waiting, or else the clock is in the wrong place.
"""

import argparse
import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import tensorflow as tf
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

PROJECT = Path(__file__).parents[1]


@contextlib.contextmanager
def timed_ends() -> Iterator[dict[str, list[float]]]:
    """Time the ends of all iterators: seconds of the calls that reach one, and of removing the iterators."""
    ends: dict[str, list[float]] = {"calls": [], "removals": []}
    function, iterator = type(tf.function(lambda: None)), type(iter(tf.data.Dataset.range(1)))
    call, advance = function.__call__, iterator.__next__

    def timed_call(self, *arguments, **named):
        begin = time.perf_counter()
        try:
            return call(self, *arguments, **named)
        except tf.errors.OutOfRangeError:
            ends["calls"].append(time.perf_counter() - begin)
            raise

    def timed_advance(self):
        begin = time.perf_counter()
        try:
            return advance(self)
        except StopIteration:
            ends["calls"].append(time.perf_counter() - begin)
            raise

    def timed_removal(self):
        begin = time.perf_counter()
        self.__dict__.pop("_iterator_resource", None)
        ends["removals"].append(time.perf_counter() - begin)

    with (
        mock.patch.object(function, "__call__", timed_call),
        mock.patch.object(iterator, "__next__", timed_advance),
        mock.patch.object(iterator, "__del__", timed_removal, create=True),
    ):
        yield ends


def with_autotuner(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Let tf.data choose the numbers of parallel calls and of prefetched batches."""
    options = tf.data.Options()
    options.autotune.enabled = True
    return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)


def main() -> None:
    """Run, and print a line for calls and one for removals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--autotuner", action="store_true")
    arguments = parser.parse_args()
    images = str(arguments.images.resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "project"
        unneeded = shutil.ignore_patterns(".*", "data", "build", "node_modules", "local")
        shutil.copytree(PROJECT, folder, ignore=unneeded)
        (folder / "conf/local").mkdir()
        bootstrap_project(folder)
        given = {"images": images, "training": {"epochs": arguments.epochs}}
        tuned = mock.patch("pneumonia.pixels.batches._without_autotuner", with_autotuner)
        begin = time.perf_counter()
        with (
            timed_ends() as ends,
            tuned if arguments.autotuner else contextlib.nullcontext(),
            KedroSession.create(folder, runtime_params=given) as session,
        ):
            session.run()
        whole = time.perf_counter() - begin
    print(f"whole run: {whole:.0f} s, {arguments.epochs} epochs")
    for what, seconds in ends.items():
        print(f"{what}: {len(seconds)}, {sum(seconds):.2f} s in all, at most {max(seconds, default=0):.3f} s")


if __name__ == "__main__":
    main()
