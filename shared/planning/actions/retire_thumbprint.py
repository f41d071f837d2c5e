"""Take superseded versions out of an app's list settings if the tag `certroll-retire: on` asks, or if disabled."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.version import CertificateVersion
from shared.domain.fleet.app_settings import SettingEdit, SiteSettings
from shared.domain.fleet.sites import Site
from shared.domain.intent import Intent
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import rollable
from shared.domain.tags import RETIRE, is_on
from shared.planning.acting.roll_edits import lists_of
from shared.planning.acting.settings_change import SettingsChange
from shared.planning.plan import Skip, Step, View


@dataclass(frozen=True, slots=True)
class RetireThumbprint(SettingsChange):
    """Take superseded thumbprints out of the list settings of one app.

    Writing the shorter list settings restarts the app once more.
    """

    retires: ClassVar[bool] = True
    needs_view: ClassVar[View] = View.SETTINGS

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """Return the requirements that the current version must meet for an app that uses this version alone."""
        return (Case(current, Use.OUTBOUND, snapshot.now, (), snapshot.lineage.key),)


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose to shorten the lists of apps that proved their use of the current version.

    The tag `certroll-retire: on` asks Certroll to take out all older versions. Without a tag, only disabled versions
    leave.
    """
    current = snapshot.lineage.current
    if current is None:
        return
    for settings in sorted(snapshot.fleet.settings, key=lambda settings: settings.site):
        site = snapshot.site(settings.site)
        record = snapshot.rollout.roll_of(settings.site)
        admitted = record is not None and record.state is RollState.STALE and record.retiring
        proven = admitted or (record is not None and record.state is RollState.VALIDATED)
        if site is None or site.webspace is None or settings.changing or not proven:
            continue
        edits = _edits(snapshot, site, settings, current.thumbprint)
        if edits:
            yield Step(RetireThumbprint(settings, edits, site.webspace), Reason.SUPERSEDED)


def _retiring(snapshot: Snapshot, site: Site, settings: SiteSettings) -> tuple[Thumbprint, ...]:
    """Return the older thumbprints that the tag lets Certroll take out; without a tag, those of disabled versions.

    By disabling a version, an operator asks that no app goes on using the version.
    """
    own = snapshot.tag(site.ref, RETIRE)
    asked = own if own is not None else RETIRE.value_in(snapshot.lineage.tags)
    stale = rollable(snapshot, settings)
    if is_on(asked):
        return stale
    return () if asked is not None else tuple(filter(snapshot.lineage.is_disabled, stale))


def _edits(snapshot: Snapshot, site: Site, settings: SiteSettings, current: Thumbprint) -> tuple[SettingEdit, ...]:
    stale = _retiring(snapshot, site, settings)
    if any(pin.thumbprint in stale for pin in settings.pins):
        return ()
    lists = {
        key: tuple(reference.thumbprint for reference in settings.references if reference.key == key)
        for key in lists_of(site, settings)
    }
    return tuple(
        SettingEdit(key, None, tuple(thumbprint for thumbprint in stale if thumbprint in listed), current)
        for key, listed in lists.items()
        if current in listed and any(thumbprint in stale for thumbprint in listed)
    )
