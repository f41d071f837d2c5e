"""Put and delete root certificates of App Service Environments, as a part of the run for one vault object.

A run of the environment stops and starts the apps for a new root (shared/controllers/environment/controller.py).
"""

from contextlib import suppress
from functools import partial

from shared.domain.despite_storage import despite_storage
from shared.domain.environments.record import AppRestartState, EnvironmentRecord
from shared.domain.errors import RecordUnreadable
from shared.domain.findings import Finding, SeenBy
from shared.domain.intent import Intent, Mode
from shared.domain.messages import EnvironmentMessage
from shared.domain.names import EnvironmentRef, RootRef, Thumbprint
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.subject import environment_subject
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
    """Put and delete the root certificates of the plan, and return the steps that Azure refused or did not answer.

    In the mode `apply`, Certroll also records where the vault object is wanted as a root. Certroll sends a message to
    each environment whose apps need a stop and a start, unless CERTROLL_SCOPE excludes the vault object.
    """
    steps = tuple(step for step in plan.steps if step.action.phase is Phase.ROOT)
    performed = perform_each(run, lease, snapshot.lineage.ref, steps)
    report_skips(run.ports.findings, snapshot.lineage.ref, performed.refused, run.now())
    if run.intent.mode is Mode.APPLY:
        note_wants(run, snapshot)
    if run.intent.barrier(snapshot.lineage.tags, str(snapshot.lineage.ref)) is None:
        despite_storage(_environment_records(snapshot), partial(_send_environment, run, snapshot))
    return performed


def note_wants(run: Run, snapshot: Snapshot) -> None:
    """Record the environments in which the tags of the vault object ask for it as a root certificate.

    The journal names the environments, so that a run for another vault object does not delete the root from them.
    """
    current = snapshot.lineage.current
    if current is None:
        return
    wanting = partial(
        EnvironmentRecord.wanting, ref=str(snapshot.lineage.ref), thumbprint=current.thumbprint, at=run.now()
    )

    def note(known: EnvironmentRecord) -> None:
        with suppress(RecordUnreadable):  # which is a finding
            run.ports.environment_records.change(known.environment, wanting)

    despite_storage((known for known in _environment_records(snapshot) if wanting(known) != known), note)


def has_unknown(snapshot: Snapshot) -> bool:
    """Return True if an environment holds the current version as a root that Certroll's journal does not list."""
    return any(_unknown(snapshot, record) for record in _environment_records(snapshot))


def _environment_records(snapshot: Snapshot) -> tuple[EnvironmentRecord, ...]:
    """Return the journal's record of each environment in which tags ask for the vault object as a root certificate."""
    environments, _ = environments_asked(snapshot)
    return tuple(snapshot.environment_record_of(environment.ref) for environment in environments)


def _unknown(snapshot: Snapshot, record: EnvironmentRecord) -> Thumbprint | None:
    """Return the current thumbprint if the environment holds this root but Certroll's journal does not list it."""
    current = snapshot.lineage.current
    if current is None or record.root(current.thumbprint):
        return None
    return current.thumbprint if has_root(snapshot, record.environment, current.thumbprint) else None


def report_waves(snapshot: Snapshot, plan: Plan, intent: Intent) -> None:
    """Log the groups of apps that Certroll will or would stop and start together for a new root certificate.

    A wave is a group of apps that Certroll stops and starts together.

    `seconds` is the expected duration of all waves of apps together. If CERTROLL_ASE_MAX_UNAVAILABLE is not set, the
    log line names the apps that operators have to stop and start by hand.
    """
    for ref in _to_get_root(snapshot, plan):
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
            apps=[
                {"site": str(site), "wave": number}
                for number, wave in enumerate(waves.waves if waves else (), 1)
                for site in wave
            ],
            seconds=waves.takes(each_takes(snapshot.fleet, pending, intent)).total_seconds() if waves else None,
            by_hand=[] if waves else [str(site) for site in pending],
            last_of_group=[{"site": str(site), "group": group} for site, group in waves.excluded] if waves else [],
            excluded=excluded,
        )


def _to_get_root(snapshot: Snapshot, plan: Plan) -> tuple[EnvironmentRef, ...]:
    """Return the environments that get a root certificate by the plan, or would get it later or with other settings."""
    current = snapshot.lineage.current
    if current is None:
        return ()
    going = {step.subject for step in plan.steps}
    going |= {would.step.subject for would in plan.would}
    going |= {skip.subject for skip in plan.skips if skip.reason is Reason.FROZEN}
    name = own_name(snapshot.lineage.ref, current.thumbprint)
    environments, _ = environments_asked(snapshot)
    return tuple(
        environment.ref for environment in environments if root_subject(RootRef(environment.ref, name)) in going
    )


def _send_environment(run: Run, snapshot: Snapshot, known: EnvironmentRecord) -> None:
    """Send a message to an environment with apps that wait for a stop and a start.

    If an App Service Environment holds a root certificate that Certroll did not add, this function reports the root
    once. An unreadable record of an environment is a finding, and the environment is left alone.
    """
    environment = known.environment
    with suppress(RecordUnreadable):
        _send_open(run, snapshot, environment, run.ports.environment_records.of(environment))


def _send_open(run: Run, snapshot: Snapshot, environment: EnvironmentRef, record: EnvironmentRecord) -> None:
    if record.is_open:
        run.ports.queue.send_environment(EnvironmentMessage(environment))
    if (found := _unknown(snapshot, record)) is None:
        return
    route = f"POST /api/environments/{environment}/stop-start?id={environment.resource_id}"
    detail = (
        f"{found} was there already, and Certroll does not know which apps were stopped and started since. All other "
        f"apps do not trust it; {route} has all apps stopped and started"
    )
    subject, scope = environment_subject(environment), environment.resource_id
    finding = Finding(run.now(), scope, subject, Reason.ROOT_WAS_THERE, detail, SeenBy.ROOT)
    # Certroll reports the root before it writes the root into the journal, so a crash between them causes a second
    # report
    run.ports.findings.report((finding,))
    run.ports.environment_records.change(environment, lambda known: known.knowing(found, run.now()))
