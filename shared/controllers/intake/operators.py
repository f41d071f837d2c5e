"""Handle the HTTP requests of operators."""

from contextlib import suppress
from datetime import datetime

from shared.controllers.environment.controller import record_stop_start_by_hand
from shared.domain.certificates.lineage import Lineage
from shared.domain.despite_storage import despite_storage
from shared.domain.errors import Conflict, LeaseBusy, NotFound
from shared.domain.findings import HistoryEntry
from shared.domain.letter_case import lower_case
from shared.domain.messages import Cause, CertificateMessage, EnvironmentMessage
from shared.domain.names import EnvironmentRef, InvalidNameError, SiteRef, VaultCertificateRef
from shared.domain.reason import Reason
from shared.domain.rollout.release import released
from shared.domain.rollout.same_certificate import with_holds
from shared.domain.rollout.site_record import SiteRecord
from shared.loop.run import Run
from shared.ports.journal import Rollouts, SettingsRolls
from shared.telemetry import event


def let_go(
    rollouts: Rollouts, rolls: SettingsRolls, lineage: Lineage, version: str, now: datetime
) -> tuple[SiteRef, ...]:
    """Forget the failures that stop the rollout of the current version, and return the failed sites.

    After an operator has released the version, Certroll tries the failed sites again.

    If another run has just written the journal record of a failed site, this function leaves that record unchanged.
    Raises Conflict while Certroll restores the last good settings of an app, and if other runs have just recorded every
    app whose failure this function would forget.
    """
    ref = lineage.ref
    release = released(with_holds(rollouts.rollout(ref, version), lineage), now)
    forgotten = tuple(roll for roll in release.rolls if rolls.forget(ref, roll))
    sites = release.sites(forgotten)

    def forget(record: SiteRecord) -> None:
        with suppress(Conflict):
            rollouts.record_site(ref, record)

    despite_storage(release.records, forget)
    return sites


def request_stop_start(run: Run, group: str, name: str, full_id: str = "") -> str:
    """Request a stop and start of the apps of an App Service Environment, and return the environment's resource id.

    Raises NotFound if the journal has no environment of that name, and Conflict if it has several.
    """
    environment = _known_environment(run, group, name, full_id)
    run.ports.environment_records.change(environment, lambda known: known.requested(run.now()))
    event("stop_start.requested", environment=str(environment))
    run.ports.queue.send_environment(EnvironmentMessage(environment))
    return environment.resource_id


def confirm_stop_start(run: Run, group: str, name: str, full_id: str = "") -> str:
    """Record that operators stopped and started the apps of an environment, and return the environment's resource id.

    Raises NotFound if the journal has no environment of that name. Raises Conflict if it has several, and while
    Certroll stops apps of the environment.
    """
    environment = _known_environment(run, group, name, full_id)
    try:
        record_stop_start_by_hand(run, environment)
    except LeaseBusy as busy:
        raise Conflict(f"{busy}; try again after the wave of the environment") from busy
    return environment.resource_id


def _known_environment(run: Run, group: str, name: str, full_id: str) -> EnvironmentRef:
    """Return the only environment of the name, or of the full resource id where two subscriptions have the name."""
    wanted, own = (lower_case(group.strip()), lower_case(name.strip())), lower_case(full_id.strip().rstrip("/"))
    known = [record.environment for record in run.ports.environment_records.all()]
    named = [environment for environment in known if (environment.resource_group, environment.name) == wanted]
    found = [environment for environment in named if own in {"", lower_case(environment.resource_id)}]
    if not found:
        which = f"{group[:90]}/{name[:60]}" + (f" with the id {full_id[:200]}" if own else "")
        raise NotFound(f"no App Service Environment {which} is known: no vault object is a root of it")
    if len(found) > 1:
        ids = " and ".join(sorted(environment.resource_id for environment in found))
        raise Conflict(f"the name is not unique: {ids}; repeat the request with ?id= and one of these resource ids")
    return found[0]


def release(run: Run, vault: str, name: str) -> str:
    """Let the rollout of the current version continue after a failure, and return the sites that failed.

    Raises NotFound if no failure stops the rollout of the version. Raises Conflict while Certroll restores the last
    good settings of an app, or if another run has just recorded every failed site.
    """
    try:
        ref = VaultCertificateRef.parse(vault, "certificate", name)
    except InvalidNameError as error:
        raise NotFound(str(error)) from error
    if ref.vault not in run.intent.vaults:
        raise NotFound(f"vault {ref.vault!r} is not among CERTROLL_VAULTS")
    lineage = run.ports.vault.lineage(ref, run.now())
    rollouts, rolls, current = run.ports.rollouts, run.ports.settings_rolls, lineage.current
    sites = let_go(rollouts, rolls, lineage, current.version, run.now()) if current else ()
    if current is None or not sites:
        raise NotFound(f"no version of {ref} is on hold")
    where = ", ".join(sorted(map(str, sites)))
    entry = HistoryEntry(run.now(), "hold.released", str(ref), Reason.HOLD_RELEASED, where[:1000])
    run.ports.history.add(ref, (entry,))
    event("hold.released", certificate=str(ref), version=current.version, sites=sorted(map(str, sites)))
    run.ports.queue.send_certificate(CertificateMessage(ref, Cause.MANUAL))
    return where
