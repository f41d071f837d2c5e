"""Check that a certificate in use gives way to no earlier one, whatever the vault calls its newest version."""

from datetime import timedelta

import pytest

from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault
from local.azure.vault.restored import backup_and_restore
from local.azure.world import World
from local.worlds.builders import Builder
from tests.scenarios.app_worlds import CLIENT, LIST, PATH, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.test_uploads import one_upload
from tests.scenarios.test_uploads import renew as renew_upload
from tests.scenarios.worlds import MOVING, NAME, VAULT, after_renewal, renew, shown, small_world, writes

HOURS = timedelta(hours=6)
DAY = timedelta(days=1)
REASON = "LaterInUse"


def carry(installation: Installation, name: str = NAME, kind: str = "certificate") -> None:
    """Let Certroll inspect the vault object, as after an event, and sweep afterwards."""
    installation.look_at(VAULT, name, kind=kind)
    installation.deliver_all(HOURS)
    installation.sweep()
    installation.deliver_all(HOURS)
    assert installation.errors == []


def reasons(installation: Installation) -> set[str]:
    """Return the reasons of all findings."""
    return {reason for _, reason in installation.findings()}


@pytest.mark.real_storage
def test_imports_keep_the_later_certificate_after_a_restore(install: Install) -> None:
    """After a restore of its backup, the vault's oldest version replaces no import, and the finding says what to do."""
    world = small_world()
    installation = install(world, watched=True)
    for _ in range(2):
        renew(world)
        world.clock.advance(DAY)
        carry(installation)
    before, written = shown(world), writes(world)
    backup_and_restore(world.vaults[VAULT], NAME)
    carry(installation)
    assert shown(world) == before
    assert writes(world) == written
    told = {subject for subject, reason in installation.findings() if reason == REASON}
    assert len(told) == 2
    newest = world.vaults[VAULT].certificates[NAME].versions[0]
    assert f"if the earlier one is meant, disable version {newest.id}" in installation.details()
    assert "Azure itself will import the earlier one within 24 h" in installation.details()


def test_an_import_that_azure_takes_back_by_itself_is_told(install: Install) -> None:
    """If Azure's own sync brings the earlier certificate back, Certroll reports it, and syncs the next good version."""
    world = small_world()
    installation = install(world)
    renew(world)
    world.clock.advance(DAY)
    carry(installation)
    assert reasons(installation) == set()
    backup_and_restore(world.vaults[VAULT], NAME)
    world.nightly_sync()
    earliest = world.vaults[VAULT].certificates[NAME].newest.thumbprint
    assert {shown(world)[host].thumbprint for host in MOVING} == {earliest}
    carry(installation)
    assert {reason for _, reason in installation.findings()} == {"WentBack"}
    world.clock.advance(DAY)
    before, new = shown(world), renew(world)
    carry(installation)
    assert shown(world) == after_renewal(before, new)


@pytest.mark.parametrize("kind", ["certificate", "secret"])
def test_uploads_keep_the_later_certificate_after_a_restore(install: Install, kind: str) -> None:
    """After a restore, host names keep the later upload, and Certroll uploads no earlier certificate."""
    world = one_upload(kind)
    installation = install(world)
    new = renew_upload(world)
    world.clock.advance(DAY)
    carry(installation, kind=kind)
    before, written = shown(world), writes(world)
    assert {seen.thumbprint for seen in before.values()} == {new}
    backup_and_restore(world.vaults[VAULT], NAME)
    carry(installation, kind=kind)
    assert shown(world) == before
    assert writes(world) == written
    assert ("binding shop.contoso.com of shop", REASON) in installation.findings()


