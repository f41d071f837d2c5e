"""Change one tag of a resource through the Tags API, and see in Azure's answer that the resource has the tag."""

from http import HTTPStatus

from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.certificateregistration import CertificateRegistrationMgmtClient

from shared.clients.arm.requests import sent
from shared.clients.reading import ODD
from shared.domain.api_versions import RESOURCE_TAGS
from shared.domain.errors import OutcomeUnknown
from shared.domain.letter_case import lower_case


def merge_tag(client: CertificateRegistrationMgmtClient, resource_id: str, tag: str, text: str) -> None:
    """Set one tag of a resource, and leave all other tags unchanged (Azure docs, "Tags - Update At Scope", Merge).

    Raises OutcomeUnknown if the answer does not show the tag, for example because a policy takes the tag away.
    """
    url = f"{resource_id}/providers/Microsoft.Resources/tags/default?api-version={RESOURCE_TAGS}"
    body = {"operation": "Merge", "properties": {"tags": {tag: text}}}
    answer = sent(client, HttpRequest("PATCH", url, json=body))
    # 202 comes before Azure has the tags
    if answer.status_code == HTTPStatus.OK and not _shows(answer, tag, text):
        raise OutcomeUnknown(f"tags of {resource_id}: Azure accepted the tag {tag}, and does not show it")


def _shows(answer: HttpResponse, tag: str, text: str) -> bool:
    """Return True if the tags in the answer have the text. Azure keeps the case of a name that the resource has."""
    try:
        tags = answer.json()["properties"]["tags"]
        return any(lower_case(name) == tag and value == text for name, value in tags.items())
    except ODD:
        return False
