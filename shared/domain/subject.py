"""Name resources for operators, without taking two resources of one name for one.

Azure lets two subscriptions or resource groups have App Service Environments, plans, certificates and even sites of
one name (Azure docs, "Unique default host names", lets sites share a name).
"""

from typing import Self

from shared.domain.names import EnvironmentRef, SiteRef


class Subject(str):
    """The short name of a resource for operators, with the full id by which the journal tells equal names apart."""

    __slots__ = ("full_id",)
    full_id: str
    """The resource id, or another text that no second resource of the same short name has."""

    def __new__(cls, text: str, full_id: str) -> Self:
        """Return the text as a subject."""
        subject = super().__new__(cls, text)
        subject.full_id = full_id
        return subject


def identity(subject: str) -> str:
    """Return a text that is different for two resources, even if their short names are equal."""
    return f"{subject} {subject.full_id}" if isinstance(subject, Subject) else subject


def site_subject(site: SiteRef, what: str = "site ") -> Subject:
    """Return the name of a site or slot, after the word for what of it is meant."""
    return Subject(f"{what}{site}", site.resource_id)


def environment_subject(environment: EnvironmentRef) -> Subject:
    """Return the name of an App Service Environment."""
    return Subject(f"environment {environment}", environment.resource_id)
