"""Turn the journal's records of sites, apps, versions and orders into rows of Table storage, and rows into records."""

import json
from collections.abc import Iterable
from dataclasses import astuple
from datetime import datetime
from typing import Any

from shared.clients.storage.rows import (
    Entity,
    digest,
    fitting,
    is_roll,
    items_of,
    lineage_key,
    listed,
    moment,
    revision_of,
    roll_key,
)
from shared.domain.fleet.app_settings import SettingEdit
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.names import CopyRef, HostName, ObjectKind, SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.orders.action import AskedState, OrderAction, OrderRecord
from shared.domain.orders.order import OrderRef
from shared.domain.reason import Reason
from shared.domain.rollout.budget import RestartBudget
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import LEFT_OPEN, RollRecord, RollState
from shared.domain.rollout.site_record import Rebind, SiteRecord, SiteState

ORDER = "order-"
MOST_DETAIL = 1000
"""The longest text about one site, app or order. Azure decides the length of an error's message."""
BEGUN_STATES = frozenset({str(SiteState.PENDING), *map(str, LEFT_OPEN)})
"""The states of rows that may record a change which Certroll has begun and not finished."""
HELD = "held-"
HELD_IN_ROW = 100
"""How many earlier thumbprints one row lists. Such an entry takes at most about 250 characters."""


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
        "detail": fitting(record.detail, MOST_DETAIL),
        "rebind": str(record.rebind),
        **listed("copies", (copy.resource_id for copy in record.copies)),
        **listed("rebound", sorted(record.rebound)),
        **listed("refused", sorted(record.refused)),
        **listed("failing", sorted(record.failing)),
        "missing_since": _text_of(record.missing_since),
        **listed("last_good", last_good),
    }


def _reason(text: str) -> Reason:
    """Return the reason of a refusal by Azure. Another release of Certroll may have written a reason of its own."""
    return next((reason for reason in Reason if reason == text), Reason.REJECTED_BY_AZURE)


def _refused(row: Entity) -> list[tuple[str, str]]:
    """Return the refused host names with their reasons, none for the row of a release that noted no refusals."""
    return items_of("refused", row) if "refused_parts" in row else []


def site_record(row: Entity) -> SiteRecord:
    """Return the record of a site's bindings in a rollout from the table row."""
    site = SiteRef.parse(row["site"])
    return SiteRecord(
        site=site,
        version=row["version"],
        webspace=Webspace(row["subscription"], row["webspace"]),
        state=SiteState(row["state"]),
        at=moment(row["at"]),
        copies=tuple(CopyRef.parse(copy) for copy in items_of("copies", row)),
        last_good=tuple(
            Binding(site, HostName(host), SslState(state), Thumbprint(thumbprint) if thumbprint else None, address)
            for host, state, thumbprint, address in items_of("last_good", row)
        ),
        detail=row["detail"],
        rebind=Rebind(row["rebind"]),
        rebound=frozenset(HostName(host) for host in items_of("rebound", row)),
        refused=frozenset((HostName(host), _reason(text)) for host, text in _refused(row)),
        failing=frozenset(HostName(host) for host in items_of("failing", row)),
        missing_since=_moment_in(row["missing_since"]),
        revision=revision_of(row),
    )


def begun_site(row: Entity) -> SiteRef | None:
    """Return the site or app of a row that records a change under way, None for any other row."""
    if row.get("state") not in BEGUN_STATES:
        return None
    if is_roll(row):
        record = roll_record(row)
        return record.site if record.is_left_open else None
    return SiteRef.parse(row["site"]) if "site" in row and row["state"] == SiteState.PENDING else None


def begun_lineage(row: Entity) -> VaultCertificateRef | None:
    """Return the vault certificate of a row that records a change under way, None for any other row."""
    if begun_site(row) is None:
        return None
    vault, _, name = str(row["certificate"]).partition("/")
    return VaultCertificateRef.parse(vault, ObjectKind.CERTIFICATE, name)


def held_rows(ref: VaultCertificateRef, rollout: Rollout) -> list[dict[str, Any]]:
    """Return rows with the thumbprints that imported certificates had in each webspace before the new version.

    A fleet may have any number of webspaces, so the list has rows of its own.
    """
    held = sorted([webspace.subscription, webspace.name, thumbprint] for webspace, thumbprint in rollout.held)
    groups = [held[start : start + HELD_IN_ROW] for start in range(0, len(held), HELD_IN_ROW)]
    return [
        {
            "PartitionKey": lineage_key(ref),
            "RowKey": f"{HELD}{number:06}",
            "certificate": str(ref),
            "version": rollout.version,
            "held": json.dumps(group),
        }
        for number, group in enumerate(groups)
    ]


