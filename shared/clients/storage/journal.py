"""Build the Table storage client behind each port (interface) of the journal, Certroll's state in tables.

Table storage forbids slashes, backslashes, `#` and `?` in a key, so Certroll uses hashes as keys. A row of the journal
contains names, thumbprints and reasons, and never a private key or a password.
"""

from functools import partial
from typing import TypedDict

from shared.clients.storage.dead_letters import TableDeadLetters
from shared.clients.storage.edge import record_of
from shared.clients.storage.environments import TableAppRestarts, TableEnvironmentRecords, TablePendingStarts
from shared.clients.storage.findings import TableFindings, TableHistory
from shared.clients.storage.guarded import GuardedTables
from shared.clients.storage.kinds import reader_of
from shared.clients.storage.looks import TableLooks
from shared.clients.storage.requests import TableRequests
from shared.clients.storage.restart_claims import TableRestartClaims
from shared.clients.storage.rollouts import TableRollouts
from shared.clients.storage.rows import Entity, keys_of, row_subject
from shared.clients.storage.settings_memory import TableSettingsMemory
from shared.clients.storage.settings_rolls import TableSettingsRolls
from shared.clients.storage.shown_memory import TableShownMemory
from shared.clients.storage.sweeps import TableSweeps
from shared.clients.storage.tables import Tables
from shared.clients.storage.turns import TableTurns
from shared.clients.storage.unreadable import Rows
from shared.domain.errors import RecordUnreadable
from shared.ports.clock import Clock
from shared.telemetry import event


class JournalPorts(TypedDict):
    """The clients of the journal, under the field names of `Ports`."""

    rollouts: TableRollouts
    settings_rolls: TableSettingsRolls
    restart_claims: TableRestartClaims
    requests: TableRequests
    history: TableHistory
    findings: TableFindings
    dead_letters: TableDeadLetters
    environment_records: TableEnvironmentRecords
    app_restarts: TableAppRestarts
    pending_starts: TablePendingStarts
    turns: TableTurns
    sweeps: TableSweeps
    looks: TableLooks
    settings_memory: TableSettingsMemory
    shown_memory: TableShownMemory


def journal_ports(tables: Tables, clock: Clock, run: str = "") -> JournalPorts:
    """Return a client for each port (interface) of the journal, with the given tables as storage.

    `run` is the id of the run, which each entry of the history names.
    """
    findings = TableFindings(GuardedTables(tables, reader_of, _unreported), partial(_is_unreadable, tables))
    rows = Rows(findings, clock)
    guarded = GuardedTables(tables, reader_of, rows.report)
    return JournalPorts(
        rollouts=TableRollouts(guarded, clock, rows),
        settings_rolls=TableSettingsRolls(guarded, rows),
        restart_claims=TableRestartClaims(guarded, clock, rows),
        requests=TableRequests(guarded, rows),
        history=TableHistory(guarded, run),
        findings=findings,
        dead_letters=TableDeadLetters(guarded, clock, rows),
        environment_records=TableEnvironmentRecords(guarded, rows),
        app_restarts=TableAppRestarts(guarded, rows),
        pending_starts=TablePendingStarts(guarded, rows),
        looks=TableLooks(guarded, rows),
        turns=TableTurns(tables),
        sweeps=TableSweeps(tables),
        settings_memory=TableSettingsMemory(guarded),
        shown_memory=TableShownMemory(guarded),
    )


def _is_unreadable(tables: Tables, subject: str) -> bool:
    """Return True if the row that the subject of a finding names is stored and unreadable."""
    table, partition, key = keys_of(subject)
    row = tables.row(table, partition, key)
    if row is None:
        return False
    try:
        record_of(reader_of(table, row), row)
    except RecordUnreadable:
        return True
    return False


def _unreported(table: str, row: Entity, unreadable: RecordUnreadable) -> None:
    """Log an unreadable row that findings themselves would overwrite, because its finding would overwrite it, too."""
    event("row.unreadable", row=row_subject(table, row), detail=str(unreadable))
