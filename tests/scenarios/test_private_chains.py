"""Check certificates of a private authority in an environment, whose servers use the chain of the upload."""

import base64
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.vault.authority import Authority, Leaf, Request
from local.azure.vault.issued import imported
from local.azure.vault.policy import Policy
from local.azure.world import World
from local.frontend.visitor import HandshakeFailed, Visitor
from local.stand import Stand
from local.tls import NO_CHECK_TIME
from local.worlds.builders import Builder
from shared.domain.intent import Mode
from shared.domain.messages import Cause
from shared.domain.reason import Reason
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Crasher, Installation, deliver_dying
from tests.scenarios.worlds import AGE, VAULT, shown, writes
from tests.soaking import crashes

EARLY = datetime(2023, 9, 30, 23, 59, 59, tzinfo=UTC)
LATER = EARLY + timedelta(seconds=1)
ON = {"certroll-upload-again": "on"}
HOSTS = ("api.corp.example", "shop.corp.example", "staging.corp.example", "www.corp.example")
FAR = "far.corp.example"
Webspaces = Literal["per plan group", "one"]
MOST_WRITES = 60
DATED = "/resources"


@dataclass
class Corp:
    """A private authority with a certificate in an environment, which four host names of three sites show.

    With `whole=True` the vault contains the private authority's root as well.
    """

    created: datetime | None = EARLY
    tags: dict[str, str] = field(default_factory=dict)
    knobs: Knobs = field(default_factory=Knobs)
    whole: bool = True
    secret: bool = False
    inside: bool = True

    def __post_init__(self) -> None:
        """Build the simulated fleet, the vault and the sites."""
        self.authority = Authority("Corp")
        self.world = World(Clock(), 0, self.knobs)
        self.build = Builder(self.world)
        self.vault = self.build.add_vault()
        leaf = self.put(whole=self.whole)
        hosting = self.build.add_environment("ase") if self.inside else None
        plan = self.build.add_plan("inside", environment=hosting)
        upload = self.build.add_upload(imported(leaf), plan, name="by-hand", created=self.created)
        shop, api = self.build.add_site("shop", plan), self.build.add_site("api", plan)
        for site, host in zip((api, shop, self.build.add_slot(shop, "staging"), shop), HOSTS, strict=True):
            self.build.add_host(site, host, upload)
        self.world.clock.advance(AGE)
        self.first = leaf.thumbprint

    def put(self, *, whole: bool = True) -> Leaf:
        """Put a new version of the private authority's certificate into the vault, and return the version."""
        now = self.world.clock.now()
        issued = self.authority.issue(Request(("*.corp.example",), now, now + timedelta(days=90)))
        leaf = replace(issued, chain=(*issued.chain, self.authority.root)) if whole else issued
        if self.secret:
            value, kind = base64.b64encode(leaf.pfx()).decode(), "application/x-pkcs12"
            self.vault.set_secret("web", value, content_type=kind, tags=self.tags)
        else:
            policy = Policy(subject="CN=corp")
            self.vault.append(self.vault.ensure("web", policy), leaf, policy, tags=self.tags)
        return leaf

    @property
    def kind(self) -> str:
        """The kind of the vault object: a vault certificate or a secret."""
        return "secret" if self.secret else "certificate"

    def convinces(self, stand: Stand, host: str) -> bool:
        """Return True if a client that trusts only the private root completes a handshake with the host name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.authority.root_pem.decode())
        context.verify_flags |= NO_CHECK_TIME
        try:
            Visitor(stand.proxy.address, context).handshake(host)
        except HandshakeFailed:
            return False
        return True

    def convinced(self, stand: Stand) -> set[str]:
        """Return the host names at which a client that trusts only the private root completes a handshake."""
        return {host for host in HOSTS if self.convinces(stand, host)}

    def copies(self, thumbprint: str) -> list[str]:
        """Return the names of the uploaded certificates with the given thumbprint."""
        return sorted(copy.name for copy in self.world.web.certificates.values() if copy.thumbprint == thumbprint)


def own_name(thumbprint: str) -> str:
    """Return the name that Certroll gives to its upload of the certificate."""
    return f"certroll-web-{thumbprint.lower()}"


def dates_read(world: World) -> int:
    """Return how often Certroll read ARM's list of all resources."""
    reads = [entry for entry in world.journal.reads("management.azure.com") if entry.path.endswith(DATED)]
    return len(reads)


