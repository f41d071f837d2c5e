"""Import a vault certificate into each place that the tag `certroll-import-to` names and that lacks the certificate.

A place is a webspace (App Service's store of certificates), or a site that has certificates of its own. Certroll syncs
the imported certificate with each new version, and never deletes the imported certificate.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import Rejected
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import ServerFarm
from shared.domain.fleet.vault_access import Principal
from shared.domain.intent import Intent
from shared.domain.letter_case import lower_case
from shared.domain.names import CopyRef, SiteRef, Webspace
from shared.domain.path_names import NEW_CERTIFICATE
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tag_targets import Target
from shared.domain.tags import IMPORT_NAME, IMPORT_TO, OPT_OUT
from shared.domain.targets import names_of_plan, names_of_site, names_of_webspace
from shared.planning.acting.about_copy import AboutCopy, read_copy
from shared.planning.acting.named_targets import named_targets, target_subject
from shared.planning.acting.own_names import unique_name
from shared.planning.acting.settle import settle
from shared.planning.acting.vault_rights import lacking_right
from shared.planning.acting.webspace_limits import why_full, why_low, why_site_full
from shared.planning.plan import Skip, Step, View
from shared.ports import Ports


class Place(NamedTuple):
    """A place for an imported certificate: a webspace, or a site that has certificates of its own."""

    webspace: Webspace
    site: SiteRef | None
    """The site, None if the whole webspace shares the imported certificate."""
    plan: ServerFarm
    """An App Service plan of the webspace, which the import must name."""


@dataclass(frozen=True, slots=True)
class ImportCertificate(AboutCopy):
    """Import the vault certificate into one webspace, or into one site with certificates of its own."""

    copy: WebspaceCertificate
    plan: ServerFarm
    version: CertificateVersion
    lineage: Lineage
    vault_id: str | None
    """The resource id of the vault, None if no imported certificate of the fleet names the vault."""
    app_service: Principal
    """The service principal by which App Service reads the vault."""
    is_staged: ClassVar[bool] = False
    needs_view: ClassVar[View] = View.COPIES

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """Return the requirements that the version must meet for an import that replaces no version."""
        return (Case(current, Use.IMPORT, snapshot.now, (), snapshot.lineage.key),)

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the imported certificate."""
        return snapshot.with_certificate(self.copy)

    def preflight(self, ports: Ports) -> bool:
        """Check the name of the import and App Service's rights on the vault, as `perform` does."""
        return not self._has(ports) and bool(self._readable_vault(ports))

    def perform(self, ports: Ports) -> bool:
        """Import the vault certificate unless the place has it, and return once Azure shows the imported certificate.

        Raises Rejected if another certificate has the name, or if App Service lacks rights on the vault. The exception
        for missing rights names the missing right and the command that grants the right. If Certroll cannot read the
        rights on the vault, only Azure's refusal shows a missing right.
        """
        if self._has(ports):
            return False
        vault_id = self._readable_vault(ports)
        copy = replace(self.copy, key_vault_id=vault_id, key_vault_secret=self.lineage.ref.name)
        ports.app_service.import_certificate(copy, self.plan)
        settle(ports.clock, lambda: read_copy(ports, copy.ref), self._is_there, self.subject)
        return True

    def _has(self, ports: Ports) -> bool:
        """Return True if the place has the import. Raises Rejected if another certificate has the name."""
        seen = read_copy(ports, self.copy.ref)
        if seen is not None and not self._is_there(seen):
            raise Rejected(
                f"{self.subject}: another certificate has the name; delete it, or set {IMPORT_NAME} on the "
                "vault certificate",
                Reason.NAME_TAKEN,
            )
        return seen is not None

    def _readable_vault(self, ports: Ports) -> str:
        """Return the vault's resource id. Raises Rejected if App Service certainly lacks a right on the vault."""
        vault_id = self.vault_id or self._find(ports)
        if lacking := lacking_right(ports, vault_id, self.app_service, self.lineage.ref.name):
            raise Rejected(lacking, Reason.VAULT_ACCESS_LACKING)
        return vault_id

    def _is_there(self, seen: WebspaceCertificate | None) -> bool:
        """Return True if the certificate was imported from this vault certificate into this webspace or site."""
        if seen is None or seen.source != self.lineage.ref:
            return False
        return seen.site is not None or seen.webspace == self.copy.webspace

    def _find(self, ports: Ports) -> str:
        """Return the vault's resource id.

        Raises Rejected if Certroll's identity sees no subscription with the vault.
        """
        here = self.copy.ref.subscription
        for subscription in sorted(ports.app_service.subscriptions(), key=lambda name: (name != here, name)):
            if (found := ports.vault_rights.vaults(subscription).get(self.lineage.ref.vault)) is not None:
                return found
        detail = f"{self.subject}: ARM shows no vault {self.lineage.ref.vault}; grant Reader on the vault"
        raise Rejected(detail, Reason.INCOMPLETE_VIEW)


