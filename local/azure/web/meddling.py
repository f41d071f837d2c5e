"""Other people at work: scripted edits of app settings between two requests, and reads that show too little."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from local.azure.kernel import Kernel
from local.azure.web.app_settings import AppSettings
from local.azure.web.resources import Site
from local.azure.web.state import WebState

Method = Literal["POST", "PUT"]
When = Literal["before", "after"]
Edit = Callable[[dict[str, str]], Mapping[str, str]]
SOMEBODY = "somebody else"


@dataclass(slots=True)
class Meddling:
    """One scripted interference with a site's app settings; `struck` says whether it has happened."""

    site_id: str
    when: When
    method: Method
    edit: Edit
    left: int
    struck: bool = False

    def is_due(self, when: When, method: Method, site_id: str) -> bool:
        """Return True if the interference happens now; each call for its moment counts."""
        if self.struck or (when, method, site_id.lower()) != (self.when, self.method, self.site_id.lower()):
            return False
        self.left -= 1
        self.struck = self.left <= 0
        return self.struck


class OtherPeople:
    """Other people who change a world's app settings, at the moment that a test scripts."""

    def __init__(self, kernel: Kernel, web: WebState, settings: AppSettings) -> None:
        """Begin without scripts."""
        self._kernel = kernel
        self._web = web
        self._settings = settings
        self._edits: list[Meddling] = []
        self._misreads: list[Meddling] = []

    def script_edit(self, script: Meddling) -> Meddling:
        """Return the script, which will be carried out once."""
        self._edits.append(script)
        return script

    def script_misread(self, script: Meddling) -> Meddling:
        """Return the script: what one read shows in place of the settings as they are."""
        self._misreads.append(script)
        return script

    def reach(self, when: When, method: Method, site_id: str) -> None:
        """Carry out what was scripted for this moment of a request to that site's app settings."""
        for script in self._edits:
            if script.is_due(when, method, site_id):
                self.edit(script.site_id, script.edit)

    def shown(self, site: Site) -> dict[str, str]:
        """Return the settings as this read shows them."""
        settings = dict(site.settings)
        due = [script for script in self._misreads if script.is_due("before", "POST", site.id)]
        return dict(due[0].edit(settings)) if due else settings

    def edit(self, site_id: str, edit: Edit) -> None:
        """Change the site's settings now, as a write of its own: new ETag, a restart, its own line in the journal."""
        site = self._web.sites.get(site_id)
        if site is None:
            raise KeyError(f"No site {site_id} to change the settings of.")
        self._kernel.changes.settle()
        self._web.history.begin_write()
        with self._kernel.journal.apart():
            self._settings.store(site, edit(dict(site.settings)), by=SOMEBODY)
        self._kernel.changes.settle()
        self._web.history.begin_write()
