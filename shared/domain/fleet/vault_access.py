"""Judge the rights of Azure's services in a vault from ARM's answers, and name commands that grant missing rights.

Access policies and role assignments name object ids, and a service of Azure has another object id in each tenant.
Certroll cannot derive the object id from the application id without Microsoft Graph, so operators write the object id
into a setting of Certroll. If no setting of Certroll names a service's object id, Certroll reports a right as missing
only if no principal has the right in the vault.

The sources are the Azure docs "Azure built-in roles for Security" (data actions), "Import a certificate from Key Vault"
(application ids and rights of App Service) and "Key Vault firewall" (trusted services).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum, auto
from itertools import chain

from shared.domain.endpoints import CloudName
from shared.domain.letter_case import lower_case
from shared.domain.names import VaultName


class VaultRight(StrEnum):
    """A right on the objects of a vault: the kind of object, and the right as access policies spell it."""

    SECRETS_GET = "secrets/get"
    SECRETS_LIST = "secrets/list"
    SECRETS_SET = "secrets/set"
    SECRETS_DELETE = "secrets/delete"
    CERTIFICATES_GET = "certificates/get"
    CERTIFICATES_LIST = "certificates/list"


Rights = frozenset[VaultRight]

SECRETS: Rights = frozenset(right for right in VaultRight if right.startswith("secrets/"))
CERTIFICATES: Rights = frozenset(VaultRight) - SECRETS
NONE: Rights = frozenset()
MOST_NAMED = 10
"""How many object ids a finding names at most."""
TO_IMPORT: Rights = frozenset({VaultRight.SECRETS_GET, VaultRight.CERTIFICATES_GET})
"""The rights that App Service needs to import a certificate (Azure docs, "Import a certificate from Key Vault")."""
TO_STORE: Rights = frozenset(VaultRight)
"""The rights that certificate registration needs to store a purchased certificate.

The source is the access policy that the Azure portal creates.
"""

CERTIFICATE_USER = "Key Vault Certificate User"
SECRETS_OFFICER = "Key Vault Secrets Officer"
ROLES: dict[str, Rights] = {
    "00482a5a-887f-4fb3-b363-3b7fe8e74483": frozenset(VaultRight),  # Key Vault Administrator
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": SECRETS,  # Key Vault Secrets Officer
    "4633458b-17de-408a-b874-0445c86b69e6": frozenset({VaultRight.SECRETS_GET, VaultRight.SECRETS_LIST}),  # … User
    "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba": CERTIFICATES  # Key Vault Certificate User
    | {VaultRight.SECRETS_GET, VaultRight.SECRETS_LIST},
    "a4417e6f-fecd-4de8-b567-7b0420556985": CERTIFICATES,  # Key Vault Certificates Officer
    "21090545-7ca7-4776-b22c-e363652d74d2": CERTIFICATES | {VaultRight.SECRETS_LIST},  # Key Vault Reader
    "14b46e9e-c2b7-41b4-b07b-48a6ebf60603": NONE,  # Key Vault Crypto Officer
    "12338af0-0e69-4776-bea7-57ae8d297424": NONE,  # Key Vault Crypto User
    "e147488a-f6f5-4113-8e2d-b22465e65bf6": NONE,  # the role Key Vault Crypto Service Encryption User
    "08bbd89e-9f13-488c-ac41-acfcb10c90ab": NONE,  # the role Key Vault Crypto Service Release User
    "f25e0fa2-a7c8-4377-a976-54943a77a395": NONE,  # Key Vault Contributor
    "8b54135c-b56d-4d72-a534-26097cfdc8d8": NONE,  # Key Vault Data Access Administrator
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": NONE,  # Owner
    "b24988ac-6180-42a0-ab88-20f7382dd24c": NONE,  # Contributor
    "acdd72a7-3385-48ef-bd42-f606fba81ae7": NONE,  # Reader
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": NONE,  # User Access Administrator
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": NONE,  # Role Based Access Control Administrator
}
"""The built-in roles by their ids, with their rights in the data plane.

