"""Build Contoso with twelve App Service Environments, and list the messages that keep all queues full."""

from contextlib import suppress

from azure.core.exceptions import ResourceExistsError
from azure.storage.queue import QueueClient, TextBase64EncodePolicy

from local.azure.vault.authority import Authority
from local.azure.world import World
from local.azurite import Azurite
from local.worlds.builders import Builder
from local.worlds.contoso import contoso
from shared.domain.messages import CERTIFICATES, SITES, Cause, CertificateMessage, SiteMessage
from shared.domain.names import ObjectKind, SiteRef, VaultCertificateRef

VAULT = "contoso-ase-kv"
ENVIRONMENTS = tuple(f"ase-{number:02}" for number in range(12))
"""Each environment has a run of its own, and twelve runs of a queue go at once."""
APPS = 3
PROBED = {"certroll-probe": "/health"}
Bodies = dict[str, list[str]]


def crowd(world: World) -> World:
    """Return Contoso with twelve environments of three apps, and with the private root of each environment."""
    build = Builder(contoso(world.clock))
    vault = build.add_vault(VAULT, build.add_group("ase"))
    partner = build.add_partner("erp", open_to_all=True)
    for name in ENVIRONMENTS:
        environment = build.add_environment(name, build.add_group(f"{name}-group"))
        plan = build.add_plan(f"plan-{name}", environment=environment)
        for number in range(APPS):
            site = build.add_site(f"app-{name}-{number}", plan, tags=PROBED)
            build.add_app(site, partner, anonymous=True)
        root = Authority(f"Root {name}").root_leaf
        build.add_root_object(f"root-{name}", root, vault, tags={"certroll-root-of": name})
    return build.world


def roots() -> Bodies:
    """Return the messages that bring each root into its environment."""
    refs = (VaultCertificateRef.parse(VAULT, ObjectKind.SECRET, f"root-{name}") for name in ENVIRONMENTS)
    return {CERTIFICATES: [CertificateMessage(ref, Cause.EVENT).body() for ref in refs]}


def everything(world: World) -> Bodies:
    """Return a message for each vault object, and for each site with each certificate that a site of Contoso uses."""
    refs = [
        VaultCertificateRef.parse(vault.name, ObjectKind.CERTIFICATE, name)
        for vault in world.vaults.values()
        for name in vault.certificates
    ]
    sites = [SiteRef.parse(site.id) for site in world.web.sites.values() if site.environment is None]
    return {
        CERTIFICATES: [CertificateMessage(ref, Cause.EVENT).body() for ref in refs] + roots()[CERTIFICATES],
        SITES: [SiteMessage(site, ref).body() for ref in refs for site in sites],
    }


def send(azurite: Azurite, bodies: Bodies) -> None:
    """Put the messages on their queues."""
    for queue, texts in bodies.items():
        with QueueClient.from_connection_string(
            azurite.connection_string, queue, message_encode_policy=TextBase64EncodePolicy(), **azurite.trust
        ) as client:
            with suppress(ResourceExistsError):
                client.create_queue()
            for text in texts:
                client.send_message(text)
