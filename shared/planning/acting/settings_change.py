"""Write edits into an app's settings, which Azure replaces as a whole, so that edits of operators and tools survive.

An edit of another writer can be lost only between Certroll's read and write, some tens of milliseconds. If Azure
honours If-Match (not documented), Azure refuses a write after another writer's edit. See
docs/explanation/app-settings.md.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from shared.domain.errors import Conflict
from shared.domain.fleet.app_settings import SettingEdit, SiteSettings, changed_elsewhere, fetched
from shared.domain.fleet.settings_editing import all_done, edited_settings, edited_values
from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.acting.settle import settle
from shared.planning.acting.subjects import settings_subject
from shared.planning.plan import Phase, SettingsWrite, Traits
from shared.ports import Ports


@dataclass(frozen=True, slots=True)
class SettingsChange(Traits):
    """All edits of the settings of one app, in one write, so that the write restarts the app only once."""

    settings: SiteSettings
    edits: tuple[SettingEdit, ...]
    webspace: Webspace
    phase: ClassVar[Phase] = Phase.APP

    @property
    def subject(self) -> str:
        """The name of the app whose settings change, as text for operators."""
        return settings_subject(self.settings.site)

    @property
    def site(self) -> SiteRef | None:
        """The app whose settings change."""
        return self.settings.site

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """The thumbprints that the edits add to the app's settings."""
        return frozenset(edit.add for edit in self.edits if edit.add is not None)

    @property
    def settings_write(self) -> SettingsWrite:
        """The app's settings from the observation of the fleet, with the edits done."""
        return SettingsWrite(self.settings, self.edits)

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot of the fleet with the edits done.

        The write restarts the app, so App Service also fetches the values of the app's Key Vault references.
        """
        version = snapshot.lineage.current.version if snapshot.lineage.current else None
        after = fetched(edited_settings(self.settings, self.edits), snapshot.lineage.ref, version)
        return snapshot.with_settings(replace(after, changing=True))

    def perform(self, ports: Ports) -> bool:
        """Read the app's settings, compare them with the plan, write them once, and return when Azure shows the edits.

        Raises Conflict if another setting changed after Certroll built the plan, or if an edit no longer applies.
        Raises Conflict also if the plan comes from remembered settings, which show no change of another setting.
        """
        site = self.settings.site
        if self.settings.remembered:
            raise Conflict(f"{self.subject}: Certroll only remembers the settings; Certroll plans again")
        seen = ports.app_service.settings_to_edit(site)
        if all_done(seen.values, self.edits):
            return False
        if moved := changed_elsewhere(seen.digests, self.settings.digests, self.edits):
            raise Conflict(
                f"{self.subject}: {', '.join(moved)} changed since Certroll observed it; Certroll plans again"
            )
        values = edited_values(seen.values, self.edits)
        if not all_done(values, self.edits):
            raise Conflict(f"{self.subject}: the values to edit are gone; Certroll plans again")
        ports.app_service.put_settings(replace(seen, values=values))
        settle(
            ports.clock,
            lambda: ports.app_service.settings(site),
            lambda now: all_done(now.values, self.edits),
            self.subject,
        )
        return True
