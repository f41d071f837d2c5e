"""Check what Certroll relies on in an App Service Environment, which a person lends.

The tests add a root and delete the root. A running app learns of both changes only at its next stop and start.
"""

import pytest

from shared.domain.fleet.copies import RootCertificate
from shared.domain.names import EnvironmentRef, RootRef
from tests.contract.apis import ROOTS_API, WEB_API
from tests.contract.making import Rig
from tests.contract.operations import Recording
from tests.contract.pfx_files import make
from tests.contract.place import Verdict, Waited


@pytest.fixture
def ref(environment: str) -> EnvironmentRef:
    """Return the reference to the environment."""
    return EnvironmentRef.parse(environment)


@pytest.mark.operations(
    "environments.environments", "environments.environment", "environments.inbound_addresses", "environments.sites"
)
def test_an_environment_is_listed_and_read(azure: Recording, ref: EnvironmentRef) -> None:
    """The list and a read agree, the networking shows the inbound address, and the list of sites can be read."""
    listed = azure.environments.environments(ref.subscription).found
    found = azure.environments.environment(ref)
    assert found in listed
    assert azure.environments.inbound_addresses(ref)
    sites = azure.environments.sites(ref)
    assert sites.blind_spots == ()
    assert all(site.environment == ref for site in sites.found)


@pytest.mark.settles("environment_webspaces")
def test_the_webspaces_of_an_environment(rig: Rig, ref: EnvironmentRef, verdict: Verdict) -> None:
    """Plans of two resource groups in one environment have a webspace each, or share one: the knob says which."""
    plans = rig.place.arm.expect("GET", f"{ref.resource_id}/serverfarms?api-version={WEB_API}")["value"]
    webspaces: dict[str, set[str]] = {}
    for plan in plans:
        webspaces.setdefault(plan["id"].split("/")[4].lower(), set()).add(plan["properties"]["webSpace"].lower())
    if len(webspaces) < 2:
        pytest.skip(f"the environment has plans in {len(webspaces)} resource groups; two would tell")
    assert all(len(names) == 1 for names in webspaces.values()), webspaces
    verdict("environment_webspaces", "one" if len(set.union(*webspaces.values())) == 1 else "per plan group")


@pytest.mark.operations("environments.put_root", "environments.roots", "environments.root", "environments.delete_root")
@pytest.mark.settles("roots_show_blob", "roots_show_thumbprint")
def test_a_root_is_added_and_deleted(
    azure: Recording,
    rig: Rig,
    ref: EnvironmentRef,
    verdict: Verdict,
    waited: Waited,
) -> None:
    """A PUT of a root answers 200 or 201, then a list and a read show it, and after its deletion neither does."""
    made = make(f"Contract root {rig.ledger.run}", rig.place.clock.now(), root=True)
    root_ref = RootRef(ref, f"contract-{rig.ledger.run}")
    location = azure.environments.environment(ref).location
    wanted = RootCertificate(root_ref, location, made.thumbprint)
    rig.note(root_ref.resource_id)
    with rig.place.recorder.recorded() as exchanges:
        azure.environments.put_root(wanted, made.der)
    assert exchanges[0].status in {200, 201}
    seen = rig.place.until(
        "the root is listed",
        lambda: azure.environments.roots(ref).found,
        lambda roots: root_ref in {root.ref for root in roots},
    )
    waited("a list shows a new root", seen)
    root = azure.environments.root(root_ref)
    shown = rig.place.arm.expect("GET", f"{root_ref.resource_id}?api-version={ROOTS_API}")["properties"]
    told = shown.get("blob") or shown.get("thumbprint")
    assert (root.ref, root.thumbprint, root.is_root) == (root_ref, made.thumbprint if told else None, True)
    azure.environments.delete_root(root_ref)
    rig.place.until(
        "the root is gone",
        lambda: azure.environments.roots(ref).found,
        lambda roots: root_ref not in {root.ref for root in roots},
    )
    verdict("roots_show_blob", bool(shown.get("blob")))
    verdict("roots_show_thumbprint", bool(shown.get("thumbprint")))
