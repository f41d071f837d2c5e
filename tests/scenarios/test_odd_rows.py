"""Check that a row of a later release, left after a rollback of Certroll, holds up nothing but what it is about."""

from datetime import timedelta

import pytest

from shared.clients.storage.rows import lineage_key, roll_key
from shared.clients.storage.tables import JOURNAL
from shared.domain.names import SiteRef, VaultCertificateRef
from tests.scenarios.app_worlds import CLIENT, LIST, Street, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.storage import MemoryStorage
from tests.scenarios.worlds import VAULT

HOURS = timedelta(hours=6)
REF = VaultCertificateRef.parse(VAULT, "certificate", CLIENT)
ROW = {"PartitionKey": lineage_key(REF), "v": 2, "state": "Quarantined", "version": "?"}


def keep(installation: Installation, row: dict[str, object]) -> None:
    """Store a row in the journal, as a later release left it."""
    storage = installation.storage
    assert isinstance(storage, MemoryStorage)
    storage._tables.write(JOURNAL, [row])


def renewed(install: Install, key: str | None = None) -> tuple[Street, Installation, str]:
    """Return a fleet with two apps after a renewal, with an odd row of the key, or of the app `alpha`."""
    town = street()
    for name in ("alpha", "beta"):
        town.linux_app(name)
    installation = install(age(town).world)
    keep(installation, {**ROW, "RowKey": key or roll_key(SiteRef.parse(town.site("alpha").id))})
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    assert installation.errors == []
    assert installation.queue.dead_letter == []
    return town, installation, new


def test_only_the_app_of_an_odd_row_is_left_alone(install: Install) -> None:
    """With an odd row of one app, the other app gets the new version, and the finding names the row."""
    town, installation, new = renewed(install)
    assert town.settings("beta")[LIST] == f"{town.old},{new}"
    assert town.settings("alpha")[LIST] == town.old
    found = installation.open_findings()
    assert {reason for _, reason in found} >= {"RecordUnreadable"}
    (subject,) = (subject for subject, _ in found if subject.startswith("row certrolljournal/"))
    assert subject.endswith(roll_key(SiteRef.parse(town.site("alpha").id)))
    installation.sweep_everything()
    assert {row["state"] for row in installation.rows(JOURNAL) if row.get("v") == 2} == {"Quarantined"}


def test_certificate_with_an_odd_rollout_is_left_alone(install: Install) -> None:
    """With an odd row about the rollout as a whole, nothing of this certificate moves, and no message fails."""
    town, installation, _ = renewed(install, "rollout")
    assert {town.settings(name)[LIST] for name in ("alpha", "beta")} == {town.old}
    installation.sweep_everything()
    assert ("RecordUnreadable") in {reason for _, reason in installation.open_findings()}


@pytest.mark.real_storage
def test_rows_carry_their_version(install: Install) -> None:
    """Each row of the journal that a renewal writes carries the version of rows."""
    town = street()
    town.linux_app("alpha")
    installation = install(age(town).world)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    assert {row.get("v") for row in installation.rows(JOURNAL)} == {1}