The data action `readMetadata` of secrets is the right to list secrets.
"""


@dataclass(frozen=True, slots=True)
class Principal:
    """A service of Azure that needs rights in a vault."""

    name: str
    application_id: str
    needs: Rights
    """The rights that the service needs in a vault."""
    setting: str
    """The setting of Certroll that holds the object id of the service."""
    object_id: str | None = None
    policies_only: bool = False
    """True if Azure documents only access policies for the service, and no roles."""


APP_SERVICE_SETTING = "CERTROLL_APP_SERVICE_OBJECT_ID"
REGISTRATION_SETTING = "CERTROLL_REGISTRATION_OBJECT_ID"
APP_SERVICE_IDS = {
    CloudName.PUBLIC: "abfa0a7c-a6b6-4736-8310-5855508787cd",
    CloudName.US_GOVERNMENT: "6a02c803-dafd-4136-b4c3-5a6f318b4714",
}
REGISTRATION_ID = "f3c21649-0979-4721-ac85-b0216b2cf413"
APPLICATION_IDS = frozenset({*APP_SERVICE_IDS.values(), REGISTRATION_ID})


def app_service(cloud: CloudName = CloudName.PUBLIC, object_id: str | None = None) -> Principal:
    """Return the principal of App Service, which fetches the vault certificates that App Service imports."""
    return Principal("App Service", APP_SERVICE_IDS[cloud], TO_IMPORT, APP_SERVICE_SETTING, object_id)


def registration(object_id: str | None = None) -> Principal:
    """Return the principal of certificate registration, which stores purchased certificates in vaults.

    Certificate registration exists only in the public cloud (Azure docs).
    """
    name, setting = "Microsoft.Azure.CertificateRegistration", REGISTRATION_SETTING
    return Principal(name, REGISTRATION_ID, TO_STORE, setting, object_id, policies_only=True)


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """The rights that an access policy of a vault gives to an object id."""

    object_id: str
    rights: Rights
    application_id: str | None = None
    """If set, the object id has the rights only through this application."""


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """The assignment of a role to an object id at a vault, above the vault, or on an object of the vault."""

    object_id: str
    role_id: str
    scope: str
    group: bool = False
    conditional: bool = False

    @property
    def rights(self) -> Rights | None:
        """The rights of the assigned role, None for an unknown role or an assignment with a condition."""
        return None if self.conditional else ROLES.get(self.role_id)


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """The properties of a vault that decide who may read and write the vault's secrets and certificates."""

    resource_id: str
    name: VaultName
    uses_roles: bool
    """True if role assignments apply, and False if access policies apply."""
    policies: tuple[AccessPolicy, ...] = ()
    assignments: tuple[RoleAssignment, ...] | None = None
    """The role assignments, None if Certroll did not need them or could not read them."""
    open_to_all: bool = True
    """True if the firewall of the vault accepts every network."""
    trusted_services: bool = True
    """True if the firewall of the vault accepts trusted Microsoft services."""
    not_read: str = ""
    """The error with which Certroll failed to read the role assignments."""
    shown: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """What compliance rules judge, under Azure's names (`SHOWN_OF_VAULT` in shared/clients/arm/vault_rights.py)."""


class AccessVerdict(StrEnum):
    """The verdict about a principal's rights in a vault."""

    ALLOWED = auto()
    """The principal has all rights that it needs."""
    LACKING = auto()
    """The principal certainly lacks a right."""
    UNKNOWN = auto()
    """Certroll cannot tell whether the principal has a right that it needs."""