def test_apps_keep_the_later_certificate_after_a_restore(install: Install) -> None:
    """After a restore, no app goes back to the earlier certificate, even after Azure's own sync of the import."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    new = town.renew()
    town.world.clock.advance(DAY)
    carry(installation, CLIENT)
    settings = town.settings("billing")
    assert settings[PATH] == f"/var/ssl/private/{new}.p12"
    backup_and_restore(town.world.vaults[VAULT], CLIENT)
    carry(installation, CLIENT)
    assert [copy.thumbprint for copy in town.kept()] == [town.old, new]
    town.world.nightly_sync()
    carry(installation, CLIENT)
    assert town.settings("billing") == settings
    assert town.settings("billing")[LIST] == f"{town.old},{new}"
    assert new in {copy.thumbprint for copy in town.kept()}
    assert {REASON, "WentBack"} <= reasons(installation)


# ------------------------------------------------------------------------------------------------------ what is no case


def put_on_top(world: World) -> str:
    """Put the earliest certificate on top of the vault certificate once more, and return its thumbprint."""
    vault = world.vaults[VAULT]
    certificate = vault.certificates[NAME]
    world.clock.advance(DAY)
    return vault.append(certificate, certificate.versions[0].leaf, certificate.policy).thumbprint


@pytest.mark.parametrize("disabled", [True, False], ids=["the later version is disabled", "the later version is not"])
def test_a_way_back_is_taken_if_the_later_version_is_disabled(install: Install, *, disabled: bool) -> None:
    """An earlier certificate on top is taken only if an operator disabled the later version in the vault."""
    world = small_world()
    installation = install(world)
    renew(world)
    world.clock.advance(DAY)
    carry(installation)
    before = shown(world)
    earliest = put_on_top(world)
    world.vaults[VAULT].certificates[NAME].versions[1].enabled = not disabled
    carry(installation)
    assert shown(world) == (after_renewal(before, earliest) if disabled else before)
    assert (REASON in reasons(installation)) is not disabled


def test_two_versions_of_one_thumbprint_are_one_certificate(install: Install) -> None:
    """If the certificate in use is imported into the vault once more, Certroll changes and reports nothing."""
    world = small_world()
    installation = install(world)
    before, written = shown(world), writes(world)
    put_on_top(world)
    carry(installation)
    assert shown(world) == before
    assert writes(world) == written
    assert reasons(installation) == set()


def test_an_issue_that_ends_earlier_is_taken(install: Install) -> None:
    """A new certificate that begins later replaces one that ends later, as a reissue or a shorter validity does."""
    world = small_world()
    installation = install(world)
    world.clock.advance(DAY)
    before, new = shown(world), renew(world, not_after=world.clock.now() + 10 * DAY)
    carry(installation)
    assert shown(world) == after_renewal(before, new)
    assert REASON not in reasons(installation)


def test_import_of_an_old_version_of_a_long_secret_keeps_the_later_certificate(install: Install) -> None:
    """After a restore, an import keeps a version too deep in a secret's list to be read, by the import's own dates."""
    world = imported_long_secret()
    installation = install(world)
    carry(installation, NAME, "secret")
    before, written = shown(world), writes(world)
    backup_and_restore(world.vaults[VAULT], NAME)
    carry(installation, NAME, "secret")
    assert shown(world) == before
    assert writes(world) == written
    assert REASON in reasons(installation)


def imported_long_secret() -> World:
    """Return a webspace with an imported certificate from a plain secret that has eight versions."""
    world = World(Clock())
    build = Builder(world)
    build.add_secret(NAME, ("shop.contoso.com",))
    for _ in range(7):
        world.clock.advance(DAY)
        world.vaults[VAULT].renew_secret(NAME)
    build.add_host(build.add_site("shop"), "shop.contoso.com", build.add_copy(NAME))
    world.clock.advance(DAY)
    return world


# ------------------------------------------------------------------------------------------------------------- reissues


@pytest.mark.parametrize(
    ("tagged", "seen"),
    [
        pytest.param(True, True, id="an operator asked for it"),
        pytest.param(False, True, id="nobody asked for it"),
        pytest.param(True, False, id="Certroll may not list the orders"),
    ],
)
def test_a_reissue_on_request_is_taken_although_it_ends_earlier(install: Install, *, tagged: bool, seen: bool) -> None:
    """A certificate that Certroll sees came of the tag `certroll-reissue` replaces a later one; no other does."""
    asked = tagged and seen
    world = World(Clock())
    build = Builder(world)
    order = build.add_order("shop", "shop.contoso.com")
    (stored,) = order.stored.values()
    build.add_host(build.add_site("shop"), "shop.contoso.com", build.add_copy(stored.secret_name))
    installation = install(world)
    order.tags = {"certroll-reissue": order.serial} if tagged else {}
    world.faults.add(*([] if seen else [Fault("denied", "GET", path=r"/certificateOrders$", times=None)]))
    earlier = order.certificate.certificate.not_valid_before_utc - DAY if order.certificate else world.clock.now()
    world.clock.advance(DAY)
    new = world.orders.issue(order, earlier)
    world.orders.store(order, stored)
    before = shown(world)
    carry(installation, stored.secret_name, "secret")
    assert shown(world) == (after_renewal(before, new.thumbprint, ("shop.contoso.com",)) if asked else before)
    assert (REASON in reasons(installation)) is not asked
