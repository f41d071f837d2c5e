"""Check what Certroll relies on when it imports, uploads, lists and deletes certificates."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.domain.errors import AzureError, NotFound
from shared.domain.fleet.app_settings import LOAD_LIST
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import CopyRef, SiteRef
from tests.contract.apis import WEB_API
from tests.contract.copies import (
    can_import,
    can_upload,
    import_copy,
    read_copy,
    sync,
    upload_copy,
    wanted_copy,
)
from tests.contract.making import Rig
from tests.contract.operations import Recording
from tests.contract.pfx_files import make
from tests.contract.place import Verdict, Waited, equal_to

HOST = "copy.example.net"
READS = 20


@pytest.mark.operations("app_service.import_certificate", "app_service.certificate", "app_service.certificates")
def test_an_import_is_a_certificate_of_the_plans_webspace(azure: Recording, rig: Rig, waited: Waited) -> None:
    """An import answers 200, and reads show thumbprint, names, source and webspace of the imported certificate."""
    rig.make_certificate("imported", (HOST, f"*.{HOST}"))
    lineage = rig.place.ports.vault.lineage(rig.certificate("imported"), rig.place.clock.now())
    with rig.place.recorder.recorded() as exchanges:
        seen = import_copy(azure.app_service, rig, "imported", "imported")
    (put,) = (exchange for exchange in exchanges if exchange.method == "PUT")
    assert put.status == 200
    waited("a read shows a new import", seen)
    copy = seen.value
    assert copy.thumbprint == lineage.versions[0].thumbprint
    assert copy.host_names == {HOST, f"*.{HOST}"}
    assert copy.webspace == rig.plan.webspace
    assert copy.source == rig.certificate("imported")
    assert copy.not_after == lineage.versions[0].not_after.replace(microsecond=0)
    assert rig.ledger.tags.items() <= dict(copy.tags).items()
    listed = {found.ref: found for found in azure.app_service.certificates(rig.place.subscription).found}
    assert listed[copy.ref] == copy
    seen_by_managed = {found.ref: found for found in rig.place.ports.managed.certificates(rig.place.subscription).found}
    assert seen_by_managed[copy.ref].managed_for is None


@pytest.mark.operations("app_service.import_certificate", "app_service.certificate")
@pytest.mark.settles("wrong_echo")
def test_a_repeated_import_fetches_the_newest_version(
    azure: Recording, rig: Rig, waited: Waited, verdict: Verdict
) -> None:
    """A PUT of an import as it was read replaces the thumbprint in place; its answer may show another certificate."""
    rig.make_certificate("synced", ("synced.example.net",))
    rig.make_certificate("another", ("another.example.net",))
    import_copy(azure.app_service, rig, "another", "another")
    before = import_copy(azure.app_service, rig, "synced", "synced").value
    rig.make_certificate("synced", ("synced.example.net",))
    newest = rig.place.ports.vault.lineage(rig.certificate("synced"), rig.place.clock.now()).versions[0].thumbprint
    with rig.place.recorder.recorded() as exchanges:
        sync(azure.app_service, rig, before)
    echoed = exchanges[-1].json()["properties"]
    seen = read_copy(azure.app_service, rig, before.ref, newest)
    waited("a read shows the thumbprint of a sync", seen)
    dates = {"not_before": seen.value.not_before, "not_after": seen.value.not_after}
    assert seen.value == replace(before, thumbprint=newest, **dates)
    right = echoed["thumbprint"] == newest and str(echoed["keyVaultSecretName"]).lower() == "synced"
    verdict("wrong_echo", not right)


@pytest.mark.settles("second_import_same_thumbprint")
def test_the_same_thumbprint_twice(azure: Recording, rig: Rig, verdict: Verdict) -> None:
    """A second import of a vault certificate is accepted, refused, or answered with the first: the knob says."""
    rig.make_certificate("twice", ("twice.example.net",))
    first = import_copy(azure.app_service, rig, "twice-a", "twice").value
    second = wanted_copy(rig, "twice-b", "twice")
    rig.note(rig.web("certificates", second.ref.name))
    try:
        azure.app_service.import_certificate(second, rig.plan)
    except AzureError:
        verdict("second_import_same_thumbprint", "refuse")
        return
    seen = rig.place.watch(lambda: _thumbprint(azure, second.ref), equal_to(first.thumbprint), polls=6)
    verdict("second_import_same_thumbprint", "accept" if seen else "resolve")


@pytest.mark.operations("app_service.upload_certificate", "app_service.certificate")
def test_an_upload_is_a_certificate_without_source(azure: Recording, rig: Rig, waited: Waited) -> None:
    """An upload of a PFX with triple DES answers 200, and reads show its thumbprint, names and tags, and no vault."""
    made = make("upload.example.net", rig.place.clock.now())
    with rig.place.recorder.recorded() as exchanges:
        seen = upload_copy(azure.app_service, rig, "upload", made)
    assert next(exchange.status for exchange in exchanges if exchange.method == "PUT") == 200
    waited("a read shows a new upload", seen)
    copy = seen.value
    assert copy.thumbprint == made.thumbprint
    assert copy.host_names == {"upload.example.net"}
    assert copy.is_upload
    assert rig.ledger.tags.items() <= dict(copy.tags).items()


@pytest.mark.settles("aes_pfx_refused")
def test_an_upload_encrypted_with_aes(azure: Recording, rig: Rig, verdict: Verdict) -> None:
    """An upload encrypted with AES-256 is accepted, or refused like a wrong password: the knob says which."""
    made = make("aes.example.net", rig.place.clock.now(), aes=True)
    verdict("aes_pfx_refused", not can_upload(azure.app_service, rig, "aes", made))


@pytest.mark.settles("serial_octets")
def test_the_longest_serial_number(azure: Recording, rig: Rig, verdict: Verdict) -> None:
    """An upload whose serial number has 20 octets, as RFC 5280 allows, is accepted, or only one of 10 octets."""
    made = {octets: make("serial.example.net", rig.place.clock.now(), serial_octets=octets) for octets in (20, 10)}
    longest = next(octets for octets in made if can_upload(azure.app_service, rig, f"serial-{octets}", made[octets]))
    verdict("serial_octets", longest)


@pytest.mark.operations("app_service.delete_certificate")
def test_a_deleted_certificate_is_gone(azure: Recording, rig: Rig, waited: Waited) -> None:
    """The deletion of an unused certificate answers 200, then reads answer 404, and a second deletion is no error."""
    upload_copy(azure.app_service, rig, "deleted", make("deleted.example.net", rig.place.clock.now()))
    ref = rig.copy("deleted")
    with rig.place.recorder.recorded() as exchanges:
        azure.app_service.delete_certificate(ref)
    assert [exchange.status for exchange in exchanges] == [200]
    seen = rig.place.until("it is gone", lambda: _thumbprint(azure, ref), lambda found: found is None)
    waited("a read shows that a certificate is gone", seen)
    azure.app_service.delete_certificate(ref)


@pytest.mark.operations("app_service.uploaded_at")
@pytest.mark.settles("certificates_show_created")
def test_the_date_of_an_upload(azure: Recording, rig: Rig, verdict: Verdict) -> None:
    """ARM's list of resources shows when a certificate was made, if the request expands the time: the knob says."""
    begun = rig.place.clock.now()
    upload_copy(azure.app_service, rig, "dated", make("dated.example.net", begun))
    ref = rig.copy("dated")

    def look() -> datetime | None:
        dates: dict[CopyRef, datetime] = dict(azure.app_service.uploaded_at(rig.place.subscription).found)
        return dates.get(ref)

    seen = rig.place.watch(look, bool, 8)
    if seen is not None:
        assert abs((look() or begun) - begun) < timedelta(hours=1)
    verdict("certificates_show_created", seen is not None)


