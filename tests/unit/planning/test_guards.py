"""Test each refusal of each guard (a check that removes unsafe steps from a plan), and cases close to a refusal."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

import pytest

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.requirements import PKCS12, Case
from shared.domain.certificates.urgency import URGENT
from shared.domain.certificates.version import (
    CertificateFacts,
    CertificateVersion,
    KeyFound,
    KeyPolicy,
    KeyType,
)
from shared.domain.fleet.app_settings import LOAD_LIST, SettingEdit
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import BlindSpot
from shared.domain.fleet.vault_access import app_service
from shared.domain.intent import Intent, Mode, Scope
from shared.domain.names import CopyRef, SiteRef, Thumbprint, Webspace
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import HOLDING, RollRecord, RollState
from shared.domain.rollout.site_record import SiteState, record_key
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import Tags
from shared.planning import placing
from shared.planning.actions.add_root_certificate import AddRootCertificate
from shared.planning.actions.delete_certificate import DeleteCertificate
from shared.planning.actions.delete_root_certificate import DeleteRootCertificate
from shared.planning.actions.import_certificate import ImportCertificate
from shared.planning.actions.keep_superseded import KeepSuperseded
from shared.planning.actions.refresh_references import RefreshReferences
from shared.planning.actions.restart_site import RestartSite
from shared.planning.actions.restore_app_settings import RestoreAppSettings
from shared.planning.actions.retire_thumbprint import RetireThumbprint
from shared.planning.actions.roll_app_settings import RollAppSettings
from shared.planning.actions.sync_certificate import SyncCertificate
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.actions.upload_again import UploadAgain
from shared.planning.actions.upload_certificate import UploadCertificate
from shared.planning.actions.upload_public_certificate import UploadPublicCertificate
from shared.planning.guards import (
    incomplete_view,
    not_its_stage,
    observe_only,
    opted_out,
    own_site,
    record_unreadable,
    site_with_silos,
    thumbprint_not_live,
    version_unfit,
)
from shared.planning.plan import Guard, Phase, Plan, Skip, Step, Traits
from shared.ports import Ports
from tests.build import (
    APPLY,
    DAY,
    EAST,
    FOREIGN,
    FRESH,
    HOST,
    HOUR,
    LINEAGE,
    NEW,
    NEWER,
    NORTH,
    NOW,
    OFF,
    OLD,
    OLDER,
    REF,
    SUBSCRIPTION,
    WEST,
    binding,
    blind_spot,
    bundled,
    copy,
    facts,
    farm,
    lineage,
    named,
    old_version,
    record,
    roll,
    rollout,
    root,
    site,
    site_ref,
    snapshot,
    two_webspaces,
    version,
)

SYNC = Step(SyncCertificate(copy(), farm(), version()), Reason.STALE_COPY)
UPDATE = Step(UpdateBinding(binding(), NEW, WEST), Reason.STALE_THUMBPRINT)
KEPT = copy("kept", source=None)
KEEP = Step(KeepSuperseded(REF, old_version(), KEPT, farm(), held_by=copy().ref), Reason.SUPERSEDED_IN_USE)
UPLOAD = Step(
    UploadCertificate(REF, version(), copy("new", NEW, source=None, webspace=NORTH), farm(NORTH)), Reason.STALE_UPLOAD
)
ROLL = Step(RollAppSettings(named(OLD), (SettingEdit(LOAD_LIST, NEW, (), OLD),), WEST), Reason.STALE_THUMBPRINT)
RESTORE = Step(
    RestoreAppSettings(named(NEW, site="api"), (SettingEdit(LOAD_LIST, OLD, (NEW,), NEW),), WEST), Reason.PROBE_FAILED
)
RETIRE = Step(
    RetireThumbprint(named(OLD, NEW, site="web"), (SettingEdit(LOAD_LIST, None, (OLD,), NEW),), WEST), Reason.SUPERSEDED
)
IMPORT = Step(ImportCertificate(copy("in", NEW), farm(), version(), LINEAGE, None, app_service()), Reason.IMPORT_ASKED)
PUBLIC = Step(
    UploadPublicCertificate(REF, version(), replace(copy(), ref=CopyRef.of_site(site_ref(), "public", public=True))),
    Reason.PUBLIC_CERTIFICATE_ASKED,
)
ADD_ROOT = Step(AddRootCertificate(REF, version(), root("new", NEW)), Reason.ROOT_MISSING)
DELETE_ROOT = Step(DeleteRootCertificate(root()), Reason.SUPERSEDED)
EARLIER = Skip("something else", Reason.NOT_LIVE, "refused before")
WHOLE = Plan((SYNC, UPDATE), (EARLIER,))
COPY = "certificate rg-web/shop-copy in rg-westeuropewebspace"
BINDING = f"binding {HOST} of shop"


def refusals(guard: Guard, plan: Plan, seen: Snapshot, intent: Intent = APPLY) -> list[Skip]:
    """Return the steps that a guard refuses, after a check that the guard leaves all other steps unchanged."""
    judged = guard(plan, seen, intent)
    refused = judged.skips[len(plan.skips) :]
    assert judged.skips[: len(plan.skips)] == plan.skips
    assert len(judged.steps) + len(refused) == len(plan.steps)
    assert [step for step in plan.steps if step in judged.steps] == list(judged.steps)
    assert {step.subject for step in judged.steps} | {skip.subject for skip in refused} == {
        step.subject for step in plan.steps
    }
    return list(refused)


def renewed(new: CertificateFacts | None) -> Snapshot:
    """Return the default snapshot of Azure, with these facts for the new version."""
    return snapshot(lineage=lineage(version(facts=new), old_version()))


# ------------------------------------------------------------------------------------------------------------ gate


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(renewed(facts()), id="an RSA key of 2048 bits that covers the host name"),
        pytest.param(renewed(facts(key_size=4096)), id="a longer RSA key"),
        pytest.param(renewed(facts("*.contoso.com")), id="a wildcard that covers the host name"),
        pytest.param(renewed(None), id="a version that was not looked into"),
        pytest.param(snapshot(lineage=lineage(current=None)), id="no current version"),
    ],
)
def test_good_version_passes_the_gate(seen: Snapshot) -> None:
    """Certroll accepts a new version that suits the imported certificate and the certificate's host names."""
    assert refusals(version_unfit.guard, WHOLE, seen) == []


def test_small_key_is_refused_everywhere() -> None:
    """Certroll refuses a version with an RSA key below 2048 bits for every use."""
    detail = "its RSA key has 2047 bits; at least 2048 are needed"
    assert refusals(version_unfit.guard, WHOLE, renewed(facts(key_size=2047))) == [
        Skip(COPY, Reason.KEY_TOO_SMALL, detail),
        Skip(BINDING, Reason.KEY_TOO_SMALL, detail, site_ref()),
    ]


@pytest.mark.parametrize("kind", [KeyType.EC, KeyType.OTHER])
def test_key_that_app_service_cannot_import_is_refused(kind: KeyType) -> None:
    """Certroll refuses to sync an elliptic key from a vault, whatever its size, but still lets bindings show it."""
    seen = renewed(facts(key_type=kind, key_size=256))
    detail = f"its key is {kind}; App Service imports RSA keys only from a vault"
    assert refusals(version_unfit.guard, WHOLE, seen) == [Skip(COPY, Reason.KEY_NOT_IMPORTABLE, detail)]


@pytest.mark.parametrize(
    ("key", "refused"),
    [
        pytest.param(
            KeyPolicy(exportable=False, content_type=PKCS12),
            [(COPY, Reason.KEY_NOT_EXPORTABLE), (UPLOAD.subject, Reason.KEY_NOT_EXPORTABLE)],
            id="a key that stays in the vault is neither imported nor uploaded",
        ),
        pytest.param(
            KeyPolicy(exportable=True, content_type="application/x-pem-file"),
            [(COPY, Reason.NOT_PKCS12)],
            id="a PEM file is not imported, but uploaded as a PFX",
        ),
    ],
)
def test_key_that_app_service_cannot_have_is_refused(key: KeyPolicy, refused: list[tuple[str, Reason]]) -> None:
    """Certroll refuses an import or upload whose key the vault does not give in the needed form.

    Certroll still allows bindings, and the upload of older versions, if the vault does not give the key.
    """
    seen = snapshot(lineage=replace(LINEAGE, key=key))
    plan = Plan((SYNC, UPLOAD, UPDATE, KEEP))
    assert [(skip.subject, skip.reason) for skip in refusals(version_unfit.guard, plan, seen)] == refused


