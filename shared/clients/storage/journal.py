"""Build the Table storage client behind each port (interface) of the journal, Certroll's state in tables.

Table storage forbids slashes, backslashes, `#` and `?` in a key, so Certroll uses hashes as keys. A row of the journal
contains names, thumbprints and reasons, and never a private key or a password.
"""

from typing import TypedDict

from shared.clients.storage.dead_letters import TableDeadLetters
from shared.clients.storage.environments import TableAppRestarts, TableEnvironmentRecords, TablePendingStarts
from shared.clients.storage.findings import TableFindings, TableHistory
from shared.clients.storage.requests import TableRequests
from shared.clients.storage.restart_claims import TableRestartClaims
from shared.clients.storage.rollouts import TableRollouts
from shared.clients.storage.settings_rolls import TableSettingsRolls
from shared.clients.storage.tables import Tables
from shared.clients.storage.turns import TableTurns
from shared.ports.clock import Clock


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


def journal_ports(tables: Tables, clock: Clock, run: str = "") -> JournalPorts:
    """Return a client for each port (interface) of the journal, with the given tables as storage.

    `run` is the id of the run, which each entry of the history names.
    """
    return JournalPorts(
        rollouts=TableRollouts(tables, clock),
        settings_rolls=TableSettingsRolls(tables),
        restart_claims=TableRestartClaims(tables, clock),
        requests=TableRequests(tables),
        history=TableHistory(tables, run),
        findings=TableFindings(tables),
        dead_letters=TableDeadLetters(tables, clock),
        environment_records=TableEnvironmentRecords(tables),
        app_restarts=TableAppRestarts(tables),
        pending_starts=TablePendingStarts(tables),
        turns=TableTurns(tables),
    )