@pytest.mark.settles("import_needs_certificates_get")
def test_the_rights_that_an_import_needs(azure: Recording, rig: Rig, verdict: Verdict) -> None:
    """An import needs App Service's right to read secrets, and perhaps to read certificates: the knob says."""
    name = f"crs-{rig.ledger.run}"
    rig.make_vault(name, {"secrets": ["get"]})
    rig.make_certificate("secrets-only", ("rights.example.net",), name)
    vault_id = rig.vault_named(name)
    allowed = rig.place.watch(
        lambda: can_import(azure.app_service, rig, "secrets-only", "secrets-only", vault_id), bool, 6
    )
    verdict("import_needs_certificates_get", allowed is None)


@pytest.mark.settles("import_rewrites_load_list")
def test_a_load_list_after_a_sync(azure: Recording, rig: Rig, verdict: Verdict) -> None:
    """A sync leaves the load lists of the webspace's sites alone, or renames the thumbprint: the knob says which."""
    rig.make_certificate("loaded", ("loaded.example.net",))
    before = import_copy(azure.app_service, rig, "loaded", "loaded").value
    settings = azure.app_service.settings(rig.site)
    named = {**settings.values, LOAD_LIST: before.thumbprint}
    azure.app_service.put_settings(replace(settings, values=named, etag=None))
    rig.place.until("the list is written", lambda: azure.app_service.settings(rig.site).values, equal_to(named))
    rig.make_certificate("loaded", ("loaded.example.net",))
    sync(azure.app_service, rig, before)
    rig.place.until("the sync is seen", lambda: _thumbprint(azure, before.ref), lambda now: now != before.thumbprint)
    now = _thumbprint(azure, before.ref)
    seen = rig.place.watch(lambda: azure.app_service.settings(rig.site).values.get(LOAD_LIST), equal_to(str(now)), 8)
    azure.app_service.put_settings(replace(settings, etag=None))
    verdict("import_rewrites_load_list", seen is not None)


