"""Check what Certroll relies on when it reads and writes host name bindings. A person lends a domain."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from shared.domain.errors import Conflict, NotFound, Rejected
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import HostName, Thumbprint
from tests.contract.apis import WEB_API
from tests.contract.copies import import_copy, read_copy, sync, upload_copy
from tests.contract.making import Rig
from tests.contract.operations import Recording
from tests.contract.pfx_files import make
from tests.contract.place import Seen, Verdict, Waited, equal_to


@pytest.fixture(scope="session")
def host(rig: Rig) -> HostName:
    """Return the host name that the tests bind, which is added to the site. Skip the test without a domain."""
    return rig.lent_host()


@pytest.fixture
def unbound(azure: Recording, rig: Rig, host: HostName) -> Iterator[Binding]:
    """Yield the host name without TLS, and take its TLS away again."""
    yield azure.app_service.binding(rig.site, host)[0]
    _unbind(azure, rig, host)


def _unbind(azure: Recording, rig: Rig, host: HostName) -> None:
    read, body = azure.app_service.binding(rig.site, host)
    if read.ssl_state is not SslState.DISABLED:
        azure.app_service.put_binding(replace(read, ssl_state=SslState.DISABLED), body)
        _until_bound(azure, rig, host, None)


def _bind(
    azure: Recording, rig: Rig, host: HostName, thumbprint: Thumbprint | None, state: SslState = SslState.SNI
) -> Seen[Binding]:
    read, body = azure.app_service.binding(rig.site, host)
    azure.app_service.put_binding(replace(read, ssl_state=state, thumbprint=thumbprint), body)
    return _until_bound(azure, rig, host, thumbprint)


def _until_bound(azure: Recording, rig: Rig, host: HostName, thumbprint: Thumbprint | None) -> Seen[Binding]:
    return rig.place.until(
        f"{host} is bound to {thumbprint}",
        lambda: azure.app_service.binding(rig.site, host)[0],
        lambda binding: binding.thumbprint == thumbprint,
    )


def _imported(azure: Recording, rig: Rig, name: str, host: HostName) -> WebspaceCertificate:
    rig.make_certificate(name, (host,))
    return import_copy(azure.app_service, rig, name, name).value


@pytest.mark.operations("app_service.binding", "app_service.put_binding")
def test_a_binding_is_written_and_read(
    azure: Recording, rig: Rig, host: HostName, unbound: Binding, waited: Waited
) -> None:
    """A PUT of a binding answers 200, and then the binding and the site itself show state and thumbprint."""
    assert (unbound.ssl_state, unbound.thumbprint) == (SslState.DISABLED, None)
    copy = _imported(azure, rig, "bound", host)
    with rig.place.recorder.recorded() as exchanges:
        seen = _bind(azure, rig, host, copy.thumbprint)
    assert next(exchange.status for exchange in exchanges if exchange.method == "PUT") == 200
    waited("a read shows a new binding", seen)
    bound = Binding(rig.site, host, SslState.SNI, copy.thumbprint)
    assert seen.value == bound
    of_site = rig.place.until(
        "the site shows the binding",
        lambda: azure.app_service.site(rig.site)[1],
        lambda bindings: bound in bindings,
    )
    waited("a read of the site shows a new binding", of_site)


@pytest.mark.operations("app_service.put_binding")
def test_a_bound_host_name_moves_to_another_certificate(
    azure: Recording, rig: Rig, host: HostName, unbound: Binding
) -> None:
    """A PUT with another thumbprint moves the binding in one write, and never shows it unbound."""
    old = _imported(azure, rig, "move-old", host)
    new = make(host, rig.place.clock.now())
    upload_copy(azure.app_service, rig, "move-new", new)
    _bind(azure, rig, host, old.thumbprint)
    read, body = azure.app_service.binding(rig.site, host)
    azure.app_service.put_binding(replace(read, thumbprint=new.thumbprint), body)
    states = set[SslState]()

    def look() -> Thumbprint | None:
        binding: Binding = azure.app_service.binding(rig.site, host)[0]
        states.add(binding.ssl_state)
        return binding.thumbprint

    rig.place.until("the binding has moved", look, equal_to(new.thumbprint))
    assert states == {SslState.SNI}
    assert unbound.host_name == host


@pytest.mark.operations("app_service.delete_certificate")
def test_a_bound_certificate_is_not_deleted(azure: Recording, rig: Rig, host: HostName, unbound: Binding) -> None:
    """The deletion of a certificate that a host name is bound to is refused with 409, and the binding stays."""
    copy = _imported(azure, rig, "in-use", host)
    _bind(azure, rig, host, copy.thumbprint)
    with rig.place.recorder.recorded() as exchanges, pytest.raises(Rejected, match="used for hostname"):
        azure.app_service.delete_certificate(copy.ref)
    assert [exchange.status for exchange in exchanges] == [409]
    assert azure.app_service.binding(rig.site, host)[0].thumbprint == copy.thumbprint
    assert unbound.host_name == host


def test_a_thumbprint_that_the_webspace_lacks_is_not_bound(
    azure: Recording, rig: Rig, host: HostName, unbound: Binding
) -> None:
    """A PUT of a binding with an unknown thumbprint is refused with 404, and the host name stays without TLS."""
    read, body = azure.app_service.binding(rig.site, host)
    with pytest.raises(NotFound):
        azure.app_service.put_binding(replace(read, ssl_state=SslState.SNI, thumbprint=Thumbprint("0" * 40)), body)
    assert azure.app_service.binding(rig.site, host)[0] == unbound


@pytest.mark.settles("mismatch_refused")
def test_a_certificate_for_another_name(
    azure: Recording, rig: Rig, host: HostName, unbound: Binding, verdict: Verdict
) -> None:
    """A certificate that does not cover the host name is refused, or bound all the same: the knob says which."""
    made = make("elsewhere.example.net", rig.place.clock.now())
    upload_copy(azure.app_service, rig, "mismatch", made)
    try:
        _bind(azure, rig, host, made.thumbprint)
        refused = False
    except (Rejected, Conflict):
        refused = True
    assert unbound.host_name == host
    verdict("mismatch_refused", refused)


def test_a_write_without_a_state_keeps_an_sni_binding(
    azure: Recording, rig: Rig, host: HostName, unbound: Binding
) -> None:
    """A PUT of a bound host name without `sslState` keeps an SNI binding (recorded azure-libraries-for-net traffic)."""
    copy = _imported(azure, rig, "sni-kept", host)
    _bind(azure, rig, host, copy.thumbprint)
    _put_without_state(rig, host)
    for _ in range(3):
        rig.place.clock.sleep(rig.place.pause)
        bound = replace(unbound, ssl_state=SslState.SNI, thumbprint=copy.thumbprint)
        assert azure.app_service.binding(rig.site, host)[0] == bound


@pytest.mark.settles("ip_binding_without_state")
def test_a_write_without_a_state_and_an_ip_binding(
    azure: Recording, rig: Rig, host: HostName, unbound: Binding, verdict: Verdict, waited: Waited
) -> None:
    """A PUT of a host name without `sslState` removes an IP-based binding, or keeps it: the knob says which."""
    copy = _imported(azure, rig, "ip-kept", host)
    waited("a read shows an IP-based binding", _bind(azure, rig, host, copy.thumbprint, SslState.IP_BASED))
    assert unbound.host_name == host
    _put_without_state(rig, host)
    seen = rig.place.watch(
        lambda: azure.app_service.binding(rig.site, host)[0].ssl_state, lambda state: state is not SslState.IP_BASED, 8
    )
    verdict("ip_binding_without_state", "kept" if seen is None else "unbound")


def _put_without_state(rig: Rig, host: HostName) -> None:
    url = f"{rig.site.resource_id}/hostNameBindings/{host}?api-version={WEB_API}"
    rig.place.arm.expect("PUT", url, {"properties": {"siteName": rig.site_name}})


@pytest.mark.settles("sync_moves_bindings")
def test_a_sync_and_the_bindings(
    azure: Recording, rig: Rig, host: HostName, unbound: Binding, verdict: Verdict, waited: Waited
) -> None:
    """A repeated import moves the bindings of the certificate to the new version, or leaves them: the knob says."""
    before = _imported(azure, rig, "sync-bound", host)
    _bind(azure, rig, host, before.thumbprint)
    rig.make_certificate("sync-bound", (host,))
    newest = rig.place.ports.vault.lineage(rig.certificate("sync-bound"), rig.place.clock.now()).versions[0].thumbprint
    sync(azure.app_service, rig, before)
    read_copy(azure.app_service, rig, before.ref, newest)
    seen = rig.place.watch(
        lambda: azure.app_service.binding(rig.site, host)[0], lambda binding: binding.thumbprint == newest, 20
    )
    if seen is not None:
        waited("a read shows that a sync moved a binding", seen)
        assert seen.value == replace(unbound, ssl_state=SslState.SNI, thumbprint=newest)
    verdict("sync_moves_bindings", seen is not None)
