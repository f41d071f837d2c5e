"""Refuse to delete a certificate that a binding or an app may still need.

If Certroll cannot read whether a site needs the certificate, Certroll does not delete it.

The guard `still_needed` judges the snapshot before any step of the plan. Before the plan's steps, a binding that the
plan will update still shows the old certificate, and a root that the plan will add is missing.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.copies import OWN_PREFIX, RootCertificate, WebspaceCertificate
from shared.domain.intent import Intent
from shared.domain.names import SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import PROVEN, RollRecord
from shared.domain.rollout.site_record import SiteState
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import contested_in, shown_bindings
from shared.domain.tags import LINEAGE, opted_out
from shared.planning.acting.about_root import has_root
from shared.planning.acting.own_names import own_name
from shared.planning.plan import Plan, Skip, Step

Refusal = tuple[Reason, str]
GRACE_PART = 3
"""At most a third of a certificate's life is grace, so that a webspace holds few copies of certificates that live for
47 days (CA/Browser Forum, ballot SC-081) and are renewed twice or three times in that life."""


def guard(plan: Plan, snapshot: Snapshot, intent: Intent) -> Plan:
    """Refuse to delete certificates that may be in use, and more than CERTROLL_MAX_DELETES certificates in one plan."""
    moving = {step.action.webspace for step in plan.steps if step.action.deletes_copy is None}
    going = 0

    def refusal(step: Step) -> Skip | None:
        nonlocal going
        copy, root = step.action.deletes_copy, step.action.deletes_root
        if copy is not None:
            found = _refusal(snapshot, intent, copy, moving)
        elif root is not None:
            found = _root_refusal(snapshot, intent, root)
        else:
            return None
        if found is None and going >= intent.max_deletes:
            found = (
                Reason.ENOUGH_DELETED,
                f"CERTROLL_MAX_DELETES is {intent.max_deletes}: a later run may delete the certificate",
            )
        going += found is None
        return Skip(step.subject, *found) if found else None

    return plan.refuse(refusal)


def _refusal(
    snapshot: Snapshot, intent: Intent, copy: WebspaceCertificate, moving: set[Webspace | None]
) -> Refusal | None:
    if copy.webspace in moving:
        return Reason.NOT_PROVEN, _why_it_moves(snapshot)
    return next((found for check in CHECKS if (found := check(snapshot, intent, copy)) is not None), None)


def _why_it_moves(snapshot: Snapshot) -> str:
    """Return why a webspace does not use the current version everywhere: the version is on hold, or a step is left.

    The guard `not_its_stage` judges later, and refuses the steps of a version on hold.
    """
    if snapshot.rollout.failed or snapshot.rollout.held_by:
        return "the current version is on hold, so something in that webspace still uses an older version"
    return "a step of this plan still brings something in that webspace to the current version"


def is_ours(copy: WebspaceCertificate, ref: VaultCertificateRef) -> bool:
    """Return True if Certroll uploaded the certificate for this vault object.

    The name and the tag of a certificate in App Service show who uploaded it. A public certificate has no tags, so
    Certroll recognizes it by its name alone.
    """
    if copy.ref.public:
        return copy.ref.name == own_name(ref, copy.thumbprint)
    return copy.ref.name.startswith(OWN_PREFIX) and LINEAGE.value_in(copy.tags) == str(ref)


def _unwanted(snapshot: Snapshot, intent: Intent, copy: WebspaceCertificate) -> Refusal | None:
    if intent.delete_superseded or is_ours(copy, snapshot.lineage.ref):
        return None
    return Reason.NOT_OURS, "people uploaded the certificate: delete it yourself, or set CERTROLL_DELETE_SUPERSEDED=on"


def _contested(snapshot: Snapshot, _: Intent, copy: WebspaceCertificate) -> Refusal | None:
    if not contested_in(snapshot, copy.webspace, copy.thumbprint):
        return None
    return (
        Reason.STILL_USED,
        f"it may belong to another vault certificate, a copy of which holds {copy.thumbprint}",
    )


def _bound(snapshot: Snapshot, _: Intent, copy: WebspaceCertificate) -> Refusal | None:
    bound = sorted(binding.host_name for binding in snapshot.served_by(copy))
    return (Reason.STILL_USED, f"bound to {', '.join(bound)}") if bound else None


def _named(snapshot: Snapshot, _: Intent, copy: WebspaceCertificate) -> Refusal | None:
    settings = snapshot.settings_near(copy)
    sharing = snapshot.settings_sharing(copy)
    named = [str(app.site) for app in (*settings, *sharing) if copy.thumbprint in app.mentions]
    if named:
        return Reason.STILL_USED, f"named by app settings of {', '.join(named)}"
    loading = [str(app.site) for app in settings if app.loads_everything or copy.loaded]
    expired = copy.not_after is not None and copy.not_after <= snapshot.now
    if loading and not expired:
        return Reason.STILL_USED, f"{', '.join(loading)} loads every certificate, and may use it until it expires"
    return None


def _hidden(snapshot: Snapshot, _: Intent, copy: WebspaceCertificate) -> Refusal | None:
    spots = sorted((spot for spot in snapshot.fleet.blind_spots if spot.may_use(copy.webspace)), key=str)
    read = {settings.site for settings in snapshot.fleet.settings}
    unread = sorted(ref for ref in _users(snapshot, copy) if ref not in read)
    what = f"{spots[0].subject} ({spots[0].detail})" if spots else f"the settings of {unread[0]}" if unread else None
    if what is None:
        return None
    return Reason.NOT_SEEN, f"Certroll cannot read {what}, so it deletes nothing in that webspace"


def _users(snapshot: Snapshot, copy: WebspaceCertificate) -> Iterable[SiteRef]:
    """Return the sites and slots that may use the certificate.

    All sites of a webspace may use its certificates. A site and its slots alone may use the site's own certificate.

    For a public certificate in an environment, this function also returns the apps of the same App Service plan.
    """
    near = (site.ref for site in snapshot.fleet.sites if site.webspace in {None, copy.webspace})
    if copy.site is None:
        return near
    family, owner = copy.site.production, snapshot.site(copy.site)
    shared = copy.ref.public and owner is not None and owner.environment is not None
    mates = set(snapshot.fleet.plan_mates(copy.site)) if shared else set()
    return (ref for ref in near if ref.production == family or ref in mates)


def _unproven(snapshot: Snapshot, _: Intent, copy: WebspaceCertificate) -> Refusal | None:
    """Return a refusal if the webspace lacks the current version.

    Return a refusal also if a site of the webspace shows or names the current version without proof of its use. An
    upload that Certroll did not make stays until a binding or an app of the webspace uses the current version.
    """
    current = snapshot.lineage.current
    if current is None or not any(other.thumbprint == current.thumbprint for other in _stand_ins(snapshot, copy)):
        return Reason.NOT_PROVEN, "the current version is not in its webspace"
    records = {record.site: record.state for record in snapshot.rollout.records}
    rolls = {roll.site: roll.state for roll in snapshot.rollout.rolls}
    bound = {b.site for b in shown_bindings(snapshot) if _shows(snapshot, b, copy)}
    apps = {app.site for app in snapshot.settings_near(copy) if current.thumbprint in app.named}
    apps |= {app.site for app in snapshot.settings_sharing(copy) if current.thumbprint in app.root_list}
    doubtful = {site for site in bound if records.get(site) is not SiteState.PROVEN}
    doubtful |= {site for site in apps if rolls.get(site) not in PROVEN}
    if doubtful:
        names = ", ".join(map(str, sorted(doubtful)))
        return Reason.NOT_PROVEN, f"Certroll did not see {names} use the current version"
    if not bound | apps and not is_ours(copy, snapshot.lineage.ref):
        return (
            Reason.NOT_PROVEN,
            "no binding and no app of the webspace uses the current version, so it is not proven there",
        )
    return None


def _stand_ins(snapshot: Snapshot, copy: WebspaceCertificate) -> tuple[WebspaceCertificate, ...]:
    """Return the certificates that can replace the old certificate.

    In a webspace, each other certificate of the webspace can replace the old certificate. On a single site, only a
    certificate of the same kind can replace the site's old certificate.

    In a root list (a setting), a public certificate of any app of the App Service plan can replace the old certificate.
    """
    if copy.site is None:
        return snapshot.fleet.certificates_in(copy.webspace)
    own = tuple(other for other in snapshot.fleet.certificates_of(copy.site) if other.ref.public == copy.ref.public)
    return (*own, *snapshot.fleet.roots_of(copy.site)) if copy.ref.public else own


def _shows(snapshot: Snapshot, binding: Binding, copy: WebspaceCertificate) -> bool:
    if copy.ref.public or copy.site not in (None, binding.site):
        return False
    return snapshot.webspace_of(binding) == copy.webspace and snapshot.lineage.is_current(binding.thumbprint)


def _graced(snapshot: Snapshot, intent: Intent, copy: WebspaceCertificate) -> Refusal | None:
    return _in_grace(snapshot, intent, copy.thumbprint, _superseded_at(snapshot, copy))


def _in_grace(snapshot: Snapshot, intent: Intent, thumbprint: Thumbprint | None, since: datetime) -> Refusal | None:
    """Return a refusal while the grace period lasts. No grace period keeps a version that an operator disabled."""
    if snapshot.lineage.is_disabled(thumbprint):
        return None
    grace = _grace(snapshot, intent, thumbprint)
    until = since + grace
    if until <= snapshot.now:
        return None
    what = "CERTROLL_DELETE_GRACE" if grace == intent.delete_grace else "a third of its life as CERTROLL_DELETE_GRACE"
    return Reason.IN_GRACE, f"{what} keeps it until {until:%Y-%m-%d %H:%M} UTC"


def _grace(snapshot: Snapshot, intent: Intent, thumbprint: Thumbprint | None) -> timedelta:
    """Return CERTROLL_DELETE_GRACE, or a third of the superseded certificate's life if that third is shorter.

    If Certroll does not know the life of the certificate, the whole CERTROLL_DELETE_GRACE counts.
    """
    life = snapshot.lineage.life_of(thumbprint)
    return intent.delete_grace if life is None else min(intent.delete_grace, life / GRACE_PART)


def _superseded_at(snapshot: Snapshot, copy: WebspaceCertificate) -> datetime:
    """Return when the old certificate went out of use, from which the deletion grace period counts.

    The certificate went out of use when the next version came, or when its last user in the webspace moved to another
    certificate, whichever is later. Each renewal replaces the record of an app, which restarts the grace of no version
    that the app left before. Such a version counts as left when the version after the next came.
    """
    versions, rollout = snapshot.lineage.versions, snapshot.rollout
    oldest = min(index for index, version in enumerate(versions) if version.thumbprint == copy.thumbprint)
    records = [record for record in rollout.records if record.webspace == copy.webspace]
    rolls = [roll for roll in rollout.rolls if roll.webspace == copy.webspace]
    left = [record.at for record in records if any(b.thumbprint == copy.thumbprint for b in record.last_good)]
    left += [roll.at for roll in rolls if copy.thumbprint in {*roll.replaces, _proven_before(snapshot, roll)}]
    # the record of an app no longer tells when the app left a version that it proved before its last one
    came = versions[max(oldest - 2, 0)].created
    left += [min(roll.at, came) for roll in rolls if copy.thumbprint in roll.proven]
    return max((versions[oldest - 1].created, *left))


def _proven_before(snapshot: Snapshot, roll: RollRecord) -> Thumbprint | None:
    """Return the thumbprint that the app's answers showed last before the current version, or None."""
    return next((thumbprint for thumbprint in roll.proven if not snapshot.lineage.is_current(thumbprint)), None)