def rebound(world: World) -> dict[str, int]:
    """Return how often each TLS binding was written."""
    puts = [e.path.rpartition("/")[2] for e in world.journal.writes("management.azure.com") if "hostNameB" in e.path]
    return {host: puts.count(host) for host in sorted(set(puts))}


def about_uploads(installation: Installation) -> set[tuple[str, str]]:
    """Return the findings (reported problems) about the time of an upload."""
    told = {Reason.UPLOADED_BEFORE_CHAINS, Reason.UPLOAD_DATE_UNKNOWN}
    return {finding for finding in installation.findings() if finding[1] in told}


@contextmanager
def slots_deferred(world: World) -> Iterator[dict[str, int]]:
    """Yield a dict that will contain how many list requests read upload dates during the block.

    Certroll reads the same list once per inspection of the fleet to find slots, and the returned dict omits these
    reads.
    """
    world.journal.clear()
    found: dict[str, int] = {}
    yield found
    looks = sum(e.path.lower().endswith("microsoft.web/serverfarms") for e in world.journal.reads())
    found["dates"] = dates_read(world) - looks


# ------------------------------------------------------------------------------------------------- found and reported


@pytest.mark.parametrize("secret", [False, True], ids=["certificate", "secret"])
@pytest.mark.parametrize(
    ("differences", "reason", "asked"),
    [
        pytest.param({}, Reason.UPLOADED_BEFORE_CHAINS, 1, id="early"),
        pytest.param({"created": LATER}, None, 1, id="late enough"),
        pytest.param(
            {"created": LATER, "knobs": Knobs(certificates_show_created=False)},
            Reason.UPLOAD_DATE_UNKNOWN,
            1,
            id="nobody knows when",
        ),
        pytest.param({"inside": False}, None, 0, id="outside of environments"),
    ],
)
def test_early_uploads_are_found_and_reported(
    install: Install,
    secret: bool,  # noqa: FBT001
    differences: dict[str, object],
    reason: Reason | None,
    asked: int,
) -> None:
    """Each sweep reports an early upload, whose chain the servers do not know, and writes nothing.

    Certroll reads the upload dates once per inspection of the fleet, and only if an environment has an early upload.
    """
    corp = Corp(secret=secret, **differences)  # type: ignore[arg-type]
    installation = install(corp.world)
    with slots_deferred(corp.world) as counted:
        assert installation.sweep() == ()
    assert counted == {"dates": asked}
    (space,) = {copy.webspace.name.lower() for copy in corp.world.web.certificates.values()}
    expected = {(f"certificate contoso/by-hand in {space}", reason)} if reason else set()
    assert about_uploads(installation) == expected
    assert writes(corp.world) == 0


@pytest.mark.parametrize("other", ["older version", "strange certificate"])
def test_dates_of_what_is_replaced_or_in_no_vault_are_not_asked_for(install: Install, other: str) -> None:
    """Certroll reads upload dates only of current versions, because a newer version needs a new upload anyway."""
    corp = Corp()
    if other == "older version":
        corp.put()
    else:
        corp.vault.certificates.clear()
    installation = install(corp.world)
    with slots_deferred(corp.world) as counted:
        installation.sweep()
    assert counted == {"dates": 0}
    assert about_uploads(installation) == set()


