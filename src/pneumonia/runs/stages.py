"""What a run says of its stages: which one begins, how far it is, and what it found.

A stage is a pipeline, by the namespace of its nodes. Kedro runs nodes of later stages as soon as they can run: a stage
begins when those before it have ended, and counts what was done of it by then. On a terminal a bar says all the time
how far the run is; elsewhere the run says it when it said nothing for a while.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from tqdm import tqdm

from pneumonia.base.progress import RUNNING, say_time

logger = logging.getLogger(__name__)

# The stages in their order, and what each does.
STAGES = {
    "ingest": "finding and checking the images, splitting them by patient",
    "imbalance": "counting and weighing the classes",
    "inputs": "decoding the images once for all runs",
    "training": "fitting the network",
    "evaluation": "scoring validation and test, looking for what speaks against the result, writing the report",
    "comparison": "putting all evaluated models side by side",
    "prediction": "scoring new images",
    "external": "testing the model on labelled images from elsewhere",
    "adaptation": "training the model further on images of another place",
    "export": "converting the model and comparing the files with it",
    "study": "training many times, to compare recipes and check labels",
}
# Seconds that long nodes take on two cores: at the least, and for each 1,000 images. Others take `REST`. Only the
# proportions within a stage matter, once a share of it, `TRUST`, has shown how fast this machine is.
LONG = {
    "ingest.index_images": (5, 8),
    "inputs.store_pixels": (1, 5),
    "training.train_network": (20, 200),
    "evaluation.check_model": (1, 0.3),
    "evaluation.damage_images": (2, 19),
    "evaluation.describe_shortcuts": (0.2, 1),
    "evaluation.fit_image_range": (1, 4),
    "evaluation.hide_regions": (2, 2.7),
    "evaluation.measure_pointing": (2, 0),
    "evaluation.reframe_images": (1.3, 8.4),
    "evaluation.score_images": (2.2, 1.8),
    "evaluation.score_twins": (3, 2.8),
    "evaluation.score_train_sample": (6, 0),
    "evaluation.audit_shortcuts": (4.6, 2),
    "evaluation.check_range": (4, 0.2),
    "evaluation.draw_gallery_maps": (1.2, 0),
    "evaluation.draw_gallery": (1.5, 0),
    "adaptation.adapt": (20, 200),
    "study.run_study": (100, 1000),
}
REST = 0.25
TRUST = 0.1
# Share of a stage before which nothing tells how long it takes.
TELLING = 0.05
SECONDS_OF_SILENCE = 12.0
SECONDS_BETWEEN_LOOKS = 0.5


class Status(NamedTuple):
    """How far a stage is, from 0 to 1, and in words."""

    share: float
    words: str


class Stage:
    """How far a stage is.

    Attributes:
        name: Of its pipeline.
        made: Names of the datasets that it makes.
        left: Those that are not made yet.
    """

    def __init__(self, name: str, nodes: list[Node]) -> None:
        """Begin with nothing done."""
        self.name, self.nodes = name, nodes
        self.made = {output for node in nodes for output in node.outputs}
        self.left = set(self.made)
        self._begun: float | None = None
        self._before = 0.0

    def begin(self, now: float, images: int) -> None:
        """Note when the stage begins, and what was done of it before."""
        self._begun, self._before = now, self._done(images)

    def describe(self, node: Node, seconds_in_node: float, now: float, images: int) -> Status:
        """Say how far the stage is, and once that can be told, how long it will still take.

        Args:
            node: Of the stage, that is being run.
            seconds_in_node: For how long.
            now: In the seconds of `begin`.
            images: How many there are, as far as is known.
        """
        doing = str(RUNNING[-1]) if RUNNING else name_of(node)
        step = min(len(self._done_nodes()) + 1, len(self.nodes))
        expected = seconds_of(node, images)
        part = expected * (RUNNING.share() if RUNNING else min(0.9, seconds_in_node / expected))
        whole = sum(seconds_of(one, images) for one in self.nodes) - self._before
        done = min(self._done(images) - self._before + part, whole)
        words = f"{self.name.capitalize()}: step {step} of {len(self.nodes)}, {doing[0].lower()}{doing[1:]}"
        if self._begun is not None and done >= TELLING * whole:
            left = (whole - done) * (now - self._begun + TRUST * whole) / (done + TRUST * whole)
            words += f"; about {say_time(left)} left" if left >= 1 else "; almost done"
        return Status(done / whole, words)

    def _done_nodes(self) -> list[Node]:
        return [node for node in self.nodes if self.left.isdisjoint(node.outputs)]

    def _done(self, images: int) -> float:
        return sum(seconds_of(node, images) for node in self._done_nodes())


class Stages:
    """Says which stage begins, and what it found when it ends."""

    def __init__(
        self,
        nodes: Iterable[Node],
        summarise: Callable[[set[str]], list[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Sort the nodes of a run by stage.

        Args:
            nodes: In the order in which they run.
            summarise: Returns what is to be said at the end of a stage, given the names of what it made.
            clock: Gives seconds.
        """
        of_stage: dict[str, list[Node]] = {}
        for node in nodes:
            of_stage.setdefault(str(node.namespace), []).append(node)
        names = sorted(of_stage, key=lambda name: [*STAGES, name].index(name))
        self._stages = [Stage(name, of_stage[name]) for name in names]
        self._at, self._summarise, self._clock = 0, summarise, clock
        self._node: Node | None = None
        self._entered = clock()
        self._lock = threading.RLock()  # nodes may run in several threads
        self.images = 0

    def begin(self) -> None:
        """Announce a stage."""
        if self._at == len(self._stages):  # there is nothing to do
            return
        stage = self._stages[self._at]
        stage.begin(self._clock(), self.images)
        place = f" ({self._at + 1} of {len(self._stages)})" if len(self._stages) > 1 else ""
        what = STAGES.get(stage.name, "running") if len(stage.nodes) > 1 else name_of(stage.nodes[0])
        logger.info("%s%s: %s.", stage.name.capitalize(), place, what)

    def enter(self, node: Node) -> None:
        """Note which node is being run."""
        with self._lock:
            if node != self._node:
                self._node, self._entered = node, self._clock()

    def save(self, dataset: str) -> None:
        """Note what is made; end the stages that have made all of theirs, and announce the next."""
        with self._lock:
            for stage in self._stages:
                stage.left.discard(dataset)
            while self._at < len(self._stages) and not self._stages[self._at].left:
                self._end_stage()
                self.begin()

    def end(self) -> None:
        """End the stages that other processes ran."""
        with self._lock:
            while self._at < len(self._stages):
                self._end_stage()

    def status(self) -> Status:
        """Say how far the stage is whose node is being run: Kedro also runs nodes of stages that have not begun."""
        with self._lock:
            if self._node is None:
                return Status(0.0, "The run goes on in other processes")
            stage = next((one for one in self._stages if self._node in one.nodes), None)
            if stage is None:  # Kedro runs more than is missing where a part of it is not saved
                return Status(0.0, name_of(self._node).capitalize())
            now = self._clock()
            images = self.images or (RUNNING[0].total if RUNNING else 0)
            return stage.describe(self._node, now - self._entered, now, images)

    def _end_stage(self) -> None:
        for line in self._summarise(self._stages[self._at].made):
            logger.info(line)
        self._at += 1