def test_elliptic_key_is_uploaded() -> None:
    """Certroll allows the upload of elliptic-curve keys (Azure docs, private certificate requirements)."""
    assert refusals(version_unfit.guard, Plan((UPLOAD,)), renewed(facts(key_type=KeyType.EC, key_size=256))) == []


def test_uncovered_host_name_is_refused_alone() -> None:
    """Certroll refuses only the binding of a host name that the new version does not cover."""
    lost, kept = binding("lost.contoso.com"), binding()
    plan = Plan(tuple(Step(UpdateBinding(b, NEW, WEST), Reason.STALE_THUMBPRINT) for b in (lost, kept)))
    detail = "the new version does not cover lost.contoso.com: issue one that does, or bind another certificate"
    assert refusals(version_unfit.guard, plan, renewed(facts())) == [
        Skip("binding lost.contoso.com of shop", Reason.NOT_COVERED, detail, site_ref())
    ]


LOSES = ("lost.contoso.com", "also.contoso.com", HOST, "more.contoso.com", "even.contoso.com")


def losing(not_after: datetime | None = NOW + 30 * DAY) -> tuple[Plan, Snapshot]:
    """Return a plan with a sync that would leave four host names uncovered, and the snapshot of the plan."""
    old = copy(host_names=LOSES, not_after=not_after)
    return sync(old), snapshot(bindings=tuple(binding(name) for name in LOSES), copies=(old,))


def sync(old: WebspaceCertificate) -> Plan:
    """Return a plan that syncs this imported certificate."""
    return Plan((Step(SyncCertificate(old, farm(), version()), Reason.STALE_COPY),))


def test_sync_that_takes_cover_away_is_refused() -> None:
    """Well before the old certificate ends, Certroll refuses a sync that would leave host names uncovered.

    A sync moves all host names that the imported certificate serves to the new version.
    """
    plan, seen = losing()
    (skip,) = refusals(version_unfit.guard, plan, seen)
    assert skip == Skip(
        COPY,
        Reason.NOT_COVERED,
        "the new version no longer covers also.contoso.com, even.contoso.com, lost.contoso.com, more.contoso.com, "
        "which this copy serves; "
        "a sync moves all; Azure itself will sync within 24 h: issue a version that covers them, "
        "or bind another certificate there first",
    )


@pytest.mark.parametrize(
    ("left", "refused"),
    [
        pytest.param(URGENT, True, id="72 h left"),
        pytest.param(URGENT - timedelta(seconds=1), False, id="less than 72 h left"),
        pytest.param(-HOUR, False, id="over already"),
        pytest.param(None, True, id="end not known"),
    ],
)
def test_end_of_the_old_certificate_outweighs_lost_cover(left: timedelta | None, *, refused: bool) -> None:
    """Shortly before the old certificate ends, Certroll allows a sync that leaves some host names uncovered.

    The uncovered host names would fail anyway when the old certificate ends.
    """
    plan, seen = losing(None if left is None else NOW + left)
    assert bool(refusals(version_unfit.guard, plan, seen)) is refused


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        pytest.param((HOST,), snapshot(bindings=(binding("lost.contoso.com"),)), id="the old one does not cover it"),
        pytest.param(LOSES, snapshot(bindings=(binding("lost.contoso.com", NEW),)), id="it does not show the copy"),
        pytest.param(LOSES, snapshot(bindings=(binding("lost.contoso.com", None),)), id="it shows no certificate"),
        pytest.param(
            LOSES,
            snapshot(sites=(site(webspace=NORTH),), bindings=(binding("lost.contoso.com"),)),
            id="it is in another webspace",
        ),
    ],
)
def test_sync_that_takes_no_cover_away_passes(names: tuple[str, ...], seen: Snapshot) -> None:
    """Before a sync, Certroll counts only host names that the imported certificate both serves and covers today."""
    assert refusals(version_unfit.guard, sync(copy(host_names=names)), seen) == []


def test_copy_of_unknown_names_is_taken_to_cover_what_it_serves() -> None:
    """If Azure does not return an imported certificate's names, Certroll assumes that it covers all names it serves."""
    old = copy(host_names=())
    seen = snapshot(bindings=(binding("lost.contoso.com"),), copies=(old,))
    assert [skip.reason for skip in refusals(version_unfit.guard, sync(old), seen)] == [Reason.NOT_COVERED]


def test_name_that_no_certificate_covers_holds_up_no_sync() -> None:
    """A host name that no client can ask for keeps no sync from the other names, and covers up no lost name."""
    old = copy(host_names=("\u2603.contoso.com", HOST, "lost.contoso.com"))
    odd, lost = binding("\u2603.contoso.com"), binding("lost.contoso.com")
    assert refusals(version_unfit.guard, sync(old), snapshot(bindings=(odd, binding()), copies=(old,))) == []
    (skip,) = refusals(version_unfit.guard, sync(old), snapshot(bindings=(odd, lost), copies=(old,)))
    assert "no longer covers lost.contoso.com, which" in skip.detail


def test_hidden_thumbprint_serves_nothing() -> None:
    """Certroll does not match a certificate without a visible thumbprint to host names without a certificate."""
    old = copy(thumbprint=None, host_names=LOSES)
    seen = snapshot(bindings=(binding("lost.contoso.com", None, ssl_state=SslState.DISABLED),), copies=(old,))
    assert refusals(version_unfit.guard, sync(old), seen) == []


def test_small_key_is_brought_into_no_app() -> None:
    """Certroll refuses to update an app's settings to a version with too small a key."""
    (skip,) = refusals(version_unfit.guard, Plan((ROLL,)), renewed(facts(key_size=2047)))
    assert (skip.subject, skip.reason, skip.site) == ("app settings of shop", Reason.KEY_TOO_SMALL, site_ref())


def test_app_does_not_mind_an_elliptic_key_or_other_names() -> None:
    """Certroll may bring a version into an app's settings that App Service cannot import or that covers other names."""
    plan = Plan((ROLL, RETIRE))
    assert refusals(version_unfit.guard, plan, renewed(facts("x.contoso.com", key_type=KeyType.EC, key_size=256))) == []


def test_new_version_does_not_stop_what_is_about_an_old_one() -> None:
    """If the new version is unfit, Certroll still uploads the old version and restores last good settings."""
    assert refusals(version_unfit.guard, Plan((KEEP, RESTORE)), renewed(facts("x.contoso.com", key_size=1024))) == []


@pytest.mark.parametrize(
    ("step", "new", "reason"),
    [
        pytest.param(
            PUBLIC, facts(key_size=1024, server_auth=False, client_auth=False), None, id="public, whatever key"
        ),
        pytest.param(PUBLIC, facts(serial_octets=21), Reason.SERIAL_TOO_LONG, id="public, with an odd number"),
        pytest.param(IMPORT, facts(server_auth=False, client_auth=False), None, id="imported, whatever usage"),
        pytest.param(IMPORT, facts(key_type=KeyType.EC), Reason.KEY_NOT_IMPORTABLE, id="imported, elliptic"),
    ],
)
def test_certificate_is_judged_by_what_it_is_brought_for(
    step: Step, new: CertificateFacts, reason: Reason | None
) -> None:
    """The use of a version decides which checks the version has to pass.

    A public certificate needs no private key, and an import needs an RSA key.
    """
    skips = refusals(version_unfit.guard, Plan((step,)), renewed(new))
    assert [skip.reason for skip in skips] == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("new", "reason", "detail"),
    [
        pytest.param(facts(self_signed=True, is_ca=True), None, "", id="a root"),
        pytest.param(
            facts("x.contoso.com", self_signed=True, is_ca=True, key_size=1024, server_auth=False, client_auth=False),
            None,
            "",
            id="a root that could show or call nothing",
        ),
        pytest.param(
            facts(is_ca=True),
            Reason.NOT_SELF_SIGNED,
            "it was issued by Contoso Issuing CA: put the root itself into the vault, not an intermediate",
            id="an intermediate",
        ),
        pytest.param(
            facts(self_signed=True),
            Reason.NOT_AN_AUTHORITY,
            "its basic constraints do not allow it to sign certificates: nobody would trust what it signed",
            id="a server's own certificate",
        ),
    ],
)
def test_only_a_root_is_put_where_apps_trust_it(new: CertificateFacts, reason: Reason | None, detail: str) -> None:
    """Certroll checks a root certificate only as a root, and refuses any other certificate as a root.

    Certroll allows the deletion of old root certificates even if the new version is unfit.
    """
    skips = refusals(version_unfit.guard, Plan((ADD_ROOT, DELETE_ROOT)), renewed(new))
    assert skips == ([Skip(ADD_ROOT.subject, reason, detail)] if reason else [])


