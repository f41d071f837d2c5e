"""The refusals of Microsoft.Web and ARM, as exceptions."""

from local.azure.wire import Refused, arm_error, web_error

CANNOT_FIND = "Cannot find {0} with name {1}."


def missing(kind: str, name: str) -> Refused:
    """Return the 404 refusal for an object that Microsoft.Web does not find (recorded azure-cli traffic)."""
    return Refused(web_error(404, "NotFound", "51004", CANNOT_FIND, kind, name))


def absent(resource_type: str, name: str, group: str) -> Refused:
    """Return the 404 refusal for a resource that ARM does not find."""
    message = f"The Resource '{resource_type}/{name}' under resource group '{group}' was not found."
    return Refused(arm_error(404, "ResourceNotFound", message))


def bad(message: str) -> Refused:
    """Return the 400 refusal for a request that Microsoft.Web cannot process."""
    return Refused(web_error(400, "BadRequest", None, "{0}", message))


def invalid(field: str, reason: str) -> Refused:
    """Return ARM's 400 refusal for a request field with an impossible value (recorded azure-cli traffic)."""
    return Refused(web_error(400, "BadRequest", "51021", "{0} is invalid.  {1}", field, reason))


def conflict(template: str, *parameters: str, extended_code: str | None = None) -> Refused:
    """Return the 409 refusal for a request that the present state of App Service does not allow."""
    return Refused(web_error(409, "Conflict", extended_code, template, *parameters))


def in_use(thumbprint: str, host_name: str) -> Refused:
    """Return the refusal to delete a certificate that a host name is bound to (Azure support articles)."""
    return conflict(
        "Cannot remove certificate with thumbprint {0} because it is used for hostname {1}.", thumbprint, host_name
    )


def mismatch(thumbprint: str, host_name: str) -> Refused:
    """Return the refusal of a binding whose certificate does not cover the host name (azure-powershell #12843)."""
    template = "The certificate with thumbprint '{0}' does not match the hostname '{1}'."
    return conflict(template, thumbprint, host_name, extended_code="04030")
