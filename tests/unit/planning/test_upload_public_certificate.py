"""Test how Certroll puts a certificate without its key on a site if a tag of the vault object asks for it."""

from dataclasses import dataclass, replace

import pytest

from shared.domain.errors import NotFound, Rejected
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import CopyRef
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import Tags
from shared.planning.actions import upload_public_certificate
from shared.planning.actions.upload_public_certificate import UploadPublicCertificate
from shared.planning.plan import Skip, Step
from tests.build import (
    APPLY,
    DAY,
    FOREIGN,
    NEW,
    NOW,
    OLD,
    REF,
    WEST,
    ManualClock,
    RecordingAppService,
    RecordingVault,
    copy,
    lineage,
    old_version,
    ports,
    site,
    site_ref,
    snapshot,
    version,
)

TAG = "tag certroll-public-to of kv-shop/shop"
NAME = f"certroll-kv-shop-shop-{NEW.lower()}"
COPY = WebspaceCertificate(
    CopyRef.of_site(site_ref(), NAME, public=True),
    WEST,
    "",
    NEW,
    frozenset(),
    NOW + 90 * DAY,
    None,
    tags=(("certroll-lineage", "kv-shop/shop"),),
)
STEP = Step(UploadPublicCertificate(REF, version(), COPY), Reason.PUBLIC_CERTIFICATE_ASKED)
PRIVATE = replace(COPY, ref=CopyRef.of_site(site_ref(), "private", public=False))
DER = b"a certificate"
GONE = NotFound("there is no such certificate")


def asked(*copies: WebspaceCertificate, to: str = "shop", tags: Tags = (), **given: object) -> Snapshot:
    """Return a snapshot with the given certificates, in which the tag names the target sites `to`."""
    named = tags or (("certroll-public-to", to),)
    ordinary = {"lineage": lineage(version(), old_version(), tags=named), "copies": copies}
    return snapshot(**{**ordinary, **given})  # type: ignore[arg-type]


def proposed(seen: Snapshot) -> list[Step | Skip]:
    """Return the proposed steps and the skipped steps of `upload_public_certificate`."""
    return list(upload_public_certificate.propose(seen, APPLY))


@pytest.mark.parametrize(
    "copies",
    [
        pytest.param((), id="nothing is there"),
        pytest.param((PRIVATE,), id="it is there with its key"),
        pytest.param((replace(COPY, thumbprint=OLD),), id="the old one is there"),
    ],
)
def test_public_certificate_is_put_where_it_is_asked_for(copies: tuple[WebspaceCertificate, ...]) -> None:
    """Certroll puts the current version on a named site that lacks it as a public certificate."""
    assert proposed(asked(*copies)) == [STEP]


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(asked(COPY), id="it is there"),
        pytest.param(asked(to=""), id="the tag names nothing"),
        pytest.param(asked(sites=(site(webspace=None),)), id="where the site is is not known"),
        pytest.param(asked(lineage=lineage(current=None, tags=(("certroll-public-to", "shop"),))), id="none is good"),
    ],
)
def test_nothing_is_put_where_it_is_not_needed(seen: Snapshot) -> None:
    """Certroll puts a public certificate on a site only if a tag asks for it and the site lacks it."""
    assert proposed(seen) == []


def test_wrong_target_is_told_and_holds_up_no_other() -> None:
    """Certroll names an entry of the tag that is no site, and refuses a numbered tag list with a gap as a whole."""
    skip, step = proposed(asked(to="nowhere,shop"))
    assert (skip.subject, skip.reason, step) == (f"{TAG}: nowhere", Reason.NO_SUCH_TARGET, STEP)
    (skip,) = proposed(asked(tags=(("certroll-public-to", "shop"), ("certroll-public-to-3", "shop"))))
    assert (skip.subject, skip.reason) == (TAG, Reason.TARGET_INVALID)


def test_site_with_the_certificate_holds_up_no_other() -> None:
    """Certroll puts the certificate on a named site that lacks it, although an earlier named site has it."""
    (step,) = proposed(asked(COPY, to="shop,zoo", sites=(site(), site("zoo"))))
    assert isinstance(step, Step)
    assert isinstance(step.action, UploadPublicCertificate)
    assert step.action.copy.site == site_ref("zoo")


@pytest.mark.parametrize(("held", "full"), [(2, False), (3, True)])
def test_full_app_gets_no_public_certificate(*, held: int, full: bool) -> None:
    """A Flex Consumption app that holds three public certificates gets no other, before any write."""
    own = tuple(
        replace(copy(f"o{number}", FOREIGN, source=None), ref=CopyRef.of_site(site_ref(), f"o{number}", public=True))
        for number in range(held)
    )
    (item,) = proposed(asked(*own, sites=(replace(site(), flex=True),)))
    assert isinstance(item, Skip) is full
    if isinstance(item, Skip):
        assert (item.reason, "holds 3 public certificates" in item.detail) == (Reason.SITE_FULL, True)


def test_public_certificate_is_projected() -> None:
    """After the upload of a public certificate, the predicted snapshot has it, and Certroll proposes no other step."""
    after = STEP.action.project(asked())
    assert after.fleet.certificates == (COPY,)
    assert proposed(after) == []


@dataclass
class Public(RecordingAppService):
    """This fake App Service takes public certificates."""

    def upload_public_certificate(self, copy: WebspaceCertificate, der: bytes) -> None:
        """Record the write of the public certificate."""
        self.writes.append((copy, der))


def test_public_certificate_is_put_once_and_read_back() -> None:
    """Certroll uploads the public part once and waits until Azure shows it. A second run uploads nothing."""
    azure, vault = Public(copies=[GONE, GONE, COPY]), RecordingVault(DER)
    assert STEP.action.perform(ports(azure, ManualClock(), vault=vault))
    assert (azure.writes, vault.asked) == ([(COPY, DER)], [(REF, "v2", NEW)])
    assert not STEP.action.perform(ports(azure, ManualClock(), vault=vault))
    assert len(azure.writes) == 1


def test_name_that_is_taken_is_not_overwritten() -> None:
    """Certroll does not overwrite another certificate with the name of its public certificate."""
    azure = Public(copies=[replace(COPY, thumbprint=FOREIGN)])
    with pytest.raises(Rejected, match=f"certificate {FOREIGN} has the name; delete that certificate$") as refused:
        STEP.action.perform(ports(azure, ManualClock(), vault=RecordingVault(DER)))
    assert refused.value.reason is Reason.NAME_TAKEN
    assert azure.writes == []
