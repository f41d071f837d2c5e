"""Do short work in threads of its own, so that it waits for no thread that other functions occupy.

```text
event loop      begin the work ──▶ serve other invocations ──▶ log the lines of the work
own threads        └── work, and collect the lines ──┘
```

The Functions host runs each `def` function in one pool of threads for all functions, and each `async def` function on
the event loop of the process. Event Grid waits 30 seconds for an answer, and a stopped app waits for its start. Neither
may wait for runs of minutes, however few threads `PYTHON_THREADPOOL_THREAD_COUNT` allows.

The lines of an `async def` function arrive before and after each `await`, and those of other threads do not (measured
on Azure Functions host 4.1037).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from shared.telemetry import collecting, log


class OwnThreads:
    """Threads for one kind of work, which return what the work wants to log."""

    def __init__(self, most: int, name: str) -> None:
        """Begin without threads. At most `most` threads start, and only when they are needed."""
        self._threads = ThreadPoolExecutor(most, name)

    async def run(self, work: Callable[[], None]) -> None:
        """Do the work in an own thread, and log its lines in the thread that awaits. Raise the error of the work."""
        lines: list[str] = []

        def collected() -> None:
            with collecting(lines):
                work()

        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, collected)
        finally:
            for line in lines:
                log(line)
