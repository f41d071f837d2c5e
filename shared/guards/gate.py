"""The use half of the gate: is the new version good for this copy, and for this binding?

The version half, which judges a version by itself, is in shared/domain/lineage.py.
"""

from datetime import timedelta

from shared.actions.keep_superseded import KeepSuperseded
from shared.actions.restore_app_settings import RestoreAppSettings
from shared.actions.sync_certificate import SyncCertificate
from shared.actions.update_binding import UpdateBinding
from shared.actions.upload_certificate import UploadCertificate
from shared.domain.lineage import PKCS12
from shared.domain.model import CertificateFacts, KeyPolicy, KeyType
from shared.domain.names import covers
from shared.domain.plan import Intent, Plan, Skip, Step
from shared.domain.reason import Reason
from shared.domain.rollout import URGENT
from shared.domain.snapshot import Snapshot

SMALLEST_RSA_KEY = 2048


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse what the current version is not good for; what it is good for is not held back by it."""
    lineage = snapshot.lineage
    if lineage.current is None or lineage.current.facts is None:
        return plan
    facts = lineage.current.facts

    def refusal(step: Step) -> Skip | None:
        if isinstance(step.action, KeepSuperseded | RestoreAppSettings):  # they are about an older version
            return None
        return _unusable(step, lineage.key) or _weak_key(step, facts) or _uncovered(step, facts, snapshot)

    return plan.refuse(refusal)


def _unusable(step: Step, key: KeyPolicy) -> Skip | None:
    if not isinstance(step.action, SyncCertificate | UploadCertificate):
        return None
    if not key.exportable:
        detail = "its key is not exportable, so App Service cannot have it: issue a version with an exportable key"
        return Skip(step.subject, Reason.KEY_NOT_EXPORTABLE, detail, step.action.site)
    if key.content_type != PKCS12 and isinstance(step.action, SyncCertificate):
        detail = f"its content type is {key.content_type[:60]!r}; App Service imports {PKCS12} only"
        return Skip(step.subject, Reason.NOT_PKCS12, detail, step.action.site)
    return None


def _weak_key(step: Step, facts: CertificateFacts) -> Skip | None:
    if facts.key_type is not KeyType.RSA and isinstance(step.action, SyncCertificate):
        detail = f"its key is {facts.key_type}; App Service imports RSA keys only from a vault"
        return Skip(step.subject, Reason.KEY_NOT_IMPORTABLE, detail, step.action.site)
    if facts.key_type is KeyType.RSA and facts.key_size < SMALLEST_RSA_KEY:
        detail = f"its RSA key has {facts.key_size} bits; at least {SMALLEST_RSA_KEY} are needed"
        return Skip(step.subject, Reason.KEY_TOO_SMALL, detail, step.action.site)
    return None


def _uncovered(step: Step, facts: CertificateFacts, snapshot: Snapshot) -> Skip | None:
    match step.action:
        case UpdateBinding(binding=binding) if not covers(facts.host_names, binding.host_name):
            detail = (
                f"the new version does not cover {binding.host_name}: issue one that does, or bind another certificate"
            )
            return Skip(step.subject, Reason.NOT_COVERED, detail, binding.site)
        case SyncCertificate() as sync:
            return _takes_cover_away(sync, facts, snapshot)
    return None


def _takes_cover_away(sync: SyncCertificate, facts: CertificateFacts, snapshot: Snapshot) -> Skip | None:
    """Refuse a sync that would move a host name from a certificate that covers it to one that does not.

    A sync moves all bindings of the copy at once. Close to the old certificate's end it goes ahead all the same: the
    uncovered host name would be lost anyway, and the others must not be lost with it.
    """
    lost = [
        binding.host_name
        for binding in snapshot.served_by(sync.copy)
        if not covers(facts.host_names, binding.host_name)
        and (not sync.copy.host_names or covers(sync.copy.host_names, binding.host_name))
    ]
    if not lost or ends_within(sync, snapshot, URGENT):
        return None
    detail = (
        f"the new version no longer covers {', '.join(sorted(set(lost)))}, which this copy serves; a sync moves all; "
        "Azure itself will sync within 24 h: issue a version that covers them, or bind another certificate there first"
    )
    return Skip(sync.subject, Reason.NOT_COVERED, detail)


def ends_within(sync: SyncCertificate, snapshot: Snapshot, margin: timedelta) -> bool:
    """Say whether the certificate that the copy holds now ends within the margin."""
    return sync.copy.not_after is not None and sync.copy.not_after - snapshot.now < margin
