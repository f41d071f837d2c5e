"""Certroll reports which app uses which certificate, and which thumbprints match no certificate."""

import json
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from shared.controllers.sweep.references import report_references
from shared.domain.certificates.lineage import Lineage
from shared.domain.findings import Finding
from shared.domain.fleet.app_settings import ROOT_LIST, ReferenceKind, SettingReference, SiteSettings, VaultReference
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import CopyRef, EnvironmentRef, Thumbprint
from shared.domain.reason import Reason
from shared.domain.tags import Tags
from tests.build import (
    DAY,
    EAST,
    FOREIGN,
    HOUR,
    LINEAGE,
    NEW,
    NEWER,
    NORTH,
    NOW,
    OLD,
    OLDER,
    OTHER_REF,
    REF,
    WEST,
    RecordingJournal,
    copy,
    lineage,
    named,
    old_version,
    ports,
    site,
    site_ref,
    snapshot,
    version,
)

MORE = Thumbprint("E" * 40)
FILE = SettingReference("FILE", ReferenceKind.PATH, FOREIGN)
SYNCED = copy(thumbprint=NEW)


class Told:
    """This helper collects the log lines and the reported problems of Certroll's report about apps."""

    def __init__(self, log: pytest.LogCaptureFixture) -> None:
        log.set_level(logging.INFO, logger="certroll")
        self.log, self.findings = log, list[Finding]()

    def report(
        self,
        *settings: SiteSettings,
        copies: tuple[WebspaceCertificate, ...] = (SYNCED,),
        lineages: Iterable[Lineage] = (LINEAGE,),
        sites: object = None,
    ) -> list[dict[str, Any]]:
        """Return the log lines of Certroll's report about apps, and store the reported problems."""
        fleet = snapshot(settings=settings, copies=copies).fleet
        journal = RecordingJournal()
        if sites is not None:
            fleet = replace(fleet, sites=sites)  # type: ignore[arg-type]
        self.log.clear()
        report_references(ports(findings=journal).findings, fleet, lineages)
        self.findings = journal.findings
        return [json.loads(line) for line in self.log.messages]


@pytest.fixture(name="told")
def _told(caplog: pytest.LogCaptureFixture) -> Told:
    return Told(caplog)


