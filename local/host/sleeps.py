"""Every sleep of the hosted code, said in the host's log: no count of requests or messages shows one."""

import logging
import time
from typing import SupportsIndex

log = logging.getLogger("host.sleeps")


def tell_sleeps() -> None:
    """Have `time.sleep` log how long it sleeps, before it does, for all that this process imports from now on."""
    really_sleep = time.sleep  # noqa: TID251 - it is what is watched

    def sleep(seconds: float | SupportsIndex, /) -> None:
        log.info("Sleeping for %.3f s", seconds)
        really_sleep(seconds)

    time.sleep = sleep  # noqa: TID251 - see above