NO_SERVER, NO_CLIENT = facts(server_auth=False), facts(client_auth=False)
CLIENT_LOST = (
    "its extended key usage does not allow client authentication, but the version in use does: "
    "partners would refuse the app's calls"
)
SERVER_LOST = (
    "its extended key usage does not allow server authentication, but the version in use does: "
    "browsers would refuse the new version"
)
REFRESH = Step(RefreshReferences(named(site="fn"), "v2", WEST), Reason.STALE_REFERENCE)
RESTART = Step(RestartSite(site_ref("job"), WEST, version()), Reason.LOADED_AT_START)


def after(new: CertificateFacts, before: CertificateFacts | None, *bindings: Binding) -> Snapshot:
    """Return the default snapshot with the given facts for the new and the old version, and the given bindings."""
    return snapshot(lineage=lineage(version(facts=new), replace(old_version(), facts=before)), bindings=bindings)


def test_app_keeps_a_version_that_partners_take() -> None:
    """Certroll refuses to bring an app to a version that lost client authentication.

    Certroll still allows bindings, syncs and uploads of a version without client authentication.
    """
    plan = Plan((SYNC, UPDATE, UPLOAD, ROLL, REFRESH, RESTART))
    assert refusals(version_unfit.guard, plan, after(NO_CLIENT, facts(), binding())) == [
        Skip("app settings of shop", Reason.CLIENT_AUTH_LOST, CLIENT_LOST, site_ref()),
        Skip("Key Vault references of fn", Reason.CLIENT_AUTH_LOST, CLIENT_LOST, site_ref("fn")),
        Skip("site job", Reason.CLIENT_AUTH_LOST, CLIENT_LOST, site_ref("job")),
    ]


@pytest.mark.parametrize(
    ("before", "plan"),
    [
        pytest.param(NO_CLIENT, Plan((ROLL, REFRESH, RESTART)), id="the version in use lacks it as well"),
        pytest.param(facts(), Plan((RETIRE,)), id="the app uses the new version already"),
        pytest.param(facts(), Plan((KEEP, RESTORE)), id="it is about the old version"),
    ],
)
def test_client_authentication_is_only_compared(before: CertificateFacts | None, plan: Plan) -> None:
    """If no client authentication gets lost, Certroll updates an app, because it cannot know the app's use of TLS."""
    assert refusals(version_unfit.guard, plan, after(NO_CLIENT, before)) == []


def test_app_keeps_a_version_that_nobody_can_read() -> None:
    """Certroll brings no app to a version without client authentication if the version in use may have it."""
    unknown = "and Certroll does not know what the version in use allows"
    found = refusals(version_unfit.guard, Plan((ROLL, REFRESH, RESTART)), after(NO_CLIENT, None))
    assert [(skip.reason, unknown in skip.detail) for skip in found] == [(Reason.CLIENT_AUTH_LOST, True)] * 3


def test_host_name_keeps_a_version_that_browsers_take() -> None:
    """Certroll refuses to show a version without server authentication on host names, also by a sync.

    Certroll still lets apps load a version without server authentication.
    """
    plan = Plan((SYNC, UPDATE, UPLOAD, ROLL))
    assert refusals(version_unfit.guard, plan, after(NO_SERVER, facts(), binding())) == [
        Skip(COPY, Reason.SERVER_AUTH_LOST, SERVER_LOST),
        Skip(BINDING, Reason.SERVER_AUTH_LOST, SERVER_LOST, site_ref()),
    ]


def test_copy_that_serves_nobody_is_synced_without_server_authentication() -> None:
    """Certroll syncs an imported certificate without bindings even to a version without server authentication."""
    assert refusals(version_unfit.guard, Plan((SYNC,)), after(NO_SERVER, facts())) == []


def test_host_name_is_not_moved_where_the_version_in_use_is_not_known() -> None:
    """Certroll requires server authentication of a binding's new version if the version in use is unknown."""
    (skip,) = refusals(version_unfit.guard, Plan((UPDATE,)), after(NO_SERVER, None))
    assert (skip.reason, skip.detail) == (
        Reason.SERVER_AUTH_LOST,
        (
            "its extended key usage does not allow server authentication, "
            "and Certroll does not know what the version in use allows"
        ),
    )


def test_host_name_that_had_none_moves_without_server_authentication() -> None:
    """Certroll moves a binding to a version without server authentication if the version in use lacks it, too."""
    assert refusals(version_unfit.guard, WHOLE, after(NO_SERVER, NO_SERVER, binding())) == []


@pytest.mark.parametrize(
    ("curve", "before", "refused"),
    [
        pytest.param("secp384r1", facts(), [], id="a curve that servers know"),
        pytest.param("brainpoolP256r1", facts(), [Reason.UNKNOWN_CURVE], id="one that they do not"),
        pytest.param(
            "brainpoolP256r1", facts(key_type=KeyType.EC, curve="brainpoolP256r1"), [], id="the one that is in use"
        ),
    ],
)
def test_upload_has_a_curve_that_servers_know(curve: str, before: CertificateFacts, refused: list[Reason]) -> None:
    """Certroll uploads an elliptic key if TLS servers know its curve, or if the curve is already in use."""
    seen = after(facts(key_type=KeyType.EC, curve=curve), before)
    assert [skip.reason for skip in refusals(version_unfit.guard, Plan((UPLOAD,)), seen)] == refused


def test_what_is_in_use_is_uploaded_and_bound_again() -> None:
    """Certroll may upload and bind a second time the same version that is already in use."""
    odd = facts(key_type=KeyType.EC, curve="brainpoolP256r1", server_auth=False)
    new = copy("new", NEW, source=None)
    rebind = (
        Step(UploadAgain(REF, version(), new, farm(), whole_chain=True), Reason.UPLOAD_AGAIN_ASKED),
        Step(UpdateBinding(binding(thumbprint=NEW), NEW, WEST, rebind=True), Reason.UPLOAD_AGAIN_ASKED),
    )
    assert refusals(version_unfit.guard, Plan(rebind), after(odd, facts())) == []
    assert [skip.reason for skip in refusals(version_unfit.guard, Plan((UPDATE,)), after(odd, facts()))] == [
        Reason.SERVER_AUTH_LOST
    ]


def test_only_a_refused_upload_keeps_host_names_from_being_bound_again() -> None:
    """Certroll binds host names again although the certificate does not cover another host name of the webspace."""
    rebind = Step(UpdateBinding(binding(thumbprint=NEW), NEW, WEST, rebind=True), Reason.UPLOAD_AGAIN_ASKED)
    uncovered = Step(UpdateBinding(binding("other.example.com"), NEW, WEST), Reason.STALE_THUMBPRINT)
    assert [skip.subject for skip in refusals(version_unfit.guard, Plan((rebind, uncovered)), renewed(facts()))] == [
        uncovered.subject
    ]


@pytest.mark.parametrize(("whole", "refused"), [(True, [Reason.CHAIN_LOST]), (False, [])])
def test_upload_without_its_root_is_refused_where_servers_trust_by_it(whole: bool, refused: list[Reason]) -> None:  # noqa: FBT001
    """Certroll refuses the upload of a chain that lost its root if the webspace's servers need the whole chain."""
    cut = bundled(KeyFound.MATCHING, ("Issuing CA",), "Root CA", ordered=True)
    with_root = bundled(KeyFound.MATCHING, ("Issuing CA", "Root CA"), None, ordered=True)
    seen = snapshot(lineage=lineage(replace(version(), bundle=cut), replace(old_version(), bundle=with_root)))
    upload = UploadCertificate(REF, version(), copy("new", NEW, source=None), farm(), whole_chain=whole)
    assert [
        s.reason for s in refusals(version_unfit.guard, Plan((Step(upload, Reason.STALE_UPLOAD),)), seen)
    ] == refused


# --------------------------------------------------------------------------------------------------------- opt-out