def _root_refusal(snapshot: Snapshot, intent: Intent, root: RootCertificate) -> Refusal | None:
    """Return why a root certificate stays in its environment, None if Certroll may delete the root.

    Certroll cannot see which clients and servers outside of Azure need the root certificate. Certroll knows only which
    apps were started since the new root came.
    """
    environment, current = root.ref.environment, snapshot.lineage.current
    record = snapshot.environment_record_of(environment)
    if other := record.wanted_by_another(str(snapshot.lineage.ref), root.thumbprint, snapshot.now):
        return Reason.STILL_USED, f"it is the current version of {other}, which is a root of the environment, too"
    if any(seen.ref == environment and opted_out(seen.tags) for seen in snapshot.fleet.environments):
        return Reason.OPTED_OUT, f"environment {environment} carries the tag certroll: off"
    if not intent.delete_superseded:
        return (
            Reason.ROOT_KEPT,
            "the old root stays next to the new root: CERTROLL_DELETE_SUPERSEDED=on lets Certroll delete it",
        )
    if current is None or not has_root(snapshot, environment, current.thumbprint):
        return Reason.NOT_PROVEN, "the current version is not there"
    if (done_at := record.done_for(current.thumbprint)) is None:
        return Reason.NOT_PROVEN, "some apps were not stopped and started since the new root came"
    return _in_grace(snapshot, intent, root.thumbprint, done_at)


Check = Callable[[Snapshot, Intent, WebspaceCertificate], Refusal | None]
CHECKS: tuple[Check, ...] = (_contested, _bound, _named, _hidden, _unproven, _graced, _unwanted)
