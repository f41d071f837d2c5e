"""Log which certificates the app settings of each app name, and report thumbprints to which no certificate belongs.

Any app setting whose value is 40 hex digits looks like a thumbprint, but may be a password. Certroll logs the value of
such a setting only if a vault or App Service has a certificate with this thumbprint.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.domain.certificates.lineage import Lineage
from shared.domain.findings import Finding
from shared.domain.fleet.app_settings import ReferenceKind, SettingReference, SiteSettings, VaultReference
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.probe import ProbeInvalid, probe_of
from shared.domain.names import SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.reason import Reason
from shared.domain.subject import site_subject
from shared.ports.journal import Findings
from shared.telemetry import event


@dataclass(frozen=True, slots=True)
class Origin:
    """The version of a vault certificate that has a given thumbprint."""

    ref: VaultCertificateRef
    version: str
    created: datetime
    behind: int
    """How many newer versions the vault certificate has."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A thumbprint that an app setting contains inside of a longer value."""

    key: str
    thumbprint: Thumbprint
    kind: str = "mention"


def report_references(findings: Findings, fleet: Fleet, lineages: Iterable[Lineage]) -> None:
    """Log the certificates that each app's settings name, and record unusable entries as findings."""
    origins, places = _origins(lineages), _places(fleet)
    reported: list[Finding] = []
    for settings in fleet.settings:
        site = fleet.site(settings.site)
        usable = (*fleet.roots_of(settings.site), *fleet.certificates_of(settings.site))
        copies = {copy.thumbprint: str(copy.ref) for copy in usable}
        shown = (reference for reference in settings.references if _shown(reference, origins, copies))
        now = fleet.taken_at
        named = [_row(reference, origins, copies, now) for reference in shown]
        led = [_led(reference) for reference in settings.vault_references]
        mentioned = [
            _row(reference, origins, copies, fleet.taken_at) for reference in _mentions(settings, origins, copies)
        ]
        if named or led or mentioned or settings.loads_everything:
            event(
                "references.found",
                site=str(settings.site),
                everything=settings.loads_everything,
                probe=_probe(fleet, settings.site),
                references=[*named, *led],
                mentions=mentioned,
            )
        if site is not None and site.webspace is not None:
            unknown = _unknown(settings, origins, copies)
            in_vain = _in_vain(unknown, places, site.webspace)
            reported += _unusable(settings, in_vain, site.webspace, fleet.taken_at)
    if reported:
        findings.report(tuple(reported))


def _probe(fleet: Fleet, site: SiteRef) -> str:
    """Return what the app's probe can show after a settings update, as `proves`, `alive`, `none` or `invalid`."""
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
    reference: SettingReference, origins: Mapping[Thumbprint, Origin], copies: Mapping[Thumbprint | None, str]
) -> bool:
    """Return True if Certroll may log a thumbprint that an app setting contains.

    Certroll logs a setting whose whole value looks like a thumbprint only if a known certificate has this thumbprint.
    """
    return reference.kind is not ReferenceKind.PIN or reference.thumbprint in origins or reference.thumbprint in copies


def _mentions(
    settings: SiteSettings, origins: Mapping[Thumbprint, Origin], copies: Mapping[Thumbprint | None, str]
) -> Iterable[Mention]:
    """Yield the known thumbprints that a setting contains inside of a longer value, where no reference names them."""
    named = {(reference.key, reference.thumbprint) for reference in settings.references}
    known = (thumbprint for thumbprint in settings.mentions if thumbprint in origins or thumbprint in copies)
    pairs = ((key, thumbprint) for thumbprint in known for key in settings.mentions[thumbprint])
    return (Mention(key, thumbprint) for key, thumbprint in sorted(pairs) if (key, thumbprint) not in named)


def _row(
    reference: SettingReference | Mention,
    origins: Mapping[Thumbprint, Origin],
    copies: Mapping[Thumbprint | None, str],
    now: datetime,
) -> dict[str, object]:
    origin = origins.get(reference.thumbprint)
    row: dict[str, object] = {"setting": reference.key, "kind": reference.kind, "thumbprint": reference.thumbprint}
    row["live"] = reference.thumbprint in copies
    if origin is not None:
        days = (now - origin.created).days
        row |= {"certificate": str(origin.ref), "version": origin.version, "days": days, "behind": origin.behind}
    elif reference.thumbprint in copies:
        row["copy"] = copies[reference.thumbprint]
    return row


def _led(reference: VaultReference) -> dict[str, object]:
    where = {"certificate": str(reference.ref), "version": reference.active, "pinned": reference.pinned is not None}
    return {"setting": reference.key, "kind": "Key Vault reference", **where}


def _places(fleet: Fleet) -> dict[Thumbprint, Webspace]:
    """Return a webspace that holds a certificate with each thumbprint, the first by name."""
    shared = (copy for copy in fleet.certificates if copy.site is None and copy.thumbprint is not None)
    ordered = sorted(shared, key=lambda copy: copy.webspace, reverse=True)
    return {copy.thumbprint: copy.webspace for copy in ordered if copy.thumbprint is not None}


def _in_vain(unknown: list[Thumbprint], places: Mapping[Thumbprint, Webspace], here: Webspace) -> str:
    """Return what is wrong with thumbprints that an app cannot load, empty without such thumbprints.

    An environment may have several webspaces, so a certificate in one webspace of the environment does not reach the
    apps of another webspace.
    """
    nowhere = [thumbprint for thumbprint in unknown if thumbprint not in places]
    parts = [
        f"{thumbprint} is a certificate of {places[thumbprint]}, which the app cannot use: upload or import the "
        f"certificate into {here}, too, or take it out"
        for thumbprint in unknown
        if thumbprint in places
    ]
    if nowhere:
        parts.append(
            f"{', '.join(nowhere)} is no certificate of its webspace or of the site itself, nor of a vault in scope: "
            "take it out"
        )
    return "; ".join(parts)


def _unusable(settings: SiteSettings, in_vain: str, here: Webspace, now: datetime) -> Iterable[Finding]:
    """Yield a finding for thumbprints to which no certificate belongs, and for list entries that are no thumbprints."""
    if in_vain:
        subject = site_subject(settings.site, "app settings of ")
        yield Finding(now, "sweep", subject, Reason.UNKNOWN_THUMBPRINT, in_vain, webspace=here)
    odd = {ReferenceKind.LOAD_LIST: settings.odd_entries, ReferenceKind.ROOT_LIST: settings.odd_roots}
    for kind, count in odd.items():
        if count:
            detail = f"{count} entries of the {kind} are no thumbprints; Certroll does not change them"
            yield Finding(
                now,
                "sweep",
                site_subject(settings.site, f"{kind} of "),
                Reason.UNKNOWN_THUMBPRINT,
                detail,
                webspace=here,
            )


def _unknown(
    settings: SiteSettings, origins: Mapping[Thumbprint, Origin], copies: Mapping[Thumbprint | None, str]
) -> list[Thumbprint]:
    """Return the thumbprints of load lists (WEBSITE_LOAD_CERTIFICATES) that neither a vault nor App Service has.

    This function ignores root lists. If no vault has a thumbprint of a root list (WEBSITE_LOAD_ROOT_CERTIFICATES),
    Certroll does not report the thumbprint. The thumbprint in a root list may belong to a public certificate of another
    app on the same App Service plan, which Certroll has not read.
    """
    listed = (reference for reference in settings.without_roots.references if reference.kind is not ReferenceKind.PIN)
    named = {reference.thumbprint for reference in listed}
    return sorted(thumbprint for thumbprint in named if thumbprint not in origins and thumbprint not in copies)