def tagged(production: Tags = (), slot: Tags = ()) -> Snapshot:
    """Return a snapshot of Azure with a site and a slot that carry the given tags."""
    return snapshot(sites=(site(tags=production), site(slot="staging", tags=slot)))


def update(name: str = "shop", slot: str | None = None, webspace: Webspace = WEST) -> Step:
    """Return a step that updates the binding of a site or slot."""
    return Step(UpdateBinding(binding(site=name, slot=slot), NEW, webspace), Reason.STALE_THUMBPRINT)


BOTH = Plan((update(), update(slot="staging")), (EARLIER,))
ON: Tags = (("Certroll ", "on"),)


@pytest.mark.parametrize(
    ("seen", "refused"),
    [
        pytest.param(tagged(), [], id="no tags: nothing is refused"),
        pytest.param(tagged(OFF), ["shop", "shop/staging"], id="the site's tag counts for its slots"),
        pytest.param(tagged((), OFF), ["shop/staging"], id="a slot's tag counts for itself alone"),
        pytest.param(tagged(OFF, ON), ["shop"], id="a slot's own tag wins over its site's"),
        pytest.param(tagged(OFF, (("team", "web"),)), ["shop", "shop/staging"], id="another tag of a slot does not"),
        pytest.param(tagged(((" CERTROLL", "Off "),)), ["shop", "shop/staging"], id="case and blanks do not matter"),
        pytest.param(tagged(ON, ON), [], id="only off opts out"),
        pytest.param(tagged((("certroll-probe", "off"),)), [], id="another tag of ours does not"),
        pytest.param(
            snapshot(sites=(site(slot="staging"),)), [], id="a slot whose site was not seen has its own tags alone"
        ),
        pytest.param(snapshot(sites=()), [], id="a site that was not seen has no tags"),
    ],
)
def test_site_that_opted_out_is_spared(seen: Snapshot, refused: list[str]) -> None:
    """Certroll writes nothing to a site with the tag `certroll: off`, and nothing to the slots of such a site.

    Certroll may write to a slot of an opted-out site if the slot's own tag allows writes.
    """
    skips = refusals(opted_out.guard, BOTH, seen)
    assert [str(skip.site) for skip in skips] == refused
    assert {skip.reason for skip in skips} <= {Reason.OPTED_OUT}


def test_opted_out_site_is_told_what_it_is_not_spared() -> None:
    """The refusal names the site with `certroll: off`, and says that App Service's own sync still moves the binding."""
    (skip,) = refusals(opted_out.guard, Plan((UPDATE,)), snapshot(sites=(site(tags=OFF),)))
    assert skip == Skip(
        BINDING,
        Reason.OPTED_OUT,
        "shop carries the tag certroll: off. A sync of a shared copy still moves the bindings of the site: only "
        "the same tag on the vault certificate keeps Certroll from such a sync",
        site_ref(),
    )


def test_opted_out_site_does_not_stop_a_sync() -> None:
    """The tag `certroll: off` on a site stops no sync, because the imported certificate serves the whole webspace."""
    assert refusals(opted_out.guard, Plan((SYNC,)), snapshot(sites=(site(tags=OFF),))) == []


def test_roots_of_an_opted_out_vault_certificate_are_left_alone() -> None:
    """Certroll neither adds nor deletes root certificates of a vault object that carries `certroll: off`."""
    seen = snapshot(lineage=lineage(tags=OFF))
    skips = refusals(opted_out.guard, Plan((ADD_ROOT, DELETE_ROOT)), seen)
    assert [(skip.reason, skip.site) for skip in skips] == [(Reason.OPTED_OUT, None)] * 2
    assert refusals(opted_out.guard, Plan((ADD_ROOT, DELETE_ROOT)), snapshot(sites=(site(tags=OFF),))) == []


def test_opted_out_vault_certificate_is_left_alone() -> None:
    """Certroll refuses every step, syncs included, for a vault certificate that carries `certroll: off`."""
    detail = "vault certificate kv-shop/shop carries the tag certroll: off"
    assert refusals(opted_out.guard, Plan(WHOLE.steps), snapshot(lineage=lineage(tags=OFF))) == [
        Skip(COPY, Reason.OPTED_OUT, detail),
        Skip(BINDING, Reason.OPTED_OUT, detail, site_ref()),
    ]


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        pytest.param(snapshot(sites=(site(tags=OFF),)), Reason.OPTED_OUT, id="the site opted out"),
        pytest.param(snapshot(lineage=lineage(tags=OFF)), Reason.OPTED_OUT, id="the vault certificate opted out"),
        pytest.param(snapshot(), Reason.INCOMPLETE_VIEW, id="nobody opted out"),
    ],
)
def test_no_other_reason_is_given_for_what_opted_out(seen: Snapshot, reason: Reason) -> None:
    """Certroll reports a site with `certroll: off` only as opted out, even if another guard refused the step earlier.

    An operator need not repair anything on a site with the tag `certroll: off`.
    """
    earlier = Skip(BINDING, Reason.INCOMPLETE_VIEW, "not said", site_ref())
    (skip,) = opted_out.guard(Plan((), (earlier,)), seen, APPLY).skips
    assert (skip.subject, skip.reason, skip.site) == (BINDING, reason, site_ref())
    assert (skip == earlier) is (reason is Reason.INCOMPLETE_VIEW)


# ----------------------------------------------------------------------------------------------- sites with silos


@pytest.mark.parametrize(
    ("seen", "refused"),
    [
        pytest.param(tagged(), [], id="no silos: nothing is refused"),
        pytest.param(
            snapshot(sites=(site(silos=True), site(slot="staging"))),
            ["shop", "shop/staging"],
            id="the silos of a site count for its slots",
        ),
        pytest.param(
            snapshot(sites=(site(), site(slot="staging", silos=True))),
            ["shop/staging"],
            id="the silos of a slot count for the slot alone",
        ),
        pytest.param(
            snapshot(sites=(site(silos=True, tags=ON), site(slot="staging", tags=ON))),
            ["shop", "shop/staging"],
            id="no tag allows it",
        ),
        pytest.param(snapshot(sites=(site("other", silos=True),)), [], id="the silos of another site do not count"),
    ],
)
def test_site_with_silos_is_refused_every_write(seen: Snapshot, refused: list[str]) -> None:
    """Certroll writes nothing to a site that also runs in other regions, nor to its slots."""
    skips = refusals(site_with_silos.guard, BOTH, seen)
    assert [str(skip.site) for skip in skips] == refused
    assert {skip.reason for skip in skips} <= {Reason.SITE_WITH_SILOS}


@pytest.mark.parametrize(
    ("unreadable", "refused"),
    [
        pytest.param(Rollout("v2"), [], id="every row is readable"),
        pytest.param(
            Rollout("v2", unreadable=frozenset({record_key(site_ref())})), ["shop"], id="the record of the site"
        ),
        pytest.param(
            Rollout("v2", unreadable=frozenset({record_key(site_ref("api"))})), [], id="the record of another site"
        ),
        pytest.param(Rollout("v2", is_unreadable=True), ["shop", "shop/staging"], id="the record of the rollout"),
    ],
)
def test_site_with_an_unreadable_record_is_left_alone(unreadable: Rollout, refused: list[str]) -> None:
    """Certroll writes nothing to a site of which the journal may know something that this release cannot read."""
    skips = refusals(record_unreadable.guard, BOTH, snapshot(rollout=unreadable))
    assert [str(skip.site) for skip in skips] == refused
    assert {skip.reason for skip in skips} <= {Reason.RECORD_UNREADABLE}


def test_site_with_silos_is_refused_settings_restarts_and_certificates_of_its_own() -> None:
    """Certroll neither writes settings, restarts, nor uploads a certificate to a site with silos.

    A sync of a certificate that the whole webspace shares goes on, because Azure's own sync moves the same bindings.
    """
    own = replace(copy("own", NEW), ref=CopyRef.of_site(site_ref(), "own", public=True))
    upload = Step(UploadPublicCertificate(REF, version(), own), Reason.PUBLIC_CERTIFICATE_ASKED)
    seen = snapshot(sites=(site(silos=True), site("job", silos=True)))
    skips = refusals(site_with_silos.guard, Plan((SYNC, ROLL, RESTART, upload)), seen)
    assert [(str(skip.site), skip.reason) for skip in skips] == [
        ("shop", Reason.SITE_WITH_SILOS),
        ("job", Reason.SITE_WITH_SILOS),
        ("shop", Reason.SITE_WITH_SILOS),
    ]
    assert "by hand" in skips[0].detail


