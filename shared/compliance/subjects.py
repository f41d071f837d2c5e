"""The subjects of compliance rules with their facts: sites, host names, certificates, vaults and more."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain.certificates.lineage import Lineage
from shared.domain.environments.record import EnvironmentRecord
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import Environment, ServerFarm, Site
from shared.domain.fleet.vault_access import VaultSettings
from shared.domain.names import SiteRef, VaultName
from shared.domain.shown import Shown
from shared.domain.tags import Tags


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """A site or slot with what Azure shows of it."""

    site: Site
    listed: Shown
    """The entry in the list of sites, without its configuration, which is never right there."""
    config: Shown
    """The answer of `…/config/web`."""
    plan: ServerFarm | None = None

    @property
    def key(self) -> str:
        """The resource id in lower case."""
        return self.site.ref.resource_id.lower()

    @property
    def label(self) -> str:
        """The name of the site, and of the slot."""
        return f"site {self.site.ref}"

    @property
    def waiver_tags(self) -> Tags:
        """The tags of the site or slot itself."""
        return self.site.tags

    @property
    def ref(self) -> SiteRef:
        """The reference to the site or slot."""
        return self.site.ref

    @property
    def is_slot(self) -> bool:
        """True for a deployment slot."""
        return self.ref != self.ref.production


@dataclass(frozen=True, slots=True)
class HostFacts:
    """A custom host name of a site or slot."""

    of: SiteFacts
    binding: Binding
    resolved: Shown
    """What DNS answers for the host name: `cname`, `addresses`, `exists`, `asuid`."""
    served: Shown
    """What a handshake shows: `thumbprint`, `issuer`, `chain`, `protocol`."""

    @property
    def key(self) -> str:
        """The site's resource id and the host name."""
        return f"{self.of.key}#{self.binding.host_name}"

    @property
    def label(self) -> str:
        """The host name and the site."""
        return f"host {self.binding.host_name} of {self.of.site.ref}"

    @property
    def waiver_tags(self) -> Tags:
        """The tags of the site or slot."""
        return self.of.site.tags


@dataclass(frozen=True, slots=True)
class CopyFacts:
    """A certificate in App Service."""

    copy: WebspaceCertificate
    listed: Shown
    """The entry in the list of certificates."""

    @property
    def key(self) -> str:
        """The resource id in lower case."""
        return self.copy.ref.resource_id.lower()

    @property
    def label(self) -> str:
        """The name of the certificate in App Service."""
        return f"certificate {self.copy.ref}"

    @property
    def waiver_tags(self) -> Tags:
        """The tags of the certificate in App Service."""
        return self.copy.tags


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """A vault certificate or secret that Certroll follows, with its versions and its policy."""

    lineage: Lineage
    policy: Shown
    """The policy of the vault certificate in the words of Key Vault: `issuer.name`, `lifetime_actions`, `key_props`,
    `secret_props` and `recoveryLevel`. A secret has none."""

    @property
    def key(self) -> str:
        """The name of the vault and of the object."""
        return str(self.lineage.ref).lower()

    @property
    def label(self) -> str:
        """The name of the vault and of the object."""
        return f"{self.lineage.ref.kind} {self.lineage.ref}"

    @property
    def waiver_tags(self) -> Tags:
        """The tags of the vault object."""
        return self.lineage.tags


@dataclass(frozen=True, slots=True)
class VaultFacts:
    """A vault that Certroll serves."""

    name: VaultName
    resource: Shown
    """The vault in ARM: `id`, `tags`, and its properties under Azure's names."""
    access: VaultSettings | None
    """The access settings of the vault, None if Certroll could not read them."""
    events: Shown
    """`subscriptions`: the event subscriptions of the vault and of its system topic."""

    @property
    def key(self) -> str:
        """The name of the vault."""
        return f"vault/{self.name}".lower()

    @property
    def label(self) -> str:
        """The name of the vault."""
        return f"vault {self.name}"

    @property
    def waiver_tags(self) -> Tags:
        """The tags of the vault, none if Certroll could not read them."""
        found = self.resource.properties.get("tags")
        return tuple((str(key), str(value)) for key, value in found.items()) if isinstance(found, Mapping) else ()


@dataclass(frozen=True, slots=True)
class EnvironmentFacts:
    """An App Service Environment that the tag of a root names, or that sites of the fleet are in."""

    environment: Environment
    listed: Shown
    """The entry in the list of environments, with its `clusterSettings`."""
    record: EnvironmentRecord | None
    """What the journal has of the environment's roots."""

    @property
    def key(self) -> str:
        """The resource id in lower case."""
        return self.environment.ref.resource_id.lower()

    @property
    def label(self) -> str:
        """The name of the environment."""
        return f"environment {self.environment.ref}"

    @property
    def waiver_tags(self) -> Tags:
        """The tags of the environment."""
        return self.environment.tags


@dataclass(frozen=True, slots=True)
class OwnFacts:
    """Certroll's own site and identity."""

    site: Shown
    """`host`, `queue` and the properties of the own site, its `config`, its publishing policies and its sign-in."""
    roles: Shown
    """`assignments`: the role assignments of Certroll's identity, each with `roleName`, `roleId` and `scope`."""
    swept: Shown
    """`completed`: when the last complete sweep ended; `interval`: the seconds between two sweeps."""

    @property
    def key(self) -> str:
        """Certroll itself."""
        return "certroll"

    @property
    def label(self) -> str:
        """Certroll itself."""
        return "Certroll"

    @property
    def waiver_tags(self) -> Tags:
        """The tags of the own site."""
        found = self.site.properties.get("tags")
        return tuple((str(key), str(value)) for key, value in found.items()) if isinstance(found, Mapping) else ()
