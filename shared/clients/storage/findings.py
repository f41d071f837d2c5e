"""What people should know, and what was done: the tables `certrollfindings` and `certrollhistory`.

certrollfindings   PartitionKey: hash of the scope. RowKey: hash of subject and reason.
certrollhistory    PartitionKey: hash of the lineage, or of another scope. RowKey: time and hash of the entry. Rows are
                   never changed.
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
    """What was done, in the order in which it was done."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def add(self, ref: VaultCertificateRef | str, entries: tuple[HistoryEntry, ...]) -> None:
        """Append to the history of a vault certificate, or of another scope."""
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
    """What a person should know."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def report(self, findings: tuple[Finding, ...]) -> None:
        """Record and log findings; the same finding again only renews its date and detail."""
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