def test_dates_that_may_not_be_read_hide_nothing_else(install: Install) -> None:
    """If Azure denies the upload dates, Certroll reports an unknown date and still renews."""
    corp = Corp()
    installation = install(corp.world)
    corp.world.faults.add(Fault("denied", "GET", path=f"{DATED}$", skip=0, times=1))
    installation.sweep()
    assert Reason.UPLOAD_DATE_UNKNOWN in {reason for _, reason in about_uploads(installation)}
    new = corp.put().thumbprint
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert {seen.thumbprint for seen in shown(corp.world).values()} == {new}


# -------------------------------------------------------------------------------------------------- mended on request


@pytest.mark.parametrize("secret", [False, True], ids=["certificate", "secret"])
@pytest.mark.parametrize("dated", [True, False], ids=["early", "date unknown"])
def test_an_early_upload_is_uploaded_and_bound_again(
    install: Install,
    stand: Stand,
    dated: bool,  # noqa: FBT001
    secret: bool,  # noqa: FBT001
) -> None:
    """With the tag `certroll-upload-again` Certroll uploads an early version again and rewrites each binding once.

    After the rewrite a client that trusts only the private root reaches all host names; before the rewrite the client
    reaches none.
    """
    corp = Corp(tags=ON, secret=secret, knobs=Knobs(certificates_show_created=dated))
    world = corp.world
    installation = install(world)
    assert corp.convinced(stand) == set()
    before = shown(world)
    assert installation.sweep()
    world.journal.clear()
    installation.deliver_all()
    assert shown(world) == before
    assert corp.copies(corp.first) == ["by-hand", own_name(corp.first)]
    assert rebound(world) == dict.fromkeys(HOSTS, 1)
    assert writes(world) == 1 + len(HOSTS)
    assert corp.convinced(stand) == set(HOSTS)
    assert installation.states() == dict.fromkeys(("api", "shop", "shop/slots/staging"), "Proven")
    assert about_uploads(installation) == set()
    for _ in range(2):
        assert installation.sweep() == ()
        installation.look_at(VAULT, "web", Cause.MANUAL, corp.kind)
        installation.deliver_all()
    assert writes(world) == 1 + len(HOSTS)
    assert installation.errors == []


def test_what_would_be_uploaded_again_is_planned(install: Install) -> None:
    """In observe mode Certroll reports the uploads and bindings that Certroll would write."""
    corp = Corp(tags=ON)
    installation = install(corp.world, mode=Mode.OBSERVE)
    installation.sweep()
    assert writes(corp.world) == 0
    would_be = {subject for subject, reason in installation.findings() if reason == Reason.OBSERVE_ONLY}
    assert len(would_be) == 1 + len(HOSTS)


def test_a_site_that_opted_out_is_not_bound_again(install: Install) -> None:
    """Certroll does not rewrite the TLS bindings of a site that opted out."""
    corp = Corp(tags=ON)
    site = next(site for site in corp.world.web.sites.values() if site.name == "api")
    corp.world.web.put_site(replace(site, tags={"certroll": "off"}))
    installation = install(corp.world)
    installation.sweep()
    installation.deliver_all()
    assert rebound(corp.world) == dict.fromkeys(HOSTS[1:], 1)
    assert installation.sweep() == ()


def test_what_people_uploaded_again_is_bound_again_on_request(install: Install, stand: Stand) -> None:
    """If an operator has uploaded the certificate again, Certroll only rewrites the TLS bindings."""
    corp = Corp(tags=ON)
    early = next(iter(corp.world.web.certificates.values()))
    plan = next(iter(corp.world.web.plans.values()))
    corp.build.add_upload(early.content, plan, name="by-hand-again")
    installation = install(corp.world)
    installation.sweep()
    installation.deliver_all()
    assert corp.copies(corp.first) == ["by-hand", "by-hand-again"]
    assert rebound(corp.world) == dict.fromkeys(HOSTS, 1)
    assert corp.convinced(stand) == set(HOSTS)
    assert installation.sweep() == ()


