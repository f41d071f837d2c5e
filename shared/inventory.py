"""Which app uses which certificate, through what, and how old that is; and what belongs to nothing.

A pin may be any text of 40 hex digits: only what is known to be a certificate's thumbprint is ever named.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.domain.app_settings import ReferenceKind, SettingReference, SiteSettings, VaultReference
from shared.domain.lineage import Lineage
from shared.domain.model import Fleet
from shared.domain.names import SiteRef, Thumbprint, VaultCertificateRef
from shared.domain.ports import Journal
from shared.domain.probe import ProbeInvalid
from shared.domain.reason import Reason
from shared.domain.record import Finding
from shared.guards.roll_stages import probe_of
from shared.telemetry import event


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a thumbprint comes from: a version of a vault certificate, and how many newer ones there are."""

    ref: VaultCertificateRef
    version: str
    created: datetime
    behind: int


def report_references(journal: Journal, fleet: Fleet, lineages: Iterable[Lineage]) -> None:
    """Log what each app's settings name, and record as findings what they name in vain."""
    origins = _origins(lineages)
    findings: list[Finding] = []
    for settings in fleet.settings:
        site = fleet.site(settings.site)
        usable = (*fleet.roots_of(settings.site), *fleet.certificates_of(settings.site))
        copies = {copy.thumbprint: str(copy.ref) for copy in usable}
        shown = (one for one in settings.references if _shown(one, origins, copies))
        named = [_row(one, origins, copies, fleet.taken_at) for one in shown]
        led = [_led(one) for one in settings.vault_references]
        if named or led or settings.loads_everything:
            everything = settings.loads_everything
            probe = _probe(fleet, settings.site)
            found = [*named, *led]
            event("references.found", site=str(settings.site), everything=everything, probe=probe, references=found)
        if site is not None and site.webspace is not None:
            findings += _in_vain(settings, origins, copies, fleet.taken_at)
    if findings:
        journal.report(tuple(findings))


def _probe(fleet: Fleet, site: SiteRef) -> str:
    """Return what the app's probe can say of a roll: `proves`, `alive`, `none` or `invalid`."""
    try:
        probe = probe_of(fleet, site)
    except ProbeInvalid:
        return "invalid"
    if probe is None:
        return "none"
    return "proves" if probe.proves else "alive"


def _origins(lineages: Iterable[Lineage]) -> dict[Thumbprint, Origin]:
    return {
        version.thumbprint: Origin(lineage.ref, version.version, version.created, behind)
        for lineage in lineages
        for behind, version in reversed(list(enumerate(lineage.versions)))
    }


def _shown(
    one: SettingReference, origins: Mapping[Thumbprint, Origin], copies: Mapping[Thumbprint | None, str]
) -> bool:
    return one.kind is not ReferenceKind.PIN or one.thumbprint in origins or one.thumbprint in copies


def _row(
    one: SettingReference,
    origins: Mapping[Thumbprint, Origin],
    copies: Mapping[Thumbprint | None, str],
    now: datetime,
) -> dict[str, object]:
    origin = origins.get(one.thumbprint)
    row: dict[str, object] = {"setting": one.key, "kind": one.kind, "thumbprint": one.thumbprint}
    row["live"] = one.thumbprint in copies
    if origin is not None:
        days = (now - origin.created).days
        row |= {"certificate": str(origin.ref), "version": origin.version, "days": days, "behind": origin.behind}
    elif one.thumbprint in copies:
        row["copy"] = copies[one.thumbprint]
    return row


def _led(one: VaultReference) -> dict[str, object]:
    where = {"certificate": str(one.ref), "version": one.active, "pinned": one.pinned is not None}
    return {"setting": one.key, "kind": "Key Vault reference", **where}


def _in_vain(
    settings: SiteSettings,
    origins: Mapping[Thumbprint, Origin],
    copies: Mapping[Thumbprint | None, str],
    now: datetime,
) -> Iterable[Finding]:
    unknown = sorted(  # where a root list names what no vault has, the public certificates of its plan were not read
        {
            one.thumbprint
            for one in settings.without_roots.references
            if one.kind is not ReferenceKind.PIN and one.thumbprint not in origins and one.thumbprint not in copies
        }
    )
    if unknown:
        detail = (
            f"{', '.join(unknown)} is no certificate of its webspace or of the site itself, nor of a vault in scope: "
            "take it out"
        )
        yield Finding(now, "sweep", f"app settings of {settings.site}", Reason.UNKNOWN_THUMBPRINT, detail)
    odd = {ReferenceKind.LOAD_LIST: settings.odd_entries, ReferenceKind.ROOT_LIST: settings.odd_roots}
    for kind, count in odd.items():
        if count:
            detail = f"{count} entries of the {kind} are no thumbprints; they are left as they are"
            yield Finding(now, "sweep", f"{kind} of {settings.site}", Reason.UNKNOWN_THUMBPRINT, detail)
