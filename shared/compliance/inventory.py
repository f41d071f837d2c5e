"""The inventory of certificates that PCI DSS 4.2.1.1 asks for: each certificate with the places that use it."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.compliance.facts import Facts
from shared.compliance.subjects import CopyFacts, ObjectFacts
from shared.domain.certificates.version import CertificateFacts, CertificateVersion

COLUMNS = (
    "place",
    "thumbprint",
    "host_names",
    "issuer",
    "not_before",
    "not_after",
    "key",
    "signature",
    "vault_object",
    "version",
    "webspace",
    "bound_hosts",
    "named_by",
    "owner",
)
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""The beginnings of cells that spreadsheets read as formulas (OWASP, "CSV Injection")."""
OWNER_TAGS = ("owner", "team", "contact")
"""The tags in which operators usually name the owner of a resource."""


def inventory(facts: Facts) -> list[dict[str, Any]]:
    """Return one row for each certificate in App Service, and one for the current version of each vault object."""
    rows = [_of_copy(facts, copy) for copy in facts.copies]
    rows += [_of_object(facts, known) for known in facts.objects if known.lineage.current is not None]
    return sorted(rows, key=lambda row: (row["place"], row["thumbprint"]))


def csv_of(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the inventory as CSV (RFC 4180). A cell that a spreadsheet would read as a formula begins with `'`."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in COLUMNS])
    return text.getvalue()


def _of_copy(facts: Facts, copy: CopyFacts) -> dict[str, Any]:
    stored = copy.copy
    version = next((_version(known, stored.thumbprint) for known in facts.objects_with(stored.thumbprint)), None)
    return {
        "place": stored.ref.resource_id,
        "thumbprint": stored.thumbprint or "",
        "host_names": sorted(stored.host_names),
        "issuer": stored.issuer,
        "not_before": _time(stored.not_before),
        "not_after": _time(stored.not_after),
        **_contents(version.facts if version else None),
        "vault_object": str(stored.source or ""),
        "version": version.version if version else "",
        "webspace": str(stored.webspace),
        "bound_hosts": sorted(binding.host_name for binding in facts.bindings_of(stored.thumbprint, stored.webspace)),
        "named_by": sorted(map(str, facts.named_by(stored.thumbprint))),
        "owner": _owner(stored.tags),
    }


def _of_object(facts: Facts, known: ObjectFacts) -> dict[str, Any]:
    current = known.lineage.current
    assert current is not None  # noqa: S101 - the caller leaves out objects without a current version
    return {
        "place": f"{known.lineage.ref.kind} {known.lineage.ref}",
        "thumbprint": current.thumbprint,
        "host_names": sorted(current.facts.host_names) if current.facts else [],
        "issuer": current.facts.issuer if current.facts else "",
        "not_before": _time(current.not_before),
        "not_after": _time(current.not_after),
        **_contents(current.facts),
        "vault_object": str(known.lineage.ref),
        "version": current.version,
        "webspace": "",
        "bound_hosts": sorted(binding.host_name for binding in facts.bindings_of(current.thumbprint)),
        "named_by": sorted(map(str, facts.named_by(current.thumbprint))),
        "owner": _owner(known.lineage.tags),
    }


def _version(known: ObjectFacts, thumbprint: str | None) -> CertificateVersion | None:
    return next((version for version in known.lineage.versions if version.thumbprint == thumbprint), None)


def _contents(facts: CertificateFacts | None) -> dict[str, str]:
    """Return key and signature of a certificate, empty where Certroll has not read its contents."""
    if facts is None:
        return {"key": "", "signature": ""}
    return {"key": f"{facts.key_type} {facts.curve or facts.key_size}", "signature": facts.signature_hash}


def _owner(tags: Sequence[tuple[str, str]]) -> str:
    found = {key.strip().lower(): value.strip() for key, value in tags}
    return next((found[name] for name in OWNER_TAGS if found.get(name)), "")


def _time(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""


def _cell(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"'{text}" if text.startswith(FORMULAS) else text
