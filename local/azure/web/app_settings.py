"""The writes of app settings: a changed value restarts the site, and the journal names the changed keys."""

from collections.abc import Mapping
from dataclasses import replace

from local.azure.kernel import Kernel
from local.azure.web.held_certificates import Certificate
from local.azure.web.load_list import LOAD_LIST, rename
from local.azure.web.references import References
from local.azure.web.resources import Site
from local.azure.web.state import WebState


class AppSettings:
    """The writes of app settings in a simulated Azure.

    A write of app settings restarts the site if a value changed.
    """

    def __init__(self, kernel: Kernel, web: WebState, references: References) -> None:
        """Write app settings to the sites in the App Service state `web`.

        `references` resolves Key Vault references.
        """
        self._kernel = kernel
        self._web = web
        self._references = references

    def store(self, site: Site, settings: Mapping[str, object], by: str = "") -> Site:
        """Replace all app settings of the site by the given app settings, and return the site.

        A value may be any JSON value. A write of app settings restarts the site if a value changed (Azure docs,
        configure-common).
        """
        before = all_settings(site)
        names = sorted(
            name
            for name in {*before, *settings}
            if (name in before, before.get(name)) != (name in settings, settings.get(name))
        )
        texts = {name: value for name, value in settings.items() if isinstance(value, str)}
        odd = {name: value for name, value in settings.items() if name not in texts}
        changed = replace(site, settings=texts, odd_settings=odd, restarts=site.restarts + bool(names))
        after = self._web.put_site(changed, moves_modified=self._kernel.knobs.settings_write_moves_modified)
        if names:
            who = f" by {by}" if by else ""
            self._kernel.journal.note(f"app settings of {site.full_name} changed{who}: {', '.join(names)}; restarted")
        return after

    def rewrite_load_lists(self, certificate: Certificate, old: str) -> None:
        """Replace the old thumbprint in load lists (WEBSITE_LOAD_CERTIFICATES) by the certificate's thumbprint.

        An import changes load lists (settings WEBSITE_LOAD_CERTIFICATES) only if the simulation's knob
        `import_rewrites_load_list` is on. An import changes load lists (settings WEBSITE_LOAD_CERTIFICATES) only on
        sites that may use the certificate.
        """
        if not self._kernel.knobs.import_rewrites_load_list:
            return
        for site in tuple(self._web.sites_with(certificate)):
            value = site.settings.get(LOAD_LIST, "")
            renamed = rename(value, old, certificate.thumbprint)
            if renamed != value:
                self.store(site, {**all_settings(site), LOAD_LIST: renamed}, by="the import")

    def refresh_references(self, site: Site) -> Site:
        """Resolve the site's Key Vault references again, and return the site.

        The site restarts if a Key Vault reference now resolves to another version of its secret.
        """
        fresh = self._references.resolved(site)
        moved = sorted(name for name, found in fresh.items() if found.active_version != _active(site, name))
        if not moved:
            return self._web.put_site(replace(site, references=fresh))
        self._kernel.journal.note(f"references of {site.full_name} refreshed: {', '.join(moved)}; restarted")
        return self._web.put_site(replace(site, references=fresh, restarts=site.restarts + 1))


def all_settings(site: Site) -> dict[str, object]:
    """Return all app settings of the site with their JSON values."""
    return {**site.settings, **site.odd_settings}


def _active(site: Site, name: str) -> str | None:
    known = site.references.get(name)
    return known.active_version if known else None
