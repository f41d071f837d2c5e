"""Find every vault certificate that has work to do, and put it on its queue."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Self

from shared.controllers.certificate.admission import has_unrecorded
from shared.controllers.certificate.roots import has_unknown, note_wants, report_waves
from shared.controllers.sweep.references import report_references
from shared.domain.certificates.lineage import Lineage
from shared.domain.environments.record import EnvironmentRecord
from shared.domain.errors import AzureError, Denied, NotFound, Rejected
from shared.domain.findings import Finding
from shared.domain.fleet.fleet import Fleet
from shared.domain.intent import Mode
from shared.domain.messages import Cause, CertificateMessage
from shared.domain.names import ObjectKind, Thumbprint, VaultCertificateRef, VaultName
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import are_wanted
from shared.loop.backoff import LONGEST_PAUSE, until_open
from shared.loop.lineage import stalled_on_vault
from shared.loop.observe.fleet import observe_fleet
from shared.loop.observe.targets import Targets
from shared.loop.report import report_blind_spots, report_lineage, report_plan
from shared.loop.run import Run
from shared.planning import planner
from shared.planning.plan import Plan
from shared.telemetry import event

HOUR_SECONDS = 3600
"""How often the sweep begins with another vault certificate: as often as it runs."""


TURNS = 7
"""After how many hours the first to be read is about the same one again."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen once for all vault certificates: the fleet, and what the journal knows of environments."""

    fleet: Fleet
    environment_records: tuple[EnvironmentRecord, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What came of looking at one vault certificate."""

    lineage: Lineage | None = None
    busy: bool = False
    error: Exception | None = None


def sweep_certificates(run: Run) -> tuple[VaultCertificateRef, ...]:
    """Return the vault certificates that have work to do, after putting each on the queue.

    The fleet is observed once, whatever the number of lineages. A lineage that cannot be read does not hold up the
    others; what went wrong is raised at the end, as a group.
    """
    vaults, environment_records = run.intent.vaults, run.ports.environment_records.all()
    refs, errors = _in_vaults(run)
    refs |= _known_roots(run, environment_records)
    looks = dict(_reading(run, refs))
    fleet = _observed(run, vaults, Targets.of(look.lineage for look in looks.values() if look.lineage))
    report_blind_spots(run.ports.findings, "sweep", fleet)
    looks.update(_reading(run, _imported(fleet, vaults) - looks.keys()))
    ordered = sorted(looks)
    use = _Use.of(fleet, _opposed([look.lineage for look in looks.values() if look.lineage]))
    seen = Seen(fleet, environment_records)
    judged = list(run.pool.map(lambda ref: _judged(run, seen, use, ref, looks[ref]), ordered))
    busy = tuple(ref for ref, look in zip(ordered, judged, strict=True) if look.busy)
    report_references(run.ports.findings, fleet, [look.lineage for look in judged if look.lineage])
    event("sweep.completed", certificates=len(looks), enqueued=[str(ref) for ref in busy], sites=len(fleet.sites))
    if errors := [*errors, *(look.error for look in judged if look.error)]:
        raise ExceptionGroup("not every vault certificate could be looked at", errors)
    return busy


def _opposed(lineages: list[Lineage]) -> dict[VaultCertificateRef, VaultCertificateRef]:
    """Return the lineages that hold each other's current version as an older one: each would undo the other's work."""
    current: dict[Thumbprint, list[Lineage]] = {}
    for lineage in lineages:
        if lineage.current:
            current.setdefault(lineage.current.thumbprint, []).append(lineage)
    return {
        lineage.ref: rival.ref
        for lineage in lineages
        if lineage.current
        for version in lineage.versions
        if lineage.is_stale(version.thumbprint)
        for rival in current.get(version.thumbprint, ())
        if rival.is_stale(lineage.current.thumbprint)
    }


def _reading(run: Run, refs: Iterable[VaultCertificateRef]) -> Iterable[tuple[VaultCertificateRef, Look]]:
    """Read each, beginning with another one each hour: where time runs out, it is not always for the same ones."""
    ordered = sorted(refs)
    hours = int(run.now().timestamp() // HOUR_SECONDS)
    first = hours * max(len(ordered) // TURNS, 1) % len(ordered) if ordered else 0
    turned = ordered[first:] + ordered[:first]
    return zip(turned, run.pool.map(partial(_read, run), turned), strict=True)


def _imported(fleet: Fleet, vaults: frozenset[VaultName]) -> set[VaultCertificateRef]:
    return {copy.source for copy in fleet.certificates if copy.source and copy.source.vault in vaults}


def _in_vaults(run: Run) -> tuple[set[VaultCertificateRef], list[Exception]]:
    """Return every certificate of the vaults and every secret that holds one; and which vaults did not answer.

    Only its versions tell whether an upload is one of them, and only all of them which tags it has inherited. A vault
    that cannot be listed does not hold up the others.
    """
    lists = [(vault, names) for vault in sorted(run.intent.vaults) for names in _listings(run)]
    answers = list(run.pool.map(lambda listing: _listed(run, *listing), lists))
    found = {ref for answer in answers if not isinstance(answer, Exception) for ref in answer}
    return found, [answer for answer in answers if isinstance(answer, Exception)]


def _known_roots(run: Run, environment_records: tuple[EnvironmentRecord, ...]) -> set[VaultCertificateRef]:
    """Return the vault objects that are roots of environments, also where their newest version has lost its tags."""
    wants = [want.ref.partition("/") for record in environment_records for want in record.lasting(run.now())]
    return {
        VaultCertificateRef.parse(vault, ObjectKind.SECRET, name)
        for vault, _, name in wants
        if vault in run.intent.vaults
    }


def _listings(run: Run) -> tuple[Callable[[VaultName], tuple[VaultCertificateRef, ...]], ...]:
    return run.ports.vault.names, run.ports.vault.secret_names


def _listed(
    run: Run, vault: VaultName, names: Callable[[VaultName], tuple[VaultCertificateRef, ...]]
) -> tuple[VaultCertificateRef, ...] | AzureError:
    """Return what a vault lists: nothing where it refuses, which is reported; or that it does not answer."""
    try:
        return names(vault)
    except (Denied, NotFound, Rejected) as error:
        run.ports.findings.report((Finding(run.now(), "sweep", f"vault {vault}", Reason.VAULT_DENIED, str(error)),))
        return ()
    except AzureError as error:
        run.ports.findings.report(
            (Finding(run.now(), "sweep", f"vault {vault}", Reason.VAULT_UNREACHABLE, str(error)),)
        )
        return error


@dataclass(frozen=True, slots=True)
class _Use:
    """What App Service has, or is asked for, of all vaults: most vault certificates are for other services."""

    refs: frozenset[VaultCertificateRef]
    thumbprints: frozenset[Thumbprint | None]
    opposed: Mapping[VaultCertificateRef, VaultCertificateRef]

    @classmethod
    def of(cls, fleet: Fleet, opposed: Mapping[VaultCertificateRef, VaultCertificateRef]) -> Self:
        """Return what the fleet has, and what is asked for in opposite ways."""
        led = {reference.ref for settings in fleet.settings for reference in settings.vault_references}
        named = {thumbprint for settings in fleet.settings for thumbprint in settings.named}
        bound = {binding.thumbprint for binding in fleet.bindings if binding.thumbprint}
        held = {copy.thumbprint for copy in fleet.certificates if copy.thumbprint}
        return cls(
            frozenset(led | {copy.source for copy in fleet.certificates if copy.source}),
            frozenset(named | bound | held),
            opposed,
        )

    def has(self, lineage: Lineage) -> bool:
        """Return True if the lineage is there in any way, or a tag asks for it."""
        there = lineage.ref in self.refs or any(v.thumbprint in self.thumbprints for v in lineage.versions)
        unread = lineage.unread > 0  # then an upload may be a version of it, and nobody knows
        return are_wanted(lineage.tags) or there or unread


def _observed(run: Run, vaults: frozenset[VaultName], targets: Targets) -> Fleet:
    try:
        return observe_fleet(
            run.ports,
            run.pool,
            run.intent.subscriptions,
            lambda copy: copy.thumbprint is not None if copy.source is None else copy.source.vault in vaults,
            lambda ref: ref.vault in vaults,
            run.now(),
            targets,
        )
    except Denied as error:
        run.ports.findings.report((Finding(run.now(), "sweep", "subscriptions", Reason.DENIED_BY_AZURE, str(error)),))
        raise


def _read(run: Run, ref: VaultCertificateRef) -> Look:
    """Return the lineage; or what went wrong with it, which is reported or raised later."""
    try:
        run.check_time()
        return Look(run.ports.vault.lineage(ref, run.now()))
    except (Denied, NotFound, Rejected) as error:
        stalled_on_vault(run, ref, error)
        return Look()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one lineage, the others are looked at; raised above
        return Look(error=error)


def _judged(run: Run, seen: Seen, use: _Use, ref: VaultCertificateRef, look: Look) -> Look:
    """Put the certificate on the queue if it has work, and say so. Bringing old values back needs no vault."""
    if look.error is not None:
        return look
    try:
        if ref in use.opposed and look.lineage is not None:
            return _left_alone(run, seen, look.lineage, use.opposed[ref])
        if look.lineage is None:
            busy = bool(run.ports.rollouts.rollout(ref, "").unfinished(seen.fleet.taken_at))
        else:
            busy = use.has(look.lineage) and _has_work(run, _planned(run, seen, look.lineage))
        if busy:
            run.ports.queue.send_certificate(CertificateMessage(ref, Cause.SWEEP))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one lineage, the others are looked at; raised above
        return Look(look.lineage, error=error)
    return Look(look.lineage, busy)


def _left_alone(run: Run, seen: Seen, lineage: Lineage, other: VaultCertificateRef) -> Look:
    """Report what would be done, and why nothing is."""
    ref = lineage.ref
    _has_work(run, _planned(run, seen, lineage))
    detail = (
        f"{ref} and {other} hold the same certificates in opposite order, and each would take the other's choice for "
        "stale; nothing of either is moved: delete one of them, or put a new version on top"
    )
    run.ports.findings.report((Finding(run.now(), str(ref), str(ref), Reason.AMBIGUOUS_LINEAGE, detail),))
    return Look(lineage)


@dataclass(frozen=True, slots=True)
class Planned:
    """One vault certificate in the fleet, and what is to be done for it."""

    snapshot: Snapshot
    plan: Plan


def _planned(run: Run, seen: Seen, lineage: Lineage) -> Planned:
    """Plan for one vault certificate, and report the plan."""
    fleet = seen.fleet
    report_lineage(run.ports.findings, lineage, fleet.taken_at)
    if lineage.current is None and lineage.refusal is not None:
        finding = Finding(fleet.taken_at, str(lineage.ref), str(lineage.ref), *lineage.refusal)
        run.ports.findings.report((finding,))
    version = lineage.current.version if lineage.current else ""
    rollout = run.ports.rollouts.rollout(lineage.ref, version) if lineage.current else Rollout(version)
    snapshot = Snapshot(lineage, fleet, rollout, environment_records=seen.environment_records)
    plan = planner.plan(snapshot, run.intent)
    report_plan(run.ports.findings, plan, snapshot)
    report_waves(snapshot, plan, run.intent)
    return Planned(snapshot, plan)


def _has_work(run: Run, planned: Planned) -> bool:
    """Return True if a message for the certificate would change something, or finish what was begun."""
    snapshot, plan, rollout = planned.snapshot, planned.plan, planned.snapshot.rollout
    outstanding = rollout.pending or rollout.failed or rollout.rolling or rollout.unfinished(snapshot.now)
    more = has_unrecorded(snapshot, plan, run.intent) or _opens_soon(run, plan)
    return bool(plan.steps or outstanding or more or _has_root_to_tell(run, snapshot))


def _has_root_to_tell(run: Run, snapshot: Snapshot) -> bool:
    """Return True if the vault object is a root that is there and that the journal does not know.

    On the way, write down of which environments the vault object is a root.
    """
    if run.intent.mode is not Mode.APPLY:
        return False
    note_wants(run, snapshot)
    return has_unknown(snapshot)


def _opens_soon(run: Run, plan: Plan) -> bool:
    """Return True if something waits for a restart window that a later sweep might miss."""
    closed = any(skip.reason is Reason.OUTSIDE_WINDOW for skip in plan.skips)
    return closed and until_open(run) - run.now() <= LONGEST_PAUSE
