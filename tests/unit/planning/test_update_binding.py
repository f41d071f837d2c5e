"""Test how Certroll replaces only the thumbprint of a TLS binding."""

from dataclasses import replace

import pytest

from shared.domain.errors import Conflict, NotFound, Rejected
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import Site
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import shown_bindings
from shared.planning.actions import update_binding
from shared.planning.actions.sync_certificate import SyncCertificate
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.plan import Skip, Step
from tests.build import (
    APPLY,
    FOREIGN,
    HOST,
    NEW,
    NEWER,
    NORTH,
    OLD,
    OLDER,
    OTHER_REF,
    SITES,
    WEST,
    RecordingAppService,
    binding,
    copy,
    farm,
    lineage,
    old_version,
    ports,
    site,
    site_ref,
    snapshot,
    version,
)

UPDATE = UpdateBinding(binding(), NEW, WEST)
IP_BASED = binding(ssl_state=SslState.IP_BASED, virtual_ip="203.0.113.7")


@pytest.mark.parametrize(
    "stale",
    [
        pytest.param(binding(), id="by SNI"),
        pytest.param(IP_BASED, id="by address"),
        pytest.param(binding("*.contoso.com"), id="a wildcard host name"),
        pytest.param(binding(slot="staging"), id="of a slot"),
    ],
)
def test_stale_binding_is_to_be_updated(stale: Binding) -> None:
    """Certroll moves a binding from an older version to the current version."""
    seen = snapshot(sites=(site(), site(slot="staging")), bindings=(stale,))
    assert list(update_binding.propose(seen, APPLY)) == [Step(UpdateBinding(stale, NEW, WEST), Reason.STALE_THUMBPRINT)]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(binding(thumbprint=NEW), id="the current version"),
        pytest.param(binding(thumbprint=NEWER), id="a newer version that was refused"),
        pytest.param(binding(thumbprint=FOREIGN), id="another certificate"),
        pytest.param(binding(thumbprint=None), id="no certificate"),
        pytest.param(binding(ssl_state=SslState.DISABLED), id="an old thumbprint, but without TLS"),
    ],
)
def test_binding_is_left_alone(other: Binding) -> None:
    """Certroll moves no binding that is disabled, or that shows anything else than an older version."""
    seen = snapshot(lineage=lineage(version("v3", NEWER), version(), old_version(), current=1), bindings=(other,))
    assert list(update_binding.propose(seen, APPLY)) == []


def test_nothing_is_updated_without_a_current_version() -> None:
    """Certroll moves no binding while no version is good."""
    assert list(update_binding.propose(snapshot(lineage=lineage(current=None)), APPLY)) == []


def test_bindings_are_updated_in_a_stable_order() -> None:
    """Certroll moves bindings in the same order, whatever the order in which Azure lists bindings."""
    bindings = binding("b.contoso.com"), binding("a.contoso.com", slot="staging"), binding("a.contoso.com")
    seen = snapshot(sites=(site(slot="staging"), site()), bindings=bindings)
    assert [item.subject for item in update_binding.propose(seen, APPLY)] == [
        "binding a.contoso.com of shop",
        "binding b.contoso.com of shop",
        "binding a.contoso.com of shop/staging",
    ]


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(binding("a.contoso.com", ssl_state=SslState.DISABLED), id="is not bound"),
        pytest.param(binding("a.contoso.com", OLDER), id="may be another vault certificate's"),
    ],
)
def test_binding_that_stays_holds_up_no_other(first: Binding) -> None:
    """Certroll moves a stale binding to the new version even if another binding must stay."""
    seen = snapshot(
        lineage=lineage(version(), old_version(), old_version("v0", OLDER)),
        bindings=(first, binding("b.contoso.com")),
        copies=(copy(), copy("theirs", OLDER, source=OTHER_REF)),
    )
    items = update_binding.propose(seen, APPLY)
    assert [item.subject for item in items if isinstance(item, Step)] == ["binding b.contoso.com of shop"]


