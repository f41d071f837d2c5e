"""Take the app settings that did not change from Certroll's memory, and keep in it what an inspection reads.

A memory only saves requests. If the storage account fails, Certroll reads the settings from Azure, and says so in a log
line. What an inspection reads is stored while the inspection goes on, so that a run which ends early keeps it.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

from shared.domain.errors import OutOfTime, StorageFailed
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.settings_memory import Memory, memory_of, must_read, remembered
from shared.domain.fleet.sites import Site
from shared.domain.names import SiteRef
from shared.ports.journal import SettingsMemory
from shared.telemetry import event

BATCH = 50
"""How many memories Certroll stores at once, which is one transaction of Table storage (clients/storage/tables.py)."""
MOST_FORGOTTEN = 100
"""How many memories of missing sites an inspection deletes, with one request each. Later inspections delete more."""

_SLOT = re.compile(r"/slots/[^/]+$")
"""The end of a slot's resource id. A resource group or a site may have the name `slots`."""


class Remembering:
    """The memory of app settings, as one inspection of the fleet uses it."""

    def __init__(
        self, memory: SettingsMemory, now: datetime, interval: timedelta, rebound: Collection[SiteRef] = ()
    ) -> None:
        """Begin without any memory. `interval` is CERTROLL_SETTINGS_REREAD, and 0 makes Certroll read each time.

        `rebound` are the sites and slots whose host names the renewal has moved, which it looks at once more.
        """
        self._memory = memory
        self._now = now
        self._interval = interval
        self._rebound = rebound
        self._rows: dict[str, Mapping[str, Memory]] = {}
        self._unsaved: dict[str, list[Memory]] = {}
        self._has_failed = False

    @property
    def _is_on(self) -> bool:
        return self._interval > timedelta(0) and not self._has_failed

    def recall(self, sites: Iterable[Site]) -> dict[SiteRef, SiteSettings]:
        """Return the settings of the sites and slots that need no read, with one query for each subscription."""
        found: dict[SiteRef, SiteSettings] = {}
        for site in sites if self._is_on else ():
            memory = self._of(site.ref.subscription).get(site.ref.resource_id)
            rebound = site.ref in self._rebound
            if memory is None or must_read(site, memory, self._now, self._interval, rebound=rebound):
                continue
            settings = remembered(site.ref, memory.text)
            if settings is not None:
                found[site.ref] = settings
        return found

    def _of(self, subscription: str) -> Mapping[str, Memory]:
        if subscription not in self._rows:
            self._rows[subscription] = {}
            with self._failing():
                self._rows[subscription] = self._memory.of(subscription)
        return self._rows[subscription]

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Store at the end what `note` has not stored yet, also if the inspection ends early."""
        try:
            yield
        finally:
            for subscription in tuple(self._unsaved):
                self._store(subscription)

    def note(self, site: Site, settings: SiteSettings) -> None:
        """Remember settings that Certroll has read from Azure."""
        memory = memory_of(site, settings, self._now) if self._is_on and not settings.remembered else None
        if memory is None:
            return
        unsaved = self._unsaved.setdefault(site.ref.subscription, [])
        unsaved.append(memory)
        if len(unsaved) >= BATCH:
            self._store(site.ref.subscription)

    def _store(self, subscription: str) -> None:
        memories = self._unsaved.pop(subscription)
        if not self._has_failed:
            with self._failing():
                self._memory.put(subscription, memories)

    def forget_gone(self, sites: Iterable[SiteRef], listed: Iterable[SiteRef], unsure: Collection[str]) -> None:
        """Delete the memories of sites and slots that Azure no longer has.

        `sites` are all sites and slots that the inspection has seen, and `listed` the sites whose slots it has listed.
        In the subscriptions `unsure` the inspection could not see everything. A wrong deletion costs one read.
        """
        seen, with_slots = {ref.resource_id for ref in sites}, {ref.resource_id for ref in listed}
        for subscription in self._rows.keys() - unsure:
            unseen = sorted(self._rows[subscription].keys() - seen)
            owners = ((resource_id, _SLOT.sub("", resource_id)) for resource_id in unseen)
            gone = [resource_id for resource_id, owner in owners if owner not in seen or owner in with_slots]
            if gone and not self._has_failed:
                with self._failing():
                    self._memory.forget(subscription, gone[:MOST_FORGOTTEN])

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Go on without the memory if the storage account fails or the time is over, and log the error.

        What ends the inspection itself is worth more to the caller than what its memory meets at the end.
        """
        try:
            yield
        except (StorageFailed, OutOfTime) as error:
            self._has_failed = True
            event("settings_memory.failed", detail=str(error))
