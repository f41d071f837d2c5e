"""Serve a private certificate in an environment only after the waves for its root, because other apps would refuse it.

An app of an App Service Environment trusts a new root only after a stop and a start (Azure docs, "Certificates in App
Service Environment", Root Certificate API). Only the names in the certificate's chain say which root it needs.
"""

from collections.abc import Iterable, Mapping
from functools import partial

from shared.domain.environments.record import NotedRoot
from shared.domain.intent import Intent
from shared.domain.names import EnvironmentRef, SiteRef, Webspace
from shared.domain.reason import Reason
from shared.domain.snapshot.expiry import is_urgent
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Phase, Plan, Skip, Step

SERVING = frozenset({Phase.SHARED, Phase.BINDING})
"""The phases whose actions change which certificate a site serves."""


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse steps that serve the current version in an environment whose apps may not trust its root yet.

    An urgent certificate waits for no wave. A sync moves all bindings of its webspace, so it waits if an environment
    has a site in the webspace.
    """
    arriving = dict(_arriving(snapshot))
    if not arriving or is_urgent(snapshot):
        return plan
    hosted = (site for site in snapshot.fleet.sites if site.environment in arriving and site.webspace is not None)
    where = {site.webspace: site.environment for site in hosted}
    return plan.refuse(partial(_refusal, snapshot, where, arriving))


def _arriving(snapshot: Snapshot) -> Iterable[tuple[EnvironmentRef, NotedRoot]]:
    """Yield each environment in which the root of the current version may still be on its way, with this root."""
    for record in snapshot.environment_records:
        yield from [(record.environment, root) for root in record.arriving if _may_need(snapshot, root)][:1]


def _may_need(snapshot: Snapshot, root: NotedRoot) -> bool:
    """Return True if clients may need the root to trust the current version.

    A certificate for public clients needs no root of an environment, and a root does not wait for itself. Certroll
    rarely knows the whole chain. A version by another authority than the certificate in use may need the root.
    """
    current = snapshot.lineage.current
    facts = current.facts if current else None
    if current is None or facts is None or facts.public_policy or current.thumbprint == root.thumbprint:
        return False
    return root.name in {"", facts.issuer} or not _is_by_authority_in_use(snapshot, facts.issuer)


def _is_by_authority_in_use(snapshot: Snapshot, issuer: str) -> bool:
    """Return True if App Service has an older certificate of the vault object by the same authority."""
    lineage = snapshot.lineage
    in_use = (copy for copy in snapshot.fleet.certificates if not lineage.is_current(copy.thumbprint))
    ours = (copy for copy in in_use if copy.source == lineage.ref or lineage.version_of(copy.thumbprint))
    return any(copy.issuer == issuer for copy in ours)


def _refusal(
    snapshot: Snapshot,
    where: Mapping[Webspace | None, EnvironmentRef | None],
    arriving: Mapping[EnvironmentRef, NotedRoot],
    step: Step,
) -> Skip | None:
    action = step.action
    if action.phase not in SERVING or not action.is_staged or action.protects:
        return None
    environment = _environment_of(snapshot, action.site) if action.site else where.get(action.webspace)
    root = arriving.get(environment) if environment else None
    if root is None:
        return None
    detail = (
        f"apps of {environment} that Certroll has not stopped and started yet do not trust root {root.thumbprint}, "
        "which this version may need; Certroll serves the version there after the last wave"
    )
    return Skip(step.subject, Reason.AWAITING_ROOT, detail, action.site)


def _environment_of(snapshot: Snapshot, ref: SiteRef) -> EnvironmentRef | None:
    site = snapshot.site(ref)
    return site.environment if site else None