@pytest.mark.parametrize("which", ["site", "slot"])
@pytest.mark.operations("app_service.upload_public_certificate", "app_service.public_certificates")
@pytest.mark.operations("app_service.certificate", "app_service.delete_certificate")
def test_a_public_certificate(azure: Recording, rig: Rig, which: str, waited: Waited) -> None:
    """A public certificate belongs to one site or slot, is listed with its thumbprint, and can be deleted."""
    site: SiteRef = getattr(rig, which)
    made = make("public.example.net", rig.place.clock.now())
    ref = CopyRef.of_site(site, "contract-public", public=True)
    copy = replace(wanted_copy(rig, "public"), ref=ref)
    with rig.place.recorder.recorded() as exchanges:
        azure.app_service.upload_public_certificate(copy, made.der)
    assert [exchange.status for exchange in exchanges] == [200]

    def listed() -> tuple[WebspaceCertificate, ...]:
        found: tuple[WebspaceCertificate, ...] = azure.app_service.public_certificates(site, rig.plan.webspace).found
        return found

    seen = rig.place.until("it is listed", listed, bool)
    waited("a list shows a new public certificate", seen)
    ((found),) = listed()
    assert (found.ref, found.thumbprint, found.webspace) == (ref, made.thumbprint, rig.plan.webspace)
    rig.place.until("it is read", lambda: _thumbprint(azure, ref), equal_to(made.thumbprint))
    azure.app_service.delete_certificate(ref)
    waited(
        "a list shows that a public certificate is gone", rig.place.until("it is gone", listed, lambda all_: not all_)
    )


@pytest.mark.settles("public_certificate_flaps")
def test_reads_of_a_new_public_certificate(azure: Recording, rig: Rig, verdict: Verdict) -> None:
    """Reads after an upload of a public certificate may alternate between 404 and 200: the knob counts these reads."""
    ref = CopyRef.of_site(rig.site, "contract-flapping", public=True)
    made = make("flapping.example.net", rig.place.clock.now())
    azure.app_service.upload_public_certificate(replace(wanted_copy(rig, "flapping"), ref=ref), made.der)
    url = f"{ref.resource_id}?api-version={WEB_API}"
    answers = [_after_a_second(rig, url) for _ in range(READS)]
    shown = [number for number, status in enumerate(answers, 1) if status == 200]
    hidden = [number for number, status in enumerate(answers, 1) if status == 404]
    assert shown, f"no read shows the certificate: {answers}"
    flaps = bool(hidden) and hidden[-1] > shown[0]
    azure.app_service.delete_certificate(ref)
    verdict("public_certificate_flaps", hidden[-1] if flaps else 0)


def _after_a_second(rig: Rig, url: str) -> int:
    rig.place.clock.sleep(1)
    return rig.place.arm.send("GET", url).status


@pytest.mark.settles("role_seconds")
def test_how_long_a_new_role_takes(azure: Recording, rig: Rig, verdict: Verdict) -> None:
    """A role assignment on a vault lets App Service import after some minutes: the knob says after how many."""
    name = f"crr-{rig.ledger.run}"
    rig.make_vault(name, None)
    rig.make_certificate("by-role", ("role.example.net",), name)
    vault_id = rig.vault_named(name)
    rig.turn_to_roles(name)
    rig.place.until(
        "access policies count no more",
        lambda: can_import(azure.app_service, rig, "by-role", "by-role", vault_id),
        lambda can: not can,
    )
    rig.assign_certificate_user(vault_id)
    settings = rig.place.ports.vault_rights.settings(vault_id)
    assert settings.uses_roles
    assert rig.place.app_service.lower() in {given.object_id.lower() for given in settings.assignments or ()}
    seen = rig.place.until(
        "the role works", lambda: can_import(azure.app_service, rig, "by-role", "by-role", vault_id), bool
    )
    verdict("role_seconds", round(seen.seconds, 1), seen.lasted(rig.place.pause))


def _thumbprint(azure: Recording, ref: CopyRef) -> str | None:
    try:
        copy: WebspaceCertificate = azure.app_service.certificate(ref)
    except NotFound:
        return None
    return copy.thumbprint
