"""The progress of a long step: told to the run that it is a step of, or else shown as a bar or an occasional line."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tqdm import tqdm

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 20.0


@dataclass(eq=False)
class Count:
    """How far a step is: `done` of `total` things."""

    doing: str
    unit: str
    total: int
    done: int = 0

    def __str__(self) -> str:
        """Say it."""
        return f"{self.doing}: {self.done:,} of {self.total:,} {self.unit}"


class Counts(list[Count]):
    """The counts of the steps that are being done in this process, each within the one before."""

    are_shown = False  # by a run, which tells them with the time left of its stage

    def share(self) -> float:
        """Return how much is done, from 0 to 1."""
        share = 0.0
        for count in reversed(self):
            share = min((count.done + share) / max(count.total, 1), 1.0)
        return share


RUNNING = Counts()


@contextmanager
def follow(
    total: int, doing: str, unit: str = "images", clock: Callable[[], float] = time.monotonic, alone: bool = True
) -> Iterator[Callable[[int], None]]:
    """Report the progress of a step.

    Args:
        total: Number of things to do.
        doing: What is done, such as "Reading".
        unit: Of what.
        clock: Gives seconds.
        alone: Whether to show it where no run does.

    Yields:
        A function to call with the number done since the last call.
    """
    start = last = clock()
    count = Count(doing, unit, total)
    RUNNING.append(count)
    hidden = True if RUNNING.are_shown or not alone else None  # None: no bar without a terminal
    try:
        with tqdm(total=total, unit=f" {unit}", desc=doing, disable=hidden) as bar:

            def advance(done: int) -> None:
                nonlocal last
                count.done += done
                bar.update(done)
                now = clock()
                if bar.disable and not hidden and 0 < count.done < total and now - last >= SECONDS_BETWEEN_LINES:
                    last = now
                    left = (now - start) / count.done * (total - count.done)
                    logger.info("%s, about %s left.", count, say_time(left))

            yield advance
    finally:
        RUNNING.remove(count)


def say_time(seconds: float) -> str:
    """Put a time in words, the longer the rougher.

    >>> say_time(4.2), say_time(97), say_time(4000)
    ('4 s', '1 min 40 s', '67 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds / 10) * 10, 60)
    return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
