"""What is observed in Azure, as plain values."""

from dataclasses import replace

import pytest

from shared.domain.model import WebspaceCertificate
from tests.build import NORTH, OLD, WEST, copy, farm, named, site, site_ref, snapshot


@pytest.mark.parametrize(
    ("seen", "uploaded"),
    [
        pytest.param(copy(source=None), True, id="people uploaded it"),
        pytest.param(copy(), False, id="it was imported"),
        pytest.param(copy(source=None, thumbprint=None), False, id="Azure manages it, and hides what it holds"),
        pytest.param(copy("certroll-shop-1", source=None), False, id="it is kept by ourselves"),
        pytest.param(copy("my-certroll-1", source=None), True, id="its name only looks so"),
    ],
)
def test_upload_is_known(seen: WebspaceCertificate, *, uploaded: bool) -> None:
    """What people uploaded is told from what was imported, what Azure manages, and what we keep."""
    assert seen.uploaded is uploaded


def test_group_of_a_plan_is_known() -> None:
    """The resource group of a plan is read from its id, in lower case: the copies of its webspace belong there."""
    plan = replace(farm(), resource_id="/subscriptions/S/resourceGroups/RG-Web/providers/Microsoft.Web/serverfarms/P")
    assert plan.resource_group == "rg-web"


def test_fleet_is_found_by_what_is_asked() -> None:
    """Sites, settings and copies are found by their names; what is not there is not found, nor what is nowhere."""
    copies = copy(), copy("n", OLD, webspace=NORTH), copy("b", OLD)
    fleet = snapshot(sites=(site(), site("b")), copies=copies, settings=(named(OLD, site="b"),)).fleet
    assert (fleet.site(site_ref("b")), fleet.site(site_ref("c"))) == (site("b"), None)
    assert (fleet.settings_of(site_ref("b")), fleet.settings_of(site_ref())) == (named(OLD, site="b"), None)
    assert fleet.certificates_in(WEST) == (copies[0], copies[2])
    assert fleet.certificates_in(NORTH) == (copies[1],)
    assert (fleet.certificates_in(None), replace(fleet, certificates=()).certificates_in(WEST)) == ((), ())
    assert replace(fleet, sites=()).site(site_ref("b")) is None
