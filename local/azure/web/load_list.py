"""The load list: the app setting that names the certificates which App Service loads into a site's processes.

According to Azure docs, configure-ssl-certificate-in-code, the app setting `WEBSITE_LOAD_CERTIFICATES` names
thumbprints, or `*` for all certificates.
"""

from collections.abc import Iterator, Mapping

LOAD_LIST = "WEBSITE_LOAD_CERTIFICATES"
EVERYTHING = "*"


def load_list(settings: Mapping[str, str]) -> Iterator[str]:
    """Return the entries of the load list (WEBSITE_LOAD_CERTIFICATES) in upper case, without empty entries."""
    entries = (entry.strip().upper() for entry in settings.get(LOAD_LIST, "").split(","))
    return (entry for entry in entries if entry)


def rename(value: str, old: str, new: str) -> str:
    """Return the load list (WEBSITE_LOAD_CERTIFICATES) with the new thumbprint instead of the old thumbprint.

    The arguments `old` and `new` are thumbprints in upper case. The entries of the load list
    (WEBSITE_LOAD_CERTIFICATES) may be in upper or lower case.
    """
    if old not in {entry.strip().upper() for entry in value.split(",")}:
        return value
    entries = (new if entry.strip().upper() == old else entry for entry in value.split(","))
    return ",".join(dict.fromkeys(entries))