@dataclass(frozen=True, slots=True)
class VaultAccess:
    """The rights of a principal in a vault, as far as Certroll could read the rights."""

    vault: str
    principal: Principal
    verdict: AccessVerdict
    missing: tuple[str, ...] = ()
    """A text for each thing that the principal certainly lacks."""
    unknown: tuple[str, ...] = ()
    """A text for each thing that Certroll does not know."""
    remedies: tuple[str, ...] = ()
    """The az commands that grant the missing rights."""

    @property
    def detail(self) -> str:
        """A text for operators: a principal's missing and unknown rights in a vault, and commands that grant rights."""
        found = "; ".join((*self.missing, *self.unknown)) or f"{self.principal.name} has all that it needs"
        return f"{found}. Run: {' && '.join(self.remedies)}" if self.remedies else found


def unreadable(vault: str, principal: Principal, why: str) -> VaultAccess:
    """Return an unknown verdict for a vault whose access settings Certroll could not read."""
    unknown = (f"Certroll could not read who has access to the vault: {why}",)
    return VaultAccess(vault, principal, AccessVerdict.UNKNOWN, unknown=unknown)


def judge(vault: VaultSettings, principal: Principal, name: str | None = None) -> VaultAccess:
    """Judge whether the principal has the rights that the principal needs in the vault.

    If `name` names an object of the vault, the roles on that object count too. The verdict is ALLOWED only if Certroll
    found no missing and no unknown right.
    """
    held = _held(vault, principal, name)
    lacking = _lacking(vault, principal, held, name)
    blocked = not vault.open_to_all and not vault.trusted_services
    missing = tuple(_missing(principal, lacking, blocked=blocked))
    unknown = tuple(_unknown(vault, principal, held, lacking, name))
    verdict = AccessVerdict.LACKING if missing else AccessVerdict.UNKNOWN if unknown else AccessVerdict.ALLOWED
    remedies = tuple(_remedies(vault, principal, lacking, blocked=blocked))
    return VaultAccess(str(vault.name), principal, verdict, missing, unknown, remedies)


def _lacking(vault: VaultSettings, principal: Principal, held: Rights | None, name: str | None) -> Rights:
    """Return the rights in the vault that the principal certainly lacks."""
    if held is not None and not _perhaps_more(vault, principal, name, principal.needs - held):
        return principal.needs - held
    return frozenset(right for right in principal.needs if _nobody_has(vault, right, name))


def _held(vault: VaultSettings, principal: Principal, name: str | None) -> Rights | None:
    """Return the rights in the vault that the principal certainly has, None if Certroll cannot tell."""
    if principal.object_id is None or (vault.uses_roles and vault.assignments is None):
        return None
    held = (rights for owner, rights in _grants(vault, name) if owner == principal.object_id.lower())
    return frozenset(chain.from_iterable(rights or NONE for rights in held))


def _grants(vault: VaultSettings, name: str | None) -> Iterator[tuple[str, Rights | None]]:
    if not vault.uses_roles:
        plain = (policy for policy in vault.policies if policy.application_id is None)
        yield from ((policy.object_id.lower(), policy.rights) for policy in plain)
    else:
        for assignment in vault.assignments or ():
            if _concerns(assignment.scope, vault.resource_id, name):
                yield assignment.object_id.lower(), assignment.rights


MANAGEMENT_GROUPS = "/providers/microsoft.management/managementgroups/"
"""The scope of a role at a management group. For a vault ARM lists only roles of groups that contain the vault."""


def _concerns(scope: str, vault_id: str, name: str | None) -> bool:
    """Return True if a role at the scope applies to the vault, or to the named object of the vault."""
    at, vault = lower_case(scope.rstrip("/")), lower_case(vault_id)
    objects = {lower_case(f"{vault}/{kind}/{name}") for kind in ("secrets", "certificates")} if name else set()
    return f"{vault}/".startswith(f"{at}/") or at in objects or at.startswith(MANAGEMENT_GROUPS)


def _nobody_has(vault: VaultSettings, right: VaultRight, name: str | None) -> bool:
    """Return True if certainly no principal has the right in the vault."""
    if vault.uses_roles and vault.assignments is None:
        return False
    return all(rights is not None and right not in rights for _, rights in _grants(vault, name))