def rows(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the certificate references in the only log line of Certroll's report about apps."""
    (line,) = lines
    found: list[dict[str, Any]] = line["references"]
    return found


def test_app_is_told_with_all_that_it_names(told: Told) -> None:
    """Certroll logs one line per app, with each certificate that the app names, the setting, and the age."""
    led = VaultReference("LED", REF, None, "v1"), VaultReference("FIXED", OTHER_REF, "v7", "v7")
    settings = replace(named(OLD, NEW, pins={"PIN": OLD}, led=led, everything=True))
    assert told.report(settings) == [
        {
            "event": "references.found",
            "site": "shop",
            "everything": True,
            "probe": "none",
            "references": [
                {
                    "setting": "WEBSITE_LOAD_CERTIFICATES",
                    "kind": "load list",
                    "thumbprint": OLD,
                    "live": False,
                    "certificate": "kv-shop/shop",
                    "version": "v1",
                    "days": 60,
                    "behind": 1,
                },
                {
                    "setting": "WEBSITE_LOAD_CERTIFICATES",
                    "kind": "load list",
                    "thumbprint": NEW,
                    "live": True,
                    "certificate": "kv-shop/shop",
                    "version": "v2",
                    "days": 0,
                    "behind": 0,
                },
                {
                    "setting": "PIN",
                    "kind": "pin",
                    "thumbprint": OLD,
                    "live": False,
                    "certificate": "kv-shop/shop",
                    "version": "v1",
                    "days": 60,
                    "behind": 1,
                },
                {
                    "setting": "LED",
                    "kind": "Key Vault reference",
                    "certificate": "kv-shop/shop",
                    "version": "v1",
                    "pinned": False,
                },
                {
                    "setting": "FIXED",
                    "kind": "Key Vault reference",
                    "certificate": "kv-shop/other",
                    "version": "v7",
                    "pinned": True,
                },
            ],
            "mentions": [],
        }
    ]
    assert told.findings == []


def test_uploaded_certificate_is_told_by_its_copy(told: Told) -> None:
    """If no vault in scope has an uploaded certificate, Certroll logs the certificate's name in App Service."""
    up = copy("up", FOREIGN, source=None)
    expected = {"kind": "pin", "thumbprint": FOREIGN, "live": True, "copy": "rg-web/up"}
    assert rows(told.report(named(pins={"PIN": FOREIGN}), copies=(up,))) == [{"setting": "PIN", **expected}]


def test_pin_that_is_no_certificate_is_never_told(told: Told) -> None:
    """Certroll neither logs nor reports a setting of 40 hex digits that match no certificate.

    A setting with 40 hex digits that match no certificate may be a secret.
    """
    assert told.report(named(pins={"TOKEN": FOREIGN})) == []
    assert told.findings == []
    assert rows(told.report(named(NEW, pins={"TOKEN": FOREIGN}))) != []
    assert FOREIGN not in told.log.text


def test_what_loads_everything_is_told_though_it_names_nothing(told: Told) -> None:
    """Certroll logs an app that loads all certificates, and omits an app that names no certificate."""
    assert told.report(named(everything=True), named(site="b")) == [
        {
            "event": "references.found",
            "site": "shop",
            "everything": True,
            "probe": "none",
            "references": [],
            "mentions": [],
        }
    ]


def test_thumbprint_inside_of_a_longer_value_is_told_apart(told: Told) -> None:
    """Certroll logs an app that only mentions a certificate, apart from the settings that name one.

    Certroll logs no other run of 40 hex digits, and mentions no entry of a list and no pin a second time.
    """
    up = copy("up", NEWER, source=None)
    held = {OLD: frozenset({"FIND", "PIN"}), NEWER: frozenset({"FIND"}), FOREIGN: frozenset({"TOKEN"})}
    (line,) = told.report(replace(named(pins={"PIN": OLD}), mentions=held), copies=(SYNCED, up))
    assert [(row["setting"], row["kind"]) for row in line["references"]] == [("PIN", "pin")]
    assert line["mentions"] == [
        {
            "setting": "FIND",
            "kind": "mention",
            "thumbprint": OLD,
            "live": False,
            "certificate": "kv-shop/shop",
            "version": "v1",
            "days": 60,
            "behind": 1,
        },
        {"setting": "FIND", "kind": "mention", "thumbprint": NEWER, "live": True, "copy": "rg-web/up"},
    ]
    assert FOREIGN not in told.log.text
    (alone,) = told.report(replace(named(), mentions={OLD: frozenset({"FIND"})}))
    assert (alone["references"], len(alone["mentions"])) == ([], 1)


def test_app_that_names_certificates_by_reference_alone_is_told(told: Told) -> None:
    """Certroll logs an app that uses a certificate only through a Key Vault reference in its settings."""
    led = VaultReference("LED", REF, None, None)
    expected = {"setting": "LED", "kind": "Key Vault reference", "certificate": "kv-shop/shop"}
    assert rows(told.report(named(led=(led,)))) == [{**expected, "version": None, "pinned": False}]


@pytest.mark.parametrize(
    ("tags", "probe"),
    [
        pytest.param(
            (("certroll-probe", "/health 200 {thumbprint}"),), "proves", id="its answer shows the certificate"
        ),
        pytest.param((("certroll-probe", "/health"),), "alive", id="its answer says that it is alive"),
        pytest.param((("certroll-probe", "health"),), "invalid", id="its tag is no probe"),
        pytest.param((), "none", id="it has no tag"),
    ],
)
def test_app_is_told_with_what_its_probe_can_prove(told: Told, tags: Tags, probe: str) -> None:
    """Certroll logs what an app's probe can prove, and logs for a slot what the probe of its site can prove."""
    for slot in (None, "staging"):
        sites = site(tags=tags), site(slot="staging")
        (line,) = told.report(named(NEW, slot=slot), sites=sites)
        assert line["probe"] == probe


def test_nothing_is_recorded_where_nothing_is_found() -> None:
    """Certroll's report writes nothing to the journal if every thumbprint in app settings matches a certificate."""
    report_references(ports().findings, snapshot(settings=(named(OLD),)).fleet, (LINEAGE,))


@pytest.mark.parametrize(
    ("lineages", "version_name", "behind"),
    [
        pytest.param((LINEAGE,), "v1", 1, id="one version"),
        pytest.param(
            (lineage(version(), old_version(), old_version("v0", OLD)),), "v1", 1, id="of two versions the newest"
        ),
        pytest.param(
            (lineage(version(), version("vx", FOREIGN), old_version()),), "v1", 2, id="two newer ones: two behind"
        ),
    ],
)
def test_thumbprint_is_told_by_its_newest_version(
    told: Told, lineages: tuple[Lineage, ...], version_name: str, behind: int
) -> None:
    """Certroll logs the newest version with an app's thumbprint, and the number of newer versions in the vault."""
    (row,) = rows(told.report(named(OLD), lineages=lineages))
    assert (row["version"], row["behind"]) == (version_name, behind)


def test_days_are_whole_days(told: Told) -> None:
    """Certroll logs the age of a certificate version in whole days since the version's creation."""
    for age, days in ((2 * DAY, 2), (2 * DAY - HOUR, 1)):
        known = lineage(version(created=NOW - age), old_version())
        (row,) = rows(told.report(named(NEW), lineages=(known,)))
        assert row["days"] == days


IN_VAIN = f"{FOREIGN} is no certificate of its webspace or of the site itself, nor of a vault in scope: take it out"


@pytest.mark.parametrize(
    ("settings", "detail"),
    [
        pytest.param(named(FOREIGN), IN_VAIN, id="in a list"),
        pytest.param(named(FOREIGN, OLD, FOREIGN), IN_VAIN, id="twice in a list, next to a known one"),
        pytest.param(replace(named(), references=(FILE,)), IN_VAIN, id="in a path"),
        pytest.param(
            named(FOREIGN, NEWER, OLDER, MORE),
            IN_VAIN.replace(f"{FOREIGN} is", f"{OLDER}, {NEWER}, {MORE}, {FOREIGN} is"),
            id="several of them, in order",
        ),
    ],
)
def test_what_is_named_in_vain_is_found(told: Told, settings: SiteSettings, detail: str) -> None:
    """Certroll reports an app only once, even if its settings name several thumbprints that match no certificate."""
    told.report(settings)
    assert told.findings == [
        Finding(NOW, "sweep", "app settings of shop", Reason.UNKNOWN_THUMBPRINT, detail, webspace=WEST)
    ]


@pytest.mark.parametrize(
    ("settings", "copies"),
    [
        pytest.param(named(OLD), (SYNCED,), id="an older version, though it is not there"),
        pytest.param(named(FOREIGN), (copy("up", FOREIGN, source=None),), id="what people uploaded"),
        pytest.param(replace(named(), references=(FILE,)), (copy("up", FOREIGN),), id="the path of what is there"),
        pytest.param(named(), (), id="nothing"),
    ],
)
def test_what_is_known_is_no_finding(
    told: Told, settings: SiteSettings, copies: tuple[WebspaceCertificate, ...]
) -> None:
    """Certroll reports no problem about a thumbprint that matches a certificate."""
    told.report(settings, copies=copies)
    assert told.findings == []


def test_certificate_of_another_webspace_is_not_there(told: Told) -> None:
    """Certroll names the webspace of a certificate that an app's settings name and the app cannot use.

    Certroll logs the certificate as missing, and reports other thumbprints of the settings as before.
    """
    copies = tuple(copy(f"up-{place}", FOREIGN, webspace=place) for place in (NORTH, EAST))
    row, _ = rows(told.report(named(FOREIGN, MORE), copies=copies))
    assert row["live"] is False
    elsewhere = (
        f"{FOREIGN} is a certificate of rg-eastuswebspace, which the app cannot use: upload or import the certificate "
        "into rg-westeuropewebspace, too, or take it out; "
    )
    assert [finding.detail for finding in told.findings] == [elsewhere + IN_VAIN.replace(FOREIGN, MORE)]


def test_odd_entries_are_counted_not_told(told: Told) -> None:
    """Certroll counts entries of WEBSITE_LOAD_CERTIFICATES that are no thumbprints, and does not show their text."""
    told.report(named(OLD, odd_entries=2))
    detail = "2 entries of the load list are no thumbprints; Certroll does not change them"
    assert told.findings == [
        Finding(NOW, "sweep", "load list of shop", Reason.UNKNOWN_THUMBPRINT, detail, webspace=WEST)
    ]


def test_root_list_is_told_and_not_accused(told: Told) -> None:
    """Certroll logs for each root in an app's WEBSITE_LOAD_ROOT_CERTIFICATES whether an app on its plan has the root.

    Certroll reports no problem about a thumbprint in WEBSITE_LOAD_ROOT_CERTIFICATES that matches no certificate.
    """
    hosted = replace(site(), environment=EnvironmentRef("s", "rg", "ase"), windows_code=True, plan="/plans/one")
    mate = replace(hosted, ref=site_ref("api"))
    public = replace(copy("", NEW, source=None), ref=CopyRef.of_site(mate.ref, "root", public=True))
    roots = tuple(
        SettingReference(ROOT_LIST, ReferenceKind.ROOT_LIST, thumbprint) for thumbprint in (NEW, OLD, FOREIGN)
    )
    settings = replace(named(), references=roots, odd_roots=1)
    found = rows(told.report(settings, copies=(public,), sites=(hosted, mate)))
    assert [(row["kind"], row["live"]) for row in found] == [("root list", live) for live in (True, False, False)]
    detail = "1 entries of the root list are no thumbprints; Certroll does not change them"
    assert told.findings == [
        Finding(NOW, "sweep", "root list of shop", Reason.UNKNOWN_THUMBPRINT, detail, webspace=WEST)
    ]


@pytest.mark.parametrize("sites", [(), (site(webspace=None),)], ids=["not seen", "of unknown webspace"])
def test_app_that_is_not_placed_is_not_accused(told: Told, sites: object) -> None:
    """Certroll logs an app whose App Service webspace is unknown, and reports no problem about the app."""
    assert rows(told.report(named(FOREIGN, odd_entries=1), sites=sites)) != []
    assert told.findings == []


def test_findings_of_all_apps_are_recorded(told: Told) -> None:
    """Certroll records the reported problems of all apps in the journal."""
    told.report(named(FOREIGN), named(FOREIGN, site="b"), sites=(site(), site("b")))
    assert [finding.subject for finding in told.findings] == ["app settings of shop", "app settings of b"]
