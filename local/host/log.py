"""Set up the log of the Functions host and of its worker: one line for each record, on standard output."""

import logging
import sys
import time


def log_to_stdout() -> None:
    """Log to standard output, which the supervisor of the Functions host copies to the file host.log."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stdout,
        format="%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
    logging.Formatter.converter = time.gmtime
    logging.getLogger("azure").setLevel(logging.WARNING)
