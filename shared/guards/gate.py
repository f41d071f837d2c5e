"""The use half of the gate: is the new version good for this copy, this binding, this app?

What is asked is in shared/domain/requirements.py. The version half, which judges a version by itself, is in
shared/domain/lineage.py.
"""

from dataclasses import replace
from datetime import timedelta

from shared.actions.add_root_certificate import AddRootCertificate
from shared.actions.delete_certificate import DeleteCertificate
from shared.actions.delete_root_certificate import DeleteRootCertificate
from shared.actions.import_certificate import ImportCertificate
from shared.actions.keep_superseded import KeepSuperseded
from shared.actions.refresh_references import RefreshReferences
from shared.actions.restart_site import RestartSite
from shared.actions.restore_app_settings import RestoreAppSettings
from shared.actions.roll_app_settings import RollAppSettings
from shared.actions.sync_certificate import SyncCertificate
from shared.actions.update_binding import UpdateBinding, not_again
from shared.actions.upload_again import UploadAgain
from shared.actions.upload_certificate import UploadCertificate
from shared.actions.upload_public_certificate import UploadPublicCertificate
from shared.domain.app_settings import is_root_list
from shared.domain.model import CertificateFacts, CertificateVersion
from shared.domain.names import covers
from shared.domain.plan import Intent, Plan, Skip, Step
from shared.domain.reason import Reason
from shared.domain.requirements import Case, Use, refusals, uncovered
from shared.domain.rollout import URGENT
from shared.domain.snapshot import Snapshot

OLDER = KeepSuperseded | RestoreAppSettings | DeleteCertificate | DeleteRootCertificate
"""What is about an older version."""
BRINGS = RollAppSettings | RefreshReferences | RestartSite
"""What makes an app use the current version. An app that names it already does so because people wanted it to."""


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse what the current version is not good for; what it is good for is not held back by it."""
    current = snapshot.lineage.current
    if current is None or current.facts is None:
        return plan
    facts = current.facts
    plan = _without_roots(plan, Case(current, Use.ROOT, snapshot.now, None, snapshot.lineage.key))

    def refusal(step: Step) -> Skip | None:
        if isinstance(step.action, OLDER):
            return None
        refused = [verdict for case in _cases(step, current, snapshot) for verdict in refusals(case)]
        if refused:
            return Skip(step.subject, refused[0].reason, refused[0].detail, step.action.site)
        return _takes_cover_away(step, facts, snapshot)

    return _without_again(plan, plan.refuse(refusal))


def _without_again(plan: Plan, judged: Plan) -> Plan:
    """Return the plan as judged, without binding again what is not uploaded again: recorded, it would not be redone."""
    uploads = [step for step in plan.steps if isinstance(step.action, UploadAgain)]
    lost = {step.action.webspace for step in uploads if step not in judged.steps}
    steps = (not_again(step) if step.action.webspace in lost else step for step in judged.steps)
    return Plan(tuple(filter(None, steps)), judged.skips)


def _cases(step: Step, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
    """Return what the step would have the current version do."""
    key, before = snapshot.lineage.key, snapshot.lineage.before
    case = Case(current, Use.OUTBOUND, snapshot.now, before if isinstance(step.action, BRINGS) else None, key)
    if _is_about_roots(step):
        return (replace(case, use=Use.ROOT, in_use=None),)
    match step.action:
        case UpdateBinding(binding=binding, moves=moves):
            return (replace(case, use=Use.BINDING, in_use=before if moves else current, hosts=(binding.host_name,)),)
        case UploadPublicCertificate():
            return (replace(case, use=Use.PUBLIC, in_use=before),)
        case ImportCertificate():
            return (replace(case, use=Use.IMPORT),)
        case UploadAgain():
            return (replace(case, use=Use.UPLOAD, in_use=current),)
        case UploadCertificate(whole_chain=whole):
            return (replace(case, use=Use.UPLOAD, in_use=before, whole_chain=whole),)
        case SyncCertificate(copy=copy):
            imported = replace(case, use=Use.IMPORT, in_use=before)
            return (imported, replace(imported, use=Use.BINDING)) if snapshot.served_by(copy) else (imported,)
    return (case,)


def _is_about_roots(step: Step) -> bool:
    """Say whether the step would have the current version trusted as a root, and nothing else."""
    match step.action:
        case AddRootCertificate() | UploadPublicCertificate(as_root=True):
            return True
        case RollAppSettings(edits=edits):
            return all(is_root_list(edit.key) for edit in edits)
    return False


def _without_roots(plan: Plan, root: Case) -> Plan:
    """Return the plan without edits of root lists where the version may be no root; an app's other edits stay."""
    refused = refusals(root)
    if not refused:
        return plan
    steps: list[Step] = []
    skips = list(plan.skips)
    for step in plan.steps:
        action = step.action
        edits = action.edits if isinstance(action, RollAppSettings) else ()
        kept = tuple(edit for edit in edits if not is_root_list(edit.key))
        if isinstance(action, RollAppSettings) and kept and kept != edits:
            skips.append(Skip(f"root list of {action.site}", refused[0].reason, refused[0].detail, action.site))
            action = replace(action, edits=kept)
        steps.append(replace(step, action=action))
    return Plan(tuple(steps), tuple(skips))


def _takes_cover_away(step: Step, facts: CertificateFacts, snapshot: Snapshot) -> Skip | None:
    """Refuse a sync that would move a host name from a certificate that covers it to one that does not.

    A sync moves all bindings of the copy at once. Close to the old certificate's end it goes ahead all the same: the
    uncovered host name would be lost anyway, and the others must not be lost with it.
    """
    sync = step.action
    if not isinstance(sync, SyncCertificate):
        return None
    covered = sync.copy.host_names
    served = (binding.host_name for binding in snapshot.served_by(sync.copy))
    lost = uncovered(facts, tuple(host for host in served if not covered or covers(covered, host)))
    if not lost or ends_within(sync, snapshot, URGENT):
        return None
    detail = (
        f"the new version no longer covers {', '.join(lost)}, which this copy serves; a sync moves all; "
        "Azure itself will sync within 24 h: issue a version that covers them, or bind another certificate there first"
    )
    return Skip(sync.subject, Reason.NOT_COVERED, detail)


def ends_within(sync: SyncCertificate, snapshot: Snapshot, margin: timedelta) -> bool:
    """Say whether the certificate that the copy holds now ends within the margin."""
    return sync.copy.not_after is not None and sync.copy.not_after - snapshot.now < margin
