"""Store findings (reported problems) and Certroll's history in the tables `certrollfindings` and `certrollhistory`.

| table | PartitionKey | RowKey |
|---|---|---|
| `certrollfindings` | hash of the finding's scope | hash of the finding's subject and reason |
| `certrollhistory` | hash of the lineage or another scope | time and hash of the entry |

Certroll only adds rows to the table `certrollhistory`.
"""

from typing import Any

from shared.clients.storage.rows import CHUNK, digest, lineage_key
from shared.clients.storage.tables import Tables
from shared.domain.findings import Finding, HistoryEntry
from shared.domain.names import VaultCertificateRef
from shared.domain.writes import AzureWrite
from shared.telemetry import event

HISTORY = "certrollhistory"
FINDINGS = "certrollfindings"
MOST_WRITES = 10
"""How many writes of an action its entry in the history names. An action sends one write, and repeats a refused one."""


class TableHistory:
    """The history of Certroll's work, as rows of the table `certrollhistory` in the order of time."""

    def __init__(self, tables: Tables, run: str) -> None:
        self._tables = tables
        self._run = run

    def add(self, ref: VaultCertificateRef | str, entries: tuple[HistoryEntry, ...]) -> None:
        """Append entries to the history of a vault certificate or of another scope."""
        self._tables.write(
            HISTORY,
            [
                {
                    "PartitionKey": digest(ref) if isinstance(ref, str) else lineage_key(ref),
                    "RowKey": f"{entry.at:%Y%m%dT%H%M%S%f}-{digest(repr(entry))[:16]}",
                    "certificate": str(ref),
                    "run": self._run,
                    "at": entry.at,
                    **_plain(event=entry.event, subject=entry.subject, reason=entry.reason, detail=entry.detail),
                    **_ids(entry.writes),
                }
                for entry in entries
            ],
        )


class TableFindings:
    """The findings (reported problems) for operators, as rows of the table `certrollfindings`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def report(self, findings: tuple[Finding, ...]) -> None:
        """Record and log findings (reported problems). A repeated finding overwrites the date and detail of its row."""
        for found in findings:
            event(
                "finding.reported",
                scope=found.scope,
                subject=found.subject,
                reason=found.reason,
                severity=found.reason.severity,
                detail=found.detail,
            )
        by_key = {(digest(f.scope), digest(f"{f.subject} {f.reason}")): f for f in findings}
        for partition in sorted({partition for partition, _ in by_key}):
            rows = [
                {
                    "PartitionKey": key[0],
                    "RowKey": key[1],
                    "at": finding.at,
                    **_plain(
                        scope=finding.scope, subject=finding.subject, reason=finding.reason, detail=finding.detail
                    ),
                    "severity": str(finding.reason.severity),
                }
                for key, finding in by_key.items()
                if key[0] == partition
            ]
            self._tables.write(FINDINGS, rows)


def _plain(**fields: str) -> dict[str, str]:
    return {name: str(value)[:CHUNK] for name, value in fields.items()}


def _ids(writes: tuple[AzureWrite, ...]) -> dict[str, Any]:
    """Return columns with the last writes of an action, for a query by an id of Azure's Activity Log."""
    return {
        f"{name}_{number}": value
        for number, write in enumerate(writes[-MOST_WRITES:])
        for name, value in (
            ("write", f"{write.method} {write.path}"[:CHUNK]),
            ("status", write.status),
            ("correlation", write.correlation[:CHUNK]),
            ("request", write.request[:CHUNK]),
        )
    }
