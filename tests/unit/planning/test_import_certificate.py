"""Test how Certroll imports a vault certificate where a tag asks for it, and what prevents an import."""

from dataclasses import replace

import pytest

from shared.domain.certificates.lineage import Refusal
from shared.domain.errors import NotFound, NotSettled, Rejected
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import ServerFarm
from shared.domain.fleet.vault_access import VaultSettings, app_service
from shared.domain.names import CopyRef, VaultName
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import Tags
from shared.planning.actions import import_certificate
from shared.planning.actions.import_certificate import ImportCertificate
from shared.planning.plan import Skip, Step
from tests.build import (
    APPLY,
    FOREIGN,
    LINEAGE,
    NEW,
    NORTH,
    OFF,
    OLD,
    OTHER_REF,
    SUBSCRIPTION,
    VAULT,
    WEST,
    ManualClock,
    RecordingAppService,
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

COPY = replace(copy(thumbprint=NEW), key_vault_id=None, key_vault_secret=None)
IMPORT = ImportCertificate(COPY, farm(), version(), LINEAGE, "/subscriptions/x/vaults/kv-shop", app_service())
GONE = NotFound("there is no such certificate")


class HiddenRights:
    """These fake vault rights raise `NotFound`, as if Certroll could not read the rights on any vault."""

    def settings(self, vault_id: str) -> None:
        """Raise NotFound."""
        raise NotFound(vault_id)


def performed(service: RecordingAppService) -> bool:
    """Perform the import, and return True if the import wrote to Azure."""
    return IMPORT.perform(replace(ports(service, ManualClock()), vault_rights=HiddenRights()))  # type: ignore[arg-type]


def test_import_names_the_vault_and_its_object() -> None:
    """Certroll's import request names the vault's resource id and the name of the vault object."""
    service = RecordingAppService(copies=[GONE, COPY])
    assert performed(service)
    assert service.writes == [
        (replace(COPY, key_vault_id="/subscriptions/x/vaults/kv-shop", key_vault_secret="shop"), farm())  # noqa: S106
    ]


def test_import_that_is_there_is_not_made_again() -> None:
    """Certroll writes nothing if the same imported certificate is already in the App Service webspace."""
    service = RecordingAppService(copies=[COPY])
    assert not performed(service)
    assert service.writes == []


TAKEN = [
    pytest.param(replace(COPY, webspace=NORTH), id="in another webspace of the group"),
    pytest.param(replace(COPY, source=OTHER_REF), id="of another vault certificate"),
    pytest.param(replace(COPY, source=None), id="an upload"),
]


@pytest.mark.parametrize("seen", TAKEN)
def test_name_that_is_taken_is_not_overwritten(seen: WebspaceCertificate) -> None:
    """Certroll does not overwrite another certificate that has the name of the import.

    The refusal of an import names the tag with which the operator can choose another name.
    """
    service = RecordingAppService(copies=[seen])
    with pytest.raises(Rejected, match="certroll-import-name") as refused:
        performed(service)
    assert refused.value.reason is Reason.NAME_TAKEN
    assert service.writes == []


@pytest.mark.parametrize("seen", TAKEN)
def test_another_copy_is_no_success(seen: WebspaceCertificate) -> None:
    """If Azure shows another certificate after an import, Certroll does not report success."""
    service = RecordingAppService(copies=[GONE, seen])
    with pytest.raises(NotSettled):
        performed(service)
    assert len(service.writes) == 1


# ----------------------------------------------------------------------------------------------------- what is proposed

VAULT_ID = "/subscriptions/x/vaults/kv-shop"
ASKED: Tags = (("certroll-import-to", "shop"),)
ASKS = "tag certroll-import-to of kv-shop/shop"
PLAN = farm()
NORTH_SITE = site("north", webspace=NORTH)
GROUP = "rg"


def asked(to: str = "shop", *copies: WebspaceCertificate, tags: Tags = (), **given: object) -> Snapshot:
    """Return a snapshot with a site in WEST and the given certificates, in which the tag names the targets `to`."""
    ordinary = {"lineage": lineage(tags=(("certroll-import-to", to), *tags)), "copies": copies}
    return snapshot(**{**ordinary, **given})  # type: ignore[arg-type]


def proposed(seen: Snapshot) -> list[Step | Skip]:
    """Return the steps and skips that `import_certificate` proposes."""
    return list(import_certificate.propose(seen, APPLY))


def copies_of(seen: Snapshot) -> list[WebspaceCertificate]:
    """Return the certificates that the proposed imports create in App Service."""
    actions = [item.action for item in proposed(seen) if isinstance(item, Step)]
    return [action.copy for action in actions if isinstance(action, ImportCertificate)]


@pytest.mark.parametrize("to", ["shop", "rg-web/shop", str(WEST), f"rg/{WEST}", f"{WEST}, shop"])
def test_copy_is_made_where_it_is_asked_for(to: str) -> None:
    """Certroll imports a certificate once into a webspace that the tag names by itself, by a plan or by a site."""
    seen = asked(to, copy("other", FOREIGN, source=None))
    (step,) = proposed(seen)
    assert step.reason is Reason.IMPORT_ASKED
    assert [
        (certificate.ref.name, certificate.webspace, certificate.thumbprint) for certificate in copies_of(seen)
    ] == [(f"{GROUP}-kv-shop-shop", WEST, NEW)]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(asked("shop", copy()), id="a copy is there, old as it may be"),
        pytest.param(asked(""), id="the tag names nothing"),
        pytest.param(asked(lineage=lineage(current=None, tags=ASKED)), id="none is good"),
    ],
)
def test_nothing_is_imported_where_it_is_not_needed(seen: Snapshot) -> None:
    """Certroll imports nothing that no tag asks for, and nothing that the App Service webspace already has."""
    assert proposed(seen) == []


