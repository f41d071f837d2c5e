"""Certroll decides which app settings, plans and slots it has to read, and reads the dates of uploads from ARM."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.clients.arm.wire import read_date
from shared.domain.certificates.lineage import Lineage
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import Environment, ServerFarm, Site
from shared.domain.names import CopyRef, Thumbprint
from shared.loop.observe.targets import Scope, Targets, plans_in
from tests.build import (
    ASE,
    NEW,
    NORTH,
    OLD,
    OTHER_ASE,
    SUBSCRIPTION,
    WEST,
    copy,
    facts,
    farm,
    lineage,
    old_version,
    site,
    site_ref,
    version,
)

PUBLIC = version(facts=facts(public_policy=True))
ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Plans/providers/Microsoft.Web/certificates/By%23Hand"


@pytest.mark.parametrize(
    ("lineages", "private"),
    [
        pytest.param([], set(), id="nothing"),
        pytest.param([lineage()], {NEW}, id="the current version, and no older one"),
        pytest.param([lineage(version("v2", NEW), version("v1", OLD), current=1)], {OLD}, id="not what is refused"),
        pytest.param([lineage(PUBLIC, old_version())], set(), id="none of a public authority"),
        pytest.param([lineage(version(facts=None), old_version())], set(), id="none that nobody looked into"),
        pytest.param([lineage(current=None)], set(), id="no good version"),
        pytest.param([lineage(PUBLIC, old_version()), lineage()], {NEW}, id="each of several"),
    ],
)
def test_dates_may_matter_of_current_private_versions(lineages: list[Lineage], private: set[Thumbprint]) -> None:
    """Certroll reads upload dates only for a current version that is not from a public certificate authority.

    Certroll uploads a version a second time only if the version is not from a public certificate authority.
    """
    assert Targets.of(iter(lineages)).private == private


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2023-09-30T23:59:59.1234567Z", datetime(2023, 9, 30, 23, 59, 59, 123456, UTC)),
        ("2023-10-01T00:00:00Z", datetime(2023, 10, 1, tzinfo=UTC)),
        ("2023-10-01T01:30:00+02:00", datetime(2023, 9, 30, 23, 30, tzinfo=UTC)),
    ],
)
def test_date_of_an_upload_is_read(text: str, moment: datetime) -> None:
    """Certroll reads a certificate's upload date with seven decimals of a second and in any time zone."""
    assert read_date({"id": ID, "createdTime": text}) == (CopyRef(SUBSCRIPTION, "plans", "by#hand"), moment)


@pytest.mark.parametrize("wire", [{"id": ID}, {"id": ID, "createdTime": None}, {"createdTime": "2023-10-01T00:00:00Z"}])
def test_what_has_no_date_is_left_out(wire: dict[str, object]) -> None:
    """Certroll's reader of upload dates raises `ValueError` for an entry without a date or an id."""
    with pytest.raises(ValueError, match=r"None|''"):
        read_date(wire)


# ------------------------------------------------------------------------------------------------ the scope of a sweep


NO_TARGETS = Targets()
WANTED = copy("web")
OWN = replace(copy("web", webspace=NORTH), ref=CopyRef.of_site(site_ref(), "web", public=False))
"""A certificate that belongs to a single site; its App Service webspace says nothing about other sites."""


def scope(*wanted: WebspaceCertificate, targets: Targets = NO_TARGETS) -> Scope:
    """Return what Certroll has to read for these wanted certificates in a fleet with one App Service Environment."""
    return Scope.of(targets, wanted, (Environment(ASE, "Sweden Central", internal=False),))


@pytest.mark.parametrize(
    ("seen", "near"),
    [
        pytest.param(scope(WANTED), True, id="its webspace holds a wanted certificate"),
        pytest.param(scope(), False, id="nothing is wanted"),
        pytest.param(scope(copy("web", webspace=NORTH)), False, id="another webspace holds one"),
        pytest.param(scope(OWN), True, id="it holds one of its own"),
        pytest.param(
            scope(replace(OWN, ref=CopyRef.of_site(site_ref("api"), "web", public=False), webspace=WEST)),
            False,
            id="its neighbour holds one of its own",
        ),
        pytest.param(scope(targets=Targets(sites=frozenset({"shop"}))), True, id="a tag names it"),
        pytest.param(scope(targets=Targets(roots=frozenset({NEW}))), False, id="it has no root list"),
    ],
)
def test_settings_are_read_where_a_certificate_may_be_used(seen: Scope, *, near: bool) -> None:
    """Certroll reads an app's settings if the app or its webspace has a certificate that Certroll looks for."""
    assert seen.is_near(site()) is near
    assert seen.is_listed(site()) is near


