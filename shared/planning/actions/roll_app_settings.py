"""Let an app load, or trust, the new version beside the old one, and use the new one where it names one by itself.

The load list, the root list and pins go in one write. A root list is also begun, where the tag `certroll-root-on` of
the vault object names the app. Where it would do nothing it is left alone, and people are told.
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
from shared.planning.acting.named_targets import named_sites
from shared.planning.acting.roll_edits import roll_edits
from shared.planning.acting.settings_change import SettingsChange
from shared.planning.acting.subjects import root_list_subject, settings_subject
from shared.planning.plan import Skip, Step

MOST_UNDONE = 2


@dataclass(frozen=True, slots=True)
class RollAppSettings(SettingsChange):
    """Put the new thumbprint next to the old one in the lists, and in the old one's place in pins.

    Where the old version is no longer in the webspace it is replaced in the list as well: there is no overlap.
    """

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """A root, where only root lists are edited; else what the app uses, in place of the version before."""
        lineage = snapshot.lineage
        if all(is_root_list(edit.key) for edit in self.edits):
            return (Case(current, Use.ROOT, snapshot.now, None, lineage.key),)
        return (Case(current, Use.OUTBOUND, snapshot.now, lineage.before, lineage.key),)

    def without_roots(self) -> Self:
        """Return the roll of the load list and the pins alone; unchanged if there are none."""
        edits = tuple(edit for edit in self.edits if not is_root_list(edit.key))
        return replace(self, edits=edits) if edits else self


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose a roll for every app whose settings name a stale version where they should name the current one.

    Likewise for every app whose root list lacks it although the tag asks for it.
    """
    if snapshot.lineage.current is not None:
        yield from named_sites(snapshot, ROOT_ON)[1]
    for settings in sorted(snapshot.fleet.settings, key=lambda one: one.site):
        site = snapshot.site(settings.site)
        if site is None:
            continue
        yield from _unsupported(snapshot, site, settings)
        stale = named_stale(snapshot, settings)
        if not stale and not lacks_root(snapshot, settings):
            continue
        if site.webspace is None:
            detail = "Azure does not say in which webspace the site is, so no certificate of it is known to be live"
            yield Skip(settings_subject(settings.site), Reason.INCOMPLETE_VIEW, detail, settings.site)
            continue
        yield from _roll(snapshot, site, site.webspace, settings, stale)


def _roll(
    snapshot: Snapshot, site: Site, webspace: Webspace, settings: SiteSettings, stale: tuple[Thumbprint, ...]
) -> Iterable[Step | Skip]:
    contested = tuple(one for one in stale if contested_in(snapshot, webspace, one))
    if contested:
        yield Skip(
            settings_subject(site.ref),
            Reason.AMBIGUOUS_LINEAGE,
            f"{', '.join(contested)} is an older version of {snapshot.lineage.ref}, and a copy of another vault "
            "certificate holds it too: write what it should follow by hand, or delete one of the two copies",
            site.ref,
        )
    edits = roll_edits(snapshot, site, settings, rollable(snapshot, settings))
    if not edits:
        return
    record = snapshot.rollout.roll_of(site.ref)
    if record is not None and record.state in TAKING_BACK:
        return
    if record is not None and is_contested(record, snapshot):
        detail = (
            "others took this roll back twice within 24 hours: find what writes these settings (a template, a "
            "pipeline) and let it name the new version, or leave the setting out"
        )
        yield Skip(settings_subject(site.ref), Reason.CONTESTED, detail, site.ref)
        return
    asked = all(edit.next_to is None for edit in edits)
    yield Step(RollAppSettings(settings, edits, webspace), Reason.ROOT_ASKED if asked else Reason.STALE_THUMBPRINT)


def _unsupported(snapshot: Snapshot, site: Site, settings: SiteSettings) -> Iterable[Skip]:
    """Say where a root list would do nothing: it is only for Windows code in an App Service Environment."""
    named = any(snapshot.lineage.version_of(one) for one in settings.root_list)
    if site.supports_root_list or not (named or site.ref in (snapshot.wanting_root or ())):
        return
    kind, remedy = (
        (
            "no Windows code app",
            f"have the root added to {site.environment}, for apps of every kind: name that in the tag {ROOT_OF}",
        )
        if site.environment
        else (
            "in no App Service Environment",
            "App Service offers no custom roots there: move it into one, or let its own code trust the root",
        )
    )
    detail = f"{site.ref} is {kind}, so {ROOT_LIST} does nothing for it; {remedy}"
    yield Skip(root_list_subject(site.ref), Reason.ROOT_LIST_UNSUPPORTED, detail, site.ref)


def is_contested(record: RollRecord, snapshot: Snapshot) -> bool:
    """Say whether others took the roll back twice within 24 hours, this time included.

    For a day nothing is written there; then it is tried again.
    """
    this_time = record.state in WRITTEN
    return len(record.undone_lately(snapshot.now)) + this_time >= MOST_UNDONE
