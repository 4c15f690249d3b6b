"""The progress of a long step: a bar with the time left on a terminal, an occasional line in a log."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 20.0


@contextmanager
def follow(
    total: int, doing: str, unit: str = "images", clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int], None]]:
    """Report the progress of a step.

    Args:
        total: Number of things to do.
        doing: What is done, such as "Reading".
        unit: Of what.
        clock: Gives seconds.

    Yields:
        A function to call with the number done since the last call.
    """
    start = last = clock()
    done = 0
    with tqdm(total=total, unit=f" {unit}", desc=doing, disable=None) as bar:

        def advance(count: int) -> None:
            nonlocal done, last
            done += count
            bar.update(count)
            now = clock()
            if bar.disable and done < total and now - last >= SECONDS_BETWEEN_LINES:
                last = now
                left = (now - start) / done * (total - done) if done else float("nan")
                logger.info("%s: %s of %s %s, about %.0f s left.", doing, f"{done:,}", f"{total:,}", unit, left)

        yield advance
