"""Turn the journal's records into rows of Table storage, and rows into records.

Table storage forbids slashes, backslashes, `#` and `?` in a key, so Certroll uses hashes as keys.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple
from datetime import UTC, datetime
from typing import Any

from shared.domain.fleet.app_settings import SettingEdit
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.names import CopyRef, HostName, ObjectKind, SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.orders.action import AskedState, OrderAction, OrderRecord
from shared.domain.orders.order import OrderRef
from shared.domain.rollout.budget import RestartBudget
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.rollout.site_record import Rebind, SiteRecord, SiteState

ROLL = "roll-"
CHUNK = 30_000  # a string property of a row in Table storage has at most 32 K characters

Entity = Mapping[str, Any]


def digest(text: str) -> str:
    """Return the table key for a text, which is its SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def lineage_key(ref: VaultCertificateRef) -> str:
    """Return the partition key of a vault certificate; a vault secret of the same name has the same key."""
    return digest(f"{ref.vault}/{ObjectKind.CERTIFICATE}/{ref.name}")


def roll_key(site: SiteRef) -> str:
    """Return the row key of the record about Certroll's update of an app's settings."""
    return f"{ROLL}{digest(site.resource_id)}"


def is_roll(row: Entity) -> bool:
    """Return True if the row records Certroll's update of an app's settings."""
    return str(row.get("RowKey")).startswith(ROLL)


def moment(stored: datetime) -> datetime:
    """Return a stored time as an aware datetime in UTC."""
    return datetime.fromtimestamp(stored.timestamp(), UTC)


def revision_of(row: Entity) -> str | None:
    """Return the revision of a row that Certroll read, or None for a row without a revision."""
    metadata: Mapping[str, str] = getattr(row, "metadata", {})
    return metadata.get("etag")


def chunked(name: str, text: str) -> dict[str, str]:
    """Return a long text in parts, as the row properties `name_0`, `name_1` and so on."""
    parts = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)] or [""]
    return {f"{name}_{number}": part for number, part in enumerate(parts)}


def joined(name: str, row: Entity) -> str:
    """Return a long text from the row properties into which the function `chunked` split the text."""
    numbers = sorted(int(key.removeprefix(f"{name}_")) for key in row if key.startswith(f"{name}_"))
    return "".join(str(row[f"{name}_{number}"]) for number in numbers)


def site_row(ref: VaultCertificateRef, record: SiteRecord) -> dict[str, Any]:
    """Return the table row for the record of a site's bindings in a rollout."""
    last_good = [[b.host_name, b.ssl_state, b.thumbprint, b.virtual_ip] for b in record.last_good]
    return {
        "PartitionKey": lineage_key(ref),
        "RowKey": digest(record.site.resource_id),
        "certificate": str(ref),
        "site": record.site.resource_id,
        "version": record.version,
        "subscription": record.webspace.subscription,
        "webspace": record.webspace.name,
        "state": str(record.state),
        "at": record.at,
        "detail": record.detail,
        "copies": json.dumps([copy.resource_id for copy in record.copies]),
        "rebind": str(record.rebind),
        **chunked("rebound", json.dumps(sorted(record.rebound))),
        **chunked("last_good", json.dumps(last_good)),
    }


def site_record(row: Entity) -> SiteRecord:
    """Return the record of a site's bindings in a rollout from the table row."""
    site = SiteRef.parse(row["site"])
    return SiteRecord(
        site=site,
        version=row["version"],
        webspace=Webspace(row["subscription"], row["webspace"]),
        state=SiteState(row["state"]),
        at=moment(row["at"]),
        copies=tuple(CopyRef.parse(copy) for copy in json.loads(row["copies"])),
        last_good=tuple(
            Binding(site, HostName(host), SslState(state), Thumbprint(thumbprint) if thumbprint else None, address)
            for host, state, thumbprint, address in json.loads(joined("last_good", row))
        ),
        detail=row["detail"],
        rebind=Rebind(row["rebind"]),
        rebound=frozenset(HostName(host) for host in json.loads(joined("rebound", row))),
    )


def held_text(rollout: Rollout) -> str:
    """Return the text of `held`: thumbprints that imported certificates had in a webspace before the new version."""
    return json.dumps(
        sorted([webspace.subscription, webspace.name, thumbprint] for webspace, thumbprint in rollout.held)
    )