def test_slots_are_read_in_environments_that_a_tag_names() -> None:
    """Certroll lists an environment's slots if a tag names the environment, and does not read the slots' settings.

    Certroll stops and starts the slots of an environment for a new root certificate.
    """
    hosted = replace(site(), environment=ASE)
    named, silent = scope(targets=Targets(environments=frozenset({ASE.name}))), scope()
    assert (named.is_listed(hosted), named.is_near(hosted), named.is_listed(site())) == (True, False, False)
    assert not silent.is_listed(hosted)


LIMITED = Targets(limited=True)
AWAY = site("away", webspace=NORTH, environment=ASE)


@pytest.mark.parametrize(
    ("seen", "sites", "listed"),
    [
        pytest.param(scope(WANTED, targets=LIMITED), (site(environment=ASE),), True, id="an app there may restart"),
        pytest.param(scope(WANTED), (site(environment=ASE),), False, id="no limit holds"),
        pytest.param(scope(WANTED, targets=LIMITED), (site(),), False, id="the app is outside of environments"),
        pytest.param(scope(WANTED, targets=LIMITED), (site(environment=OTHER_ASE),), False, id="it is in another one"),
        pytest.param(scope(targets=LIMITED), (site(environment=ASE),), False, id="no app there may restart"),
    ],
)
def test_slots_are_read_in_all_webspaces_that_share_a_limit(
    seen: Scope, sites: tuple[Site, ...], *, listed: bool
) -> None:
    """Certroll reads the slots of a whole environment before it restarts an app there under a limit.

    Certroll does not read the settings of apps in the other webspaces.
    """
    around = seen.with_limits((*sites, AWAY))
    assert around.is_listed(AWAY) is listed
    assert not around.is_near(AWAY)


@pytest.mark.parametrize(
    ("plan", "sites", "asked"),
    [
        pytest.param(replace(farm(), environment=ASE), (), True, id="no site of it is seen"),
        pytest.param(farm(), (site(environment=ASE),), True, id="only a site of its webspace names the environment"),
        pytest.param(farm(), (site(),), False, id="it is outside"),
        pytest.param(
            farm(), (site(environment=ASE, webspace=NORTH),), False, id="a site of another webspace is inside"
        ),
        pytest.param(replace(farm(), environment=OTHER_ASE), (site(environment=OTHER_ASE),), False, id="elsewhere"),
        pytest.param(
            farm(), (site(environment=ASE, webspace=None),), False, id="nobody knows the webspace of the site"
        ),
    ],
)
def test_plans_of_an_environment_are_known_in_each_webspace(
    plan: ServerFarm, sites: tuple[Site, ...], *, asked: bool
) -> None:
    """Certroll asks each plan of an environment for its sites, even in a webspace without a visible site."""
    assert plans_in(frozenset({ASE}), (plan,), sites) == ((plan,) if asked else ())


def test_apps_with_root_lists_are_read_where_there_may_be_a_root() -> None:
    """Certroll reads the settings of Windows apps in an environment if any vault object may be a root certificate."""
    hosted = replace(site(), environment=ASE, windows_code=True)
    assert scope(targets=Targets(roots=frozenset({NEW}))).is_near(hosted)
    assert not scope().is_near(hosted)


@pytest.mark.parametrize(
    ("seen", "concerned"),
    [
        pytest.param(scope(), (), id="nothing is wanted"),
        pytest.param(scope(WANTED), (SUBSCRIPTION,), id="where a wanted certificate is"),
        pytest.param(scope(OWN), (SUBSCRIPTION,), id="where a site has one of its own"),
        pytest.param(
            scope(targets=Targets(environments=frozenset({ASE.name}))),
            (SUBSCRIPTION,),
            id="where a named environment is",
        ),
        pytest.param(
            scope(targets=Targets(roots=frozenset({NEW}))), (SUBSCRIPTION,), id="where an app has a root list"
        ),
        pytest.param(scope(targets=Targets(anywhere=True)), ("other", SUBSCRIPTION), id="everywhere"),
    ],
)
def test_plans_are_read_in_subscriptions_that_are_concerned(seen: Scope, concerned: tuple[str, ...]) -> None:
    """Certroll lists plans and slots only in subscriptions with an affected site.

    If a tag names a resource that may be in any subscription, Certroll lists the plans and slots of all subscriptions.
    """
    listing = replace(site(), environment=ASE, windows_code=True)
    assert seen.subscriptions(("other", SUBSCRIPTION), (listing,)) == concerned
