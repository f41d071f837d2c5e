"""Importing a vault certificate where a tag asks for it, beside what has the name already."""

from dataclasses import replace

import pytest

from shared.actions.import_certificate import ImportCertificate
from shared.domain.errors import NotFound, NotSettled, Rejected
from shared.domain.model import WebspaceCertificate
from shared.domain.vault_access import app_service
from tests.build import (
    LINEAGE,
    NEW,
    NORTH,
    OTHER_REF,
    ManualClock,
    RecordingAppService,
    copy,
    farm,
    ports,
    version,
)

COPY = copy(thumbprint=NEW)
IMPORT = ImportCertificate(COPY, farm(), version(), LINEAGE, "/subscriptions/x/vaults/kv-shop", app_service())
GONE = NotFound("there is no such certificate")


class HiddenRights:
    """Says nothing of who may read a vault."""

    def settings(self, vault_id: str) -> None:
        """Raise NotFound."""
        raise NotFound(vault_id)


def performed(service: RecordingAppService) -> bool:
    """Carry the import out, and say whether it wrote."""
    return IMPORT.perform(replace(ports(service, ManualClock()), vault_rights=HiddenRights()))  # type: ignore[arg-type]


def test_import_that_is_there_is_not_made_again() -> None:
    """The copy of that name, source and webspace is left as it is."""
    service = RecordingAppService(copies=[COPY])
    assert not performed(service)
    assert service.writes == []


TAKEN = [
    pytest.param(replace(COPY, webspace=NORTH), id="in another webspace of the group"),
    pytest.param(replace(COPY, source=OTHER_REF), id="of another vault certificate"),
    pytest.param(replace(COPY, source=None), id="an upload"),
]


@pytest.mark.parametrize("seen", TAKEN)
def test_name_that_is_taken_is_not_overwritten(seen: WebspaceCertificate) -> None:
    """Whatever else has the name is left as it is, though no list showed it, and the cure is said."""
    service = RecordingAppService(copies=[seen])
    with pytest.raises(Rejected, match="certroll-import-name"):
        performed(service)
    assert service.writes == []


@pytest.mark.parametrize("seen", TAKEN)
def test_another_copy_is_no_success(seen: WebspaceCertificate) -> None:
    """What comes up after the import and is something else does not count as done."""
    service = RecordingAppService(copies=[GONE, seen])
    with pytest.raises(NotSettled):
        performed(service)
    assert len(service.writes) == 1
