"""This module is a client of the simulated ARM that calls it directly, without HTTP connections."""

import base64
import json
from typing import Any

from local.azure.resource_manager import Arm
from local.azure.wire import Request, Response
from local.azure.world import World
from local.worlds.builders import Builder

Json = Any
HOST = "https://management.azure.com"
PRINCIPAL = "6d2f7c84-1b0e-4a5f-8f43-0c9d1e2a3b4c"
"""The object id of a principal of the tests."""


class Client:
    """This client calls the ARM of a simulated Azure, and fails if an answer's status is not the expected status."""

    def __init__(self, world: World) -> None:
        """Create a client for the ARM of the given simulated Azure."""
        self.world = world
        self._arm = Arm(world)

    def send(self, method: str, path: str, payload: object = None, **headers: str) -> Response:
        """Send a request to ARM and return its answer, whatever its status is."""
        mark = "&" if "?" in path else "?"
        request = Request.to(method, f"{HOST}{path}{mark}api-version=2025-05-01", payload, headers)
        with self.world.lock, self.world.journal.recording(request) as entry:
            response = self.world.faults.around(request, lambda: self._arm(request))
            entry.status = response.status
        return response

    def get(self, path: str, status: int = 200) -> Json:
        """Send a GET to ARM and return the JSON of its answer."""
        return self._expect(self.send("GET", path), status)

    def put(self, path: str, payload: object, status: int = 200, **headers: str) -> Json:
        """Send a PUT to ARM and return the JSON of its answer."""
        return self._expect(self.send("PUT", path, payload, **headers), status)

    def post(self, path: str, status: int = 200) -> Json:
        """Send a POST to ARM and return the JSON of its answer."""
        return self._expect(self.send("POST", path), status)

    def delete(self, path: str, status: int = 200) -> Json:
        """Send a DELETE to ARM and return the JSON of its answer."""
        return self._expect(self.send("DELETE", path), status)

    def listed(self, path: str) -> list[Json]:
        """Return the entries of all pages of a list."""
        page = self.get(path)
        values = page["value"]
        while page.get("nextLink"):
            page = self._arm(Request.to("GET", page["nextLink"])).json()
            values += page["value"]
        return values

    def _expect(self, response: Response, status: int) -> Json:
        assert response.status == status, response.body
        return response.json()


class Shop:
    """A webspace with one site, `shop`, bound by SNI to an imported vault certificate."""

    def __init__(self) -> None:
        """Build a vault, a vault certificate and the site `shop`."""
        self.build = Builder()
        self.world = self.build.world
        self.arm = Client(self.world)
        self.group = self.build.add_group("contoso")
        self.vault = self.build.add_vault()
        self.first = self.build.add_certificate("shop", ["shop.contoso.com", "pay.contoso.com"])
        self.plan = self.build.add_plan()
        self.copy = self.build.add_copy("shop")
        self.site = self.build.add_host(self.build.add_site("shop"), "shop.contoso.com", self.copy)

    @property
    def binding(self) -> str:
        """The ARM path of the site's host name binding."""
        return f"{self.site.id}/hostNameBindings/shop.contoso.com"

    @property
    def subscription(self) -> str:
        """The ARM path of the subscription."""
        return f"/subscriptions/{self.site.subscription}"

    def import_body(self, **properties: object) -> dict[str, object]:
        """Return the request body that imports the vault certificate, or syncs the imported certificate."""
        source = {"keyVaultId": self.vault.resource_id, "keyVaultSecretName": "shop", "password": ""}
        return {"location": "West Europe", "properties": source | {"serverFarmId": self.plan.id} | properties}

    def bind(self, ssl_state: str | None, thumbprint: str | None = None, status: int = 200, **headers: str) -> Json:
        """Write the site's host name binding, and return ARM's answer."""
        properties = {"siteName": "shop", "sslState": ssl_state, "thumbprint": thumbprint or self.first.thumbprint}
        return self.arm.put(self.binding, {"properties": properties}, status, **headers)

    def served(self, host_name: str = "shop.contoso.com") -> str | None:
        """Return the thumbprint of the certificate that a visitor of the host name receives."""
        address = self.world.web.address_of(host_name)
        shown = self.world.web.served(host_name, address or "")
        return shown and shown.thumbprint


def bearer(principal: str = PRINCIPAL) -> dict[str, str]:
    """Return the header of a request that the principal sends."""
    claims = base64.urlsafe_b64encode(json.dumps({"oid": principal}).encode()).decode().rstrip("=")
    return {"Authorization": f"Bearer a.{claims}.c"}


def as_principal(world: World, method: str, path: str, payload: object = None) -> Response:
    """Send a request to ARM as the principal of the tests, and return the answer."""
    return Arm(world)(Request.to(method, f"{HOST}{path}?api-version=2025-05-01", payload, bearer()))
