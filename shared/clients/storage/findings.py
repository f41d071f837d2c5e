"""Store findings (reported problems) and Certroll's history in the tables `certrollfindings` and `certrollhistory`.

| table | PartitionKey | RowKey |
|---|---|---|
| `certrollfindings` | hash of the finding's scope | hash of the finding's subject and reason |
| `certrollhistory` | hash of the lineage or another scope | time and hash of the entry |

Certroll only adds rows to the table `certrollhistory`.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from shared.clients.storage.rows import CHUNK, digest, lineage_key
from shared.clients.storage.tables import Tables
from shared.domain.findings import Finding, HistoryEntry
from shared.domain.names import VaultCertificateRef
from shared.telemetry import event

HISTORY = "certrollhistory"
FINDINGS = "certrollfindings"


class TableHistory:
    """The history of Certroll's work, as rows of the table `certrollhistory` in the order of time."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add(self, ref: VaultCertificateRef | str, entries: tuple[HistoryEntry, ...]) -> None:
        """Append entries to the history of a vault certificate or of another scope."""
        self._tables.write(
            HISTORY,
            [
                {
                    "PartitionKey": digest(ref) if isinstance(ref, str) else lineage_key(ref),
                    "RowKey": f"{entry.at:%Y%m%dT%H%M%S%f}-{digest(repr(entry))[:16]}",
                    "certificate": str(ref),
                    **_plain(asdict(entry)),
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
                    **_plain(asdict(finding)),
                    "severity": str(finding.reason.severity),
                }
                for key, finding in by_key.items()
                if key[0] == partition
            ]
            self._tables.write(FINDINGS, rows)


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, datetime) else str(value)[:CHUNK] for name, value in fields.items()}