# -------------------------------------------------------------------------------------------------------- own site


@dataclass(frozen=True, slots=True)
class Restart(Traits):
    """This fake step of a plan only restarts a site."""

    of: SiteRef | None
    phase: ClassVar[Phase] = Phase.APP
    webspace: Webspace = WEST
    writes: frozenset[Thumbprint] = frozenset()

    @property
    def subject(self) -> str:
        """Return the name of the site."""
        return f"site {self.of}"

    @property
    def site(self) -> SiteRef | None:
        """Return the site."""
        return self.of

    def cases(self, _: CertificateVersion, __: Snapshot) -> tuple[Case, ...]:
        """Return no certificate uses, because a restart brings no certificate version anywhere."""
        return ()

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the same snapshot, because a restart changes nothing in it."""
        return snapshot

    def perform(self, _: Ports) -> bool:
        """Return True, because the action of this fake step restarts the site."""
        return True


OURS = Intent(mode=Mode.APPLY, own_site="shop", own_subscription=SUBSCRIPTION)


@pytest.mark.parametrize("slot", [None, "staging"])
def test_own_site_is_not_restarted(slot: str | None) -> None:
    """Certroll does not restart its own site or a slot of its own site, and asks the operator to do it."""
    restart = Step(Restart(site_ref(slot=slot)), Reason.STALE_THUMBPRINT)
    (skip,) = refusals(own_site.guard, Plan((restart,), (EARLIER,)), snapshot(), OURS)
    name = site_ref(slot=slot)
    detail = f"Certroll runs on {name}: make this change by hand"
    assert skip == Skip(f"site {name}", Reason.OWN_SITE, detail, name)


@pytest.mark.parametrize(
    ("step", "intent"),
    [
        pytest.param(UPDATE, OURS, id="its own binding, which restarts nothing"),
        pytest.param(Step(Restart(site_ref("other")), Reason.STALE_THUMBPRINT), OURS, id="another site"),
        pytest.param(Step(Restart(None), Reason.STALE_COPY), OURS, id="no site in particular"),
        pytest.param(Step(Restart(site_ref()), Reason.STALE_THUMBPRINT), APPLY, id="where it runs is not known"),
        pytest.param(
            Step(Restart(SiteRef(SUBSCRIPTION[:-1] + "b", "rg-web", "shop")), Reason.STALE_THUMBPRINT),
            OURS,
            id="a site of the same name in another subscription",
        ),
    ],
)
def test_other_work_goes_on(step: Step, intent: Intent) -> None:
    """The guard (check) for Certroll's own site refuses only restarts of that site."""
    assert refusals(own_site.guard, Plan((step,)), snapshot(), intent) == []


# -------------------------------------------------------------------------------------------------- incomplete view


@pytest.mark.parametrize(
    "spot",
    [
        pytest.param(blind_spot(WEST), id="in this webspace"),
        pytest.param(blind_spot(None), id="somewhere in this subscription"),
    ],
)
def test_sync_beside_a_blind_spot_is_refused(spot: BlindSpot) -> None:
    """Certroll usually refuses a sync in a webspace with an unreadable resource, and names the missing role.

    A sync of an imported certificate could move host names that Certroll cannot see.
    """
    seen = snapshot(blind_spots=(blind_spot(NORTH), spot))
    assert refusals(incomplete_view.guard, WHOLE, seen) == [
        Skip(
            COPY,
            Reason.INCOMPLETE_VIEW,
            "Certroll cannot read site hidden (its plan names it, the listing does not), and the copy may serve it: "
            "grant Reader there",
        )
    ]


def test_same_blind_spot_is_named_whatever_the_order() -> None:
    """If several resources are unreadable, a refusal names the same one, whatever the order of Azure's lists."""
    spots = blind_spot(subject="site a"), blind_spot(None, subject="subscription b")
    details = {
        skip.detail
        for seen in (snapshot(blind_spots=spots), snapshot(blind_spots=spots[::-1]))
        for skip in refusals(incomplete_view.guard, WHOLE, seen)
    }
    assert len(details) == 1


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(snapshot(), id="everything is seen"),
        pytest.param(snapshot(blind_spots=(blind_spot(NORTH),)), id="the blind spot is in another webspace"),
        pytest.param(snapshot(blind_spots=(replace(blind_spot(None), of_itself=True),)), id="a plan of no webspace"),
        pytest.param(
            snapshot(blind_spots=(blind_spot(None, SUBSCRIPTION[:-1] + "b"),)),
            id="the blind spot is in another subscription",
        ),
    ],
)
def test_blind_spot_elsewhere_stops_nothing(seen: Snapshot) -> None:
    """An unreadable resource in one App Service webspace does not stop a sync in another webspace."""
    assert refusals(incomplete_view.guard, WHOLE, seen) == []


@pytest.mark.parametrize(
    ("left", "refused"),
    [(URGENT, True), (URGENT - timedelta(seconds=1), False), (None, True)],
    ids=["72 h left", "less than 72 h left", "end not known"],
)
def test_end_of_the_old_certificate_outweighs_a_blind_spot(left: timedelta | None, *, refused: bool) -> None:
    """Certroll syncs a certificate in spite of an unreadable resource if the old certificate is about to end.

    Azure itself would sync an imported certificate within a day.
    """
    old = copy(not_after=None if left is None else NOW + left)
    seen = snapshot(copies=(old,), blind_spots=(blind_spot(),))
    assert bool(refusals(incomplete_view.guard, sync(old), seen)) is refused


HIDDEN_SETTINGS = BlindSpot("app settings of hidden", "403", SUBSCRIPTION, WEST, settings_only=True)


@pytest.mark.parametrize(
    "spot", [blind_spot(WEST), blind_spot(None), HIDDEN_SETTINGS], ids=["a site", "any site", "settings alone"]
)
def test_nothing_is_retired_beside_a_blind_spot(spot: BlindSpot) -> None:
    """Certroll removes no old version from app settings in a webspace with unreadable resources or app settings."""
    assert refusals(incomplete_view.guard, Plan((RETIRE, ROLL)), snapshot(blind_spots=(spot,))) == [
        Skip(
            "app settings of web",
            Reason.INCOMPLETE_VIEW,
            f"Certroll cannot read {spot.subject} ({spot.detail}), so Certroll retires nothing in that webspace: "
            "grant the roles that docs/reference/roles.md lists",
            site_ref("web"),
        )
    ]


@pytest.mark.parametrize("webspace", [WEST, None], ids=["in this webspace", "of no webspace"])
def test_unreadable_certificate_holds_no_sync_of_another(webspace: Webspace | None) -> None:
    """A certificate that Certroll cannot read hides no binding: syncs go on, and imports and retirements wait."""
    seen = snapshot(blind_spots=(replace(blind_spot(webspace, subject="certificate x"), copies_only=True),))
    refused = refusals(incomplete_view.guard, Plan((SYNC, IMPORT, RETIRE)), seen)
    assert {skip.subject for skip in refused} == {IMPORT.subject, RETIRE.subject}
    assert seen.fleet.blind_spots[0].may_use(WEST), "it still blocks deletions"


@pytest.mark.parametrize("spot", [blind_spot(WEST), blind_spot(None)], ids=["in this webspace", "any site"])
def test_nothing_is_imported_beside_a_blind_spot(spot: BlindSpot) -> None:
    """Certroll imports no certificate into a webspace with unreadable resources, which may hold the certificate."""
    (skip,) = refusals(incomplete_view.guard, Plan((IMPORT,)), snapshot(blind_spots=(spot,)))
    assert (skip.reason, "a copy may be there already" in skip.detail) == (Reason.INCOMPLETE_VIEW, True)
    assert refusals(incomplete_view.guard, Plan((IMPORT,)), snapshot(blind_spots=(blind_spot(NORTH),))) == []


def test_retirement_is_not_hurried() -> None:
    """Certroll removes no old version in a webspace with an unreadable resource, even if the version ends soon."""
    near = lineage(version(), old_version(not_after=NOW + HOUR))
    seen = snapshot(lineage=near, copies=(copy(not_after=NOW + HOUR),), blind_spots=(blind_spot(),))
    assert [skip.reason for skip in refusals(incomplete_view.guard, Plan((RETIRE,)), seen)] == [Reason.INCOMPLETE_VIEW]


