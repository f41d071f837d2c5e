"""Bound the time of a call over the network, from the resolution of the name to the last byte of the answer.

The time-out of a Python socket starts again with each byte, the resolution of a name has no time-out, and a host name
may have several addresses. A server that sends one byte a second therefore passes every time-out of a socket. In this
module each call runs on a thread of its own. The caller waits a limited time, and then cuts the call's connections.
"""

import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import NoReturn, Protocol, TypeVar

Result = TypeVar("Result")


class HasFileno(Protocol):
    """A socket, or a wrapper of a socket."""

    def fileno(self) -> int:
        """Return the file number of the socket."""


class TookTooLong(Exception):
    """A call over the network did not end in its time, so Certroll has cut the connections of the call."""


class Line:
    """The connections of a call.

    Another thread can cut the connections, even before the call has opened them. After the cut the call sends nothing
    more, so that a write which Certroll gave up is not sent later.
    """

    def __init__(self) -> None:
        self.used = False
        """True if the call has begun to send its request."""
        self._lock = threading.Lock()
        self._twins: list[socket.socket] = []
        self._is_cut = False

    def keep(self, made: HasFileno) -> None:
        """Store a second descriptor of the socket, because the TLS wrapper detaches the first descriptor.

        Through a proxy that itself speaks TLS, urllib3 passes a wrapper that has a file number and nothing else.
        """
        with self._lock:
            self._twins.append(socket.socket(fileno=os.dup(made.fileno())))
            if self._is_cut:
                self._end()

    def cut(self) -> None:
        """End the connections of the call now, or as soon as the call opens them.

        A thread that reads from a connection stops when another thread ends the connection.
        """
        with self._lock:
            self._is_cut = True
            self._end()

    def let_go(self) -> None:
        """Close the second descriptors, and leave the connections as they are."""
        with self._lock:
            self._close()

    def _end(self) -> None:
        for twin in self._twins:
            with suppress(OSError):
                twin.shutdown(socket.SHUT_RDWR)
        self._close()

    def _close(self) -> None:
        for twin in self._twins:
            twin.close()
        self._twins.clear()


class _OfThread(threading.local):
    """The connections of the present thread's call, and the time at which the thread stops waiting for an SDK."""

    line: Line | None = None
    until: float | None = None


_of_thread = _OfThread()


def current_line() -> Line:
    """Return the connections of the call that the present thread makes."""
    return _of_thread.line or Line()


def bounded(seconds: float, call: Callable[[], Result], name: str | None = None) -> Result:
    """Return the result of a call over the network, or raise the error of the call.

    Raise TookTooLong after the given number of seconds, and cut the connections that the call has kept in its `Line`.
    `name` is the name of the thread that makes the call, by default the name of the thread that waits.
    """
    line, answers = Line(), queue.SimpleQueue[Callable[[], Result]]()
    caller = name or threading.current_thread().name
    threading.Thread(target=partial(_make, line, call, answers), name=caller, daemon=True).start()
    try:
        answered = answers.get(timeout=min(max(seconds, 0), threading.TIMEOUT_MAX))
    except queue.Empty:
        line.cut()
        raise TookTooLong(f"no complete answer came within {seconds:g} s") from None
    line.let_go()
    return answered()


def _make(line: Line, call: Callable[[], Result], answers: "queue.SimpleQueue[Callable[[], Result]]") -> None:
    _of_thread.line = line
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - the thread that waits for the call raises the error
        answers.put(partial(_fail, error))
    else:
        answers.put(lambda: result)


def _fail(error: BaseException) -> NoReturn:
    raise error


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Limit the time of all calls together that the present thread makes by the SDKs within this context."""
    before = _of_thread.until
    end = time.monotonic() + seconds
    _of_thread.until = end if before is None else min(before, end)
    try:
        yield
    finally:
        _of_thread.until = before


def seconds_left(most: float) -> float:
    """Return how many seconds the present thread may still wait for an SDK: `most`, or less within `limited`."""
    return most if _of_thread.until is None else min(most, _of_thread.until - time.monotonic())


def kept(made: socket.socket) -> socket.socket:
    """Return a new socket, which the caller of the present call can cut from now on."""
    current_line().keep(made)
    return made
