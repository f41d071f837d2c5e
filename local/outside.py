"""Name the public hosts for which a person's tools bypass the proxy. The local Azure has no other such list.

`git` and `pip` work in a shell whose traffic goes to the local Azure, because these names stand in NO_PROXY. The proxy
itself refuses every host that the local Azure does not simulate.
"""

import re
from collections.abc import Collection

EXACT = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")
LOOPBACK = ("127.0.0.1", "localhost")
DIRECT = (
    "codeload.github.com",
    "files.pythonhosted.org",
    "github.com",
    "objects.githubusercontent.com",
    "pypi.org",
)
"""The exact names of the public services from which `git` and `pip` take code."""
NEVER = (
    "appserviceenvironment.net",
    "azure-api.net",
    "azure-automation.net",
    "azure-mobile.net",
    "azure.cn",
    "azure.com",
    "azure.net",
    "azure.us",
    "azurecontainerapps.io",
    "azurecr.io",
    "azureedge.net",
    "azurefd.net",
    "azurestaticapps.net",
    "azurewebsites.net",
    "azurewebsites.us",
    "chinacloudapi.cn",
    "chinacloudsites.cn",
    "cloud.microsoft",
    "cloudapp.net",
    "live.com",
    "microsoft.com",
    "microsoft.us",
    "microsoftazure.us",
    "microsoftonline.cn",
    "microsoftonline.com",
    "microsoftonline.us",
    "msauth.net",
    "msftauth.net",
    "msidentity.com",
    "office.com",
    "office.net",
    "office365.com",
    "onmicrosoft.com",
    "sharepoint.com",
    "trafficmanager.net",
    "usgovcloudapi.net",
    "usgovcloudapp.net",
    "usgovtrafficmanager.net",
    "visualstudio.com",
    "windows.net",
    "windowsazure.cn",
    "windowsazure.com",
    "windowsazure.us",
)
"""The domains of Azure and Microsoft, for which no client of the local Azure may bypass the proxy."""


class NotAllowed(ValueError):
    """NO_PROXY must not contain a name of Azure or Microsoft, nor a name that is no exact host name."""


def no_proxy(direct: Collection[str] = DIRECT) -> str:
    """Return the value of NO_PROXY: loopback, and the given hosts.

    Raise NotAllowed for a name of Azure or Microsoft, and for a name that is no exact host name. Most clients read a
    name in NO_PROXY as the name and all names below it, so each name must be as narrow as its service.
    """
    for name in direct:
        _check(name)
    return ",".join((*LOOPBACK, *direct))


def _check(name: str) -> None:
    if not EXACT.fullmatch(name):
        raise NotAllowed(f"{name!r} is not the exact name of a host, such as `pypi.org`")
    refused = next((domain for domain in NEVER if _is_below(name, domain)), None)
    if refused:
        raise NotAllowed(f"{name} would lead clients past the local Azure to {refused}")


def _is_below(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")
