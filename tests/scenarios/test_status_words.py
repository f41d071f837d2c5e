"""Check that a status word of Azure is never trusted over the thing that it is about."""

from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus

import pytest

from local.azure.scripting.knobs import Knobs
from tests.scenarios.app_worlds import CLIENT, LIST, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.test_orders import Shop
from tests.scenarios.worlds import VAULT

DAYS = timedelta(days=60)


def old_shop(install: Install) -> Shop:
    """Return a shop whose order has a certificate that is two months old, and whose status stays `Initialized`."""
    shop = Shop(install, Knobs(order_store_stays_initialized=True), age=DAYS)
    shop.world.orders.settle()
    assert {stored.status for stored in shop.order.stored.values()} == {"Initialized"}
    return shop


@pytest.mark.real_storage
def test_a_certificate_that_is_in_its_vault_is_not_called_lost(install: Install) -> None:
    """If the secret holds the order's certificate, Certroll reports nothing, whatever Azure says of the secret."""
    shop = old_shop(install)
    shop.look()
    assert "OrderStoreFailed" not in shop.reasons()


@pytest.mark.parametrize("trouble", ["another certificate is on top", "the secret is disabled", "the vault is closed"])
def test_a_certificate_that_is_not_in_its_vault_is_still_reported(install: Install, trouble: str) -> None:
    """If the secret does not show the order's certificate, Azure's word `Initialized` is reported after a day."""
    shop = old_shop(install)
    (stored,) = shop.order.stored.values()
    shop.world.clock.advance(timedelta(minutes=1))
    if trouble == "another certificate is on top":
        shop.vault.renew_secret(stored.secret_name)
    elif trouble == "the secret is disabled":
        shop.vault.secrets[stored.secret_name.lower()].newest.enabled = False
    else:
        shop.vault.deny(operations={"secrets/get", "secrets/list"})
    shop.look()
    assert "OrderStoreFailed" in shop.reasons()


@pytest.mark.parametrize("word", ["Stopped", "Unknown", ""])
def test_an_app_that_answers_is_proven_whatever_azure_calls_its_state(install: Install, word: str) -> None:
    """An app that answers its probe is validated, although Azure calls the site stopped or gives another word."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    site = town.site("billing")
    town.world.web.put_site(replace(site, properties={"state": word}))
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(timedelta(hours=1))
    assert installation.rolls() == {"billing": "Validated"}
    assert town.settings("billing")[LIST] == f"{town.old},{new}"
    assert installation.errors == []


def test_certificate_that_azure_calls_stored_is_compared_with_its_secret(install: Install) -> None:
    """If the secret holds another certificate a day later, Certroll reports it, although Azure says `Succeeded`."""
    shop = Shop(install, age=DAYS)
    (stored,) = shop.order.stored.values()
    assert stored.status == "Succeeded"
    shop.look()
    assert "OrderStoreFailed" not in shop.reasons()
    shop.world.clock.advance(timedelta(minutes=1))
    shop.vault.renew_secret(stored.secret_name)
    shop.look()
    assert "OrderStoreFailed" in shop.reasons()


def test_comparison_of_an_order_with_its_secret_costs_one_list(install: Install) -> None:
    """Each inspection of an order lists its secret once, and reads the value of the secret once in all."""
    shop = Shop(install, age=DAYS)
    shop.sweeps(3)
    read = [entry for entry in shop.world.journal.entries() if entry.path.startswith("/secrets")]
    paths = [entry.path for entry in read if entry.status != HTTPStatus.UNAUTHORIZED]  # Key Vault's first challenge
    assert sum(path.endswith("/versions") for path in paths) == 3
    assert sum(not path.endswith("/versions") for path in paths) == 1
