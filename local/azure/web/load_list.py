"""The load list: the app setting that names the certificates which a site's processes get.

Azure docs, configure-ssl-certificate-in-code: `WEBSITE_LOAD_CERTIFICATES` names thumbprints, or `*`.
"""

from collections.abc import Iterator, Mapping

LOAD_LIST = "WEBSITE_LOAD_CERTIFICATES"
EVERYTHING = "*"


def load_list(settings: Mapping[str, str]) -> Iterator[str]:
    """Return the entries of the load list in upper case; blanks and empty entries do not count."""
    entries = (entry.strip().upper() for entry in settings.get(LOAD_LIST, "").split(","))
    return (entry for entry in entries if entry)


def rename(value: str, old: str, new: str) -> str:
    """Return the load list with the new thumbprint in place of the old one; other entries stay as they are written.

    Both thumbprints are in upper case, as the simulation keeps them. The list may be in any case.
    """
    if old not in {entry.strip().upper() for entry in value.split(",")}:
        return value
    entries = (new if entry.strip().upper() == old else entry for entry in value.split(","))
    return ",".join(dict.fromkeys(entries))
