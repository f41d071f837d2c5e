"""Go on with an app whose settings Certroll has changed, until the change is judged or taken back.

```text
a run of the app fails ──▶ is a change of its settings unfinished? ──no──▶ the queue counts the failure
                               └──yes──▶ send the message again, for as long as it takes
```

The queue gives up a message after five failures. An app that a change broke would then stay down until the next sweep.
The journal's record of the app names the message that goes on, so that messages of later sweeps begin no second series.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from shared.domain.errors import Conflict
from shared.domain.findings import Finding, SeenBy
from shared.domain.messages import SiteMessage
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollRecord
from shared.loop.run import Run
from shared.telemetry import event

AGAIN = timedelta(minutes=2)
"""How soon Certroll goes on after a failed run. The run itself repeats calls for up to 90 seconds."""
LOST_AFTER = timedelta(minutes=30)
"""When the message that goes on counts as lost. A message is at most 20 minutes late: one run that dies with its
process keeps it invisible for ten minutes, and a run takes at most ten minutes."""
REPORTED_AFTER = timedelta(minutes=10)
"""How long a change stays unfinished before Certroll reports the app. A short fault of Azure needs no person."""


def go_on_later(run: Run, message: SiteMessage, error: str) -> bool:
    """Return True if Certroll goes on with the app after a failed run, and False if the app has no unfinished change.

    Send the message of the app again, unless the journal names another message that goes on.
    """
    roll = run.ports.settings_rolls.roll(message.ref, message.site)
    if roll is None or not roll.is_left_open:
        return False
    now = run.now()
    if now - roll.at >= REPORTED_AFTER:
        _report(run, message, roll, error)
    if roll.retry is not None and message.retry != roll.retry and now - roll.retry < LOST_AFTER:
        event("site.retry_planned", site=str(message.site), at=roll.retry)
        return True
    retry = now + AGAIN
    run.ports.queue.send_site(replace(message, waits=0, retry=retry), AGAIN)
    with suppress(Conflict):  # another run of the app has just gone on, and names its own message if it fails
        run.ports.settings_rolls.put_roll(message.ref, replace(roll, retry=retry))
    event("site.goes_on", certificate=str(message.ref), site=str(message.site), detail=error)
    return True


def _report(run: Run, message: SiteMessage, roll: RollRecord, error: str) -> None:
    """Record a finding (a reported problem) for an app whose change Certroll cannot finish now."""
    detail = (
        f"Certroll changed the settings of {message.site} (state {roll.state} since {roll.at:%Y-%m-%d %H:%M} UTC), and "
        f"tries every few minutes to finish or take back the change: {error}"
    )
    subject, reason = f"app {message.site}", Reason.CHANGE_UNFINISHED
    finding = Finding(run.now(), str(message.ref), subject, reason, detail[:1000], SeenBy.APP, message.site)
    run.ports.findings.report((finding,))
