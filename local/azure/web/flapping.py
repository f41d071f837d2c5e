"""Reads that alternate between 404 and 200 for a while after a write."""

from local.azure.scripting.knobs import Knobs


class Flapping:
    """The public certificates that App Service hides from every second read after their last write.

    Users report that reads of a public certificate answer 404 for up to ten minutes after its upload, although lists
    show the certificate at once (azure-rest-api-specs #23138, terraform-provider-azurerm #22587).
    """

    def __init__(self, knobs: Knobs) -> None:
        """Take the knobs (settings of the simulation), of which `public_certificate_flaps` counts the reads."""
        self._knobs = knobs
        self._left: dict[str, int] = {}

    def begin(self, resource_id: str) -> None:
        """Let the next reads of the resource alternate between 404 and 200."""
        self._left[resource_id.lower()] = self._knobs.public_certificate_flaps

    def hides(self, resource_id: str) -> bool:
        """Return True if this read of the resource is to answer 404; the first read after a write does."""
        key = resource_id.lower()
        left = self._left.get(key, 0)
        self._left[key] = max(left - 1, 0)
        return left > 0 and (self._knobs.public_certificate_flaps - left) % 2 == 0
