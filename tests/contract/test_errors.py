"""Check that Certroll can tell errors of Azure apart."""

from dataclasses import replace
from functools import partial

import pytest

from shared.clients.tracing import CORRELATION, REQUEST
from shared.domain.errors import NotFound
from shared.domain.names import CopyRef, HostName, SiteRef
from tests.contract.apis import WEB_API
from tests.contract.making import Rig
from tests.contract.operations import Recording
from tests.contract.place import Verdict

HOST = HostName("none.example.net")


@pytest.fixture
def missing(rig: Rig) -> SiteRef:
    """Return a site that does not exist."""
    return replace(rig.site, name=f"{rig.name}-none")


@pytest.mark.operations("app_service.site", "app_service.settings", "app_service.stop", "app_service.binding")
def test_a_missing_site_is_not_found(azure: Recording, rig: Rig, missing: SiteRef) -> None:
    """Each request to a missing site is NotFound, whatever the body of the 404 is."""
    app_service = azure.app_service
    for ask in (app_service.site, app_service.settings, app_service.stop, partial(app_service.binding, host_name=HOST)):
        with rig.place.recorder.recorded() as exchanges, pytest.raises(NotFound):
            ask(missing)
        assert exchanges[-1].status == 404


@pytest.mark.settles("missing_site")
def test_the_body_of_a_404_for_a_site(rig: Rig, missing: SiteRef, verdict: Verdict) -> None:
    """The 404 for a missing site has ARM's error in its body, or no body: the knob says which."""
    answer = rig.place.arm.send("GET", f"{missing.resource_id}?api-version={WEB_API}")
    assert answer.status == 404
    verdict("missing_site", answer.json["error"]["code"] if answer.json else "empty")


@pytest.mark.operations("app_service.certificate", "managed.certificate", "managed.tier")
def test_a_missing_certificate_and_plan(azure: Recording, rig: Rig) -> None:
    """A missing certificate is NotFound, and a missing plan has no tier."""
    ref = CopyRef(rig.site.subscription, rig.site.resource_group, f"{rig.name}-none")
    for read in (azure.app_service.certificate, azure.managed.certificate):
        with pytest.raises(NotFound):
            read(ref)
    assert azure.managed.tier(f"{rig.plan_id}-none") == ""


def test_an_upload_without_a_readable_pfx_is_refused(rig: Rig) -> None:
    """A PFX that cannot be read is refused with 400, so that the refusal is not retried."""
    body = {"location": rig.plan.location, "properties": {"pfxBlob": "AAAA", "password": "x"}, "tags": rig.ledger.tags}
    resource_id = rig.web("certificates", f"{rig.name}-broken")
    rig.note(resource_id)
    assert rig.place.arm.send("PUT", f"{resource_id}?api-version={WEB_API}", body).status == 400


@pytest.mark.settles("correlation_kept")
def test_the_id_of_a_run_comes_back(azure: Recording, rig: Rig, verdict: Verdict) -> None:
    """Azure answers with two ids, by which its logs list the request; the knob says if one of them is the run's own."""
    with rig.place.recorder.recorded() as exchanges:
        azure.app_service.site(rig.site)
    answer = exchanges[-1].headers
    assert answer[REQUEST]
    assert answer[CORRELATION]
    verdict("correlation_kept", answer[CORRELATION] == rig.place.ports.trace.run)
