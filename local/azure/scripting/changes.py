"""The notice of changes: listeners are called after every request or event that changed the world."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Changes:
    """The listeners to changes of a world, and the batches that group several changes into one.

    A batch holds the world's lock, so that nobody sees a request half done.
    """

    def __init__(self, lock: threading.RLock) -> None:
        """Begin without listeners."""
        self._lock = lock
        self._depth = 0
        self._pending = False
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Call the listener after each change from now on, while the world is locked."""
        self._listeners.append(listener)

    def forget(self, listener: Callable[[], None]) -> None:
        """Stop calling this listener."""
        self._listeners.remove(listener)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Treat all changes inside this context as one change."""
        with self._lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self.settle()

    def note(self) -> None:
        """Record that the world has changed."""
        with self.batch():
            self._pending = True

    def settle(self) -> None:
        """Call the listeners now if the world has changed, even inside a batch.

        Changes after this call count as a separate change, such as the edit of another client.
        """
        with self._lock:
            pending, self._pending = self._pending, False
            for listener in tuple(self._listeners) if pending else ():
                listener()
