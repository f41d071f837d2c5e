"""Send an app its probe several times in a row."""

from collections.abc import Callable

from shared.domain.fleet.probe import ProbeResult, Verdict
from shared.ports.clock import Clock

PASSES = 3
"""How often in a row an app has to pass its probe before Certroll counts the app as well."""


BETWEEN_PASSES_SECONDS = 2.0
"""The pause between two probes of one app. A front end may send each probe to another instance of the app (ADR 11)."""


BETWEEN_WAVE_PASSES_SECONDS = BETWEEN_PASSES_SECONDS / 2
"""The pause between two probes of one app in a wave: half as long, because the next wave waits for these probes."""


def ask_in_a_row(clock: Clock, ask: Callable[[], ProbeResult], pause: float) -> ProbeResult:
    """Return the first probe result by which the app does not work, or else the result of three that proves least.

    An app that shows another certificate works, and proves nothing about the new certificate. One pass is too few,
    because the instances of an app may restart one after another. `pause` is the number of seconds between two probes
    of the app.
    """
    results: list[ProbeResult] = []
    for number in range(PASSES):
        if number:
            clock.sleep(pause)
        results.append(ask())
        if results[-1].verdict not in {Verdict.PASSED, Verdict.OTHER}:
            return results[-1]
    return next((result for result in results if result.verdict is Verdict.OTHER), results[-1])
