"""Who hears of changes: after every request that wrote, and after every change that Azure or a test made by itself."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Changes:
    """Tells the listeners after each change. What is changed within a batch counts as one change.

    A batch belongs to whoever holds the world's lock, so that nobody sees what a request has half done.
    """

    def __init__(self, lock: threading.RLock) -> None:
        """Begin without listeners."""
        self._lock = lock
        self._depth = 0
        self._pending = False
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call the listener after each change from now on, with the world locked."""
        self._listeners.append(listener)

    def forget(self, listener: Callable[[], None]) -> None:
        """Call that listener no more."""
        self._listeners.remove(listener)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Let everything that changes within be one change."""
        with self._lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self.settle()

    def note(self) -> None:
        """Something has changed."""
        with self.batch():
            self._pending = True

    def settle(self) -> None:
        """Tell of what has changed so far, even within a batch: what follows is somebody else's change."""
        with self._lock:
            pending, self._pending = self._pending, False
            for listener in tuple(self._listeners) if pending else ():
                listener()
