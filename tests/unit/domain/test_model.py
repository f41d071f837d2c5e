"""The domain model holds what Certroll observed in Azure as plain values."""

from dataclasses import replace

import pytest

from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import Fleet
from shared.domain.names import CopyRef
from shared.domain.tags import is_on, opts_out
from tests.build import ASE, FOREIGN, NEW, NORTH, NOW, OLD, WEST, binding, copy, farm, named, site, site_ref, snapshot


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
    """Certroll distinguishes uploaded certificates from imported, managed and its own preserved certificates."""
    assert seen.uploaded is uploaded


def test_group_of_a_plan_is_known() -> None:
    """Certroll reads a plan's resource group from the plan's id in lower case."""
    plan = replace(farm(), resource_id="/subscriptions/S/resourceGroups/RG-Web/providers/Microsoft.Web/serverfarms/P")
    assert plan.resource_group == "rg-web"


def test_fleet_is_found_by_what_is_asked() -> None:
    """A fleet object finds sites, settings and certificates by name, and returns None or () for unknown names."""
    copies = copy(), copy("n", OLD, webspace=NORTH), copy("b", OLD)
    fleet = snapshot(sites=(site(), site("b")), copies=copies, settings=(named(OLD, site="b"),)).fleet
    assert (fleet.site(site_ref("b")), fleet.site(site_ref("c"))) == (site("b"), None)
    assert (fleet.settings_of(site_ref("b")), fleet.settings_of(site_ref())) == (named(OLD, site="b"), None)
    assert fleet.certificates_in(WEST) == (copies[0], copies[2])
    assert fleet.certificates_in(NORTH) == (copies[1],)
    assert (fleet.certificates_in(None), replace(fleet, certificates=()).certificates_in(WEST)) == ((), ())
    assert replace(fleet, sites=()).site(site_ref("b")) is None


@pytest.mark.parametrize(
    ("fleet", "inside"),
    [
        pytest.param(Fleet(NOW, (site(environment=ASE),)), True, id="a site says so"),
        pytest.param(Fleet(NOW, plans=(replace(farm(), environment=ASE),)), True, id="a plan alone says so"),
        pytest.param(
            Fleet(NOW, certificates=(replace(copy(), in_environment=True),)), True, id="a certificate alone says so"
        ),
        pytest.param(Fleet(NOW, (site(),), (), (copy(),), (farm(),)), False, id="none of them says so"),
        pytest.param(
            Fleet(
                NOW,
                (site(environment=ASE, webspace=NORTH), site("b", environment=ASE, webspace=None)),
                (),
                (replace(copy(), in_environment=True, webspace=NORTH),),
                (replace(farm(NORTH), environment=ASE),),
            ),
            False,
            id="they say so of another webspace",
        ),
    ],
)
def test_whatever_is_seen_of_a_webspace_tells_its_environment(fleet: Fleet, *, inside: bool) -> None:
    """A webspace is in an environment if a site, a plan or a certificate of the webspace names an environment."""
    assert fleet.is_in_environment(WEST) is inside


def test_fleet_that_was_looked_into_is_the_same() -> None:
    """Two equal fleets of sites stay equal after one of these fleets has built its lookup tables."""
    seen, other = Fleet(NOW, (site(),)), Fleet(NOW, (site(),))
    assert seen.site(site_ref()) == site()
    assert seen == other
    assert hash(seen) == hash(other)


@pytest.mark.parametrize(
    ("bindings", "shared"),
    [
        pytest.param((), False, id="it is bound to nothing"),
        pytest.param((binding(thumbprint=NEW),), False, id="it is bound to its own"),
        pytest.param((binding(thumbprint=None),), False, id="its binding shows nothing"),
        pytest.param((binding(thumbprint=FOREIGN),), False, id="it is bound to what nobody has"),
        pytest.param((binding(thumbprint=OLD, site="b"),), False, id="another site is bound to what the webspace has"),
        pytest.param((binding(thumbprint=OLD),), True, id="it is bound to what the webspace has"),
        pytest.param(
            (binding("a", OLD), binding("b", NEW)), True, id="one of its names is bound to what the webspace has"
        ),
        pytest.param(
            (binding("a", NEW), binding("b", OLD)), True, id="its last name is bound to what the webspace has"
        ),
    ],
)
def test_flex_site_has_its_own_unless_it_is_seen_to_share(bindings: tuple[Binding, ...], *, shared: bool) -> None:
    """A Flex Consumption site uses its webspace's certificates only if one of its bindings shows such a certificate."""
    common = copy(thumbprint=OLD), copy("new", NEW)
    own = replace(copy(thumbprint=NEW), ref=CopyRef.of_site(site_ref(), "own", public=False))
    fleet = Fleet(NOW, (replace(site(), flex=True), site("b")), bindings, (*common, own))
    assert fleet.certificates_of(site_ref()) == ((*common, own) if shared else (own,))
    assert fleet.certificates_of(site_ref("b")) == common


@pytest.mark.parametrize(
    ("value", "off", "on"),
    [
        (None, False, False),
        ("on", False, True),
        ("On", False, True),
        *((word, False, False) for word in (" on ", "true", "YES", "1")),
        *((word, True, False) for word in ("off", " OFF ", "false", "no", "0")),
        *((word, True, False) for word in ("", "disabled", "skip", "'off'", "of", '"on"', "onn")),
    ],
)
def test_tag_says_yes_or_no(value: str | None, *, off: bool, on: bool) -> None:
    """The tag `certroll` opts a resource out unless its value is a word for on; other switches need the word `on`."""
    assert (opts_out(value), is_on(value)) == (off, on)
