"""Runs of one process take turns."""

import logging
import threading
from collections.abc import Generator
from typing import Any

from kedro.framework.hooks import hook_impl

from pneumonia.runs.errors import PlainError
from pneumonia.runs.stages import stop_reminding

logger = logging.getLogger(__name__)


class TurnsHook:
    """Lets a run wait until another of the same process has ended.

    `kedro server` starts a run for each request, in threads of one process and with the same hooks. These, Matplotlib
    and the devices of TensorFlow serve one run at a time.
    """

    def __init__(self) -> None:
        """Begin without a run."""
        # No hook hears of the end of a run that was interrupted: its thread may begin another all the same.
        self._turn = threading.RLock()
        self._begun: dict[str, int] = {}

    @hook_impl(wrapper=True)
    def before_pipeline_run(self, run_params: dict[str, Any]) -> Generator[None, Any, Any]:
        """Wait for the turn before another hook is called; give it up if one refuses the run.

        Raises:
            UserError: If another thread began a run of the same version, whose files this one would write.
        """
        run_id, thread = run_params["run_id"], threading.get_ident()
        if self._begun.setdefault(run_id, thread) != thread:
            raise PlainError(f"Another run began in the same millisecond, as version {run_id}. Send this one again.")
        if not self._turn.acquire(blocking=False):
            logger.info("Another run is in progress; this one begins when it has ended.")
            self._turn.acquire()
        try:
            return (yield)
        except BaseException:
            self._turn.release()
            raise

    @hook_impl(wrapper=True)
    def after_pipeline_run(self) -> Generator[None, Any, Any]:
        """Give up the turn when all other hooks were called."""
        return (yield from self._end())

    @hook_impl(wrapper=True)
    def on_pipeline_error(self) -> Generator[None, Any, Any]:
        """Give up the turn when all other hooks were called."""
        return (yield from self._end())

    def _end(self) -> Generator[None, Any, Any]:
        try:
            return (yield)
        finally:
            stop_reminding()
            self._turn.release()
