"""Request free managed certificates from Azure where a tag asks for them, bind them, and watch their renewal by Azure.

Azure renews a managed certificate 45 days before it expires, if the host name still meets Azure's prerequisites. Azure
does not return the thumbprint and the dates of a managed certificate, so Certroll reads the dates from a TLS handshake
(Azure docs, "Add and manage TLS/SSL certificates").

```text
inspect ──▶ prerequisites ──▶ PUT (recorded before and after) ──202──▶ poll ──▶ bind, no thumbprint ──▶ handshake
```
"""

from shared.controllers.managed.inspection import SCOPE, Attempt
from shared.controllers.managed.issuing import provide
from shared.controllers.managed.view import observe_managed
from shared.controllers.managed.watching import watch
from shared.controllers.managed.work import Work
from shared.domain.findings import Finding
from shared.domain.managed.issuance import HostInspection, Violation
from shared.domain.reason import Reason
from shared.loop.report import report_blind_spots, report_tags
from shared.loop.run import Run
from shared.planning.closing import unseen_by_sweep
from shared.planning.fleet_notices import tagged_sites
from shared.telemetry import event

UNSEEN = frozenset(
    {
        Reason.BUSY,
        Reason.OUT_OF_TIME,
        Reason.UNREACHABLE,
        Reason.FROZEN,
        Reason.DNS_NOT_SEEN,
        Reason.INCOMPLETE_VIEW,
        Reason.UNANSWERED,
    }
)
"""The results of an inspection that has not seen all that matters: the certificate of a host name, what Azure answers
now, or what DNS says."""


def look_after_managed(run: Run) -> tuple[HostInspection, ...]:
    """Inspect each host name that has or should get a managed certificate, and return a result for each host name.

    Certroll reports a finding for each host name whose result needs an operator. If Certroll fails with one host name,
    Certroll still inspects the other host names. This function raises unexpected errors of all host names together at
    the end. Certroll requests and binds managed certificates only in the mode `apply`.
    """
    began = run.now()
    view = observe_managed(run)
    report_blind_spots(run.ports.findings, SCOPE, view.fleet)
    slots = tagged_sites(site for site in view.fleet.sites if site.ref.slot)  # the sweep has read all sites
    report_tags(run.ports.findings, SCOPE, slots, run.now())
    work = Work.of(run, view)
    tried = (*watch(work), *provide(work))
    inspections = tuple(attempt.inspection for attempt in tried)
    _report(run, inspections)
    unseen = {attempt.inspection.subject for attempt in tried if _is_blind(attempt)}
    is_gone = unseen_by_sweep(view.fleet, began)
    run.ports.findings.close(SCOPE, run.now(), lambda found: found.subject not in unseen and is_gone(found))
    if errors := [attempt.error for attempt in tried if attempt.error]:
        raise ExceptionGroup("Certroll could not inspect every managed certificate", errors)
    return inspections


def _is_blind(attempt: Attempt) -> bool:
    """Return True if the inspection of a host name has not seen all that matters, so that it closes no finding."""
    inspection = attempt.inspection
    found = (inspection.reason, *(violation.reason for violation in inspection.also))
    return attempt.is_refused or not UNSEEN.isdisjoint(found)


def _report(run: Run, inspections: tuple[HostInspection, ...]) -> None:
    """Log the results of all host names, and record the results that need an operator as findings."""
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