def is_held(row: Entity) -> bool:
    """Return True if the row lists thumbprints that imported certificates had before a version."""
    return str(row["RowKey"]).startswith(HELD)


def held_of(rows: Iterable[Entity], most: int) -> frozenset[tuple[Webspace, Thumbprint]]:
    """Return the webspaces and thumbprints of earlier imported certificates that the first `most` rows list."""
    first = (row for row in rows if int(row["RowKey"].removeprefix(HELD)) < most)
    return frozenset(held for row in first for held in held_in(row))


def held_in(row: Entity) -> frozenset[tuple[Webspace, Thumbprint]]:
    """Return the webspaces and thumbprints of earlier imported certificates that one row lists."""
    int(row["RowKey"].removeprefix(HELD))
    return frozenset(
        (Webspace(subscription, name), Thumbprint(text)) for subscription, name, text in json.loads(row["held"])
    )


def roll_row(record: RollRecord) -> dict[str, Any]:
    """Return the row that records Certroll's update of an app's settings.

    The row contains names of app settings and thumbprints, and no other value of an app setting.
    """
    edits = [[edit.key, edit.add, list(edit.remove), edit.next_to, edit.whole, edit.was] for edit in record.edits]
    return {
        "RowKey": roll_key(record.site),
        "app": record.site.resource_id,
        "version": record.version,
        "subscription": record.webspace.subscription,
        "webspace": record.webspace.name,
        "state": str(record.state),
        "at": record.at,
        "plan": record.plan,
        **listed("copies", (copy.resource_id for copy in record.copies)),
        **listed("replaces", record.replaces),
        "broken_before": json.dumps(record.broken_before),
        "asked": record.asked,
        "shows_another": record.shows_another,
        "failing_since": _text_of(record.failing_since),
        "missing_since": _text_of(record.missing_since),
        **listed("undone", (undone_at.isoformat() for undone_at in record.undone)),
        **listed("proven", record.proven),
        "settings": record.settings,
        "missing": record.missing,
        "retiring": record.retiring,
        "wants_root": record.wants_root,
        "budget": json.dumps(astuple(record.budget) if record.budget else None),
        "detail": fitting(record.detail, MOST_DETAIL),
        "in_doubt": record.in_doubt,
        "retry": record.retry.isoformat() if record.retry else "",
        **listed("edits", edits),
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
        copies=tuple(CopyRef.parse(copy) for copy in items_of("copies", row)),
        replaces=_thumbprints(items_of("replaces", row)),
        edits=tuple(_edit(*parts) for parts in items_of("edits", row)),
        broken_before=json.loads(row["broken_before"]),
        asked=row["asked"],
        shows_another=row["shows_another"],
        failing_since=_moment_in(row["failing_since"]),
        missing_since=_moment_in(row["missing_since"]),
        undone=tuple(datetime.fromisoformat(text) for text in items_of("undone", row)),
        proven=_thumbprints(items_of("proven", row)),
        settings=row["settings"],
        missing=row["missing"],
        retiring=row["retiring"],
        wants_root=row["wants_root"],
        budget=_budget(row),
        detail=row["detail"],
        in_doubt=row["in_doubt"],
        retry=datetime.fromisoformat(row["retry"]) if row["retry"] else None,
        revision=revision_of(row),
    )


def _text_of(moment: datetime | None) -> str:
    """Return a time as the text of a row property, empty for None, because a merge keeps a property without a value."""
    return moment.isoformat() if moment else ""


def _moment_in(text: str) -> datetime | None:
    """Return the time that the function `_text_of` stored, or None."""
    return datetime.fromisoformat(text) if text else None


def _edit(key: str, add: str | None, remove: list[str], next_to: str | None, whole: bool, was: str = "") -> SettingEdit:  # noqa: FBT001 - the order of the stored list
    added, neighbour = (None if text is None else Thumbprint(text) for text in (add, next_to))
    return SettingEdit(key, added, _thumbprints(remove), neighbour, whole, was)


def _budget(row: Entity) -> RestartBudget | None:
    """Return the restart budget of an app's environment, or None if no budget applies to the app."""
    budget = json.loads(row["budget"])
    return RestartBudget(*budget) if budget else None


def order_key(order: OrderRef) -> str:
    """Return the partition key of all requests about an order."""
    return f"{ORDER}{digest(order.resource_id)}"


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
        "detail": fitting(record.detail, MOST_DETAIL),
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
