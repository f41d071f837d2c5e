"""Check the fleet against the compliance rules once a day, in as many runs as it takes, and write the report."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.compliance.engine import judge
from shared.compliance.facts import Facts
from shared.compliance.inventory import csv_of
from shared.compliance.page import page_of
from shared.compliance.report import Json, changes, compile_report, parse_report, text_of
from shared.compliance.rules import RULES
from shared.controllers.compliance.fleet_facts import look
from shared.domain.errors import LeaseBusy
from shared.domain.messages import COMPLIANCE, SweepMessage
from shared.loop.run import Run
from shared.telemetry import event
from shared.version import VERSION

BUSY_PAUSE = timedelta(minutes=1)
"""How long a message waits while another run checks the fleet."""
LONGEST = timedelta(hours=6)
"""How long the runs of one compliance sweep read on. Then the report says what is not checked."""
MOST_TOLD = 100
"""How many new and closed findings the log names, each. The counts name the number of all."""


def begin_compliance(run: Run) -> None:
    """Send the message that begins a compliance sweep."""
    event("compliance.started")
    run.ports.queue.send_sweep(SweepMessage(COMPLIANCE, run.now()))


def check_compliance(run: Run, message: SweepMessage) -> None:
    """Read the facts that are due, and write the report, or let another run go on if the time was over.

    Raise an error of Azure if Azure does not answer for the fleet.
    """
    began = message.sweep or run.now()
    try:
        with run.ports.leases.hold("compliance"):
            found = look(run)
            if found.left and run.now() - began < LONGEST:
                event("compliance.goes_on", left=found.left)
                run.ports.queue.send_sweep(SweepMessage(COMPLIANCE, began))
                return
            _report(run, began, found.facts)
    except LeaseBusy:
        run.ports.queue.send_sweep(message, BUSY_PAUSE)


def _report(run: Run, began: datetime, facts: Facts) -> None:
    """Judge the facts, store the report, and log what changed since the report before."""
    stored = run.ports.reports.latest()
    before = None if stored is None else parse_report(stored)
    if stored is not None and before is None:
        event("compliance.report_unread")
    results = judge(facts, RULES, run.intent.no_waive)
    report = compile_report(facts, results, RULES, before, VERSION)
    run.ports.reports.put(run.now(), _files(report))
    _tell(run, began, report, before)


def _files(report: Json) -> Mapping[str, bytes]:
    return {
        "report.json": text_of(report).encode(),
        "report.html": page_of(report).encode(),
        "inventory.csv": csv_of(report["certificates"]).encode(),
    }


def _tell(run: Run, began: datetime, report: Json, before: Mapping[str, Any] | None) -> None:
    opened, closed = changes(report, before)
    for found in opened[:MOST_TOLD]:
        event(
            "compliance.opened",
            rule=found["rule"],
            title=found["name"],
            severity=found["severity"],
            subject=found["label"],
            detail=found["detail"],
        )
    for found in closed[:MOST_TOLD]:
        event(
            "compliance.closed",
            rule=found["rule"],
            title=found["name"],
            severity=found["severity"],
            subject=found["label"],
            detail=found["detail"],
        )
    event(
        "compliance.completed",
        began=began,
        seconds=round((run.now() - began).total_seconds()),
        opened=len(opened),
        closed=len(closed),
        not_checked=len(report["not_checked"]),
        hidden=len(report["hidden"]),
        failing=report["counts"]["by_severity"],
    )
