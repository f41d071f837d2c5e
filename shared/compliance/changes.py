"""Short forms for the worlds of examples: what differs from a world in good order, in the words of Azure's answers."""

from collections.abc import Mapping

World = Mapping[str, object]
HOST = "www.contoso.com"
"""The custom host name of the world in good order."""


def site(name: str = "shop", **properties: object) -> World:
    """Return a world in which a site has other properties in the list of sites."""
    return {"sites": {name: {"properties": properties}}}


def tagged(name: str = "shop", **tags: str) -> World:
    """Return a world in which a site has tags. An underscore in a keyword stands for a hyphen."""
    return {"sites": {name: {"tags": {key.replace("_", "-"): value for key, value in tags.items()}}}}


def config(name: str = "shop", **properties: object) -> World:
    """Return a world in which a site has another configuration (`…/config/web`)."""
    return {"sites": {name: {"config": properties}}}


def settings(name: str = "shop", **values: str) -> World:
    """Return a world in which a site has other app settings."""
    return {"sites": {name: {"settings": values}}}


def host(host_name: str = HOST, *, of: str = "shop", **state: object) -> World:
    """Return a world in which a host name of a site has another entry of `hostNameSslStates`."""
    return {"sites": {of: {"hosts": {host_name: state}}}}


def unbound(host_name: str = HOST, *, of: str = "shop") -> World:
    """Return a world in which a host name has no certificate, and no app setting names one."""
    return both(
        host(host_name, of=of, sslState="Disabled", thumbprint=None), settings(of, WEBSITE_LOAD_CERTIFICATES="")
    )


def certificate(name: str = "wildcard", **properties: object) -> World:
    """Return a world in which a certificate in App Service has other properties."""
    return {"certificates": {name: properties}}


def policy(name: str = "wildcard", **properties: object) -> World:
    """Return a world in which a vault certificate has another policy."""
    return {"objects": {name: {"policy": properties}}}


def vault(name: str = "contoso-kv", **properties: object) -> World:
    """Return a world in which a vault has other properties in ARM."""
    return {"vaults": {name: {"properties": properties}}}


def both(*worlds: World) -> World:
    """Return a world with all the differences."""
    result: dict[str, object] = {}
    for world in worlds:
        for key, value in world.items():
            before = result.get(key)
            merges = isinstance(before, Mapping) and isinstance(value, Mapping)
            result[key] = both(before, value) if merges else value  # type: ignore[arg-type]
    return result


NEWEST = {
    "version": "v2",
    "thumbprint": "A" * 40,
    "created": "2026-09-15T01:00:00+00:00",
    "not_before": "2026-09-15T00:00:00+00:00",
    "not_after": "2027-03-15T00:00:00+00:00",
    "enabled": True,
    "facts": {},
}
"""The newest version of the vault certificate in the world in good order."""


def newest_facts(**contents: object) -> World:
    """Return a world in which the newest version of the vault certificate has other contents."""
    return {"objects": {"wildcard": {"versions": [{**NEWEST, "facts": contents}]}}}


def dated(begins: str, ends: str) -> World:
    """Return a world in which the newest version of the vault certificate is valid between two days."""
    days = {"not_before": f"{begins}T00:00:00+00:00", "not_after": f"{ends}T00:00:00+00:00"}
    return {"objects": {"wildcard": {"versions": [{**NEWEST, **days}]}}}


RESOURCES = "/subscriptions/6baa9455-e3e7-4682-8209-4cac629f6fbe/resourceGroups/web/providers/Microsoft.Web"
"""Where the resources of the world in good order are."""


def probed(name: str = "shop", **answer: object) -> World:
    """Return a world in which a person had the app of a site probed."""
    return {"sites": {name: {"probed": answer}}}


def delivered(**destination: object) -> World:
    """Return a world in which the events of the vault go to another destination."""
    subscription = {"name": "other", "destination": destination}
    return {"vaults": {"contoso-kv": {"events": [subscription]}}}


def environment(settings: Mapping[str, str], *, internal: bool = False) -> World:
    """Return a world with an App Service Environment, with the settings in its `clusterSettings`."""
    cluster = [{"name": name, "value": value} for name, value in settings.items()]
    return {"environments": {"inner": {"internal": internal, "clusterSettings": cluster}}}


def version(**properties: object) -> World:
    """Return a world in which the vault certificate has one version, with other properties than in good order."""
    return {"objects": {"wildcard": {"versions": [{**NEWEST, **properties}]}}}


def managed_entry(begins: str, ends: str) -> World:
    """Return a managed certificate of the custom host name, valid between two days. Azure hides its thumbprint."""
    return {
        "thumbprint": "",
        "hostNames": [HOST],
        "subjectName": HOST,
        "issuer": "GeoTrust TLS RSA CA G1",
        "issueDate": f"{begins}T00:00:00+00:00",
        "expirationDate": f"{ends}T00:00:00+00:00",
        "canonicalName": HOST,
    }


def managed(begins: str, ends: str) -> World:
    """Return a world whose only certificate in App Service is a managed one, valid between two days."""
    return {"certificates": {"managed": managed_entry(begins, ends), "wildcard": None}}


def renewing(action: str = "AutoRenew", *, percentage: int | None = None, days: int | None = None) -> World:
    """Return a world in which the policy of the vault certificate has another lifetime action."""
    trigger = {"lifetime_percentage": percentage, "days_before_expiry": days}
    return policy(lifetime_actions=[{"action": action, "trigger": trigger}])


def versions(*newest_first: World) -> World:
    """Return a world in which the vault certificate has other versions, each told by what differs from the newest."""
    return {"objects": {"wildcard": {"versions": [{**NEWEST, **version} for version in newest_first]}}}


def refused(*names: str) -> World:
    """Return a world in which Certroll refuses to carry versions of the vault certificate."""
    return {"objects": {"wildcard": {"refused": list(names)}}}