def test_a_host_name_that_comes_later_is_the_only_one_written(install: Install) -> None:
    """Certroll writes only the binding of a host name that was added after the other bindings were rewritten."""
    corp = Corp(tags=ON)
    old = next(iter(corp.world.web.certificates.values()))
    stale_host(corp)
    installation = install(corp.world, meddled=True)
    installation.sweep()
    installation.deliver_all()
    site = next(site for site in corp.world.web.sites.values() if site.name == "api")
    corp.build.add_host(site, "late.corp.example", old)
    corp.world.journal.clear()
    assert installation.sweep()
    installation.deliver_all()
    assert rebound(corp.world) == {"late.corp.example": 1}
    assert installation.sweep() == ()


@pytest.mark.real_storage
def test_a_lost_journal_has_it_bound_once_more(install: Install) -> None:
    """After the journal is lost, Certroll rewrites the bindings once more, because Azure does not record rewrites."""
    corp = Corp(tags=ON)
    installation = install(corp.world)
    installation.sweep()
    installation.deliver_all()
    before = shown(corp.world)
    installation.storage.clear()
    corp.world.journal.clear()
    installation.sweep()
    installation.deliver_all()
    assert rebound(corp.world) == dict.fromkeys(HOSTS, 1)
    assert writes(corp.world) == len(HOSTS)
    assert shown(corp.world) == before
    assert installation.sweep() == ()


@pytest.mark.parametrize("reading", ["refuse", "resolve"])
def test_a_thumbprint_that_azure_takes_once_is_refused_with_the_cure(install: Install, reading: str) -> None:
    """If Azure refuses a second upload of the same certificate, Certroll rewrites no binding and reports a remedy.

    After Azure refuses the second upload, Certroll records nothing about the certificate's sites. Each sweep of
    Certroll tries the refused upload once more, until the vault has a new version of the certificate.
    """
    corp = Corp(tags=ON, knobs=Knobs(second_import_same_thumbprint=reading))  # type: ignore[arg-type]
    world = corp.world
    installation = install(world)
    for tries in (1, 2):
        world.journal.clear()
        assert installation.sweep(), tries
        installation.deliver_all()
        puts = [entry for entry in world.journal.writes("management.azure.com") if "certroll-web" in entry.path]
        assert len(puts) == 1
        assert rebound(world) == {}
    assert "put a new version into the vault" in installation.details()
    assert Reason.REJECTED_BY_AZURE in {reason for _, reason in installation.findings()}
    assert installation.states() == {}
    new = corp.put().thumbprint
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert {seen.thumbprint for seen in shown(world).values()} == {new}
    assert installation.sweep() == ()
    assert installation.errors == []


def stale_host(corp: Corp) -> str:
    """Return a host name that shows the old version, while all others show a new version that was uploaded early."""
    new, plan = corp.put(), next(iter(corp.world.web.plans.values()))
    upload = corp.build.add_upload(imported(new), plan, name="by-hand-too", created=EARLY)
    for site in tuple(corp.world.web.sites.values()):
        for host in [name for name in site.hosts if name in HOSTS[:-1]]:
            corp.build.add_host(site, host, upload)
    corp.world.clock.advance(AGE)
    return new.thumbprint


def test_a_host_name_that_moves_meanwhile_is_written_once(install: Install, stand: Stand) -> None:
    """Certroll writes a host name that shows an older version once, after the repeated upload."""
    corp = Corp(tags=ON)
    new = stale_host(corp)
    installation = install(corp.world)
    corp.world.journal.clear()
    installation.sweep()
    installation.deliver_all()
    assert rebound(corp.world) == dict.fromkeys(HOSTS, 1)
    assert {seen.thumbprint for seen in shown(corp.world).values()} == {new}
    assert corp.convinced(stand) == set(HOSTS)
    assert installation.sweep() == ()


