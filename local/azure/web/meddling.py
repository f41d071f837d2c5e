"""Simulated clients other than Certroll: scripted edits of app settings, and reads that show wrong settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from local.azure.kernel import Kernel
from local.azure.web.app_settings import AppSettings, all_settings
from local.azure.web.resources import Site
from local.azure.web.state import WebState

Method = Literal["POST", "PUT"]
When = Literal["before", "after"]
Edit = Callable[[dict[str, str]], Mapping[str, str]]
SOMEBODY = "somebody else"


@dataclass(slots=True)
class Meddling:
    """One edit of a site's app settings, or one wrong answer to a read of them, which a test scripted."""

    site_id: str
    when: When
    """The position of the interference: before or after the request."""
    method: Method
    """The request at which the interference happens: POST reads the settings, and PUT writes them."""
    edit: Edit
    left: int
    """The number of matching requests until the interference happens."""
    struck: bool = False
    """True if the interference has happened."""

    def is_due(self, when: When, method: Method, site_id: str) -> bool:
        """Return True if the scripted edit happens at the request; each matching request lowers the count `left`."""
        if self.struck or (when, method, site_id.lower()) != (self.when, self.method, self.site_id.lower()):
            return False
        self.left -= 1
        self.struck = self.left <= 0
        return self.struck


class OtherPeople:
    """Simulated clients other than Certroll, which change app settings at the moments that a test scripts."""

    def __init__(self, kernel: Kernel, web: WebState, settings: AppSettings) -> None:
        """Begin without scripts."""
        self._kernel = kernel
        self._web = web
        self._settings = settings
        self._edits: list[Meddling] = []
        self._misreads: list[Meddling] = []

    def script_edit(self, script: Meddling) -> Meddling:
        """Add a script for one edit of app settings by another client, and return the script."""
        self._edits.append(script)
        return script

    def script_misread(self, script: Meddling) -> Meddling:
        """Add a script for one wrong answer to a read of app settings, and return the script."""
        self._misreads.append(script)
        return script

    def reach(self, when: When, method: Method, site_id: str) -> None:
        """Make the edits that a test scripted before or after a request to the site's app settings."""
        for script in self._edits:
            if script.is_due(when, method, site_id):
                self.edit(script.site_id, script.edit)

    def shown(self, site: Site) -> dict[str, object]:
        """Return the app settings in the answer to a read, which a test's script may have falsified."""
        due = [script for script in self._misreads if script.is_due("before", "POST", site.id)]
        return {**due[0].edit(dict(site.settings)), **site.odd_settings} if due else all_settings(site)

    def edit(self, site_id: str, edit: Edit) -> None:
        """Change the site's app settings now, as a separate write of a client other than Certroll.

        The write of the other client gives the site a new ETag. A scripted edit that changes the value of an app
        setting restarts the site, and has its own entry in the journal.
        """
        site = self._web.sites.get(site_id)
        if site is None:
            raise KeyError(f"No site {site_id} to change the settings of.")
        self._kernel.changes.settle()
        self._web.history.begin_write()
        with self._kernel.journal.apart():
            self._settings.store(site, {**site.odd_settings, **edit(dict(site.settings))}, by=SOMEBODY)
        self._kernel.changes.settle()
        self._web.history.begin_write()
