"""Set up the log of the Functions host and of its worker: one line for each record, on standard output."""

import logging
import sys
import time


def log_to_stdout(*filters: logging.Filter) -> None:
    """Log what the filters pass to standard output, which the supervisor of the host copies to the file host.log."""
    handler = logging.StreamHandler(sys.stdout)
    for passing in filters:
        handler.addFilter(passing)
    logging.basicConfig(
        level=logging.INFO,
        handlers=[handler],
        format="%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
    logging.Formatter.converter = time.gmtime
