"""Log every sleep of the hosted code, because counts of requests show no sleep."""

import logging
import time
from typing import SupportsIndex

log = logging.getLogger("host.sleeps")


def tell_sleeps() -> None:
    """Make `time.sleep` log its seconds, in all modules that are imported from now on."""
    really_sleep = time.sleep  # noqa: TID251 - it is what is watched

    def sleep(seconds: float | SupportsIndex, /) -> None:
        log.info("Sleeping for %.3f s", seconds)
        really_sleep(seconds)

    time.sleep = sleep  # noqa: TID251 - see above