def name_of(node: Node) -> str:
    """Return the name of a node in words."""
    return node.name.rpartition(".")[2].replace("_", " ")


def seconds_of(node: Node, images: int) -> float:
    """Return how long a node may take."""
    least, per_thousand = LONG.get(node.name, (REST, 0.0))
    return least + per_thousand * images / 1000


def nodes_to_run(run_params: dict[str, Any], pipeline: Pipeline, catalog: Any) -> list[Node]:
    """Return the nodes without those that have all their outputs already, if such are left out.

    Kedro drops them after the hooks were called.
    """
    if not run_params.get("only_missing_outputs"):
        return list(pipeline.nodes)
    return [node for node in pipeline.nodes if not all(catalog.exists(name) for name in node.outputs)]


class Reminder(logging.Handler):
    """Says how far a run is whenever it said nothing for a while; on a terminal, a bar says so all the time."""

    def __init__(self, stages: Stages, clock: Callable[[], float] = time.monotonic, *, on_terminal: bool) -> None:
        """Take what is said, and where."""
        super().__init__()
        self._stages, self._clock, self._last = stages, clock, clock()
        form = "{percentage:3.0f}%|{bar:20}| {desc}"
        self._bar = tqdm(total=1.0, bar_format=form, leave=False, dynamic_ncols=True) if on_terminal else None

    def emit(self, record: logging.LogRecord) -> None:
        """Note that something is being said, and make room for it."""
        self._last = self._clock()
        if self._bar is not None:
            self._bar.clear()

    def look(self) -> None:
        """Draw the bar, or say how far the run is if nothing else was said for a while."""
        if self._bar is not None:
            self._bar.n, words = self._stages.status()
            self._bar.set_description_str(words)
        elif self._clock() - self._last >= SECONDS_OF_SILENCE:
            logger.info("%s.", self._stages.status().words)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
        super().close()


_reminding: list[tuple[Reminder, threading.Event, threading.Thread]] = []


def remind_of(stages: Stages) -> None:
    """Let a run say how far it is, in a thread of its own, until `stop_reminding`; an earlier run says no more."""
    stop_reminding()
    reminder, ended = Reminder(stages, on_terminal=sys.stderr.isatty()), threading.Event()

    def look_often() -> None:
        while not ended.wait(SECONDS_BETWEEN_LOOKS):
            reminder.look()

    thread = threading.Thread(target=look_often, daemon=True)
    _reminding.append((reminder, ended, thread))
    RUNNING.are_shown = True
    logging.getLogger().handlers.insert(0, reminder)  # before the message itself is written
    thread.start()


def stop_reminding() -> None:
    """Say nothing more of the run, however it ended."""
    RUNNING.are_shown = False
    while _reminding:
        reminder, ended, thread = _reminding.pop()
        ended.set()
        thread.join(SECONDS_BETWEEN_LOOKS)
        logging.getLogger().removeHandler(reminder)
        reminder.close()
