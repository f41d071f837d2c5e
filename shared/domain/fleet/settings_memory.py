"""What Certroll remembers of an app's settings, so that it reads the settings again only after they changed.

App Service moves the moment `lastModifiedTimeUtc` of a site when somebody writes its app settings (64 of 67 recorded
writes, azure-cli test_webapp_config_appsettings and others). Certroll also reads the settings again once in each
interval, because some writes move no moment.

A memory has a thumbprint in plain only where the setting is about certificates by definition: an entry of one of the
two lists, or the path of a certificate. A thumbprint in any other setting may be a secret of 40 hex digits. A memory
has a digest of it, and Certroll finds the thumbprint again only if it knows a certificate with this thumbprint.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from shared.domain.fleet.app_settings import (
    ReferenceKind,
    Sealed,
    SettingReference,
    SiteSettings,
    VaultReference,
)
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.sites import Site
from shared.domain.names import SiteRef, Thumbprint, VaultCertificateRef, parse_thumbprint

LONGEST = 100_000
"""The longest text of a memory, in characters. An app whose memory would be longer is read each time."""
DIGITS = 32
"""The hex digits of a digest that a memory keeps, which are 128 bits."""
ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""The errors of a text that has another form than the function `memory_of` gives it."""
SHORTLY = timedelta(minutes=15)
"""How long a memory holds although the moment of its site moved, if a renewal has moved the site's bindings."""
_PREFIX = "certroll settings memory v1\0"


@dataclass(frozen=True, slots=True)
class Memory:
    """What Certroll remembers of the settings of one site or slot."""

    resource_id: str
    """The resource id of the site or slot, with the names in lower case."""
    modified: datetime
    """The moment `lastModifiedTimeUtc` that the listing before the read showed."""
    read_at: datetime
    """When Certroll read the settings."""
    text: str = field(repr=False)
    """The certificate-related part of the settings, as the function `remembered` reads it."""


def must_read(site: Site, memory: Memory | None, now: datetime, interval: timedelta, *, rebound: bool = False) -> bool:
    """Return True if Certroll has to read the settings of a site or slot from Azure.

    If the renewal has `rebound` host names of the site, it has moved the site's moment itself. For a quarter of an hour
    the renewal then goes on with what Certroll remembers, and a later sweep reads the settings.

    With an interval of 0 Certroll reads the settings each time. Each site has its own time of the interval, so that the
    reads of a fleet spread over it, and no memory is older than the interval.
    """
    if memory is None or site.modified is None:
        return True
    if site.modified != memory.modified and not (rebound and now - memory.read_at < SHORTLY):
        return True
    if interval <= timedelta(0) or memory.read_at > now:
        return True
    offset = timedelta(seconds=_hash_of(site.ref.resource_id) % max(interval // timedelta(seconds=1), 1))
    return _turn(memory.read_at, offset, interval) != _turn(now, offset, interval)


def _turn(moment: datetime, offset: timedelta, interval: timedelta) -> int:
    """Return the number of the interval in which a moment is, for a site whose intervals begin at the offset."""
    return (timedelta(seconds=moment.timestamp()) - offset) // interval


def _hash_of(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def memory_of(site: Site, settings: SiteSettings, read_at: datetime) -> Memory | None:
    """Return what Certroll keeps of settings that it has read, or None if it keeps nothing.

    Certroll keeps nothing if the listing showed no moment, and nothing of an app whose memory would be too long.
    """
    if site.modified is None or len(settings.mentions) * DIGITS > LONGEST:
        return None
    text = json.dumps(_part_of(settings), separators=(",", ":"))
    return Memory(site.ref.resource_id, site.modified, read_at, text) if len(text) <= LONGEST else None


def _part_of(settings: SiteSettings) -> dict[str, Any]:
    """Return the certificate-related part of an app's settings as JSON, without any value that may be a secret."""
    plain = (found for found in settings.references if found.kind is not ReferenceKind.PIN)
    pins = (found for found in settings.references if found.kind is ReferenceKind.PIN)
    return {
        "plain": [[found.key, found.kind.value, found.thumbprint] for found in plain],
        "pins": [[found.key, digest_of(found.thumbprint)] for found in pins],
        "mentions": sorted([digest_of(found), sorted(keys)] for found, keys in settings.mentions.items()),
        "references": [
            [found.key, found.ref.vault, found.ref.kind.value, found.ref.name, found.pinned]
            for found in settings.vault_references
        ],
        "everything": settings.loads_everything,
        "odd": [settings.odd_entries, settings.odd_roots],
        "not_text": sorted(settings.not_text),
        "no_lists": sorted(settings.no_lists),
        "count": settings.count,
    }


def remembered(ref: SiteRef, text: str) -> SiteSettings | None:
    """Return the settings of a site or slot as Certroll remembers them, or None if the text has another form."""
    try:
        return _settings_in(ref, json.loads(text))
    except ODD:
        return None


def _settings_in(ref: SiteRef, part: Any) -> SiteSettings:  # noqa: ANN401 - JSON of any form
    odd_entries, odd_roots = map(int, part["odd"])
    return SiteSettings(
        site=ref,
        references=tuple(
            SettingReference(str(key), ReferenceKind(kind), parse_thumbprint(found))
            for key, kind, found in part["plain"]
        ),
        vault_references=tuple(
            VaultReference(str(key), VaultCertificateRef.parse(vault, kind, name), pinned and str(pinned))
            for key, vault, kind, name, pinned in part["references"]
        ),
        loads_everything=part["everything"] is True,
        odd_entries=odd_entries,
        odd_roots=odd_roots,
        not_text=frozenset(map(str, part["not_text"])),
        no_lists=frozenset(map(str, part["no_lists"])),
        sealed=Sealed(
            int(part["count"]),
            tuple((str(key), str(digest)) for key, digest in part["pins"]),
            {str(digest): frozenset(map(str, keys)) for digest, keys in part["mentions"]},
        ),
    )


def digest_of(thumbprint: Thumbprint) -> str:
    """Return the digest by which a memory keeps a thumbprint that may be a secret."""
    return hashlib.sha256(f"{_PREFIX}{thumbprint}".encode()).hexdigest()[:DIGITS]


def recalled(fleet: Fleet, known: Iterable[Thumbprint]) -> Fleet:
    """Return the fleet with all remembered references to the thumbprints that Certroll knows.

    An app may name any certificate in a setting of which a memory has only digests. Certroll knows the certificates of
    the fleet itself, the versions in the vaults and what its journal names.
    """
    if not any(settings.remembered for settings in fleet.settings):
        return fleet
    by_digest = {digest_of(thumbprint): thumbprint for thumbprint in known}
    return replace(fleet, settings=tuple([_with_known(settings, by_digest) for settings in fleet.settings]))


def _with_known(settings: SiteSettings, known: Mapping[str, Thumbprint]) -> SiteSettings:
    """Return the settings with the pins and mentions of known thumbprints, next to those that they have already."""
    sealed = settings.sealed
    if sealed is None:
        return settings
    pins = [SettingReference(key, ReferenceKind.PIN, known[digest]) for key, digest in sealed.pins if digest in known]
    mentions = {known[digest]: sealed.mentions[digest] for digest in sealed.mentions.keys() & known.keys()}
    if not pins and not mentions:
        return settings
    return replace(
        settings,
        references=tuple(dict.fromkeys((*settings.references, *pins))),
        mentions={**settings.mentions, **mentions},
    )
