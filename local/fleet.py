"""Describe a simulated fleet as JSON, and list the host names that visitors can check."""

from typing import Any

from local.azure.registration.orders import Order
from local.azure.running.apps import App, Process
from local.azure.vault.objects import Version
from local.azure.vault.secrets import SecretVersion
from local.azure.vault.vault import Vault
from local.azure.web.held_certificates import Certificate, PublicCertificate, thumbprint_of
from local.azure.web.resources import Environment, Host, Plan, Site
from local.azure.world import World

WILDCARD_VISITOR = "canary"


def bound_host_names(world: World) -> tuple[str, ...]:
    """Return every host name with a TLS binding.

    A wildcard host name is replaced by a host name that the wildcard covers.
    """
    with world.lock:
        names = [name for site in world.web.sites.values() for name, host in site.hosts.items() if host.is_bound]
    return tuple(visited_name(name) for name in names)


def visited_name(host_name: str) -> str:
    """Return the name that a visitor asks for: a wildcard's `*` is replaced by a label."""
    return f"{WILDCARD_VISITOR}{host_name[1:]}" if host_name.startswith("*.") else host_name


def fleet(world: World) -> dict[str, Any]:
    """Return the simulated fleet as values for JSON, without private keys, secrets and app settings."""
    with world.lock:
        return {
            "now": world.clock.now().isoformat(),
            "vaults": {vault.name: _vault(vault) for vault in world.vaults.values()},
            "secrets": {vault.name: _secrets(vault) for vault in world.vaults.values()},
            "environments": [_environment(world, environment) for environment in world.web.environments.values()],
            "plans": [_plan(plan) for plan in world.web.plans.values()],
            "sites": [_site(site) for site in world.web.sites.values()],
            "copies": [_copy(certificate) for certificate in world.web.all_certificates()],
            "public": [_public(certificate) for certificate in world.web.public_certificates.values()],
            "apps": [_app(world, app) for app in world.apps.all()],
            "orders": [_order(order) for order in world.orders],
            "addresses": sorted(world.web.addresses()),
        }


def _order(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "host_name": order.host,
        "status": order.status,
        "auto_renew": order.auto_renew,
        "serial": order.serial,
        "ends": order.ends.isoformat() if order.ends else None,
        "purchases": order.purchases,
        "stored": {stored.secret_name: stored.status for stored in order.stored.values()},
    }


def version_as_json(version: Version | SecretVersion) -> dict[str, Any]:
    """Return a certificate version as JSON: id, thumbprint, host names and dates."""
    certificate = version.leaf.certificate
    return {
        "version": version.id,
        "thumbprint": version.thumbprint,
        "host_names": list(version.host_names),
        "created": version.created.isoformat(),
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "enabled": version.enabled,
        "tags": version.tags,
    }


def _vault(vault: Vault) -> dict[str, Any]:
    return {
        certificate.name: [version_as_json(version) for version in certificate.versions]
        for certificate in vault.certificates.values()
    }


def _secrets(vault: Vault) -> dict[str, Any]:
    """Return the vault's plain secrets that contain a certificate, as JSON."""
    return {
        secret.name: [version_as_json(version) for version in secret.versions if version.has_certificate]
        for secret in vault.secrets.values()
        if any(version.has_certificate for version in secret.versions)
    }


def _environment(world: World, environment: Environment) -> dict[str, Any]:
    return {
        "id": environment.id,
        "internal": environment.internal,
        "address": environment.address,
        "roots": [
            {"name": root.name, "thumbprint": root.thumbprint, "is_root": root.is_root}
            for root in world.web.roots_of(environment)
        ],
    }


def _plan(plan: Plan) -> dict[str, Any]:
    return {"id": plan.id, "webspace": plan.webspace.name, "location": plan.location, "linux": plan.linux}


def _site(site: Site) -> dict[str, Any]:
    return {
        "id": site.id,
        "webspace": site.webspace.name,
        "environment": site.environment.id if site.environment else None,
        "state": site.state,
        "restarts": site.restarts,
        "tags": dict(site.tags),
        "bindings": [_binding(host) for host in site.hosts.values()],
    }


def _binding(host: Host) -> dict[str, Any]:
    return {
        "host": host.name,
        "ssl_state": host.ssl_state,
        "thumbprint": host.thumbprint,
        "virtual_ip": host.virtual_ip,
    }


def _app(world: World, app: App) -> dict[str, Any]:
    site, now = world.web.sites.get(app.site_id), world.clock.now()
    answering = app.answering(now)
    return {
        "site": app.site_id,
        "restarts": site.restarts if site else 0,
        "partner": app.partner.name,
        "probe": app.probe,
        "thumbprint": _thumbprint(answering[-1]) if answering else None,
        "processes": [
            _process(process, answers=process.answers(now)) for process in app.processes if not process.is_gone(now)
        ],
    }


def _process(process: Process, *, answers: bool) -> dict[str, Any]:
    return {
        "thumbprint": _thumbprint(process),
        "trusted": process.trusted,
        "loaded": list(process.loaded.thumbprints),
        "roots": [thumbprint_of(root) for root in process.roots],
        "answers": answers,
    }


def _thumbprint(process: Process) -> str | None:
    return process.certificate.thumbprint if process.certificate else None


def _copy(certificate: Certificate) -> dict[str, Any]:
    source = certificate.source
    return {
        "id": certificate.id,
        "webspace": certificate.webspace.name,
        "thumbprint": certificate.thumbprint,
        "host_names": list(certificate.content.host_names),
        "not_after": certificate.content.not_after.isoformat(),
        "vault": source and source.vault_id,
        "secret": source and source.secret_name,
        "status": certificate.status,
        "site": certificate.site_id,
    }


def _public(certificate: PublicCertificate) -> dict[str, Any]:
    return {"id": certificate.id, "site": certificate.owner_id, "thumbprint": certificate.thumbprint}