@pytest.mark.parametrize(
    ("step", "spot"),
    [
        pytest.param(SYNC, HIDDEN_SETTINGS, id="a sync, which Azure would make all the same, next to hidden settings"),
        pytest.param(RETIRE, blind_spot(NORTH), id="a retirement next to a blind spot of another webspace"),
        pytest.param(ROLL, blind_spot(), id="a roll, which touches one app alone"),
        pytest.param(RESTORE, blind_spot(), id="a restore"),
        pytest.param(KEEP, blind_spot(), id="the upload of a version"),
    ],
)
def test_what_needs_no_whole_view_goes_on(step: Step, spot: BlindSpot) -> None:
    """Because of an unreadable resource, Certroll refuses only steps that could harm the resource."""
    assert refusals(incomplete_view.guard, Plan((step,)), snapshot(blind_spots=(spot,))) == []


@pytest.mark.parametrize("what", ["roots_only", "versions_only"])
@pytest.mark.parametrize("webspace", [None, WEST])
def test_hidden_roots_and_references_disturb_nobody_else(webspace: Webspace | None, what: str) -> None:
    """Certroll still syncs, imports and retires if the roots of an environment or an app's references are unread."""
    seen = BlindSpot("root certificates of environment rg-network/ase", "403", SUBSCRIPTION, webspace)
    hidden = replace(seen, **{what: True})  # type: ignore[arg-type]  # the name of a flag
    assert refusals(incomplete_view.guard, Plan((SYNC, IMPORT, RETIRE)), snapshot(blind_spots=(hidden,))) == []
    assert len(refusals(incomplete_view.guard, Plan((SYNC, IMPORT, RETIRE)), snapshot(blind_spots=(seen,)))) == 3


def test_roots_need_no_whole_view() -> None:
    """Certroll adds and deletes roots of an App Service Environment in spite of unreadable resources in webspaces."""
    seen = snapshot(blind_spots=(blind_spot(), blind_spot(None)))
    assert refusals(incomplete_view.guard, Plan((ADD_ROOT, DELETE_ROOT)), seen) == []


def test_hidden_site_is_named_rather_than_hidden_settings() -> None:
    """If Certroll can read neither a site nor an app's settings in the webspace of a sync, it names the site."""
    spots = BlindSpot("a", "403", SUBSCRIPTION, WEST, settings_only=True), blind_spot(subject="b")
    (skip,) = refusals(incomplete_view.guard, Plan((SYNC,)), snapshot(blind_spots=spots))
    assert skip.detail.startswith("Certroll cannot read b (")


# ------------------------------------------------------------------------------------------------------------ live


def test_binding_to_what_is_not_there_is_refused() -> None:
    """If the webspace lacks a thumbprint's certificate, Certroll binds no host name to it and names the webspace."""
    assert refusals(thumbprint_not_live.guard, Plan((UPDATE,), (EARLIER,)), snapshot()) == [
        Skip(
            BINDING,
            Reason.NOT_LIVE,
            f"{NEW} is not in rg-westeuropewebspace; the findings about the certificates there say why",
            site_ref(),
        )
    ]


def test_binding_to_what_is_there_passes() -> None:
    """Certroll may bind any certificate that is in the App Service webspace, whoever put the certificate there."""
    assert (
        refusals(thumbprint_not_live.guard, Plan((UPDATE,)), snapshot(copies=(copy(thumbprint=NEW, source=None),)))
        == []
    )


def test_binding_to_what_is_in_another_webspace_is_refused() -> None:
    """Certroll does not bind a certificate that is only in another App Service webspace."""
    seen = snapshot(copies=(copy(thumbprint=NEW, webspace=NORTH),))
    assert [skip.reason for skip in refusals(thumbprint_not_live.guard, Plan((UPDATE,)), seen)] == [Reason.NOT_LIVE]


def test_earlier_sync_makes_a_binding_possible() -> None:
    """Certroll may bind a certificate that an earlier step of the plan brings into the App Service webspace."""
    assert refusals(thumbprint_not_live.guard, WHOLE, snapshot()) == []


def test_later_sync_does_not_make_a_binding_possible() -> None:
    """Certroll does not bind a certificate that only a later step of the same plan brings into the webspace."""
    seen = refusals(thumbprint_not_live.guard, Plan((UPDATE, SYNC)), snapshot())
    assert [(skip.subject, skip.reason) for skip in seen] == [(BINDING, Reason.NOT_LIVE)]


def test_app_is_not_given_what_is_not_there() -> None:
    """If the webspace lacks a certificate, Certroll writes its thumbprint into no settings, but into the refusal."""
    edits = tuple(SettingEdit(thumbprint, thumbprint, (OLD,), OLD) for thumbprint in (NEWER, FOREIGN, NEW, OLDER))
    missing = RollAppSettings(named(OLD), edits, WEST)
    seen = refusals(thumbprint_not_live.guard, Plan((Step(missing, Reason.STALE_THUMBPRINT),)), snapshot())
    missing_here = f"{OLDER}, {NEW}, {NEWER}, {FOREIGN} is not in rg-westeuropewebspace"
    detail = f"{missing_here}; the findings about the certificates there say why"
    assert seen == [Skip("app settings of shop", Reason.NOT_LIVE, detail, site_ref())]


@pytest.mark.parametrize(
    ("steps", "refused"),
    [
        pytest.param((ROLL,), [ROLL], id="a roll to what is not there"),
        pytest.param((SYNC, ROLL), [], id="a roll after the sync that brings it"),
        pytest.param((ROLL, SYNC), [ROLL], id="a roll before the sync that brings it"),
        pytest.param((RESTORE,), [], id="a restore of what is there"),
        pytest.param((SYNC, RESTORE), [RESTORE], id="a restore of what a sync takes away"),
        pytest.param((KEEP, SYNC, RESTORE), [], id="a restore of what is kept before"),
        pytest.param((RETIRE,), [], id="a retirement, which puts nothing in"),
        pytest.param(
            (Step(RestartSite(site_ref(), WEST, version()), Reason.LOADED_AT_START),),
            [Step(RestartSite(site_ref(), WEST, version()), Reason.LOADED_AT_START)],
            id="a restart for what is not there",
        ),
    ],
)
def test_app_is_given_what_is_there(steps: tuple[Step, ...], refused: list[Step]) -> None:
    """Certroll lets an app load only certificates that are in the webspace before the app's settings update."""
    seen = refusals(thumbprint_not_live.guard, Plan(steps), snapshot())
    assert [(skip.subject, skip.reason) for skip in seen] == [(step.subject, Reason.NOT_LIVE) for step in refused]


def test_root_makes_nothing_live() -> None:
    """A step on a root certificate needs no certificate in a webspace, and lets no TLS binding show the root."""
    skips = refusals(thumbprint_not_live.guard, Plan((ADD_ROOT, DELETE_ROOT, UPDATE)), snapshot())
    assert [(skip.subject, skip.reason) for skip in skips] == [(BINDING, Reason.NOT_LIVE)]


def test_refused_sync_brings_nothing() -> None:
    """If a step is refused, the later steps cannot use the certificate that the step would have brought."""
    nowhere = Step(UpdateBinding(binding(), NEWER, WEST), Reason.STALE_THUMBPRINT)
    seen = refusals(thumbprint_not_live.guard, Plan((nowhere, nowhere)), snapshot())
    assert [skip.reason for skip in seen] == [Reason.NOT_LIVE, Reason.NOT_LIVE]


# ------------------------------------------------------------------------------------------------------------ mode


def test_observing_puts_no_root() -> None:
    """Certroll in observe mode reports each change to root certificates that it would make, and writes nothing."""
    observed = observe_only.guard(Plan((ADD_ROOT, DELETE_ROOT)), snapshot(), Intent())
    assert [(skip.reason, skip.detail.partition(": ")[0]) for skip in observed.not_done] == [
        (Reason.OBSERVE_ONLY, "Certroll would do this (RootMissing)"),
        (Reason.OBSERVE_ONLY, "Certroll would do this (Superseded)"),
    ]