def held_of(row: Entity) -> frozenset[tuple[Webspace, Thumbprint]]:
    """Return the webspaces and thumbprints of earlier imported certificates that the property `held` of a row lists."""
    held = json.loads(row["held"])
    return frozenset((Webspace(subscription, name), Thumbprint(text)) for subscription, name, text in held)


def roll_row(record: RollRecord) -> dict[str, Any]:
    """Return the row that records Certroll's update of an app's settings.

    The row contains names of app settings and thumbprints, and no other value of an app setting.
    """
    edits = [[edit.key, edit.add, list(edit.remove), edit.next_to, edit.whole] for edit in record.edits]
    return {
        "RowKey": roll_key(record.site),
        "app": record.site.resource_id,
        "version": record.version,
        "subscription": record.webspace.subscription,
        "webspace": record.webspace.name,
        "state": str(record.state),
        "at": record.at,
        "plan": record.plan,
        "copies": json.dumps([copy.resource_id for copy in record.copies]),
        "replaces": json.dumps(record.replaces),
        "broken_before": json.dumps(record.broken_before),
        "asked": record.asked,
        "failing_since": record.failing_since.isoformat() if record.failing_since else "",
        "undone": json.dumps([undone_at.isoformat() for undone_at in record.undone]),
        "proven": json.dumps(record.proven),
        "settings": record.settings,
        "missing": record.missing,
        "retiring": record.retiring,
        "wants_root": record.wants_root,
        "budget": json.dumps(astuple(record.budget) if record.budget else None),
        "detail": record.detail[:1000],
        **chunked("edits", json.dumps(edits)),
    }


def roll_record(row: Entity) -> RollRecord:
    """Return the record of Certroll's update of an app's settings from the row."""
    return RollRecord(
        site=SiteRef.parse(row["app"]),
        version=row["version"],
        webspace=Webspace(row["subscription"], row["webspace"]),
        state=RollState(row["state"]),
        at=moment(row["at"]),
        plan=row["plan"],
        copies=tuple(CopyRef.parse(copy) for copy in json.loads(row["copies"])),
        replaces=_thumbprints(json.loads(row["replaces"])),
        edits=tuple(_edit(*parts) for parts in json.loads(joined("edits", row))),
        broken_before=json.loads(row["broken_before"]),
        asked=row["asked"],
        failing_since=datetime.fromisoformat(row["failing_since"]) if row["failing_since"] else None,
        undone=tuple(datetime.fromisoformat(text) for text in json.loads(row["undone"])),
        proven=_thumbprints(json.loads(row["proven"])),
        settings=row["settings"],
        missing=row["missing"],
        retiring=row["retiring"],
        wants_root=row["wants_root"],
        budget=_budget(row),
        detail=row["detail"],
        revision=revision_of(row),
    )


def _edit(key: str, add: str | None, remove: list[str], next_to: str | None, whole: bool) -> SettingEdit:  # noqa: FBT001 - the order of the stored list
    added, neighbour = (None if text is None else Thumbprint(text) for text in (add, next_to))
    return SettingEdit(key, added, _thumbprints(remove), neighbour, whole)


def _budget(row: Entity) -> RestartBudget | None:
    """Return the restart budget of an app's environment, or None if no budget applies to the app."""
    budget = json.loads(row["budget"])
    return RestartBudget(*budget) if budget else None


def order_key(order: OrderRef) -> str:
    """Return the partition key of all requests about an order."""
    return f"order-{digest(order.resource_id)}"


def asked_row(record: OrderRecord) -> dict[str, Any]:
    """Return the table row for a request about an order. Each pair of action and certificate has its own row."""
    return {
        "PartitionKey": order_key(record.order),
        "RowKey": digest(f"{record.action} {record.certificate}"),
        "order": record.order.resource_id,
        "action": str(record.action),
        "current": record.certificate,
        "state": str(record.state),
        "at": record.at,
        "detail": record.detail[:1000],
    }


def asked_record(row: Entity) -> OrderRecord:
    """Return the record of a request about an order from its row."""
    return OrderRecord(
        order=OrderRef.parse(row["order"]),
        action=OrderAction(row["action"]),
        certificate=row["current"],
        state=AskedState(row["state"]),
        at=moment(row["at"]),
        detail=row["detail"],
        revision=revision_of(row),
    )


def _thumbprints(texts: list[str]) -> tuple[Thumbprint, ...]:
    return tuple(Thumbprint(text) for text in texts)