def test_what_is_refused_holds_up_no_host_name_that_is_to_move(install: Install, stand: Stand) -> None:
    """If Azure refuses the same certificate again, a host name with an older version still moves to the new one.

    Once Azure accepts the upload, Certroll rewrites every binding of the certificate.
    """
    corp = Corp(tags=ON, knobs=Knobs(second_import_same_thumbprint="refuse"))
    new = stale_host(corp)
    installation = install(corp.world)
    corp.world.journal.clear()
    installation.sweep()
    installation.deliver_all()
    assert rebound(corp.world) == {HOSTS[-1]: 1}
    assert {seen.thumbprint for seen in shown(corp.world).values()} == {new}
    assert installation.states() == {"shop": "Proven"}
    corp.world.knobs.turn(second_import_same_thumbprint="accept")
    corp.world.journal.clear()
    installation.sweep()
    installation.deliver_all()
    assert rebound(corp.world) == dict.fromkeys(HOSTS, 1)
    assert corp.convinced(stand) == set(HOSTS)
    assert installation.sweep() == ()


# -------------------------------------------------------------------------------------------- one or several webspaces


def spread(webspaces: Webspaces = "per plan group", tags: dict[str, str] | None = None) -> Corp:
    """Return an environment with plans in two resource groups, each with an early upload of the same certificate.

    The site `far` on the second plan shows the second upload at the host name FAR.
    """
    corp = Corp(knobs=Knobs(environment_webspaces=webspaces), tags=tags or {})
    (hosting,) = corp.world.web.environments.values()
    apart = corp.build.add_plan("apart", corp.build.add_group("shops"), environment=hosting)
    early = next(iter(corp.world.web.certificates.values()))
    upload = corp.build.add_upload(early.content, apart, name="by-hand-apart", created=EARLY)
    corp.build.add_host(corp.build.add_site("far", apart), FAR, upload)
    corp.world.clock.advance(AGE)
    return corp


@pytest.mark.parametrize(("webspaces", "uploads"), [("per plan group", 2), ("one", 1)])
def test_each_webspace_of_an_environment_gets_one_more_upload(
    install: Install, stand: Stand, webspaces: Webspaces, uploads: int
) -> None:
    """Certroll repeats an early upload once per webspace of the environment, and rewrites each binding once.

    Certroll begins with the webspace that has the fewest bindings. Certroll reads the dates of all uploads at once.
    """
    corp = spread(webspaces, ON)
    installation = install(corp.world)
    with slots_deferred(corp.world) as counted:
        assert installation.sweep()
    assert counted == {"dates": 1}
    installation.deliver_all()
    assert len(corp.copies(corp.first)) == 2 + uploads
    assert rebound(corp.world) == dict.fromkeys((*HOSTS, FAR), 1)
    assert writes(corp.world) == uploads + len(HOSTS) + 1
    puts = [e.path.rpartition("/")[2] for e in corp.world.journal.writes("management.azure.com")]
    assert (puts.index(FAR) == 1) is (uploads == 2)
    assert all(corp.convinces(stand, host) for host in (*HOSTS, FAR))
    assert set(installation.states().values()) == {"Proven"}
    assert installation.sweep() == ()


@pytest.mark.parametrize(("webspaces", "uploads"), [("per plan group", 2), ("one", 1)])
def test_each_webspace_of_an_environment_gets_the_next_version(
    install: Install, stand: Stand, webspaces: Webspaces, uploads: int
) -> None:
    """Certroll uploads the next version with its whole chain once per webspace of the environment."""
    corp = spread(webspaces)
    installation = install(corp.world)
    new = corp.put().thumbprint
    corp.world.journal.clear()
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert {seen.thumbprint for seen in shown(corp.world).values()} == {new}
    assert corp.copies(new) == [own_name(new)] * uploads
    assert writes(corp.world) == uploads + len(HOSTS) + 1
    assert all(corp.convinces(stand, host) for host in (*HOSTS, FAR))
    assert Reason.CHAIN_INCOMPLETE not in {reason for _, reason in installation.findings()}
    assert installation.sweep() == ()
    assert installation.errors == []