def test_observing_writes_nothing() -> None:
    """Certroll in observe mode performs no step of a plan, and says which setting would let it perform the step."""
    detail = "Certroll would do this ({}): set CERTROLL_MODE=apply to let it"
    observed = observe_only.guard(WHOLE, snapshot(), Intent())
    assert (observed.steps, observed.skips) == ((), WHOLE.skips)
    assert [would.skip for would in observed.would] == [
        Skip(COPY, Reason.OBSERVE_ONLY, detail.format("StaleCopy")),
        Skip(BINDING, Reason.OBSERVE_ONLY, detail.format("StaleThumbprint"), site_ref()),
    ]


def test_observing_keeps_refusals_and_tells_what_would_wait() -> None:
    """In observe mode a refusal of apply mode stays a refusal, and a step that would wait says for what."""
    later = Skip(COPY, Reason.AWAITING_FIRST_STAGE, "west goes first", step=WHOLE.steps[0])
    never = Skip(BINDING, Reason.VERSION_HELD, "it failed", site_ref(), WHOLE.steps[1])
    unproposed = Skip("target", Reason.OUTSIDE_WINDOW, "no action proposed a step")
    observed = observe_only.guard(Plan((), (later, never, unproposed)), snapshot(), Intent())
    assert observed.skips == (never, unproposed)
    assert [(would.step, would.waits) for would in observed.would] == [(WHOLE.steps[0], later)]
    assert "afterwards the step waits: west goes first" in observed.not_done[-1].detail


def test_pilot_takes_back_what_it_began() -> None:
    """In a pilot, Certroll restores an app's last good settings, whether it can read the vault object's tags or not."""
    pilot = replace(APPLY, scope=Scope.TAGGED)
    restoring = Plan((Step(RestoreAppSettings(named(OLD), (), WEST), Reason.PROBE_FAILED),))
    unread = snapshot(lineage=Lineage(REF, (), None))
    assert observe_only.guard(restoring, unread, pilot) == restoring
    assert observe_only.guard(restoring, unread, replace(pilot, mode=Mode.OBSERVE)).steps == ()
    assert observe_only.guard(restoring, snapshot(), pilot) == restoring


def test_pilot_says_what_to_tag() -> None:
    """In a pilot, each step for an untagged vault object says which tag or setting would let Certroll perform it."""
    observed = observe_only.guard(WHOLE, snapshot(), replace(APPLY, scope=Scope.TAGGED))
    assert observed.would[0].skip.detail == (
        "Certroll would do this (StaleCopy): tag vault certificate kv-shop/shop with certroll: on, or set "
        "CERTROLL_SCOPE=all, to let it"
    )


def test_applying_refuses_nothing() -> None:
    """In apply mode, Certroll refuses no step because of the mode."""
    assert refusals(observe_only.guard, WHOLE, snapshot(), Intent(mode=Mode.APPLY)) == []


# ---------------------------------------------------------------------------------------------------------- stages

NORTH_SYNC = Step(SyncCertificate(copy("n", webspace=NORTH), farm(NORTH), version()), Reason.STALE_COPY)
NOWHERE, ELSEWHERE = (update(name, webspace=Webspace(SUBSCRIPTION, f"rg-{name}webspace")) for name in ("x", "y"))
WEST_FIRST = Plan((update(), update("north-1", webspace=NORTH), update("north-2", webspace=NORTH)), (EARLIER,))


def test_new_version_goes_to_one_webspace_first() -> None:
    """Certroll first changes the webspace with the fewest bindings, and the other webspaces wait for its proof."""
    skips = refusals(not_its_stage.guard, WEST_FIRST, two_webspaces())
    detail = "rg-westeuropewebspace goes first; the others follow when the version is proven there"
    assert skips == [
        Skip(f"binding {HOST} of {name}", Reason.AWAITING_FIRST_STAGE, detail, site_ref(name))
        for name in ("north-1", "north-2")
    ]


DELETE = Step(DeleteCertificate(KEPT, ()), Reason.SUPERSEDED)
LAST = Webspace(SUBSCRIPTION, "rg-zwebspace")
LAST_SYNC = Step(SyncCertificate(copy("z", webspace=LAST), farm(LAST), version()), Reason.STALE_COPY)


@pytest.mark.parametrize(
    "step", [KEEP, RESTORE, DELETE, PUBLIC, IMPORT, ADD_ROOT, DELETE_ROOT], ids=lambda step: type(step.action).__name__
)
def test_what_changes_nothing_that_is_served_has_no_stage(step: Step) -> None:
    """A plan's step that changes no served certificate waits for no other webspace, and makes no webspace the first."""
    waiting = snapshot(rollout=rollout(record(SiteState.PENDING, webspace=NORTH), first=NORTH))
    assert refusals(not_its_stage.guard, Plan((step,)), waiting) == []
    assert refusals(not_its_stage.guard, Plan((step, LAST_SYNC)), snapshot()) == []


def test_other_webspaces_wait_for_the_proof() -> None:
    """Other webspaces wait for proof in the first webspace up to a limit, and the refusal names the end of the wait."""
    seen = two_webspaces(rollout(record(SiteState.PENDING)))
    detail = (
        "rg-westeuropewebspace goes first; the others follow when the version is proven there, "
        "at the latest at 2026-11-21 12:30:00 UTC"
    )
    assert [skip.detail for skip in refusals(not_its_stage.guard, WEST_FIRST, seen)] == [detail, detail]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(rollout(record(SiteState.PROVEN)), id="it is proven"),
        pytest.param(rollout(record(SiteState.UNPROVEN, at=NOW - HOUR)), id="the soak of an unproven site is over"),
        pytest.param(rollout(record(SiteState.PENDING, at=NOW - HOUR)), id="the soak of an outstanding site is over"),
    ],
)
def test_other_webspaces_follow(seen: Rollout) -> None:
    """Other webspaces get the version once the first webspace is proven or its waiting time is over."""
    assert refusals(not_its_stage.guard, WEST_FIRST, two_webspaces(seen)) == []


@pytest.mark.parametrize(
    ("soak", "refused"), [(HOUR / 2, False), (HOUR / 2 + timedelta(seconds=1), True)], ids=["over", "not yet over"]
)
def test_soak_is_what_operators_set(soak: timedelta, *, refused: bool) -> None:
    """Certroll waits for an unproven first webspace as long as the operator's setting for the waiting time says."""
    seen = two_webspaces(rollout(record(SiteState.UNPROVEN)))
    intent = Intent(mode=Mode.APPLY, stage_soak=soak)
    assert bool(refusals(not_its_stage.guard, WEST_FIRST, seen, intent)) is refused


def test_near_end_of_what_is_shown_opens_the_stage() -> None:
    """Other webspaces do not wait for an unproven site if a host name's old certificate ends within 72 hours."""
    near = lineage(version(), old_version(not_after=NOW + URGENT - timedelta(seconds=1)))
    seen = two_webspaces(rollout(record(SiteState.UNPROVEN)))
    urgent = Snapshot(near, seen.fleet, seen.rollout)
    assert refusals(not_its_stage.guard, WEST_FIRST, urgent) == []
    settled = Snapshot(near, snapshot(bindings=(binding(thumbprint=NEW),)).fleet, seen.rollout)
    assert len(refusals(not_its_stage.guard, WEST_FIRST, settled)) == 2


def test_failure_holds_the_version() -> None:
    """A site that serves another certificate stops the version's rollout everywhere, and the refusal names the site.

    The refusal of a stopped version names both ways to continue the rollout.
    """
    failed = (record(SiteState.FAILED, site=site, detail="it serves another") for site in ("bad", "worse"))
    skips = refusals(not_its_stage.guard, WEST_FIRST, two_webspaces(rollout(record(SiteState.PROVEN), *failed)))
    detail = (
        "this version failed at bad (ServedAnother: it serves another), worse (ServedAnother: it serves another): "
        "mend the app or site and release the hold, or put a newer version into the vault"
    )
    assert {(skip.reason, skip.detail) for skip in skips} == {(Reason.VERSION_HELD, detail)}
    assert [skip.site for skip in skips] == [step.action.site for step in WEST_FIRST.steps]


def failed_roll(state: RollState = RollState.ROLLED_BACK, *, retiring: bool = False) -> RollRecord:
    """Return the record of an app whose settings update failed."""
    return roll(state, site="bad", retiring=retiring, detail="its probe fails")


