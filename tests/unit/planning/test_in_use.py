"""Test with which certificates in use Certroll compares the current version."""

from dataclasses import replace

import pytest

from shared.domain.fleet.app_settings import VaultReference
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.acting.in_use import loaded_in, uncompared
from shared.planning.actions.upload_certificate import UploadCertificate
from tests.build import (
    NEW,
    NORTH,
    OLD,
    OLDER,
    REF,
    WEST,
    binding,
    copy,
    facts,
    farm,
    lineage,
    named,
    old_version,
    snapshot,
    version,
)

UNREAD = lineage(version(), old_version(), old_version("v0", OLDER))


def test_apps_may_have_loaded_what_the_vault_replaced() -> None:
    """An app that loads everything may have the versions that the current one replaces."""
    assert OLD in loaded_in(snapshot(), WEST)


@pytest.mark.parametrize(
    ("seen", "unread"),
    [
        pytest.param(snapshot(lineage=UNREAD, copies=(), bindings=(binding(thumbprint=OLDER),)), OLDER, id="bound"),
        pytest.param(snapshot(lineage=UNREAD, bindings=(), copies=(copy(thumbprint=OLDER),)), OLDER, id="imported"),
        pytest.param(
            snapshot(lineage=UNREAD, bindings=(), copies=(), settings=(named(OLDER),)), OLDER, id="named by an app"
        ),
        pytest.param(
            snapshot(
                lineage=UNREAD,
                bindings=(),
                copies=(),
                settings=(named(led=(VaultReference("CERT", REF, active="v0"),)),),
            ),
            OLDER,
            id="fetched by an app",
        ),
    ],
)
def test_version_in_use_that_nobody_has_read_is_known(seen: Snapshot, unread: object) -> None:
    """Certroll names each older version in use that it has not read, and no version that it has read."""
    assert unread in {found.thumbprint for found in uncompared(seen)}
    read = replace(UNREAD, versions=tuple(replace(found, facts=facts()) for found in UNREAD.versions))
    assert uncompared(replace(seen, lineage=read)) == ()


def test_uploads_of_another_place_are_not_compared() -> None:
    """Certroll compares an upload with the uploads of the same webspace alone."""
    known = lineage(version(), old_version(), replace(old_version("v0", OLDER), facts=facts("far.example")))
    there = copy("far", OLDER, source=None, webspace=NORTH)
    here = copy("near", OLD, source=None)
    upload = UploadCertificate(REF, version(), copy("new", NEW, source=None), farm())
    (case,) = upload.cases(version(), snapshot(lineage=known, copies=(here, there), bindings=()))
    (alone,) = upload.cases(version(), snapshot(lineage=known, copies=(here,), bindings=()))
    assert case.in_use == alone.in_use