def _perhaps_more(vault: VaultSettings, principal: Principal, name: str | None, lacking: Rights) -> bool:
    """Return True if a custom role, a condition or a group may give the principal a lacking right."""
    assignments = vault.assignments or ()
    applying = (assignment for assignment in assignments if _concerns(assignment.scope, vault.resource_id, name))
    own = (principal.object_id or "").lower()
    unclear = (assignment for assignment in applying if assignment.group or assignment.object_id.lower() == own)
    return any(assignment.rights is None or assignment.rights & lacking for assignment in unclear)


def _missing(principal: Principal, lacking: Rights, *, blocked: bool) -> Iterator[str]:
    if lacking:
        yield f"{principal.name} (application {principal.application_id}) lacks {', '.join(sorted(lacking))}"
    if blocked:
        yield "the vault's firewall does not let trusted Microsoft services through"


def _unknown(
    vault: VaultSettings, principal: Principal, held: Rights | None, lacking: Rights, name: str | None
) -> Iterator[str]:
    if vault.uses_roles and vault.assignments is None:
        yield vault.not_read or "Certroll did not read the role assignments of the vault"
    elif principal.object_id is None and lacking != principal.needs:
        who = sorted({owner for owner, rights in _grants(vault, name) if rights is None or rights & principal.needs})
        ask = f"az ad sp show --id {principal.application_id} --query id -o tsv"
        yield (
            f"Certroll does not know whether {principal.name} has {', '.join(sorted(principal.needs - lacking))}: set "
            f"{principal.setting} to the output of `{ask}`. Rights are held by {_some(who)}"
        )
    elif held is not None and principal.needs - held - lacking:
        rest = ", ".join(sorted(principal.needs - held))
        yield (
            f"Certroll does not know whether {principal.name} has {rest}: "
            "a custom role, a condition or a group may grant it"
        )
    if principal.policies_only and vault.uses_roles:
        yield (
            "Azure documents purchased certificates only for vaults with access policies, and this vault uses roles: "
            "check that the next renewal reaches the vault"
        )


def _some(owners: list[str]) -> str:
    """Return a text with at most ten object ids, because a finding (a reported problem) has at most 32 K characters.

    A vault may have a thousand access policies.
    """
    more = [f"and {len(owners) - MOST_NAMED} more"] if len(owners) > MOST_NAMED else []
    return ", ".join((*owners[:MOST_NAMED], *more)) or "nobody"


def _remedies(vault: VaultSettings, principal: Principal, lacking: Rights, *, blocked: bool) -> Iterator[str]:
    if lacking and vault.uses_roles:
        for role in _roles_for(lacking):
            yield (
                f'az role assignment create --role "{role}" --assignee {principal.application_id} '
                f"--scope {vault.resource_id}"
            )
    elif lacking:
        yield f"az keyvault set-policy --name {vault.name} --spn {principal.application_id} {_permissions(principal)}"
    if blocked:
        yield f"az keyvault update --name {vault.name} --bypass AzureServices"


def _roles_for(lacking: Rights) -> tuple[str, ...]:
    """Return built-in roles of Key Vault that together have the lacking rights."""
    if lacking <= ROLES["db79e9a7-68ee-4b58-9aeb-b90e7c24fcba"]:
        return (CERTIFICATE_USER,)
    return (SECRETS_OFFICER, CERTIFICATE_USER) if lacking & CERTIFICATES else (SECRETS_OFFICER,)


def _permissions(principal: Principal) -> str:
    """Return all rights that the principal needs as options of az, because `set-policy` replaces earlier rights."""
    kinds = {"secrets": "--secret-permissions", "certificates": "--certificate-permissions"}
    return " ".join(f"{option} {_of_kind(principal.needs, kind)}" for kind, option in kinds.items())


def _of_kind(rights: Iterable[VaultRight], kind: str) -> str:
    return " ".join(sorted(right.partition("/")[2] for right in rights if right.startswith(f"{kind}/")))
