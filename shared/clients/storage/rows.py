"""The rows of the journal: from what is known of a site or an app to Table storage, and back.

Keys are hashes because a table key may not hold slashes, backslashes, `#` or `?`.
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
CHUNK = 30_000  # a string property holds 32 K characters

Entity = Mapping[str, Any]


def digest(text: str) -> str:
    """Return a key for any text."""
    return hashlib.sha256(text.encode()).hexdigest()


def lineage_key(ref: VaultCertificateRef) -> str:
    """Return the partition of a lineage, of whatever kind its vault object is."""
    return digest(f"{ref.vault}/{ObjectKind.CERTIFICATE}/{ref.name}")


def roll_key(site: SiteRef) -> str:
    """Return the row of the settings of an app."""
    return f"{ROLL}{digest(site.resource_id)}"


def is_roll(row: Entity) -> bool:
    """Return True if the row is of the settings of an app."""
    return str(row["RowKey"]).startswith(ROLL)


def moment(stored: datetime) -> datetime:
    """Return a stored moment, aware, UTC."""
    return datetime.fromtimestamp(stored.timestamp(), UTC)


def revision_of(row: Entity) -> str | None:
    """Return the revision of a row that was read, None of one that is not stored yet."""
    metadata: Mapping[str, str] = getattr(row, "metadata", {})
    return metadata.get("etag")


def chunked(name: str, text: str) -> dict[str, str]:
    """Return a long text as properties."""
    parts = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)] or [""]
    return {f"{name}_{number}": part for number, part in enumerate(parts)}


def joined(name: str, row: Entity) -> str:
    """Return the text of such properties."""
    numbers = sorted(int(key.removeprefix(f"{name}_")) for key in row if key.startswith(f"{name}_"))
    return "".join(str(row[f"{name}_{number}"]) for number in numbers)


def site_row(ref: VaultCertificateRef, record: SiteRecord) -> dict[str, Any]:
    """Return the row of a site."""
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
        **chunked("last_good", json.dumps(last_good)),
    }


def site_record(row: Entity) -> SiteRecord:
    """Return what a row says of a site."""
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
        rebind=Rebind(row.get("rebind") or ""),
    )


def held_text(rollout: Rollout) -> str:
    """Return what copies held, as a property."""
    return json.dumps(sorted([place.subscription, place.name, thumbprint] for place, thumbprint in rollout.held))


def held_of(row: Entity) -> frozenset[tuple[Webspace, Thumbprint]]:
    """Return what such a property says; nothing where there is none."""
    found = json.loads(row.get("held") or "[]")
    return frozenset((Webspace(subscription, name), Thumbprint(text)) for subscription, name, text in found)


def roll_row(record: RollRecord) -> dict[str, Any]:
    """Return the row of the settings of an app; thumbprints and names of settings, never a value."""
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
        "undone": json.dumps([moment.isoformat() for moment in record.undone]),
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
    """Return what a row says of the settings of an app."""
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
        wants_root=row.get("wants_root", False),
        budget=_budget(row),
        detail=row["detail"],
        revision=revision_of(row),
    )


def _edit(key: str, add: str | None, remove: list[str], beside: str | None, whole: bool = False) -> SettingEdit:  # noqa: FBT001, FBT002 - as it is stored
    """Return an edit; rows of earlier releases end before `whole`."""
    added, place = (None if text is None else Thumbprint(text) for text in (add, beside))
    return SettingEdit(key, added, _thumbprints(remove), place, whole)


def _budget(row: Entity) -> RestartBudget | None:
    """Return the room in an environment; rows of earlier releases have none."""
    found = json.loads(row.get("budget") or "null")
    return RestartBudget(*found) if found else None


def order_key(order: OrderRef) -> str:
    """Return the partition of what was asked of an order."""
    return f"order-{digest(order.resource_id)}"


def asked_row(record: OrderRecord) -> dict[str, Any]:
    """Return the row of what was asked: one for each action and certificate of an order."""
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
    """Return what such a row says."""
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
