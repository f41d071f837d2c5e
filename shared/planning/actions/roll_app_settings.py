"""Let an app load or trust the new version next to the old version, and replace the old thumbprint in other settings.

One write changes the load list (WEBSITE_LOAD_CERTIFICATES), the root list (WEBSITE_LOAD_ROOT_CERTIFICATES) and the
other settings whose value is a thumbprint. If the tag `certroll-root-on` of the vault object names the app, Certroll
also creates a root list (WEBSITE_LOAD_ROOT_CERTIFICATES). If App Service ignores a root list
(WEBSITE_LOAD_ROOT_CERTIFICATES) of the app, Certroll only reports the app.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.version import CertificateVersion
from shared.domain.fleet.app_settings import ROOT_LIST, SiteSettings, is_root_list
from shared.domain.fleet.sites import Site
from shared.domain.intent import Intent
from shared.domain.names import Thumbprint, Webspace
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import TAKING_BACK, WRITTEN, RollRecord
from shared.domain.snapshot.roots import lacks_root
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import contested_in, named_stale, rollable
from shared.domain.tags import ROOT_OF, ROOT_ON
from shared.planning.acting.in_use import in_use
from shared.planning.acting.later_in_use import is_imported, later_in_use
from shared.planning.acting.named_targets import named_sites
from shared.planning.acting.roll_edits import hides_loaded, roll_edits
from shared.planning.acting.settings_change import SettingsChange
from shared.planning.acting.subjects import root_list_subject, settings_subject
from shared.planning.plan import Skip, Step

MOST_UNDONE = 2
"""How often a person or tool may undo a settings update within 24 hours before Certroll stops writing the settings."""


@dataclass(frozen=True, slots=True)
class RollAppSettings(SettingsChange):
    """Add the new thumbprint to the app's lists next to the old thumbprint.

    In app settings other than the lists, the new thumbprint replaces the old thumbprint.

    If the webspace no longer holds the old version, Certroll replaces the old thumbprint also in the load list and root
    list.
    """

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """Return the requirements that the version must meet as a root certificate, if all edits are of root lists.

        If the action changes settings other than root lists, return the requirements that the version must meet for the
        app.
        """
        lineage = snapshot.lineage
        if all(is_root_list(edit.key) for edit in self.edits):
            return (Case(current, Use.ROOT, snapshot.now, (), lineage.key),)
        used = in_use(snapshot, named_stale(snapshot, self.settings))
        return (Case(current, Use.OUTBOUND, snapshot.now, used, lineage.key),)

    def without_roots(self) -> Self:
        """Return the action without edits of root lists, or return the action unchanged if it has no other edits."""
        edits = tuple(edit for edit in self.edits if not is_root_list(edit.key))
        return replace(self, edits=edits) if edits else self


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose an update of the settings of each app that name a stale (older) version.

    Propose an update also for each app that the tag `certroll-root-on` names and whose root list
    (WEBSITE_LOAD_ROOT_CERTIFICATES) lacks the version.
    """
    if snapshot.lineage.current is not None:
        yield from named_sites(snapshot, ROOT_ON)[1]
    for settings in sorted(snapshot.fleet.settings, key=lambda settings: settings.site):
        site = snapshot.site(settings.site)
        if site is None:
            continue
        yield from _unsupported(snapshot, site, settings)
        yield from _later(snapshot, site, settings)
        yield from _no_list(snapshot, site, settings)
        stale = named_stale(snapshot, settings)
        if not stale and not lacks_root(snapshot, settings):
            continue
        if site.webspace is None:
            detail = "Azure does not name the webspace of the site, so Certroll does not know its live certificates"
            yield Skip(settings_subject(settings.site), Reason.INCOMPLETE_VIEW, detail, settings.site)
            continue
        yield from _roll(snapshot, site, site.webspace, settings, stale)


def _roll(
    snapshot: Snapshot, site: Site, webspace: Webspace, settings: SiteSettings, stale: tuple[Thumbprint, ...]
) -> Iterable[Step | Skip]:
    contested = tuple(thumbprint for thumbprint in stale if contested_in(snapshot, webspace, thumbprint))
    if contested:
        yield _ambiguous(snapshot, site, contested)
    edits = roll_edits(snapshot, site, settings, rollable(snapshot, settings))
    if not edits:
        return
    record = snapshot.rollout.roll_of(site.ref)
    if record is not None and record.state in TAKING_BACK:
        return
    if record is not None and is_contested(record, snapshot):
        detail = (
            "somebody undid this roll twice within 24 hours: find the template or pipeline that writes these "
            "settings, and let it name the new version or no version"
        )
        yield Skip(settings_subject(site.ref), Reason.CONTESTED, detail, site.ref)
        return
    asked = all(edit.next_to is None for edit in edits)
    yield Step(RollAppSettings(settings, edits, webspace), Reason.ROOT_ASKED if asked else Reason.STALE_THUMBPRINT)