REFUSED = Refusal(Reason.NEWLY_SELF_SIGNED, "it is self-signed")
TWO = (version(), old_version())


@pytest.mark.parametrize(
    ("seen", "subject", "reason"),
    [
        pytest.param(asked("nowhere"), f"{ASKS}: nowhere", Reason.NO_SUCH_TARGET, id="a place that there is not"),
        pytest.param(asked("a b"), ASKS, Reason.TARGET_INVALID, id="a tag that cannot be read"),
        pytest.param(asked(sites=(site(tags=OFF),)), f"{ASKS}: shop", Reason.OPTED_OUT, id="a site that is out"),
        pytest.param(
            asked(sites=(site(webspace=None),)), f"{ASKS}: shop", Reason.NO_SUCH_TARGET, id="a site that is nowhere"
        ),
        pytest.param(
            asked(lineage=lineage(*TWO, current=1, refusal=REFUSED, tags=ASKED)),
            f"{ASKS}: shop",
            Reason.NEWEST_REFUSED,
            id="App Service would take a version that is refused",
        ),
        pytest.param(
            asked("shop", *(copy(f"other-{number}", FOREIGN, source=None) for number in range(1000))),
            f"{ASKS}: shop",
            Reason.WEBSPACE_FULL,
            id="a webspace that is full",
        ),
    ],
)
def test_place_that_gets_no_copy_is_told(seen: Snapshot, subject: str, reason: Reason) -> None:
    """Certroll names the target and the reason for each import that it cannot make."""
    (skip,) = proposed(seen)
    assert isinstance(skip, Skip)
    assert (skip.subject, skip.reason) == (subject, reason)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"copies": (copy(),)}, id="has a copy"),
        pytest.param({"sites": (site(tags=OFF), NORTH_SITE)}, id="opted out"),
        pytest.param({"copies": tuple(copy(f"o{n}", FOREIGN, source=None) for n in range(1000))}, id="is full"),
    ],
)
def test_place_that_gets_no_copy_holds_up_no_other(given: dict[str, object]) -> None:
    """If Certroll cannot import into the first target of a tag, it still imports into the second target."""
    seen = asked("shop, north", **{"sites": (site(), NORTH_SITE), **given})
    assert [certificate.webspace for certificate in copies_of(seen)] == [NORTH]


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a?b", "a#b", "a%2fb", "a\nb", "a.", "a" * 400])
def test_import_with_a_hostile_name_is_a_finding(name: str) -> None:
    """Certroll imports nowhere under a name that breaks Azure's rule, and the finding names the tag and the rule."""
    (skip,) = proposed(asked("shop, north", sites=(site(), NORTH_SITE), tags=(("certroll-import-name", name),)))
    assert isinstance(skip, Skip)
    assert (skip.subject, skip.reason) == ("tag certroll-import-name of kv-shop/shop", Reason.NAME_INVALID)
    assert "is not a name for a new certificate: 1 to 260 characters" in skip.detail
    assert skip.reason.makes_finding


