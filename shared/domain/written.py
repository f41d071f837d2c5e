"""Remember how Azure wrote the id of a resource."""

from typing import Self
from urllib.parse import quote, unquote

from shared.domain.errors import Rejected
from shared.domain.path_names import path_problem
from shared.domain.reason import Reason


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

    @classmethod
    def parse(cls, resource_id: str) -> Self:
        """Return the reference to the resource that a resource id names. Raise ValueError for a bad id or name."""
        raise NotImplementedError

    @property
    def path(self) -> str:
        """The resource id for the path of a request, percent-encoded, as Azure wrote it.

        Raise Rejected if a name breaks Azure's rule, or if the id is that of another resource, as with `a/b`.
        """
        resource_id = self.written or self.resource_id
        if problem := path_problem(resource_id, of_vault=False):
            raise Rejected(f"{problem}; Certroll sends no request with it", Reason.NAME_INVALID)
        try:
            named = self.parse(resource_id)
        except ValueError as error:
            raise Rejected(f"{error}; Certroll sends no request with it", Reason.NAME_INVALID) from error
        if named != self:
            raise Rejected(f"{resource_id[:200]!r} is the id of another resource than {self}", Reason.NAME_INVALID)
        return quote(resource_id, safe="/%")

    @property
    def address(self) -> tuple[str, ...]:
        """The names in the resource id for a request to Azure, from the resource group on, without the fixed words.

        Raise Rejected as `path` does.
        """
        parts = self.path.strip("/").split("/")
        return tuple(unquote(part) for part in (parts[3], *parts[7::2]))