def _later(snapshot: Snapshot, site: Site, settings: SiteSettings) -> Iterable[Skip]:
    """Yield a refusal if the settings name an uploaded certificate that is later than the vault's current version."""
    for thumbprint in sorted(settings.without_roots.named):
        if is_imported(snapshot, site.webspace, thumbprint):
            continue
        if later := later_in_use(snapshot, settings_subject(site.ref), site.webspace, thumbprint, site.ref):
            contested = contested_in(snapshot, site.webspace, thumbprint)
            yield _ambiguous(snapshot, site, (thumbprint,)) if contested else later
            return


def _ambiguous(snapshot: Snapshot, site: Site, thumbprints: tuple[Thumbprint, ...]) -> Skip:
    """Return the refusal of settings that name a certificate which may also belong to another vault certificate."""
    detail = (
        f"{', '.join(thumbprints)} is an older version of {snapshot.lineage.ref}, and a copy of another vault "
        "certificate holds it, too: write the right thumbprint by hand, or delete one of the two copies"
    )
    return Skip(settings_subject(site.ref), Reason.AMBIGUOUS_LINEAGE, detail, site.ref)


def _unsupported(snapshot: Snapshot, site: Site, settings: SiteSettings) -> Iterable[Skip]:
    """Yield a skip if the app should have a root list (a setting) and App Service ignores such a list.

    App Service reads root lists (WEBSITE_LOAD_ROOT_CERTIFICATES) only for Windows code apps in an App Service
    Environment.
    """
    named = any(snapshot.lineage.version_of(thumbprint) for thumbprint in settings.root_list)
    if site.supports_root_list or not (named or site.ref in (snapshot.wanting_root or ())):
        return
    kind, remedy = (
        (
            "not a Windows code app",
            f"name {site.environment} in the tag {ROOT_OF}: Certroll then adds the root for apps of every kind",
        )
        if site.environment
        else (
            "not in an App Service Environment",
            "App Service offers custom roots only in one: move the app there, or let its own code trust the root",
        )
    )
    detail = f"{site.ref} is {kind}, so {ROOT_LIST} does nothing for it; {remedy}"
    yield Skip(root_list_subject(site.ref), Reason.ROOT_LIST_UNSUPPORTED, detail, site.ref)


def _no_list(snapshot: Snapshot, site: Site, settings: SiteSettings) -> Iterable[Skip]:
    """Yield a skip for each list setting that should name the version, and whose value is no list of thumbprints.

    A reference takes the value from a vault or an App Configuration store, and a write would destroy the reference.
    """
    current = snapshot.lineage.current
    if current is None or not settings.no_lists:
        return
    named = {pin.thumbprint for pin in settings.pins}
    pins = named.intersection(named_stale(snapshot, settings)) and hides_loaded(settings)
    for key in sorted(settings.no_lists):
        if not (lacks_root(snapshot, settings) if is_root_list(key) else pins):
            continue
        subject = root_list_subject(site.ref) if is_root_list(key) else settings_subject(site.ref)
        detail = (
            f"the value of {key} is no list of thumbprints, so Certroll does not write it: if it is a reference, put "
            f"{current.thumbprint} into the list to which the reference leads; otherwise write a list of thumbprints"
        )
        rest = "" if is_root_list(key) else "; then change the settings that name the old thumbprint by hand"
        yield Skip(subject, Reason.NOT_A_LIST, f"{detail}{rest}", site.ref)


def is_contested(record: RollRecord, snapshot: Snapshot) -> bool:
    """Return True if a person or tool undid Certroll's settings update twice within 24 hours.

    If the app's settings lack Certroll's last update now, this update counts as one of the two undone updates.

    After two undone updates within 24 hours, Certroll writes no settings of the app for a day, and then tries again.
    """
    this_time = record.state in WRITTEN
    return len(record.undone_lately(snapshot.now)) + this_time >= MOST_UNDONE