def propose(snapshot: Snapshot, intent: Intent) -> Iterable[Step | Skip]:
    """Propose an import into each webspace or site that the tag names and that does not hold the vault certificate."""
    lineage, current = snapshot.lineage, snapshot.lineage.current
    if current is None:
        return
    places = _places(snapshot)
    found, skips = named_targets(lineage, IMPORT_TO, {key: names for key, (_, names) in places.items()})
    yield from skips
    there = {(copy.webspace, copy.site) for copy in snapshot.copies}
    taken = {copy.ref: copy.webspace for copy in snapshot.fleet.certificates}
    for target, key in found.items():
        place, subject = places[key][0], target_subject(lineage, IMPORT_TO, target)
        if (place.webspace, place.site) in there:
            continue
        if off := _off(snapshot, target):
            yield Skip(subject, Reason.OPTED_OUT, f"{off} carries the tag certroll: {snapshot.tag(off, OPT_OUT)}")
            continue
        there.add((place.webspace, place.site))
        if (refusal := _refusal(snapshot, place, target)) is not None:
            yield Skip(subject, *refusal)
            continue
        if problem := NEW_CERTIFICATE.problem(IMPORT_NAME.value_in(lineage.tags) or "x"):
            yield Skip(f"tag {IMPORT_NAME} of {lineage.ref}", Reason.NAME_INVALID, f"{problem}; correct the tag")
            return
        action = _import(snapshot, current, place, intent, _name(lineage, place, taken))
        taken[action.copy.ref] = place.webspace
        yield Step(action, Reason.IMPORT_ASKED)


def _refusal(snapshot: Snapshot, place: Place, target: Target) -> tuple[Reason, str] | None:
    """Return why Certroll cannot import into the webspace or site now, None if Certroll can."""
    refusal = snapshot.lineage.refusal
    if refusal is not None:
        return (
            Reason.NEWEST_REFUSED,
            f"Certroll refuses the newest version, which App Service would import: {refusal.detail}",
        )
    for plan in (*_named_plans(snapshot, target), place.plan):
        if low := why_low(plan):
            return Reason.TIER_TOO_LOW, low
    if place.site is not None:
        full = why_site_full(snapshot, place.site, public=False)
        return (Reason.SITE_FULL, full) if full else None
    full = why_full(snapshot, place.webspace)
    return (Reason.WEBSPACE_FULL, full) if full else None


def _named_plans(snapshot: Snapshot, target: Target) -> Iterable[ServerFarm]:
    """Return the plan that the tag names, or the plan of the site that the tag names; none for a webspace."""
    of_sites = {site.plan for site in snapshot.fleet.sites if str(target) in names_of_site(site.ref)}
    for plan in snapshot.fleet.plans:
        if lower_case(plan.resource_id) in of_sites or str(target) in names_of_plan(plan.resource_id):
            yield plan


def _places(snapshot: Snapshot) -> Mapping[str, tuple[Place, frozenset[str]]]:
    """Return each place for an imported certificate, by its id, with all names by which a tag may name the place.

    A tag may also name a webspace by its App Service plans and sites.
    """
    found: dict[str, tuple[Place, frozenset[str]]] = {}

    def add(place: Place, names: frozenset[str]) -> None:
        key = place.site.resource_id if place.site else f"{place.webspace.subscription}/{place.webspace}"
        known = found.get(key)
        found[key] = (known[0], known[1] | names) if known else (place, names)

    plans = {lower_case(plan.resource_id): plan for plan in snapshot.fleet.plans}
    for plan in sorted(plans.values(), key=lambda plan: plan.is_free):
        names = names_of_plan(plan.resource_id) | names_of_webspace(plan.webspace)
        add(Place(plan.webspace, None, plan), names)
    for site in snapshot.fleet.sites:
        if site.webspace is None or site.ref.slot is not None:
            continue
        if (on := plans.get(site.plan) or snapshot.fleet.plan_in(site.webspace)) is not None:
            add(Place(site.webspace, site.ref if site.flex else None, on), names_of_site(site.ref))
    return found


def _off(snapshot: Snapshot, target: Target) -> SiteRef | None:
    """Return the site that the tag names if the site carries `certroll: off`, None otherwise."""
    named = (site.ref for site in snapshot.fleet.sites if str(target) in names_of_site(site.ref))
    return next((ref for ref in named if snapshot.fleet.opted_out(ref)), None)


def _import(
    snapshot: Snapshot, current: CertificateVersion, place: Place, intent: Intent, name: CopyRef
) -> ImportCertificate:
    lineage = snapshot.lineage
    vaults = (c.key_vault_id for c in snapshot.fleet.certificates if c.source and c.source.vault == lineage.ref.vault)
    return ImportCertificate(
        copy=WebspaceCertificate(
            ref=name,
            webspace=place.webspace,
            location=place.plan.location,
            thumbprint=current.thumbprint,
            host_names=current.facts.host_names if current.facts else frozenset(),
            not_after=current.not_after,
            source=lineage.ref,
        ),
        plan=place.plan,
        version=current,
        lineage=lineage,
        vault_id=next(vaults, None),
        app_service=intent.app_service,
    )


def _name(lineage: Lineage, place: Place, taken: Mapping[CopyRef, Webspace]) -> CopyRef:
    """Return the name of the imported certificate.

    The imported certificate's name comes from the tag `certroll-import-name`, else the name is
    `{group}-{vault}-{certificate}`.

    The az CLI also names imported certificates `{group}-{vault}-{certificate}`. The name of the imported certificate
    gets a suffix if another webspace of the resource group has a certificate of that name.
    """
    group = place.plan.resource_group
    name = lower_case(IMPORT_NAME.value_in(lineage.tags) or f"{group}-{lineage.ref.vault}-{lineage.ref.name}")
    if place.site is not None:
        return CopyRef.of_site(place.site, name, public=False)
    return unique_name(CopyRef(place.webspace.subscription, group, name), place.webspace, taken)