@pytest.mark.parametrize("sites", [(site(webspace=None),), ()], ids=["not said", "site not seen"])
def test_binding_without_webspace_is_not_guessed(sites: tuple[Site, ...]) -> None:
    """Certroll moves no binding of a site whose App Service webspace Azure does not report, and reports the binding."""
    assert list(update_binding.propose(snapshot(sites=sites), APPLY)) == [
        Skip(
            f"binding {HOST} of shop",
            Reason.INCOMPLETE_VIEW,
            "Azure does not name the webspace of the site, so Certroll does not know its live certificates",
            site_ref(),
        )
    ]


RECREATED = copy(thumbprint=FOREIGN)


@pytest.mark.parametrize(
    ("seen", "stale"),
    [
        pytest.param(snapshot(copies=(RECREATED,)), True, id="a copy of the vault certificate holds it"),
        pytest.param(snapshot(copies=(copy(thumbprint=FOREIGN, source=None),)), False, id="an uploaded copy holds it"),
        pytest.param(
            snapshot(copies=(copy(thumbprint=FOREIGN, webspace=NORTH),)), False, id="a copy elsewhere holds it"
        ),
        pytest.param(
            snapshot(copies=(RECREATED,), lineage=lineage(current=None)), False, id="there is no current version"
        ),
        pytest.param(
            snapshot(
                copies=(RECREATED,),
                lineage=lineage(version("v3", FOREIGN), version(), old_version(), current=1),
            ),
            False,
            id="it is a newer version that was refused",
        ),
    ],
)
def test_what_a_recreated_vault_certificate_left_behind_is_stale(seen: Snapshot, *, stale: bool) -> None:
    """A binding is stale if it shows the thumbprint of an import of the recreated vault certificate in its webspace."""
    seen = replace(seen, fleet=replace(seen.fleet, bindings=(binding(thumbprint=FOREIGN),)))
    items = list(update_binding.propose(seen, APPLY))
    assert [item.reason for item in items] == ([Reason.STALE_THUMBPRINT] if stale else [])


def test_what_a_copy_held_is_not_forgotten_when_it_is_synced() -> None:
    """A plan that syncs an imported certificate still knows which thumbprint the certificate had before."""
    seen = snapshot(copies=(RECREATED,), bindings=(binding(thumbprint=FOREIGN),))
    after = SyncCertificate(RECREATED, farm(), version()).project(seen)
    assert [item.reason for item in update_binding.propose(after, APPLY)] == [Reason.STALE_THUMBPRINT]
    assert (
        list(update_binding.propose(snapshot(copies=after.fleet.certificates, bindings=shown_bindings(seen)), APPLY))
        == []
    )


@pytest.mark.parametrize("sites", [SITES, (site(webspace=WEST), site("other"))], ids=["alone", "among others"])
def test_binding_that_two_vault_certificates_claim_is_left_alone(sites: tuple[Site, ...]) -> None:
    """Certroll moves no binding whose certificate was also imported from another vault certificate."""
    seen = snapshot(sites=sites, copies=(copy(), copy("theirs", source=OTHER_REF)))
    assert list(update_binding.propose(seen, APPLY)) == [
        Skip(
            f"binding {HOST} of shop",
            Reason.AMBIGUOUS_LINEAGE,
            f"{OLD} is an older version of kv-shop/shop, and a copy of another vault certificate holds it, too: "
            "bind the right certificate by hand, or delete one of the two copies",
            site_ref(),
        )
    ]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(copy("theirs", source=OTHER_REF, webspace=NORTH), id="it is in another webspace"),
        pytest.param(copy("theirs", NEW, source=OTHER_REF), id="it holds something else"),
        pytest.param(copy("theirs", source=None), id="it was uploaded"),
    ],
)
def test_other_copies_claim_nothing(other: WebspaceCertificate) -> None:
    """A binding's move stops only if another vault certificate's import in the webspace has the same thumbprint."""
    (item,) = update_binding.propose(snapshot(copies=(copy(), other)), APPLY)
    assert item.reason is Reason.STALE_THUMBPRINT


