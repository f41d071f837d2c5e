"""Ask an app its probe several times in a row."""

from collections.abc import Callable

from shared.domain.fleet.probe import ProbeResult, Verdict
from shared.ports.clock import Clock

PASSES = 3
"""How often in a row an app has to pass its probe to count as well."""


BETWEEN_PASSES_SECONDS = 2.0
"""The pause between two probes of an app in a row. A front end may choose any instance each time (ADR 11)."""


BETWEEN_WAVE_PASSES_SECONDS = BETWEEN_PASSES_SECONDS / 2
"""The same pause in a wave: half as long, because the next wave waits until all apps of this one are asked."""


def ask_in_a_row(clock: Clock, ask: Callable[[], ProbeResult], pause: float) -> ProbeResult:
    """Return the last of three passes, or the first result that is none: instances recycle one after the other.

    `pause` is how many seconds lie between two of them.
    """
    for number in range(PASSES):
        if number:
            clock.sleep(pause)
        result = ask()
        if result.verdict is not Verdict.PASSED:
            break
    return result
