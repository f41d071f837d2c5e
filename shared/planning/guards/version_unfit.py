"""Refuse a step if the new version is not fit for its App Service certificate, its binding or its app.

shared/domain/certificates/requirements.py holds the requirements. The code in shared/domain/certificates/lineage.py
decides whether Certroll may install a version anywhere.
"""

from dataclasses import replace

from shared.domain.certificates.judges import uncovered
from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.rules import refusals
from shared.domain.certificates.version import CertificateFacts
from shared.domain.intent import Intent
from shared.domain.names import covers, is_host_name
from shared.domain.reason import Reason
from shared.domain.snapshot.expiry import ends_soon
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.acting.subjects import root_list_subject
from shared.planning.plan import Phase, Plan, Skip, Step


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse each step for which the current version misses a requirement, and keep the other steps."""
    current = snapshot.lineage.current
    if current is None or current.facts is None:
        return plan
    facts = current.facts
    plan = _without_roots(plan, Case(current, Use.ROOT, snapshot.now, (), snapshot.lineage.key))

    def refusal(step: Step) -> Skip | None:
        refused = [verdict for case in step.action.cases(current, snapshot) for verdict in refusals(case)]
        if refused:
            return Skip(step.subject, refused[0].reason, refused[0].detail, step.action.site)
        return _takes_cover_away(step, facts, snapshot)

    return _without_lost_rebinding(plan, plan.refuse(refusal))


def _without_lost_rebinding(plan: Plan, judged: Plan) -> Plan:
    """Return the plan without rewritten bindings in webspaces where a guard refused the second upload.

    If Certroll wrote the bindings of a site again without a new upload, the journal would record the site as rebound.
    If the journal recorded a site as rebound too early, Certroll would not write the site's bindings again after a
    later upload.
    """
    uploads = [step for step in plan.steps if step.action.phase is Phase.UPLOAD]
    lost = {step.action.webspace for step in uploads if step not in judged.steps}
    steps = (step.without_rebinding() if step.action.webspace in lost else step for step in judged.steps)
    return Plan(tuple(filter(None, steps)), judged.skips)


def _without_roots(plan: Plan, root: Case) -> Plan:
    """Return the plan without edits of root lists if the version cannot be a root certificate.

    If this function removes edits of root lists, other edits of the app's settings stay in the plan.
    """
    refused = refusals(root)
    if not refused:
        return plan
    steps: list[Step] = []
    skips = list(plan.skips)
    for step in plan.steps:
        left, site = step.action.without_roots(), step.action.site
        if site is not None and left != step.action:
            skips.append(Skip(root_list_subject(site), refused[0].reason, refused[0].detail, site))
        steps.append(replace(step, action=left))
    return Plan(tuple(steps), tuple(skips))


def _takes_cover_away(step: Step, facts: CertificateFacts, snapshot: Snapshot) -> Skip | None:
    """Return a refusal for a sync that would move a host name to a version of the certificate that does not cover it.

    A sync moves all bindings of the imported certificate at once. A name that no client can ask for does not count,
    because no certificate covers it, and a plan reports such a name by itself. Near the end of the old certificate,
    Certroll syncs even if host names are not covered, because the sync saves the covered host names.
    """
    copy = step.action.replaces
    if copy is None:
        return None
    served = (binding.host_name for binding in snapshot.served_by(copy) if is_host_name(binding.host_name))
    lost = uncovered(facts, tuple(host for host in served if not copy.host_names or covers(copy.host_names, host)))
    if not lost or ends_soon(snapshot, copy):
        return None
    detail = (
        f"the new version no longer covers {', '.join(lost)}, which this copy serves; a sync moves all; "
        "Azure itself will sync within 24 h: issue a version that covers them, or bind another certificate there first"
    )
    return Skip(step.subject, Reason.NOT_COVERED, detail)
