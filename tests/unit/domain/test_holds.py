"""A failure holds a version only as long as what failed is there and uses the vault certificate."""

from dataclasses import replace

import pytest

from shared.domain.fleet.app_settings import LOAD_LIST, SettingEdit, SiteSettings, VaultReference
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.handshake import Handshake
from shared.domain.missing import GONE_AFTER, is_gone
from shared.domain.names import HostName, Thumbprint
from shared.domain.rollout.settings_record import RollState
from shared.domain.rollout.site_record import SiteState
from shared.domain.snapshot.holds import failing_hosts, freed_hosts, still_uses
from shared.domain.tags import Tags
from tests.build import FOREIGN, HOST, NEW, NOW, OLD, OLDER, REF, binding, lineage, named, record, roll, snapshot

DEFAULT = binding("shop.azurewebsites.net", None, ssl_state=SslState.DISABLED)
FAILED = replace(record(SiteState.FAILED), failing=frozenset({HOST}))
TWO = HostName("two.contoso.com")
ROOT: Tags = (("certroll-root-on", "shop"),)


def shakes(thumbprint: Thumbprint | None, host: HostName = HOST) -> Handshake:
    """Return a handshake that expects the new certificate."""
    return Handshake(host, NEW, thumbprint)


@pytest.mark.parametrize(
    ("bindings", "handshakes", "failing", "freed"),
    [
        pytest.param((binding(thumbprint=NEW),), (shakes(OLD),), {HOST}, set(), id="it still fails"),
        pytest.param((binding(thumbprint=NEW),), (shakes(None),), {HOST}, set(), id="nobody could look"),
        pytest.param((binding(thumbprint=NEW),), (shakes(NEW),), set(), set(), id="it is proven"),
        pytest.param((binding(thumbprint=OLD),), (), {HOST}, set(), id="somebody put the old certificate back"),
        pytest.param((), (), set(), {HOST}, id="the host name is gone"),
        pytest.param((binding(thumbprint=FOREIGN),), (), set(), {HOST}, id="another certificate is bound"),
        pytest.param((binding(thumbprint=None),), (), {HOST}, set(), id="Azure omits the thumbprint"),
        pytest.param(
            (binding(thumbprint=None, ssl_state=SslState.DISABLED),), (), set(), {HOST}, id="the binding is gone"
        ),
        pytest.param((binding(TWO, NEW),), (shakes(OLD, TWO),), {TWO}, set(), id="now another host name fails"),
    ],
)
def test_what_is_gone_no_longer_fails(
    bindings: tuple[Binding, ...], handshakes: tuple[Handshake, ...], failing: set[str], freed: set[str]
) -> None:
    """A failed host name fails until it is proven, gone, or bound to a certificate that is not the vault's."""
    seen = snapshot(bindings=(DEFAULT, *bindings))
    assert failing_hosts(FAILED, seen, handshakes) == failing
    assert freed_hosts(FAILED, seen, handshakes) == freed


def test_a_site_of_which_azure_shows_no_host_name_still_fails() -> None:
    """An answer without even the default host name of a site shows nothing, and ends no hold."""
    seen = snapshot(bindings=())
    assert failing_hosts(FAILED, seen, ()) == {HOST}


def test_a_record_without_host_names_counts_for_all_of_the_site() -> None:
    """If the record of a failed site names no host name, each host name of the site may be the one that failed."""
    seen = snapshot(bindings=(DEFAULT, binding(thumbprint=NEW)))
    assert failing_hosts(record(SiteState.FAILED), seen, ()) == {HOST}


def test_a_site_that_did_not_fail_before_frees_nothing() -> None:
    """A site under way has no hold that could end."""
    assert freed_hosts(record(SiteState.PENDING), snapshot(bindings=(DEFAULT,)), ()) == frozenset()


@pytest.mark.parametrize(
    ("settings", "tags", "uses"),
    [
        pytest.param(named(OLD), (), True, id="it names the old version"),
        pytest.param(named(NEW), (), True, id="it names the new version"),
        pytest.param(named(FOREIGN), (), False, id="it names another certificate"),
        pytest.param(named(OLDER), (), True, id="it names what it named before, which the vault lost"),
        pytest.param(named(), (), False, id="it names none"),
        pytest.param(named(everything=True), (), True, id="it loads everything"),
        pytest.param(named(led=(VaultReference("CERT", REF),)), (), True, id="it follows the vault"),
        pytest.param(named(), ROOT, True, id="a tag asks for it"),
        pytest.param(named(), (("certroll-root-on", "other"),), False, id="a tag asks for it elsewhere"),
    ],
)
def test_an_app_holds_while_it_uses_the_vault_certificate(settings: SiteSettings, tags: Tags, *, uses: bool) -> None:
    """An app that failed holds the version as long as its settings, or a tag, name the vault certificate."""
    app = roll(RollState.ROLLED_BACK, edits=(SettingEdit(LOAD_LIST, NEW, (), OLD),), replaces=(OLD, OLDER))
    assert still_uses(app, settings, snapshot(lineage=lineage(tags=tags))) is uses


def test_an_app_holds_while_it_names_a_version_that_the_vault_forgot() -> None:
    """An app that failed holds the version while its settings name a version that the vault no longer lists."""
    app = roll(RollState.ROLLED_BACK, replaces=(FOREIGN,))
    assert still_uses(app, named(FOREIGN), snapshot())


def test_a_404_counts_after_an_hour() -> None:
    """A site for which Azure answers 404 counts as gone after an hour, and not before."""
    assert not is_gone(None, NOW)
    assert not is_gone(NOW - GONE_AFTER / 2, NOW)
    assert is_gone(NOW - GONE_AFTER, NOW)
