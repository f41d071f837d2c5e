"""Change notices: listeners are called after each request or other action that changed the simulated Azure."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Changes:
    """The listeners to changes of a simulated Azure, and the batches that group several changes into one.

    A batch of changes holds the lock of the simulated Azure, so that other requests do not see the batch half done.
    """

    def __init__(self, lock: threading.RLock) -> None:
        """Begin without listeners."""
        self._lock = lock
        self._depth = 0
        self._pending = False
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call the listener after each later change or batch of changes, while the simulated Azure is locked."""
        self._listeners.append(listener)

    def forget(self, listener: Callable[[], None]) -> None:
        """Stop calling this listener."""
        self._listeners.remove(listener)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Treat all changes inside the `with` block as one change, unless `settle` is called in between."""
        with self._lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self.settle()

    def note(self) -> None:
        """Record that the simulated Azure has changed."""
        with self.batch():
            self._pending = True

    def settle(self) -> None:
        """Call the listeners now if the simulated Azure has changed since their last call, even inside a batch.

        Inside the `with` block, the changes after a call of `settle` count as a separate change, for instance the edit
        of another client.
        """
        with self._lock:
            pending, self._pending = self._pending, False
            for listener in tuple(self._listeners) if pending else ():
                listener()