def with_hidden_site() -> Corp:
    """Return an environment with two webspaces, in one of which Certroll may see no site."""
    corp = spread()
    corp.world.roles.hide(next(site.id for site in corp.world.web.sites.values() if site.name == "far"))
    return corp


def test_an_early_upload_is_found_where_no_site_is_seen(install: Install) -> None:
    """Certroll reports an early upload in a webspace of an environment even if Certroll may see no site there."""
    corp = with_hidden_site()
    installation = install(corp.world)
    with slots_deferred(corp.world) as counted:
        installation.sweep()
    assert counted == {"dates": 1}
    assert about_uploads(installation) == {
        (
            f"certificate {copy.resource_group}/{copy.name} in {copy.webspace.name.lower()}",
            Reason.UPLOADED_BEFORE_CHAINS,
        )
        for copy in corp.world.web.certificates.values()
    }


def test_a_chain_is_wanted_where_no_site_is_seen(install: Install) -> None:
    """Certroll uploads no version that lost its root to a webspace of an environment where it may see no site."""
    corp = with_hidden_site()
    installation = install(corp.world)
    new = corp.put(whole=False).thumbprint
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert corp.copies(new) == []
    assert Reason.CHAIN_LOST in {reason for _, reason in installation.findings()}


@pytest.mark.parametrize("reading", ["refuse", "resolve"])
def test_a_second_webspace_keeps_its_version_if_azure_takes_a_thumbprint_once(install: Install, reading: str) -> None:
    """If Azure takes a thumbprint once per region, one webspace gets the next version and Certroll names the other.

    No binding of the other webspace changes. Once Azure accepts the upload, the other webspace follows.
    """
    corp = spread()
    corp.world.knobs.turn(second_import_same_thumbprint=reading)
    installation = install(corp.world)
    new = corp.put().thumbprint
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    seen = shown(corp.world)
    assert {host for host, state in seen.items() if state.thumbprint == new} == {FAR}
    assert {seen[host].thumbprint for host in HOSTS} == {corp.first}
    (space,) = {copy.webspace.name.lower() for copy in corp.world.web.certificates.values() if copy.name == "by-hand"}
    about = {subject for subject, _ in installation.findings()}
    assert f"certificate contoso/{own_name(new)} in {space}" in about
    corp.world.knobs.turn(second_import_same_thumbprint="accept")
    installation.sweep()
    installation.deliver_all()
    assert {state.thumbprint for state in shown(corp.world).values()} == {new}
    assert installation.sweep() == ()


# -------------------------------------------------------------------------------------------------- faults and crashes


