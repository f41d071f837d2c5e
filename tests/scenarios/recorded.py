"""Record the runs of an installation as the local Functions host records its invocations for Application Insights."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from local.host.insights import Insights, Invocation, TraceHandler
from shared.controllers.environment.pending_starts import complete_pending_starts
from tests.kusto_log import Log
from tests.scenarios.installation import Installation, Message


class Recorded:
    """The runs of an installation, with their rows in a file."""

    def __init__(self, installation: Installation, path: Path) -> None:
        """Record from now on."""
        self.installation = installation
        self.began = installation.clock.now()
        self._insights = Insights(path, installation.clock.now)
        self._numbers = count()

    @property
    def log(self) -> Log:
        """The rows until now."""
        return Log(self._insights.path)

    def now(self) -> datetime:
        """Return the time of the simulation."""
        return self.installation.clock.now()

    def sweep(self) -> None:
        """Run the sweep's timer, and deliver the messages that follow."""
        with self.invocation("sweep_timer"):
            self.installation.begin_sweep()
        self.deliver()

    def deliver(self) -> None:
        """Deliver all messages, each in an invocation of its own."""
        queue, until = self.installation.queue, self.now() + timedelta(minutes=10)
        while (message := queue.take(until)) is not None:
            with self.invocation(f"{message.queue}_queue"):
                self._deliver(message)

    def _deliver(self, message: Message) -> None:
        """Deliver a message, and raise the error of its function, which the queue has noted."""
        before = len(self.installation.errors)
        self.installation.deliver(message)
        if errors := self.installation.errors[before:]:
            raise errors[0]

    def minute(self) -> None:
        """Let a minute pass, and run the timer of pending starts."""
        self.installation.clock.advance(timedelta(minutes=1))
        with self.invocation("starts_timer"):
            complete_pending_starts(self.installation.start())

    @contextmanager
    def invocation(self, function: str) -> Iterator[None]:
        """Record the body as an invocation of a function. An error of the body ends with the invocation."""
        of, began = Invocation(f"invocation-{next(self._numbers)}", function), self.now()
        handler, logger = TraceHandler(self._insights, lambda: of), logging.getLogger("certroll")
        logger.addHandler(handler)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the host, too, goes on after any error of a function
            self._insights.ended(of, began, f"{type(error).__name__}: {error}", traceback.format_exc())
        else:
            self._insights.ended(of, began, None)
        finally:
            logger.removeHandler(handler)
