"""A policy that makes the next version unusable is a warning, and never a verdict about the current version."""

from dataclasses import replace

import pytest

from shared.domain.certificates.requirements import PEM, PKCS12, Case, Level, Requirement, Use
from shared.domain.certificates.rules import check
from shared.domain.certificates.version import KeyPolicy
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.reason import Reason
from shared.planning import notices
from tests.build import LINEAGE, NOW, OLD, copy, snapshot, version

FIT = KeyPolicy(exportable=True, content_type=PKCS12)
IMPORT, UPLOAD = copy(), copy("up", OLD, source=None)
EXPORT = "its key is not exportable, so App Service cannot get the key: issue a version with an exportable key"
IMPORTS = "its content type is 'application/x-pem-file'; App Service imports application/x-pkcs12 only"


@pytest.mark.parametrize(
    ("policy", "held", "told"),
    [
        pytest.param(KeyPolicy(exportable=False, content_type=PKCS12), IMPORT, EXPORT, id="no export, and an import"),
        pytest.param(KeyPolicy(exportable=False, content_type=PKCS12), UPLOAD, EXPORT, id="no export, and an upload"),
        pytest.param(KeyPolicy(exportable=True, content_type=PEM), IMPORT, IMPORTS, id="PEM, and an import"),
        pytest.param(KeyPolicy(exportable=True, content_type=PEM), UPLOAD, None, id="PEM, and an upload"),
        pytest.param(KeyPolicy(exportable=False, content_type=PEM), IMPORT, f"{EXPORT}; {IMPORTS}", id="both"),
        pytest.param(FIT, IMPORT, None, id="a good policy"),
        pytest.param(None, IMPORT, None, id="an object without a policy"),
    ],
)
def test_policy_warns_of_the_next_version(
    policy: KeyPolicy | None, held: WebspaceCertificate, told: str | None
) -> None:
    """If the policy makes a next version that could not be carried, one finding says what to change, and when."""
    found = notices.next_version(snapshot(lineage=replace(LINEAGE, next_key=policy), copies=(held,)))
    expected = f"of the next version: {told}. Change the policy before the next renewal"
    assert [(finding.subject, finding.reason, finding.detail) for finding in found] == (
        [("policy of kv-shop/shop", Reason.REQUIREMENT_WARNING, expected)] if told else []
    )


def test_policy_of_the_current_version_is_told_by_the_refusal_alone() -> None:
    """If the current version has the same fault as the policy, the refusal of the version is enough."""
    bad = KeyPolicy(exportable=False, content_type=PKCS12)
    assert notices.next_version(snapshot(lineage=replace(LINEAGE, key=bad, next_key=bad))) == ()
    nothing = replace(LINEAGE, current=None, next_key=bad)
    assert notices.next_version(snapshot(lineage=nothing)) == ()


@pytest.mark.parametrize("use", [Use.IMPORT, Use.UPLOAD])
def test_what_certroll_may_not_read_is_unseen(use: Use) -> None:
    """A key and a content type that Certroll may not read are unseen: neither met nor refused."""
    verdicts = {v.requirement: v.level for v in check(Case(version(), use, NOW, key=KeyPolicy(None, None)))}
    assert verdicts[Requirement.EXPORTABLE_KEY] is Level.UNSEEN
    assert verdicts[Requirement.CONTENT_TYPE] is Level.UNSEEN
