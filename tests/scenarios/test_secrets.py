"""Check that no secret leaves the memory of the process, by searching Certroll's output for known values."""

import base64
import logging
from datetime import timedelta

import pytest

from local.azure.scripting.faults import Fault
from local.azure.vault.authority import Leaf
from local.azure.vault.policy import PEM, PKCS12
from local.azure.world import World
from shared.clients.vault import certificates
from shared.domain.certificates.pfx import Pfx
from shared.domain.messages import CertificateMessage, SiteMessage
from tests.scenarios.app_worlds import CLIENT, LIST, PIN, SECRET, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.test_uploads import one_upload, renew
from tests.scenarios.worlds import VAULT

pytestmark = [pytest.mark.real_storage, pytest.mark.real_transport]

TABLES = ("certrolljournal", "certrollhistory", "certrollfindings")
TOKEN = "0badc0de" * 5
"""An unrelated secret of 40 hex digits, which looks like a thumbprint."""


def everything_written(installation: Installation, caplog: pytest.LogCaptureFixture, sent: list[str]) -> str:
    """Return every table row, queue message, log line and raised error as one text."""
    rows = [str(row) for table in TABLES for row in installation.rows(table)]
    errors = [repr(error) + str(error.__cause__) + str(error.__context__) for error in installation.errors]
    return "\n".join([*rows, *sent, caplog.text, *errors, *(record.getMessage() for record in caplog.records)])


@pytest.mark.parametrize(
    "trouble", ["none", "the partner refuses", "the write is refused", "the upload is refused", "the read is refused"]
)
def test_no_value_key_password_or_pfx_is_written_anywhere(
    install: Install, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """No log, table, message or error contains unrelated settings, private keys, PFX bytes or passwords."""
    town = street()
    town.app("billing", {LIST: town.old, PIN: town.old, "API_TOKEN": TOKEN}, setting=PIN)
    built: list[Pfx] = []
    build = certificates.build_pfx
    monkeypatch.setattr(certificates, "build_pfx", lambda *parts: built.append(build(*parts)) or built[-1])
    installation = install(age(town).world)
    sent: list[str] = []
    put = installation.queue.put
    monkeypatch.setattr(
        installation.queue, "put", lambda queue, body, *rest: sent.append(body) or put(queue, body, *rest)
    )
    troubles = {
        "the partner refuses": lambda: town.partner.accept_only(town.old),
        "the write is refused": lambda: town.world.faults.add(
            Fault("denied", "PUT", path=r"/config/appsettings$", times=None)
        ),
        "the upload is refused": lambda: town.world.faults.add(
            Fault("server_error", "PUT", path=r"/certificates/certroll-", status=500, times=None)
        ),
        "the read is refused": lambda: town.world.faults.add(
            Fault("denied", "POST", path=r"/config/appsettings/list$", times=2, skip=1)
        ),
    }
    troubles.get(trouble, lambda: None)()
    version = town.world.vaults[VAULT].certificates[CLIENT].newest
    with caplog.at_level(logging.DEBUG):
        town.renew()
        installation.look_at(VAULT, CLIENT)
        installation.deliver_all(timedelta(minutes=10))
        installation.sweep()
        installation.deliver_all(timedelta(0))
    text = everything_written(installation, caplog, sent)
    assert town.old in text, "the search looks at nothing"
    assert built, "no PFX was made"
    key = version.imported().private_key_pem.decode().splitlines()[3]
    pfxs = [base64.b64encode(pfx.blob).decode()[200:260] for pfx in built]
    for secret in (SECRET, TOKEN, TOKEN.upper(), key, *pfxs, *(pfx.password for pfx in built)):
        assert secret not in text


CASES = [("certificate", "none"), ("secret", "none"), ("pem", "none")]
CASES += [
    ("secret", "it is broken"),
    ("pem", "it is broken"),
    ("pem", "the upload is refused"),
    ("secret", "it is odd"),
]


@pytest.mark.parametrize(("kind", "trouble"), CASES)
def test_nothing_of_a_vaults_secret_is_written_anywhere(
    install: Install, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, kind: str, trouble: str
) -> None:
    """No log, table, message or error contains any part of a vault secret that Certroll reads."""
    world = one_upload(kind, {"API_TOKEN": TOKEN})
    vault = world.vaults[VAULT]
    installation = install(world)
    sent: list[str] = []
    put = installation.queue.put
    monkeypatch.setattr(
        installation.queue, "put", lambda queue, body, *rest: sent.append(body) or put(queue, body, *rest)
    )
    with caplog.at_level(logging.DEBUG):
        new = renew(world, pem=kind == "pem")
        values = [version.value for secret in vault.secrets.values() for version in secret.versions]
        if trouble == "it is broken":
            world.clock.advance(timedelta(minutes=1))
            values.append(vault.set_secret("web", f"{values[-1][:400]}{SECRET}", content_type=PKCS12).value)
        if trouble == "it is odd":
            vault.set_secret("password", SECRET, content_type=PKCS12)
            vault.set_secret("other-password", f"-----BEGIN PRIVATE KEY-----{SECRET}", content_type=PEM)
        if trouble == "it is refused":
            world.faults.add(Fault("denied", "PUT", path=r"/certificates/certroll-", times=None))
        installation.look_at(VAULT, "web", kind="certificate" if kind == "certificate" else "secret")
        installation.deliver_all(timedelta(minutes=1))
        installation.sweep()
    text = everything_written(installation, caplog, sent)
    assert trouble != "none" or new in text, "the search looks at nothing"
    keys = [leaf.private_key_pem.decode().splitlines()[3] for leaf in leaves(world)]
    parts = [value[start : start + 60] for value in values for start in (100, 300)]
    for secret in (SECRET, TOKEN, TOKEN.upper(), *keys, *parts):
        assert secret not in text


def leaves(world: World) -> list[Leaf]:
    """Return every version of the vault certificate or secret with its private key."""
    vault = world.vaults[VAULT]
    if vault.certificate("web"):
        return [version.leaf for version in vault.certificates["web"].versions]
    return [version.leaf for version in vault.secrets["web"].versions if version.has_certificate]


def test_messages_hold_names_only() -> None:
    """A queue message contains names, a cause, numbers, a time and a mark: no content of a certificate or a site."""
    assert set(CertificateMessage.__slots__) == {"ref", "cause", "waits", "after", "mark"}
    assert set(SiteMessage.__slots__) == {"site", "ref", "waits", "retry"}
