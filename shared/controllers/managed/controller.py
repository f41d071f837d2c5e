"""Free managed certificates: asked for where a tag says so, bound, proven, and watch while they last.

Azure renews them by itself, 45 days before their end and while their prerequisites hold, and hides their thumbprint and
dates: what is served is all there is to see (Azure docs, "Add and manage TLS/SSL certificates").

    look ──▶ prerequisites ──▶ PUT (recorded before and after) ──202──▶ poll ──▶ bind without a thumbprint ──▶ handshake
"""

from shared.controllers.managed.inspection import SCOPE
from shared.controllers.managed.issuing import provide
from shared.controllers.managed.view import observe_managed
from shared.controllers.managed.watching import watch
from shared.controllers.managed.work import Work
from shared.domain.findings import Finding
from shared.domain.managed.prerequisites import HostInspection, Violation
from shared.loop.report import report_blind_spots
from shared.loop.run import Run
from shared.telemetry import event


def look_after_managed(run: Run) -> tuple[HostInspection, ...]:
    """Return what came of every host name that has a managed certificate, or is to have one.

    What needs a person is a finding. One host name does not hold up the others; what went wrong beside the refusals is
    raised at the end, as a group. Nothing is written unless the mode is apply.
    """
    view = observe_managed(run)
    report_blind_spots(run.ports.findings, SCOPE, view.fleet)
    work = Work.of(run, view)
    tried = (*watch(work), *provide(work))
    inspections = tuple(attempt.inspection for attempt in tried)
    _report(run, inspections)
    if errors := [attempt.error for attempt in tried if attempt.error]:
        raise ExceptionGroup("managed certificates could not all be looked at", errors)
    return inspections


def _report(run: Run, inspections: tuple[HostInspection, ...]) -> None:
    event(
        "managed.inspected",
        hosts=[{"subject": inspection.subject, "reason": inspection.reason} for inspection in inspections],
    )
    findings = tuple(
        Finding(run.now(), SCOPE, inspection.subject, violation.reason, violation.detail)
        for inspection in inspections
        for violation in (Violation(inspection.reason, inspection.detail), *inspection.also)
        if violation.reason.makes_finding and not inspection.left_alone
    )
    if findings:
        run.ports.findings.report(findings)