def test_hostile_name_says_nothing_where_nothing_is_imported() -> None:
    """If each named place has the vault certificate, the name of a new import does not matter."""
    assert proposed(asked("shop", copy(), tags=(("certroll-import-name", ".."),))) == []


FREE = replace(PLAN, resource_id=f"{PLAN.resource_id}-free", tier="Free")
PAID = replace(PLAN, tier="Basic")


@pytest.mark.parametrize(
    ("to", "plans", "imported"),
    [
        pytest.param("shop", (FREE,), False, id="a site of a webspace with a free plan alone"),
        pytest.param(str(WEST), (FREE,), False, id="a webspace with a free plan alone"),
        pytest.param(str(WEST), (FREE, PAID), True, id="a webspace that has a paid plan, too"),
        pytest.param("shop", (FREE, PAID), False, id="a site on the free plan"),
        pytest.param(f"{WEST}-free", (FREE, PAID), False, id="the free plan itself"),
    ],
)
def test_nothing_is_imported_for_a_free_plan(to: str, plans: tuple[ServerFarm, ...], *, imported: bool) -> None:
    """Certroll imports nothing for a plan of the tier Free or Shared, and names the tier, and never puts by it."""
    on_free = replace(site(), plan=FREE.resource_id.lower())
    (item,) = proposed(asked(to, sites=(on_free,), plans=plans))
    assert isinstance(item, Step) is imported
    if isinstance(item, Skip):
        assert (item.reason, "has the tier Free" in item.detail) == (Reason.TIER_TOO_LOW, True)
    elif isinstance(item.action, ImportCertificate):
        assert item.action.plan == PAID


@pytest.mark.parametrize(("held", "full"), [(2, False), (3, True)])
def test_full_app_gets_no_import(*, held: int, full: bool) -> None:
    """A Flex Consumption app that holds three private certificates gets no import, before any write."""
    own = tuple(
        replace(copy(f"o{number}", FOREIGN, source=None), ref=CopyRef.of_site(site_ref(), f"o{number}", public=False))
        for number in range(held)
    )
    flex = replace(site(), flex=True, plan=PLAN.resource_id.lower())
    (item,) = proposed(asked("shop", *own, sites=(flex,), plans=(PLAN,)))
    assert isinstance(item, Skip) is full
    assert not isinstance(item, Skip) or item.reason is Reason.SITE_FULL


def test_copy_is_put_by_the_plan_of_its_site() -> None:
    """Certroll imports through the plan of the site that the tag names, and ignores case in the plan's id.

    Certroll uses any plan of the webspace if Azure does not list the site's own plan.
    """
    other = replace(PLAN, resource_id=f"{PLAN.resource_id}-TWO")
    flex = replace(site(), flex=True, plan=other.resource_id.lower())
    for where, plan in ((flex, other), (replace(flex, plan="/gone"), PLAN)):
        (step,) = proposed(asked(sites=(where,), plans=(PLAN, other)))
        assert isinstance(step, Step)
        assert isinstance(step.action, ImportCertificate)
        assert step.action.plan == plan


def test_slot_is_no_place_of_its_own() -> None:
    """The import tag cannot name a slot, because a slot shares the certificates of its App Service webspace."""
    (skip,) = proposed(asked("shop/staging", sites=(site(), site(slot="staging"))))
    assert isinstance(skip, Skip)
    assert skip.reason is Reason.NO_SUCH_TARGET


def test_copies_of_one_group_are_told_apart() -> None:
    """Certroll gives imported certificates in two App Service webspaces of one resource group different names.

    The tag `certroll-import-name` may choose another name for an imported certificate.
    """
    north = site("north", webspace=NORTH)
    both = asked("shop, north", sites=(site(), north))
    first, second = (certificate.ref.name for certificate in copies_of(both))
    assert (first, second.startswith(f"{first}-"), len(second) - len(first)) == ("rg-kv-shop-shop", True, 9)
    named = asked(tags=(("certroll-import-name", "Mine"),))
    assert [certificate.ref.name for certificate in copies_of(named)] == ["mine"]


def test_site_of_a_flex_plan_gets_a_copy_to_itself() -> None:
    """Certroll imports a certificate for the site alone if the site is on a Flex Consumption plan."""
    (made,) = copies_of(asked(sites=(replace(site(), flex=True),)))
    assert made.ref == CopyRef.of_site(site_ref(), "rg-kv-shop-shop", public=False)


