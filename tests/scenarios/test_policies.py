"""Check that a vault certificate's version is judged by itself, because the policy is that of the next version."""

from dataclasses import replace

import pytest

from local.azure.entra.tokens import CERTROLL
from local.azure.vault.policy import PEM
from local.azure.world import World
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.test_uploads import one_upload
from tests.scenarios.worlds import NAME, VAULT, after_renewal, renew, shown, small_world, writes

CHANGES: dict[str, dict[str, object]] = {"not exportable": {"exportable": False}, "PEM": {"content_type": PEM}}
REASONS = {"not exportable": "KeyNotExportable", "PEM": "NotPkcs12"}


def change_policy(world: World, **differences: object) -> None:
    """Change the policy of the vault certificate, which concerns its next version only."""
    certificate = world.vaults[VAULT].certificates[NAME]
    certificate.policy = replace(certificate.policy, **differences)  # type: ignore[arg-type]


def carry(installation: Installation) -> set[str]:
    """Let Certroll inspect the vault certificate, and return the reasons of all findings."""
    installation.look_at(VAULT, NAME)
    installation.deliver_all()
    installation.sweep()
    assert installation.errors == []
    return {reason for _, reason in installation.findings()}


def blind(world: World) -> None:
    """Deny Certroll each read that would show a version's own key or format."""
    world.vaults[VAULT].deny(CERTROLL.object_id, operations={"keys/get", "secrets/list", "secrets/get"})


def asked(world: World, path: str) -> int:
    """Return how many requests the simulated vaults received for the path."""
    return sum(entry.path.startswith(path) for entry in world.journal.entries())


@pytest.mark.real_storage
@pytest.mark.parametrize("change", CHANGES)
def test_a_policy_that_changed_after_the_renewal_holds_nothing(install: Install, change: str) -> None:
    """A version that App Service can import is carried although the policy changed, with a warning of the next."""
    world = small_world()
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    change_policy(world, **CHANGES[change])
    assert carry(installation) == {"RequirementWarning"}
    assert shown(world) == after_renewal(before, new)
    assert ("policy of contoso-kv/web", "RequirementWarning") in installation.findings()
    assert "of the next version: its " in installation.details()


@pytest.mark.parametrize("repaired", [True, False], ids=["the policy is good by now", "the policy is still bad"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_version_that_cannot_be_imported_is_refused_by_itself(
    install: Install, change: str, *, repaired: bool
) -> None:
    """A version whose own key or format App Service cannot import is refused, also if the policy is good by now."""
    world = small_world()
    installation = install(world)
    before = shown(world)
    renew(world, **CHANGES[change])
    if repaired:
        change_policy(world, exportable=True, content_type="application/x-pkcs12")
    assert REASONS[change] in carry(installation)
    assert shown(world) == before
    assert writes(world) == 0


@pytest.mark.parametrize("change", CHANGES)
def test_without_the_rights_the_policy_decides_while_it_is_that_of_the_version(install: Install, change: str) -> None:
    """If Certroll may read neither key nor secrets, a policy that did not change since the version still refuses it."""
    world = small_world()
    blind(world)
    installation = install(world)
    before = shown(world)
    renew(world, **CHANGES[change])
    assert REASONS[change] in carry(installation)
    assert shown(world) == before
    assert writes(world) == 0


@pytest.mark.parametrize("change", CHANGES)
def test_without_the_rights_a_policy_that_changed_says_nothing_of_the_version(install: Install, change: str) -> None:
    """If Certroll may not read the version's own key and format, App Service decides about an import."""
    world = small_world()
    installation = install(world)
    before, new = shown(world), renew(world)
    change_policy(world, **CHANGES[change])
    blind(world)
    assert carry(installation) <= {"RequirementWarning", "VaultDenied"}
    assert shown(world) == after_renewal(before, new)


def test_a_version_is_asked_once_and_only_after_a_change_of_the_policy(install: Install) -> None:
    """Certroll reads a version's key and the list of its secret once, and neither if the policy did not change."""
    world = small_world()
    installation = install(world)
    renew(world)
    carry(installation)
    assert (asked(world, "/keys/"), asked(world, "/secrets/web/versions")) == (0, 0)
    change_policy(world, exportable=False)
    carry(installation)
    carry(installation)
    assert (asked(world, "/keys/"), asked(world, "/secrets/web/versions")) == (1, 1)


def test_an_upload_of_a_pem_version_goes_on_after_the_policy_changed(install: Install) -> None:
    """Certroll uploads a version in PEM, whatever the policy says of the next version."""
    world = one_upload()
    installation = install(world)
    new = world.vaults[VAULT].renew(NAME, content_type=PEM).thumbprint
    change_policy(world, content_type="application/x-pkcs12", exportable=False)
    assert carry(installation) == {"RequirementWarning"}
    assert {seen.thumbprint for seen in shown(world).values()} == {new}
