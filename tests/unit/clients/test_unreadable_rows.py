"""A row of the journal that cannot be read is named, and keeps no stopped app down."""

from collections.abc import Callable

import pytest

from shared.clients.storage.journal import JournalPorts, journal_ports
from shared.clients.storage.rows import digest, lineage_key, order_key, roll_key
from shared.clients.storage.tables import JOURNAL
from shared.domain.environments.record import PendingStart
from shared.domain.errors import StorageFailed
from shared.domain.names import HostName
from shared.domain.orders.order import OrderRef
from tests.build import ASE, HOST, NOW, REF, SUBSCRIPTION, ManualClock, site_ref
from tests.memory_storage import MemoryTables

SHOP, API = site_ref("shop"), site_ref("api")
ORDER = OrderRef.parse(
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.CertificateRegistration/certificateOrders/a"
)


def test_unreadable_start_keeps_no_other_app_down(caplog: pytest.LogCaptureFixture) -> None:
    """If the record of one pending start is unreadable, Certroll logs its row and still starts all other apps."""
    caplog.set_level("INFO", "certroll")
    tables = MemoryTables()
    starts = journal_ports(tables, ManualClock())["pending_starts"]
    for site in (SHOP, API):
        starts.record(PendingStart(site, ASE, NOW))
    tables.write(JOURNAL, [{"PartitionKey": "starts", "RowKey": digest(SHOP.resource_id), "environment": "nonsense"}])
    assert [start.site for start in starts.all()] == [API]
    assert "start.unreadable" in caplog.text
    assert f"starts/{digest(SHOP.resource_id)}" in caplog.text


READS: dict[str, tuple[str, str, Callable[[JournalPorts], object]]] = {
    "an environment": (
        "environments",
        digest(ASE.resource_id),
        lambda journal: journal["environment_records"].of(ASE),
    ),
    "all environments": ("environments", "x", lambda journal: journal["environment_records"].all()),
    "an app's restart": (
        f"environment-{digest(ASE.resource_id)}",
        "x",
        lambda journal: journal["app_restarts"].of(ASE),
    ),
    "a settings update": (
        lineage_key(REF),
        roll_key(SHOP),
        lambda journal: journal["settings_rolls"].roll(REF, SHOP),
    ),
    "a rollout": (lineage_key(REF), "rollout", lambda journal: journal["rollouts"].rollout(REF, "v2")),
    "an order's request": (order_key(ORDER), "x", lambda journal: journal["requests"].asked(ORDER)),
    "an issuance": (
        "managed",
        digest(f"{SHOP.resource_id} {HOST}"),
        lambda journal: journal["requests"].issuance(SHOP, HostName(HOST)),
    ),
    "a claim": (f"plan-{digest('plan')}", "x", lambda journal: journal["restart_claims"].restarting("plan", ASE)),
}


@pytest.mark.parametrize("kind", READS)
def test_unreadable_row_is_named(kind: str) -> None:
    """A row of the journal that cannot be read ends the run with an error that names the row and the next step."""
    tables = MemoryTables()
    partition, key, read = READS[kind]
    tables.write(
        JOURNAL, [{"PartitionKey": partition, "RowKey": key, "version": "v2", "site": "nonsense", "at": "soon"}]
    )
    with pytest.raises(StorageFailed, match=f"the row {partition}/{key} .* cannot be read: .*; repair or delete it"):
        read(journal_ports(tables, ManualClock()))
