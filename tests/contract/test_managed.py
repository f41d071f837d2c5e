"""Check what Certroll relies on when it requests a managed certificate. A person lends a domain with its records."""

import pytest

from shared.domain.errors import NotFound
from shared.domain.names import HostName
from tests.contract.apis import WEB_API
from tests.contract.making import Rig
from tests.contract.operations import Recording
from tests.contract.place import Verdict, Waited


@pytest.fixture(scope="session")
def host(rig: Rig) -> HostName:
    """Return the host name that a person's DNS leads to the site. Skip the test without a domain."""
    return rig.lent_host()


@pytest.mark.operations("managed.ask_for", "managed.is_done", "managed.certificate", "managed.certificates")
@pytest.mark.settles("managed_issuance_seconds", "managed_hides_thumbprint")
def test_a_managed_certificate(
    azure: Recording,
    rig: Rig,
    host: HostName,
    verdict: Verdict,
    waited: Waited,
) -> None:
    """A request answers 202 with the path of an operation, or 200, and then reads show the certificate."""
    (place, _), *_ = (
        found for found in rig.place.ports.managed.places(rig.place.subscription).found if found[0].site.ref == rig.site
    )
    ref = rig.copy("managed")
    rig.note(rig.web("certificates", ref.name))
    with rig.place.recorder.recorded() as exchanges:
        operation = azure.managed.ask_for(ref, host, place)
    (put,) = exchanges
    assert (put.status, bool(operation)) in {(202, True), (200, False)}
    if operation:
        assert operation.lower().startswith(f"/subscriptions/{rig.place.subscription}/")
    # an operation that Azure does not know counts as finished
    path = operation or f"{rig.web('certificates', 'none')}?api-version={WEB_API}"
    seen = rig.place.until("Azure has finished", lambda: azure.managed.is_done(path), bool)
    waited("Azure issues a managed certificate", seen)

    def look() -> object:
        try:
            return azure.managed.certificate(ref)
        except NotFound:
            return None

    rig.place.until("the certificate is read", look, lambda found: found is not None)
    certificate = azure.managed.certificate(ref)
    assert certificate.managed_for == host
    assert certificate.webspace == rig.plan.webspace
    assert certificate in azure.managed.certificates(rig.place.subscription).found
    verdict("managed_hides_thumbprint", certificate.thumbprint is None)
    verdict("managed_issuance_seconds", round(seen.seconds, 1), seen.lasted(rig.place.pause))