@pytest.mark.parametrize("state", sorted(HOLDING))
def test_failure_of_an_app_holds_the_version(state: RollState) -> None:
    """A failed app stops the rollout of the version to bindings, certificates and settings.

    The refusal names the app, and the state in which its settings are.
    """
    seen = two_webspaces(rollout(record(SiteState.PROVEN), rolls=(failed_roll(state),)))
    remedy = "mend the app or site and release the hold, or put a newer version into the vault"
    detail = f"this version failed at bad ({state}: its probe fails): {remedy}"
    assert [skip.detail for skip in refusals(not_its_stage.guard, Plan((SYNC, UPDATE, ROLL, RETIRE)), seen)] == [
        detail
    ] * 4


def test_failures_of_sites_and_apps_are_all_named() -> None:
    """If a stopped version failed on sites and in apps, the refusal names the sites and the apps together."""
    sites = tuple(record(SiteState.FAILED, site=name, detail="seen") for name in ("z", "x", "y"))
    apps = tuple(roll(RollState.ROLLED_BACK, site=name, detail="asked") for name in ("c", "a", "b"))
    (skip,) = refusals(not_its_stage.guard, Plan((UPDATE,)), two_webspaces(rollout(*sites, rolls=apps)))
    where = ", ".join((*(f"{n} (ServedAnother: seen)" for n in "xyz"), *(f"{n} (RolledBack: asked)" for n in "abc")))
    assert skip.detail.startswith(f"this version failed at {where}: mend the app")


def test_failed_retirement_holds_nothing() -> None:
    """An app that fails after the removal of an old version does not stop the rollout of the new version."""
    seen = two_webspaces(rollout(record(SiteState.PROVEN), rolls=(failed_roll(retiring=True),)))
    assert refusals(not_its_stage.guard, Plan((SYNC, UPDATE, ROLL)), seen) == []


def test_roots_have_no_stages() -> None:
    """Certroll changes roots of all environments at once, and no root decides which webspace is the first."""
    plan = Plan((ADD_ROOT, *WEST_FIRST.steps, DELETE_ROOT), (EARLIER,))
    skips = refusals(not_its_stage.guard, plan, two_webspaces())
    assert skips == refusals(not_its_stage.guard, WEST_FIRST, two_webspaces())
    assert refusals(not_its_stage.guard, Plan((ADD_ROOT, DELETE_ROOT)), snapshot()) == []
    assert placing.first_webspace(Plan((ADD_ROOT, DELETE_ROOT)), snapshot(), APPLY) is None


def test_failure_holds_roots_as_well() -> None:
    """Certroll neither adds nor deletes roots while the rollout of the version is stopped."""
    skips = refusals(
        not_its_stage.guard, Plan((ADD_ROOT, DELETE_ROOT)), two_webspaces(rollout(record(SiteState.FAILED)))
    )
    assert [skip.reason for skip in skips] == [Reason.VERSION_HELD] * 2


def test_hold_does_not_stop_what_protects() -> None:
    """While a rollout is stopped, Certroll still uploads old versions and restores last good settings."""
    seen = two_webspaces(rollout(record(SiteState.FAILED), rolls=(failed_roll(),)))
    assert refusals(not_its_stage.guard, Plan((KEEP, RESTORE)), seen) == []


def test_old_version_is_kept_before_its_webspace_has_its_turn() -> None:
    """No webspace waits for another webspace before Certroll preserves old versions or restores last good settings.

    A separate guard decides the order in which Certroll updates the settings of apps.
    """
    elsewhere = Step(KeepSuperseded(REF, old_version(), copy("k", webspace=NORTH), farm(NORTH)), KEEP.reason)
    rolled = Step(RollAppSettings(named(OLD, site="north-1"), (), NORTH), ROLL.reason)
    back = Step(RestoreAppSettings(named(OLD, site="north-2"), (), NORTH), RESTORE.reason)
    seen = refusals(not_its_stage.guard, Plan((update(), elsewhere, rolled, back)), two_webspaces())
    assert seen == []


@pytest.mark.parametrize(
    ("state", "refused"),
    [(RollState.VALIDATED, False), (RollState.UNPROVEN, True)],
    ids=["an app is proven", "no app is proven"],
)
def test_app_proves_the_first_webspace_where_no_binding_can(state: RollState, *, refused: bool) -> None:
    """If the first webspace has no binding to move, its apps decide when the other webspaces get the version."""
    seen = two_webspaces(rollout(first=WEST, rolls=(roll(state),)))
    assert bool(refusals(not_its_stage.guard, Plan((update("north-1", webspace=NORTH),)), seen)) is refused


def test_failure_holds_a_version_without_a_first_place() -> None:
    """A failed site stops the rollout of the version even if the journal lost which webspace was first."""
    seen = two_webspaces(rollout(record(SiteState.FAILED), first=None))
    assert {skip.reason for skip in refusals(not_its_stage.guard, WEST_FIRST, seen)} == {Reason.VERSION_HELD}


@pytest.mark.parametrize("soak", [HOUR, timedelta(0)], ids=["with a soak", "without a soak"])
def test_records_without_a_first_place_open_nothing(soak: timedelta) -> None:
    """If a crash prevented the record of the first webspace, Certroll chooses the first webspace again.

    Other webspaces wait until the chosen first webspace is proven.
    """
    seen, intent = (
        two_webspaces(rollout(record(SiteState.PROVEN), first=None)),
        Intent(mode=Mode.APPLY, stage_soak=soak),
    )
    assert {skip.reason for skip in refusals(not_its_stage.guard, WEST_FIRST, seen, intent)} == {
        Reason.AWAITING_FIRST_STAGE
    }


@pytest.mark.parametrize(
    ("steps", "state", "intent", "first"),
    [
        pytest.param((), FRESH, APPLY, None, id="nothing to do: none"),
        pytest.param((update(),), rollout(first=EAST), APPLY, EAST, id="the recorded one, whatever is to be done"),
        pytest.param(WEST_FIRST.steps, FRESH, APPLY, WEST, id="the one with the fewest bindings"),
        pytest.param(
            (SYNC, update("n", webspace=NORTH)), FRESH, APPLY, NORTH, id="not one where nothing is served to prove it"
        ),
        pytest.param((SYNC,), FRESH, APPLY, WEST, id="one without bindings where there is no other"),
        pytest.param((SYNC, NORTH_SYNC, ROLL), FRESH, APPLY, WEST, id="without bindings, where an app uses it"),
        pytest.param(
            (SYNC, NORTH_SYNC, ROLL, update("n", webspace=NORTH)), FRESH, APPLY, NORTH, id="bindings rather than an app"
        ),
        pytest.param(
            (*WEST_FIRST.steps, Step(RollAppSettings(named(OLD, site="north-1"), (), NORTH), ROLL.reason)),
            FRESH,
            APPLY,
            NORTH,
            id="bindings and an app rather than fewer bindings",
        ),
        pytest.param((KEEP, NORTH_SYNC), FRESH, APPLY, NORTH, id="not one where only an old version is kept"),
        pytest.param((ROLL, KEEP), FRESH, APPLY, None, id="only apps: none, they have stages of their own"),
        pytest.param(WEST_FIRST.steps, FRESH, OURS, NORTH, id="that of our own site comes last"),
        pytest.param((SYNC, *WEST_FIRST.steps[:1]), FRESH, OURS, WEST, id="that of our own site where it is alone"),
        pytest.param(
            (*WEST_FIRST.steps, ROLL),
            FRESH,
            OURS,
            WEST,
            id="that of our own site before one without an app",
        ),
        pytest.param(
            (Step(SyncCertificate(copy(webspace=NORTH), farm(NORTH), version()), Reason.STALE_COPY), update()),
            FRESH,
            OURS,
            WEST,
            id="that of our own site before one that proves nothing",
        ),
        pytest.param(
            (update(), update("n", webspace=NORTH), update("e", webspace=EAST), NOWHERE, ELSEWHERE),
            FRESH,
            APPLY,
            EAST,
            id="by name where all else is equal",
        ),
    ],
)
def test_first_webspace_is_where_least_can_go_wrong(
    steps: tuple[Step, ...], state: Rollout, intent: Intent, first: Webspace | None
) -> None:
    """Certroll prefers a first webspace that is small, can prove the version, and does not host Certroll itself."""
    seen = two_webspaces(state)
    assert placing.first_webspace(Plan(steps), seen, intent) == first
    assert placing.first_webspace(Plan(steps[::-1]), seen, intent) == first
