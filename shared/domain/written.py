"""Remember how Azure wrote the id of a resource."""

from urllib.parse import unquote


class Written:
    """A reference to a resource, with the id in the letters in which Azure wrote the id.

    Certroll compares references in lower case, and names the resource to Azure in Azure's own letters. A PUT in other
    letters may change how Azure shows the id from then on.
    """

    __slots__ = ()
    written: str

    @property
    def resource_id(self) -> str:
        """The resource id in ARM, with the names in lower case."""
        raise NotImplementedError

    @property
    def address(self) -> tuple[str, ...]:
        """The names in the resource id for a request to Azure, from the resource group on, without the fixed words."""
        parts = (self.written or self.resource_id).strip("/").split("/")
        return tuple(unquote(part) for part in (parts[3], *parts[7::2]))