PUT = r"/certificates/certroll-[^/]+$|/hostNameBindings/[^/]+$"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda: Fault("server_error", "PUT", path=PUT, status=503, times=3), id="503"),
        pytest.param(lambda: Fault("server_error", "PUT", path=PUT, status=500, times=3), id="500"),
        pytest.param(lambda: Fault("applied_but_lost", "PUT", path=PUT, times=2), id="applied, and the answer lost"),
        pytest.param(lambda: Fault("dropped", "PUT", path=PUT, applied=True, times=2), id="applied, and hung up"),
        pytest.param(lambda: Fault("site_lock", "PUT", path=PUT, times=2), id="the site is locked"),
    ],
)
@pytest.mark.real_transport
def test_faults_only_delay_it(install: Install, stand: Stand, fault: Callable[[], Fault]) -> None:
    """A fault of Azure only delays the repeated upload, which happens once, before every binding is rewritten."""
    corp = Corp(tags=ON)
    installation = install(corp.world)
    corp.world.faults.add(fault())
    before = shown(corp.world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert any(fault.strikes for fault in corp.world.faults.all())
    assert shown(corp.world) == before
    assert len(corp.copies(corp.first)) == 2
    assert corp.convinced(stand) == set(HOSTS)
    assert installation.queue.dead_letter == []
    assert installation.sweep() == ()


@pytest.mark.parametrize(
    ("build", "hosts", "copies"),
    [
        pytest.param(lambda: Corp(tags=ON), HOSTS, 2, id="one webspace"),
        pytest.param(lambda: spread(tags=ON), (*HOSTS, FAR), 4, id="two webspaces"),
    ],
)
def test_a_crash_after_any_write_leads_to_the_same_end(
    install: Install,
    crasher: Crasher,
    stand: Stand,
    build: Callable[[], Corp],
    hosts: tuple[str, ...],
    copies: int,
) -> None:
    """After a crash at any write Certroll still uploads once per webspace, and then rewrites every binding."""
    for write in crashes(MOST_WRITES):
        corp = build()
        installation = install(corp.world)
        before = shown(corp.world)
        installation.look_at(VAULT, "web")
        died = deliver_dying(installation, crasher, write)
        assert shown(corp.world) == before, f"after a crash at write {write}"
        assert len(corp.copies(corp.first)) == copies, f"after a crash at write {write}"
        assert all(corp.convinces(stand, host) for host in hosts), f"after a crash at write {write}"
        assert set(installation.states().values()) == {"Proven"}, f"after a crash at write {write}"
        assert installation.sweep() == (), f"after a crash at write {write}"
        if not died:
            break
    else:
        pytest.fail("no end: the loop did not see all writes")
    assert write > len(hosts)


# ---------------------------------------------------------------------------------------------------- the next version


@pytest.mark.parametrize("secret", [False, True], ids=["certificate", "secret"])
@pytest.mark.parametrize(
    ("before", "now", "moves"),
    [
        pytest.param(True, True, True, id="the whole chain"),
        pytest.param(False, True, True, id="the whole chain where there was none"),
        pytest.param(False, False, True, id="no root, as before"),
        pytest.param(True, False, False, id="no root, where there was one"),
    ],
)
def test_the_next_version_comes_with_its_whole_chain(
    install: Install,
    stand: Stand,
    secret: bool,  # noqa: FBT001
    before: bool,  # noqa: FBT001
    now: bool,  # noqa: FBT001
    moves: bool,  # noqa: FBT001
) -> None:
    """Certroll uploads the vault object's chain, and reports a missing root.

    Certroll refuses a version without its root only if the previous version of the vault object had a root.
    """
    corp = Corp(whole=before, secret=secret)
    installation = install(corp.world)
    new = corp.put(whole=now).thumbprint
    installation.look_at(VAULT, "web", kind=corp.kind)
    installation.deliver_all()
    assert {seen.thumbprint for seen in shown(corp.world).values()} == {new if moves else corp.first}
    told = {reason for _, reason in installation.findings()}
    assert (Reason.CHAIN_LOST in told) is not moves
    assert (Reason.CHAIN_INCOMPLETE in told) is (moves and not now)
    assert (corp.convinced(stand) == set(HOSTS)) is moves
    assert installation.errors == []


def test_a_chain_that_is_incomplete_is_reported_when_it_is_uploaded_again(install: Install) -> None:
    """If the vault lacks the root, Certroll uploads the certificate on request and reports the incomplete chain."""
    corp = Corp(tags=ON, whole=False)
    installation = install(corp.world)
    installation.sweep()
    installation.deliver_all()
    assert rebound(corp.world) == dict.fromkeys(HOSTS, 1)
    assert Reason.CHAIN_INCOMPLETE in {reason for _, reason in installation.findings()}
    assert "Corp Root CA is not in version" in installation.details()


def test_outside_of_environments_a_missing_root_is_no_matter(install: Install) -> None:
    """Outside of environments Certroll uploads a version without its root, because clients have the root."""
    corp = Corp(inside=False)
    installation = install(corp.world)
    new = corp.put(whole=False).thumbprint
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert {seen.thumbprint for seen in shown(corp.world).values()} == {new}
    assert Reason.CHAIN_INCOMPLETE not in {reason for _, reason in installation.findings()}
