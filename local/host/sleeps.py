"""Log every sleep of the hosted app, because a count of the app's requests does not show sleeps."""

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
