"""One call to ARM: the request, the resources that its path names, its sender, and the paging of lists."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from local.azure.web import refusals
from local.azure.web.resources import Plan, Site, group_id, web_id
from local.azure.wire import Refused, Request, Response, arm_error, json_response, web_error
from local.azure.world import World

SUBSCRIPTION = "/subscriptions/{subscription}"
GROUP = f"{SUBSCRIPTION}/resourceGroups/{{group}}"
WEB = "/providers/Microsoft.Web"
SITE = f"{GROUP}{WEB}/sites/{{site}}"
SLOT = f"{SITE}/slots/{{slot}}"
Listed = TypeVar("Listed")
CONDITION = re.compile(r"\s*\(?\s*(\w+)\s+eq\s+'([^']*)'\s*\)?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to ARM, with the parameters in its path and with its sender (the principal)."""

    world: World
    request: Request
    parameters: Mapping[str, str]
    principal: str | None

    def __getitem__(self, name: str) -> str:
        """Return the path parameter of the request that the route's template calls `name`."""
        return self.parameters[name]

    def payload(self) -> dict[str, Any]:
        """Return the request body as an object; refuse the request if the body is not a JSON object."""
        try:
            payload = self.request.json()
        except ValueError:
            payload = None
        if not isinstance(payload, dict):
            raise Refused(arm_error(400, "InvalidRequestContent", "The request content was invalid."))
        return payload

    def sees(self, resource_id: str) -> bool:
        """Return True if the caller's role lets ARM's lists show the resource to the caller."""
        return self.world.roles.may_read(self.principal, resource_id)

    def lists(self, kind: str, resource_id: str) -> bool:
        """Return True if the caller's role lets ARM's list of all resources show a resource of this type.

        ARM silently omits the resources that the caller may not read.
        """
        return self.world.grants.sees(self.principal, f"{kind}/read", resource_id) and self.sees(resource_id)

    def below(self, key: str) -> bool:
        """Return True if the resource belongs to the subscription or resource group that the request lists.

        `key` is the id of the resource in lower case.
        """
        group = self.parameters.get("group")
        scope = group_id(self["subscription"], group) if group else f"/subscriptions/{self['subscription']}"
        return key.startswith(f"{scope.lower()}/")

    def within(self, subscription: str, resource_group: str) -> bool:
        """Return True if the resource group belongs to the subscription or resource group that the request lists."""
        group = self.parameters.get("group")
        same = subscription.lower() == self["subscription"].lower()
        return same and (group is None or group.lower() == resource_group.lower())

    def site_id(self) -> str:
        """Return the resource id of the site or slot that the path names."""
        site = web_id(self["subscription"], self["group"], "sites", self["site"])
        return f"{site}/slots/{self['slot']}" if "slot" in self.parameters else site

    def site(self) -> Site:
        """Return the site or slot in the state that clients read, which may be older than the current state."""
        return self._found(self.world.web.sites.read(self.site_id()))

    def site_now(self) -> Site:
        """Return the current state of the site or slot, for a write."""
        site = self._found(self.world.web.sites.get(self.site_id()))
        self._check_unchanged(site)
        return site

    def plan(self) -> Plan:
        """Return the App Service plan that the request's path names.

        Refuse a missing plan with Microsoft.Web's own 404 (recorded azure-cli traffic).
        """
        plan = self.world.web.plans.read(web_id(self["subscription"], self["group"], "serverfarms", self["plan"]))
        if plan is None:
            raise refusals.missing("ServerFarm", self["plan"])
        return plan

    def plan_or_none(self) -> Plan | None:
        """Return the current App Service plan that the request's path names, or None."""
        return self.world.web.plans.get(web_id(self["subscription"], self["group"], "serverfarms", self["plan"]))

    def conditions(self) -> dict[str, set[str]]:
        """Return the conditions of `$filter` in lower case: each field with its accepted values."""
        conditions: dict[str, set[str]] = {}
        for part in re.split(r"\s+(?:and|or)\s+", self.request.query.get("$filter", ""), flags=re.IGNORECASE):
            match = CONDITION.fullmatch(part)
            if match:
                conditions.setdefault(match[1].lower(), set()).add(match[2].lower())
            elif part:
                message = f"The filter '{part}' in the query string is not supported."
                raise Refused(arm_error(400, "InvalidFilterInQueryString", message))
        return conditions

    def page(self, items: Iterable[Mapping[str, Any]], **more: object) -> Response:
        """Return one page of a list, with a link to the next page if more entries follow."""
        return self.page_of(items, lambda item: item, **more)

    def page_of(
        self, resources: Iterable[Listed], write: Callable[[Listed], Mapping[str, Any]], **more: object
    ) -> Response:
        """Return one page of a list of resources, and write only the resources of this page as JSON."""
        everything = list(resources)
        start, size = int(self.request.query.get("$skiptoken", "0") or "0"), self.world.knobs.page_size
        rest = start + size
        link = self._link(rest) if rest < len(everything) else None
        return json_response(200, {"value": [*map(write, everything[start:rest])], "nextLink": link, **more})

    def _link(self, start: int) -> str:
        query = {**self.request.query, "$skiptoken": str(start)}
        return f"https://{self.request.host}{self.request.path}?{urlencode(query)}"

    def _found(self, site: Site | None) -> Site:
        """Return the site; refuse a missing site as the simulation's knob `missing_site` says."""
        if site is not None:
            return site
        if self.world.knobs.missing_site == "empty":
            raise Refused(Response(404))
        slot = f"/slots/{self['slot']}" if "slot" in self.parameters else ""
        raise refusals.absent("Microsoft.Web/sites", f"{self['site']}{slot}", self["group"])

    def _check_unchanged(self, site: Site) -> None:
        expected = self.request.headers.get("if-match", "*").strip('"')
        if self.world.knobs.if_match_honoured and expected not in {"*", site.etag}:
            raise Refused(web_error(412, "PreconditionFailed", None, "The ETag of the site is {0}.", site.etag))


Function = Callable[[Call], Response]
Route = tuple[str, str, Function]


def on_sites(*routes: Route) -> tuple[Route, ...]:
    """Return the routes twice, once for sites and once for slots.

    The path of each given route is relative to the path of a site or slot.
    """
    return tuple((method, base + template, function) for base in (SITE, SLOT) for method, template, function in routes)
