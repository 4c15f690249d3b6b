"""What a run says when it said nothing for a while: how far it is. On a terminal, a bar says so all the time."""

import logging
import sys
import threading
import time
from collections.abc import Callable

from tqdm import tqdm

from pneumonia.base.progress import RUNNING
from pneumonia.runs.stages import Stages

logger = logging.getLogger(__name__)

SECONDS_OF_SILENCE = 12.0
SECONDS_BETWEEN_LOOKS = 0.5


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
