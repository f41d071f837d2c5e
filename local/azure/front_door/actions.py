"""The action of Azure's roles that a request to ARM needs, such as `Microsoft.Web/sites/config/list/action`."""

from local.azure.wire import Request

ENDINGS = {"GET": "read", "DELETE": "delete", "POST": "action"}
RESOURCES = "Microsoft.Resources"
PROVIDERS = "providers"


def action_of(request: Request) -> str:
    """Return the action of Azure's roles that the request needs.

    The types in the path make the name of the action. A POST names its verb last in the path, and every other method
    that writes needs the right to write (Azure docs, role-based-access-control/resource-provider-operations).
    """
    segments = request.path.strip("/").split("/")
    lowered = [segment.lower() for segment in segments]
    if PROVIDERS in lowered:
        last = len(lowered) - lowered[::-1].index(PROVIDERS)
        namespace, path = segments[last], segments[last + 1 :]
    else:
        namespace, path = RESOURCES, segments
    verb = path[-1:] if request.method == "POST" and len(path) % 2 == 0 else []
    return "/".join([namespace, *path[::2], *verb, ENDINGS.get(request.method, "write")])
