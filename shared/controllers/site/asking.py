"""Ask one app its probe, before and after its settings were written."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from hashlib import sha256

from shared.controllers.site.app import App, give_back_restart
from shared.domain.errors import NotFound
from shared.domain.fleet.probe import Probe, ProbeInvalid, ProbeResult, Verdict, probe_of
from shared.domain.outcome import Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollRecord
from shared.loop.ask_app import BETWEEN_PASSES_SECONDS, ask_in_a_row
from shared.loop.backoff import LONGEST_PAUSE

PROBE_AGAIN = timedelta(seconds=15)
"""How soon Certroll asks an app again that still shows the old certificate, or failed its probe: most restarts take
less than a minute, and an app counts as failed only if it fails twice with this pause between."""


def not_yet(app: App) -> Waiting | None:
    """Return the wait while the app restarts, or does not run; its plan may restart others while it does not."""
    now, site = app.run.now(), app.record.site
    settled = app.record.at + app.run.intent.probe_settle
    if now < settled:
        return Waiting(settled, Reason.SETTLING, f"{site} restarts; it is asked afterwards")
    if app.running:
        return None
    give_back_restart(app.run, app.lineage, app.record)
    return Waiting(now + LONGEST_PAUSE, Reason.SITE_STOPPED, f"{site} is stopped; it is asked when it runs")


def has_failed_for_good(app: App) -> bool:
    """Return True if the app failed for as long as a start takes. Record when it began to fail."""
    record, now = app.record, app.run.now()
    if record.failing_since is None:
        app.run.ports.settings_rolls.put_roll(app.lineage.ref, replace(record, failing_since=now))
        return False
    return now - record.failing_since >= max(app.run.intent.probe_settle, PROBE_AGAIN)


def ask_before(app: App) -> tuple[RollRecord, ProbeResult | None]:
    """Return the record with what the app answers before anything is written, and the answer where it can be asked."""
    record = replace(app.record, asked="")
    try:
        probe = probe_of(app.snapshot.fleet, record.site)
    except ProbeInvalid:
        return record, None
    if probe is not None and app.record.asked == digest_of(probe):
        return app.record, None  # it passed before this write was begun; somebody else's may restart it just now
    if probe is None or not app.running:
        return record, None
    result = _ask(app, without_roots(app, probe))
    failed = result.verdict is Verdict.FAILED
    return replace(record, broken_before=failed, asked="" if failed else digest_of(probe)), result


def without_roots(app: App, probe: Probe) -> Probe:
    """Return the probe as it is asked where no version is named: an app that is given its first shows none yet."""
    return replace(probe, text="") if app.record.wants_root and not app.old and probe.proves else probe


def ask_app_in_a_row(app: App, probe: Probe) -> ProbeResult:
    """Ask the app three times in a row; return the first answer that is no pass, or the last."""
    return ask_in_a_row(app.run.ports.clock, partial(_ask, app, probe), BETWEEN_PASSES_SECONDS)


def _ask(app: App, probe: Probe) -> ProbeResult:
    """Ask on the site's own default host name, and on no other; in an internal environment at its address."""
    site = app.snapshot.site(app.record.site)
    if site is None:
        raise NotFound(f"site {app.record.site} is gone")
    return app.run.ports.app_probe.ask(site.default_host_name, probe, app.new, app.old, app.inbound.address)


def digest_of(probe: Probe) -> str:
    """Return a digest of what the probe asks and expects."""
    return sha256(f"{probe.path} {probe.status} {probe.text}".encode()).hexdigest()
