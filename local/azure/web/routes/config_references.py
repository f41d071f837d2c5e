"""The routes for Key Vault references, as azure-mgmt-web 11 calls them: list, read and refresh."""

from local.azure.front_door.call import Call, Route, on_sites
from local.azure.web import references, refusals
from local.azure.web.resources import Site
from local.azure.web.wire.config_references import reference_json
from local.azure.wire import Response, json_response


def list_references(call: Call) -> Response:
    """Respond with every app setting that is a Key Vault reference, and its secret version."""
    return _listed(call, call.site())


def get_reference(call: Call) -> Response:
    """Respond with one Key Vault reference of the site."""
    site, name = call.site(), call["setting"]
    if not references.is_reference(site.settings.get(name, "")):
        raise refusals.missing("AppSetting", name)
    return json_response(200, reference_json(site, name))


def refresh(call: Call) -> Response:
    """Resolve all Key Vault references of the site again, and respond with the references.

    The app restarts if a Key Vault reference now resolves to another version of its secret (Azure docs,
    app-service-key-vault-references).
    """
    return _listed(call, call.world.settings.refresh_references(call.site_now()))


def _listed(call: Call, site: Site) -> Response:
    names = (name for name, value in site.settings.items() if references.is_reference(value))
    return call.page(reference_json(site, name) for name in names)


REFERENCES = "/config/configreferences/appsettings"
ROUTES: tuple[Route, ...] = on_sites(
    ("GET", REFERENCES, list_references),
    ("GET", f"{REFERENCES}/{{setting}}", get_reference),
    ("POST", f"{REFERENCES}/refresh", refresh),
)
