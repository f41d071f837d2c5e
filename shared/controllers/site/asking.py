"""Send one app its probe before and after Certroll writes the settings of the app."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from hashlib import sha256

from shared.controllers.site.app import App, give_back_restart
from shared.domain.errors import NotFound
from shared.domain.fleet.probe import Probe, ProbeInvalid, ProbeResult, Verdict, probe_of
from shared.domain.outcome import Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RECYCLED_AFTER, RollRecord
from shared.loop.ask_app import BETWEEN_PASSES_SECONDS, ask_in_a_row
from shared.loop.backoff import LONGEST_PAUSE

PROBE_AGAIN = timedelta(seconds=15)
"""How soon Certroll repeats a probe that failed or that still shows the old certificate.

Most restarts take less than a minute. An app counts as failed only after two failures with at least this pause between
them.
"""


def not_yet(app: App) -> Waiting | None:
    """Return a `Waiting` outcome while the app restarts or is stopped, or None if Certroll may send the probe.

    Azure's word that an app is stopped may be wrong or late, so an app that answers its probe counts as running. If an
    app is stopped, Certroll no longer counts the app against the restart limit, so that other apps of its plan
    may restart.
    """
    now, site = app.run.now(), app.record.site
    settled = app.record.at + app.run.intent.probe_settle
    if now < settled:
        return Waiting(settled, Reason.SETTLING, f"{site} restarts; Certroll sends its probe afterwards")
    if app.running or _is_alive(app):
        return None
    give_back_restart(app.run, app.lineage.ref, app.record)
    return Waiting(
        now + LONGEST_PAUSE, Reason.SITE_STOPPED, f"{site} is stopped; Certroll sends its probe when it runs"
    )


def _is_alive(app: App) -> bool:
    """Return True if the app answers its probe, although Azure does not show the app as running."""
    try:
        probe = probe_of(app.snapshot.fleet, app.record.site)
    except ProbeInvalid:
        return False
    return probe is not None and _ask(app, without_roots(app, probe)).verdict is not Verdict.FAILED


def has_failed_for_good(app: App) -> bool:
    """Return True if the app has failed its probe for as long as a start of the app takes.

    At the first failure, record the time of the failure.
    """
    record, now = app.record, app.run.now()
    if record.failing_since is None:
        app.run.ports.settings_rolls.put_roll(app.lineage.ref, replace(record, failing_since=now))
        return False
    return now - record.failing_since >= max(app.run.intent.probe_settle, PROBE_AGAIN)


def ask_before(app: App) -> tuple[RollRecord, ProbeResult | None]:
    """Send the app its probe before Certroll writes the settings, and return the app's changed record and the result.

    The result is None if the app has no valid probe, has passed the same probe lately, or neither answers its probe nor
    runs by Azure's word.
    """
    record = replace(app.record, asked="", shows_another=False)
    try:
        probe = probe_of(app.snapshot.fleet, record.site)
    except ProbeInvalid:
        return record, None
    is_recent = app.run.now() - app.record.at < RECYCLED_AFTER
    if probe is not None and app.record.asked == digest_of(probe) and is_recent:
        # the app already passed its probe; once an operator writes settings, the app may be restarting and fail
        return app.record, None
    if probe is None:
        return record, None
    result = _sent(app, without_roots(app, probe))
    failed, another = result.verdict is Verdict.FAILED, result.verdict is Verdict.OTHER
    if failed and not app.running:
        return record, None
    asked = "" if failed else digest_of(probe)
    return replace(record, broken_before=failed, asked=asked, shows_another=another), result


def without_roots(app: App, probe: Probe) -> Probe:
    """Return the probe without its text for an app that gets its first root.

    An app that gets its first root certificate shows no version of the certificate in its answer.
    """
    return replace(probe, text="") if app.record.wants_root and not app.old and probe.proves else probe


def ask_app_in_a_row(app: App, probe: Probe) -> ProbeResult:
    """Send the probe up to three times, and return the first result that is not a pass, or the last result."""
    return ask_in_a_row(app.run.ports.clock, partial(_ask, app, probe), BETWEEN_PASSES_SECONDS)


def _ask(app: App, probe: Probe) -> ProbeResult:
    """Send the probe once. Another certificate in the answer is a failure, unless the app showed another one before."""
    result = _sent(app, probe)
    is_failure = result.verdict is Verdict.OTHER and not app.record.shows_another
    return replace(result, verdict=Verdict.FAILED) if is_failure else result


def _sent(app: App, probe: Probe) -> ProbeResult:
    """Send the probe once to the default host name of the site, or to the address of its internal environment."""
    site = app.snapshot.site(app.record.site)
    if site is None:
        raise NotFound(f"site {app.record.site} is gone")
    return app.run.ports.app_probe.ask(site.default_host_name, probe, app.new, app.old, app.inbound.address)


def digest_of(probe: Probe) -> str:
    """Return a digest of the path, the status and the text of a probe."""
    return sha256(f"{probe.path} {probe.status} {probe.text}".encode()).hexdigest()
