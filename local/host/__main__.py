"""`python -m local.host --app DIR --port N` runs the local Functions host.

The environment variables of the host's process are the app settings.
"""

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from local import environment
from local.host.configuration import ConfigurationInvalid
from local.host.host import Host
from local.host.insights import NO_FUNCTIONS, Insights, TraceHandler
from local.host.log import log_to_stdout
from local.host.reach import PATIENCE
from local.host.timers import utc_now
from local.host.worker import IndexingFailed

READY = "HOST READY"
INVOCATIONS_LEFT = 3


def main(arguments: Sequence[str]) -> int:
    """Run the Functions host until SIGTERM or SIGINT. The exit code is 1 if the Functions host could not start."""
    options = _parser().parse_args(arguments)
    log_to_stdout()
    logging.getLogger("azure").setLevel(logging.WARNING)  # the host's own use of the SDKs; Azure's host is in .NET
    told, tell = os.pipe()
    patience = timedelta(seconds=options.storage_patience)
    settings = environment.of_this_process()
    insights = _insights(options.telemetry)
    try:
        host = Host(options.app.resolve(), settings, options.port, lambda: _end(tell), patience, insights)
    except (IndexingFailed, ConfigurationInvalid) as problem:
        if isinstance(problem, IndexingFailed):
            logging.getLogger("host").warning(NO_FUNCTIONS)
        print(f"HOST FAILED {problem}", flush=True)
        return 1
    except OSError as problem:
        next_step = f"stop what uses port {options.port}, or take a free one with --port 0"
        print(f"HOST FAILED {problem}: {next_step}", flush=True)
        return 1
    # When a signal arrives, Python's C code writes a byte to the pipe `tell`, so that `os.read` returns. A signal
    # handler in Python might run only after `os.read` has returned.
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    ready = json.dumps(asdict(host.start()))
    # The host prints its report with one write, so that concurrent log lines of functions do not mix with the report.
    print(f"{READY} {ready}\n", end="", flush=True)
    os.read(told, 1)
    finished = host.stop(timedelta(seconds=options.grace))
    print("HOST STOPPED", flush=True)
    return 0 if finished else INVOCATIONS_LEFT


def _insights(path: Path | None) -> Insights | None:
    """Return the file of rows for Application Insights, which also gets the lines of the host itself, or None."""
    if path is None:
        return None
    insights = Insights(path, utc_now)
    logging.getLogger("host").addHandler(TraceHandler(insights, lambda: None))
    return insights


def _end(tell: int) -> None:
    """End the Functions host as a signal does."""
    with suppress(BlockingIOError):  # the pipe is full: the host ends already
        os.write(tell, b"x")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.host", description=__doc__)
    parser.add_argument("--app", type=Path, default=Path(), help="folder with function_app.py and host.json")
    parser.add_argument("--port", type=int, default=7071, help="port of the host; 0 takes a free one")
    parser.add_argument("--grace", type=float, default=10.0, help="seconds that running invocations get to finish")
    parser.add_argument("--telemetry", type=Path, help="file for the rows that a host sends to Application Insights")
    patience = PATIENCE.total_seconds()
    parser.add_argument(
        "--storage-patience", type=float, default=patience, help="seconds without storage that end the host"
    )
    return parser


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    # With sys.exit the interpreter would wait for the threads that wait for unfinished invocations.
    os._exit(code)