def test_update_belongs_to_its_site() -> None:
    """A plan's step on a binding names the host name, the site and the App Service webspace."""
    update = UpdateBinding(binding(slot="staging"), NEW, NORTH)
    assert update.subject == f"binding {HOST} of shop/staging"
    assert (update.site, update.webspace, update.restarts_site) == (site_ref("shop", "staging"), NORTH, False)


def test_projection_changes_one_thumbprint() -> None:
    """The snapshot predicted for a step on a binding differs only in the thumbprint of that binding."""
    others = (binding("other.contoso.com"), binding(site="other"))
    after = UpdateBinding(IP_BASED, NEW, WEST).project(snapshot(bindings=(IP_BASED, *others)))
    assert after == snapshot(bindings=(replace(IP_BASED, thumbprint=NEW), *others))


def test_update_writes_the_thumbprint_alone() -> None:
    """Certroll writes the binding once as it read it, with only the thumbprint replaced."""
    body = {"properties": {"siteName": "shop"}}
    azure = RecordingAppService(bindings=[IP_BASED], body=body)
    assert UpdateBinding(IP_BASED, NEW, WEST).perform(ports(azure))
    ((written, way_back),) = azure.writes
    assert written == replace(IP_BASED, thumbprint=NEW)
    assert way_back is body


def test_address_that_changed_meanwhile_is_no_conflict() -> None:
    """Certroll writes a binding although Azure changed its IP address, and keeps the new address."""
    moved = replace(IP_BASED, virtual_ip="203.0.113.8")
    azure = RecordingAppService(bindings=[moved])
    assert UpdateBinding(IP_BASED, NEW, WEST).perform(ports(azure))
    assert azure.writes == [(replace(moved, thumbprint=NEW), {})]


def test_updated_binding_is_not_written() -> None:
    """If App Service already moved a binding to the new version, Certroll writes nothing to the binding."""
    azure = RecordingAppService(bindings=[binding(thumbprint=NEW)])
    assert not UPDATE.perform(ports(azure))
    assert azure.writes == []


@pytest.mark.parametrize(
    ("state", "thumbprint"),
    [
        pytest.param(SslState.SNI, FOREIGN, id="it shows another certificate"),
        pytest.param(SslState.SNI, OLDER, id="it shows another old version"),
        pytest.param(SslState.SNI, None, id="it shows none"),
        pytest.param(SslState.IP_BASED, OLD, id="it was moved to an address"),
        pytest.param(SslState.IP_BASED, NEW, id="it was moved to an address and shows the new version"),
        pytest.param(SslState.DISABLED, OLD, id="its TLS was switched off"),
    ],
)
def test_changed_binding_is_planned_again(state: SslState, thumbprint: Thumbprint | None) -> None:
    """If a binding changed after the plan, Certroll writes nothing and names the planned and the present state."""
    azure = RecordingAppService(bindings=[binding(thumbprint=thumbprint, ssl_state=state)])
    with pytest.raises(Conflict) as caught:
        UPDATE.perform(ports(azure))
    assert str(caught.value) == (
        f"binding {HOST} of shop is {state} with {thumbprint}, not SniEnabled with {OLD} as planned; "
        "Certroll plans again"
    )
    assert azure.writes == []


def test_binding_that_azure_lists_and_does_not_find_is_refused() -> None:
    """A TLS binding that Azure lists and answers 404 for is a refusal, because a new plan would meet the same 404."""
    azure = RecordingAppService(bindings=[NotFound("404")], listed=(binding(),))
    with pytest.raises(Rejected, match="Azure lists it and does not find it: 404") as refusal:
        UPDATE.perform(ports(azure))
    assert refusal.value.reason is Reason.NOT_FOUND_BY_AZURE
    assert azure.writes == []


def test_removed_binding_is_planned_again() -> None:
    """Certroll does not create a TLS binding that was removed after Certroll made the plan."""
    azure = RecordingAppService(bindings=[NotFound("404")])
    with pytest.raises(Conflict, match=f"binding {HOST} of shop is gone: 404"):
        UPDATE.perform(ports(azure))
    assert azure.writes == []
