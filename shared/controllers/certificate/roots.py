"""The part of a vault object's run that is about root certificates of App Service Environments.

Stopping and starting apps for them is done by a run of its own, see shared/controllers/environment/controller.py.
"""

from functools import partial

from shared.domain.environments.record import AppRestartState, EnvironmentRecord
from shared.domain.findings import Finding
from shared.domain.intent import Intent, Mode
from shared.domain.messages import EnvironmentMessage
from shared.domain.names import EnvironmentRef, RootRef, Thumbprint
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.loop.perform import Performed, perform_each
from shared.loop.report import report_skips
from shared.loop.run import Run
from shared.planning.acting.about_root import environments_asked, has_root
from shared.planning.acting.own_names import own_name
from shared.planning.acting.subjects import root_subject
from shared.planning.environment_plan import apps_of, each_takes, waves_of
from shared.planning.plan import Phase, Plan
from shared.ports.storage import Lease
from shared.telemetry import event


def carry_roots(run: Run, lease: Lease, snapshot: Snapshot, plan: Plan) -> Performed:
    """Put and delete roots as the plan says, and send the environments whose apps have to be stopped and started.

    Return what Azure refused or did not answer.
    """
    steps = tuple(step for step in plan.steps if step.action.phase is Phase.ROOT)
    performed = perform_each(run, lease, snapshot.lineage.ref, steps)
    report_skips(run.ports.findings, snapshot.lineage.ref, performed.refused, run.now())
    if run.intent.mode is Mode.APPLY:
        note_wants(run, snapshot)
        for known in _environment_records(snapshot):
            _send_environment(run, snapshot, known.environment)
    return performed


def note_wants(run: Run, snapshot: Snapshot) -> None:
    """Write down of which environments the vault object is a root: no other one's run may delete it there."""
    current = snapshot.lineage.current
    if current is None:
        return
    wanting = partial(
        EnvironmentRecord.wanting, ref=str(snapshot.lineage.ref), thumbprint=current.thumbprint, at=run.now()
    )
    for known in _environment_records(snapshot):
        if wanting(known) != known:
            run.ports.environment_records.change(known.environment, wanting)


def has_unknown(snapshot: Snapshot) -> bool:
    """Say whether the current version is a root of an environment and the journal does not know of it."""
    return any(_unknown(snapshot, record) for record in _environment_records(snapshot))


def _environment_records(snapshot: Snapshot) -> tuple[EnvironmentRecord, ...]:
    """Return what the journal knew of each environment that the vault object is to be a root of."""
    environments, _ = environments_asked(snapshot)
    return tuple(snapshot.environment_record_of(environment.ref) for environment in environments)


def _unknown(snapshot: Snapshot, record: EnvironmentRecord) -> Thumbprint | None:
    """Return the current version where it is a root of the environment that the journal does not know of."""
    current = snapshot.lineage.current
    if current is None or record.root(current.thumbprint):
        return None
    return current.thumbprint if has_root(snapshot, record.environment, current.thumbprint) else None


def report_waves(snapshot: Snapshot, plan: Plan, intent: Intent) -> None:
    """Log, for every environment that is to get a root, in which waves its apps will be, or would be, cycled.

    `seconds` is what all of them are expected to take; without a limit the apps are named that people have to see to.
    """
    for ref in _to_get_one(snapshot, plan):
        apps = apps_of(snapshot.fleet, ref, intent, snapshot.now)
        pending = [app.site for app in apps if app.state is AppRestartState.PENDING]
        excluded = [
            {"site": str(app.site), "detail": app.detail} for app in apps if app.state is AppRestartState.EXCLUDED
        ]
        waves = waves_of(apps, intent)
        event(
            "waves.planned",
            environment=str(ref),
            certificate=str(snapshot.lineage.ref),
            waves=[[str(site) for site in wave] for wave in waves.waves] if waves else [],
            seconds=waves.takes(each_takes(snapshot.fleet, pending, intent)).total_seconds() if waves else None,
            by_hand=[] if waves else [str(site) for site in pending],
            last_of_group=[{"site": str(site), "group": group} for site, group in waves.excluded] if waves else [],
            excluded=excluded,
        )


def _to_get_one(snapshot: Snapshot, plan: Plan) -> tuple[EnvironmentRef, ...]:
    """Return the environments into which the plan puts a root, or would if it were carried out."""
    current = snapshot.lineage.current
    if current is None:
        return ()
    going = {step.subject for step in plan.steps}
    going |= {skip.subject for skip in plan.skips if skip.reason is Reason.OBSERVE_ONLY}
    name = own_name(snapshot.lineage.ref, current.thumbprint)
    environments, _ = environments_asked(snapshot)
    return tuple(
        environment.ref for environment in environments if root_subject(RootRef(environment.ref, name)) in going
    )


def _send_environment(run: Run, snapshot: Snapshot, environment: EnvironmentRef) -> None:
    """Send the message where apps wait for it; of a root that Certroll found there already, tell people once."""
    record = run.ports.environment_records.of(environment)
    if record.is_open:
        run.ports.queue.send_environment(EnvironmentMessage(environment))
    if (found := _unknown(snapshot, record)) is None:
        return
    route = f"POST /api/environments/{environment}/stop-start"
    detail = (
        f"{found} was there already, and which apps were stopped and started since is not known. Those "
        f"that were not do not trust it; {route} has all of them stopped and started"
    )
    finding = Finding(run.now(), str(environment), f"environment {environment}", Reason.ROOT_WAS_THERE, detail)
    run.ports.findings.report((finding,))  # before it is known: who dies in between tells it twice, and not never
    run.ports.environment_records.change(environment, lambda known: known.knowing(found, run.now()))
