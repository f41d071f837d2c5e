"""Find the reader of a row by the table and the keys of the row: one table for all kinds of rows."""

from collections.abc import Callable

from shared.clients.storage.dead_letters import FAILURES, POISON, cause_of, letter_of
from shared.clients.storage.environments import APPS, ENVIRONMENTS, STARTS, app_of, environment_of, start_of
from shared.clients.storage.findings import FINDINGS, HISTORY, SCOPES, known_finding, scope_of
from shared.clients.storage.looks import LOOKS, look_of
from shared.clients.storage.records import HELD, ORDER, asked_record, held_in, roll_record, site_record
from shared.clients.storage.requests import MANAGED, issuance_of
from shared.clients.storage.restart_claims import CLAIMS, claim_of
from shared.clients.storage.rollouts import ROLLOUT_ROW, begun_of
from shared.clients.storage.rows import ROLL, Entity
from shared.clients.storage.settings_memory import SETTINGS, memory_in
from shared.clients.storage.shown_memory import FACTS, shown_in

Reader = Callable[[Entity], object]

PARTITIONS: dict[str, Reader] = {
    ENVIRONMENTS: environment_of,
    STARTS: start_of,
    MANAGED: issuance_of,
    SCOPES: scope_of,
    FAILURES: cause_of,
    LOOKS: look_of,
}
TABLES: dict[str, Reader] = {HISTORY: dict, SETTINGS: memory_in, FACTS: shown_in}
PREFIXES: dict[str, Reader] = {APPS: app_of, ORDER: asked_record, CLAIMS: claim_of, POISON: letter_of}
ROWS: dict[str, Reader] = {ROLL: roll_record, HELD: held_in}


def reader_of(table: str, row: Entity) -> Reader:
    """Return the function that reads rows of the given row's kind."""
    partition, key = str(row["PartitionKey"]), str(row["RowKey"])
    if table in TABLES:
        return TABLES[table]
    if (reader := PARTITIONS.get(partition)) is not None:
        return reader
    for prefix, of_prefix in PREFIXES.items():
        if partition.startswith(prefix):
            return of_prefix
    if table == FINDINGS:
        return known_finding
    for prefix, of_row in ROWS.items():
        if key.startswith(prefix):
            return of_row
    return begun_of if key == ROLLOUT_ROW else site_record