def test_import_is_projected() -> None:
    """The snapshot predicted for the import has the imported certificate, and Certroll then proposes nothing."""
    before = asked()
    (step,) = proposed(before)
    assert isinstance(step, Step)
    assert proposed(step.action.project(before)) == []


def test_vault_is_known_from_another_copy() -> None:
    """Certroll takes the vault's resource id from any certificate that was imported from the vault."""
    (step,) = proposed(asked("shop", copy("north", OLD, source=OTHER_REF, webspace=NORTH)))
    assert isinstance(step, Step)
    assert isinstance(step.action, ImportCertificate)
    assert step.action.vault_id == VAULT_ID


def test_copy_of_another_vault_tells_nothing() -> None:
    """Certroll takes no vault's resource id from a certificate that was imported from another vault."""
    elsewhere = replace(OTHER_REF, vault=VaultName("kv-other"))
    (step,) = proposed(asked("shop", replace(copy("north", OLD, source=elsewhere, webspace=NORTH))))
    assert isinstance(step, Step)
    assert isinstance(step.action, ImportCertificate)
    assert step.action.vault_id is None


def test_site_that_opted_out_stops_no_import_elsewhere() -> None:
    """The tag `certroll: off` on a site that the import tag does not name stops no import."""
    (made,) = copies_of(asked("north", sites=(site(tags=OFF), NORTH_SITE)))
    assert made.webspace == NORTH


# ---------------------------------------------------------------------------------------------------- which vault it is


class Rights:
    """These fake vault rights know the vaults of each subscription, and record each request."""

    def __init__(self, vaults: dict[str, dict[VaultName, str]], *, uses_roles: bool = False) -> None:
        self.asked: list[str] = []
        self._vaults, self._uses_roles = vaults, uses_roles

    def vaults(self, subscription: str) -> dict[VaultName, str]:
        """Return the fake vault rights' vaults of the subscription."""
        self.asked.append(subscription)
        return self._vaults.get(subscription, {})

    def settings(self, vault_id: str) -> VaultSettings:
        """Return a vault without access policies, or a vault whose role assignments Certroll could not read."""
        self.asked.append(vault_id)
        return VaultSettings(vault_id, VAULT, uses_roles=self._uses_roles)


class Subscribed(RecordingAppService):
    """This fake App Service shows two subscriptions."""

    def subscriptions(self) -> tuple[str, ...]:
        """Return both subscriptions, Certroll's own last."""
        return ("0-other", SUBSCRIPTION)


def looking(rights: Rights, service: RecordingAppService, vault_id: str | None = None) -> bool:
    """Perform an import with an unknown vault id, and return True if the import wrote to Azure."""
    action = replace(IMPORT, vault_id=vault_id)
    return action.perform(replace(ports(service, ManualClock()), vault_rights=rights))  # type: ignore[arg-type]


def test_vault_is_looked_for_at_home_first() -> None:
    """Certroll first searches its own subscription for an unknown vault, and imports from the vault that it finds."""
    rights, service = Rights({SUBSCRIPTION: {VAULT: "/home"}, "0-other": {}}, uses_roles=True), Subscribed()
    service.copies = [GONE, COPY]
    assert looking(rights, service)
    assert rights.asked == [SUBSCRIPTION, "/home"]
    assert [(made.key_vault_id, made.key_vault_secret) for made, _ in service.writes] == [("/home", "shop")]  # type: ignore[attr-defined]
    elsewhere = Rights({"0-other": {VAULT: "/other"}}, uses_roles=True)
    service.copies = [GONE, COPY]
    assert looking(elsewhere, service)
    assert elsewhere.asked == [SUBSCRIPTION, "0-other", "/other"]


def test_vault_that_nobody_shows_is_said_to_be_missing() -> None:
    """If Azure shows the vault in no subscription, Certroll imports nothing from it and names the missing role."""
    service = Subscribed(copies=[GONE])
    with pytest.raises(Rejected, match=r"ARM shows no vault kv-shop; grant Reader on the vault$") as refused:
        looking(Rights({}), service)
    assert refused.value.reason is Reason.INCOMPLETE_VIEW
    assert service.writes == []


def test_vault_that_lets_app_service_not_in_is_told_before() -> None:
    """Certroll imports nothing if App Service lacks a right in the vault, and gives the command that grants it."""
    service = Subscribed(copies=[GONE])
    with pytest.raises(Rejected, match="az keyvault") as refused:
        looking(Rights({}), service, VAULT_ID)
    assert refused.value.reason is Reason.VAULT_ACCESS_LACKING
    assert service.writes == []
