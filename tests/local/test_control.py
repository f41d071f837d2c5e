"""These tests send requests to the control port of the local Azure, as a developer or a script would."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.azure.entra.tokens import OPERATOR, TENANT, token
from local.azure.wire import Request, Response, json_response
from local.azure.world import World
from local.http_wire import converse
from local.listener import Connection, Listener
from local.patience import HANG
from local.stand import Stand


@pytest.fixture
def stand() -> Iterator[Stand]:
    """Yield a running local Azure with one vault certificate."""
    world = World()
    world.vaults["kv"] = world.new_vault("kv", subscription="sub", resource_group="rg")
    world.vaults["kv"].add("shop", ["shop.contoso.com"])
    with Stand(world) as stand:
        yield stand


def ask(stand: Stand, method: str, path: str, payload: object = None) -> tuple[int, Any]:
    """Send one request to the control port, and return the status and JSON of its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", stand.control.port, timeout=HANG)
    connection.request(method, path, None if payload is None else json.dumps(payload))
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text) if text else None


def test_state_shows_the_fleet(stand: Stand) -> None:
    """GET /state lists the versions of vault certificates, the sites, the certificates and the addresses."""
    status, state = ask(stand, "GET", "/state")
    assert status == 200
    newest = stand.world.vaults["kv"].certificates["shop"].newest
    assert [version["thumbprint"] for version in state["vaults"]["kv"]["shop"]] == [newest.thumbprint]
    assert (state["sites"], state["copies"], state["addresses"]) == ([], [], [])


def test_the_way_around_is_told(stand: Stand) -> None:
    """GET / on the control port describes every route and its parameters, each on a line of its own."""
    answer = stand.control.answer(Request.to("GET", f"{stand.control.url}/"))
    routes = answer.body.decode().splitlines()
    assert answer.status == 200
    assert any(
        route.startswith("POST /clock: Move Azure's clock, not the app's: {\"advance\": seconds}") for route in routes
    )
    assert all(route.partition(": ")[2] for route in routes)


@pytest.mark.parametrize("path", ["/", "/state", "/clock", "/knobs", "/nowhere"])
def test_answers_are_lines(stand: Stand, path: str) -> None:
    """A terminal can show each answer of the control port: no line is long, and the last line has its end."""
    text = stand.control.answer(Request.to("GET", f"{stand.control.url}{path}")).body.decode()
    assert text.endswith("\n")
    assert max(map(len, text.splitlines())) < 160


def test_clock_moves(stand: Stand) -> None:
    """The control port can read, set and advance the clock of the local Azure."""
    assert ask(stand, "POST", "/clock", {"set": "2027-01-01T00:00:00+00:00"})[1]["now"].startswith("2027-01-01T00:00")
    assert ask(stand, "POST", "/clock", {"advance": 3600})[1]["now"].startswith("2027-01-01T01:00")
    assert ask(stand, "GET", "/clock")[1]["now"].startswith("2027-01-01T01:00")


def test_knobs_turn(stand: Stand) -> None:
    """The control port sets a knob (a simulation setting) by its name.

    A request with a misspelt simulation setting gets a 400 that repeats the misspelt name.
    """
    assert ask(stand, "POST", "/knobs", {"wrong_echo": True})[1]["wrong_echo"] is True
    assert stand.world.knobs.wrong_echo
    status, refused = ask(stand, "POST", "/knobs", {"wrong_eco": True})
    assert status == 400
    assert "wrong_eco" in refused["error"]


def test_faults_come_and_go(stand: Stand) -> None:
    """The control port lists how many requests each scripted fault has hit, and can delete all faults."""
    ask(stand, "POST", "/faults", {"kind": "server_error", "status": 503, "times": 1})
    bearer = {"authorization": "Bearer " + token(TENANT, OPERATOR, "https://management.azure.com", 0)}
    url = "https://management.azure.com/subscriptions?api-version=2022-12-01"
    statuses = [stand.proxy.azure.handle(Request.to("GET", url, headers=bearer)).status for _ in range(2)]
    assert statuses == [503, 200]
    assert ask(stand, "GET", "/faults")[1][0]["strikes"] == 1
    assert ask(stand, "DELETE", "/faults")[0] == 204
    assert ask(stand, "GET", "/faults")[1] == []
    assert ask(stand, "POST", "/faults", {"kind": "server_error", "colour": "red"})[0] == 400


def test_journal_is_shown_and_emptied(stand: Stand) -> None:
    """GET /journal lists requests to the local Azure, and omits requests to the control port."""
    stand.proxy.azure.handle(Request.to("GET", "https://management.azure.com/subscriptions?api-version=2022-12-01"))
    (entry,) = ask(stand, "GET", "/journal")[1]
    assert (entry["method"], entry["status"]) == ("GET", 401)
    assert ask(stand, "DELETE", "/journal")[0] == 204
    assert ask(stand, "GET", "/journal")[1] == []


def test_renewal_by_request(stand: Stand) -> None:
    """The control port renews a certificate with other host names or dates.

    The control port answers a misspelt field with 400.
    """
    payload = {"host_names": ["other.contoso.com"], "not_after": "2027-01-01T00:00:00+00:00"}
    status, version = ask(stand, "POST", "/vaults/KV/certificates/shop/renew", payload)
    assert status == 200
    assert version["host_names"] == ["other.contoso.com"]
    assert version["not_after"] == "2027-01-01T00:00:00+00:00"
    assert ask(stand, "POST", "/vaults/kv/certificates/shop/renew", {"hostnames": []})[0] == 400
    assert ask(stand, "POST", "/vaults/kv/certificates/none/renew", {})[0] == 400


def test_renewal_of_a_secret_by_request(stand: Stand) -> None:
    """The control port renews a certificate that is stored in a plain secret, with the same host names.

    GET /state lists the secret's versions and never shows a secret's value.
    """
    vault = stand.world.vaults["kv"]
    first, password = vault.set_pfx_secret("order", ["www.contoso.com"]), vault.set_secret("password", "s3cr3t-marker")
    status, version = ask(stand, "POST", "/vaults/kv/secrets/Order/renew", {"not_after": "2027-01-01T00:00:00+00:00"})
    assert (status, version["host_names"]) == (200, ["www.contoso.com"])
    assert version["not_after"] == "2027-01-01T00:00:00+00:00"
    state = ask(stand, "GET", "/state")[1]
    assert [secret["version"] for secret in state["secrets"]["kv"]["order"]] == [first.id, version["version"]]
    assert password.value not in json.dumps(state)
    for name, payload in (("order", {"hostnames": []}), ("none", {}), ("password", {})):
        assert ask(stand, "POST", f"/vaults/kv/secrets/{name}/renew", payload)[0] == 400


def test_worlds_are_seeded_and_reset(stand: Stand) -> None:
    """The control port loads a simulated fleet by name, and resets the simulated fleet to its start.

    The control port refuses an unknown name of a fleet.
    """
    assert ask(stand, "POST", "/world", {"name": "empty", "seed": 3})[0] == 200
    stand.world.vaults["kv"] = stand.world.new_vault("kv", subscription="sub", resource_group="rg")
    assert ask(stand, "POST", "/reset")[0] == 200
    assert stand.world.vaults == {}
    status, refused = ask(stand, "POST", "/world", {"name": "nowhere"})
    assert status == 400
    assert "contoso, empty, fabrikam, northwind" in refused["error"]


def test_a_fleet_with_a_running_app_does_not_change(stand: Stand) -> None:
    """The control port refuses another fleet and a reset while a function app runs, and names the next step."""
    stand.pin("run: up --world {name}")
    before = stand.world
    for path, payload in (("/world", {"name": "fabrikam"}), ("/reset", None)):
        status, refused = ask(stand, "POST", path, payload)
        assert status == 409
        assert "up --world" in refused["error"]
    assert stand.world is before


def test_a_webhook_hears_the_next_fleet(stand: Stand) -> None:
    """A registered webhook receives the events of the fleet that replaces the present one."""
    heard: list[Request] = []

    def answer(request: Request) -> Response:
        heard.append(request)
        return json_response(200, {"validationResponse": request.json()[0]["data"].get("validationCode")})

    def serve(connection: Connection) -> None:
        with connection.socket.makefile("rb") as stream:
            converse(stream, connection.socket.sendall, answer)

    with Listener(serve, "webhook") as listener:
        assert ask(stand, "POST", "/webhooks", {"url": f"http://127.0.0.1:{listener.listen()}/hook"})[0] == 204
        for payload in ({"name": "contoso"}, {"name": "contoso", "seed": 1}):
            assert ask(stand, "POST", "/world", payload)[0] == 200
            heard.clear()
            assert ask(stand, "POST", "/vaults/contoso-web-kv/certificates/shop-contoso-com/renew", {})[0] == 200
            _until(stand, lambda: len(heard) == 1)
            assert "shop-contoso-com" in heard[0].json()[0]["subject"]
        stand.use(World())


def test_an_unknown_name_gets_the_known_names(stand: Stand) -> None:
    """A request for a vault, certificate or secret that does not exist gets the names that exist."""
    for path, known in (
        ("/vaults/none/certificates/shop/renew", "kv"),
        ("/vaults/kv/certificates/none/renew", "shop"),
        ("/vaults/kv/secrets/none/renew", "none"),
    ):
        status, refused = ask(stand, "POST", path, {})
        assert status == 400
        assert refused["error"].endswith(f"there are: {known}.")


def test_what_is_served_is_shown(stand: Stand) -> None:
    """GET /served shows the certificate of every bound host name, as a visitor sees it."""
    assert ask(stand, "POST", "/world", {"name": "contoso"})[0] == 200
    status, served = ask(stand, "GET", "/served")
    assert status == 200
    newest = stand.world.vaults["contoso-web-kv"].certificates["shop-contoso-com"].newest.thumbprint
    assert {"shop.contoso.com": newest}.items() <= {row["host"]: row["thumbprint"] for row in served}.items()


def test_events_reach_a_registered_webhook(stand: Stand) -> None:
    """A registered webhook that passes validation receives every event, including repeated events."""
    heard: list[Request] = []

    def answer(request: Request) -> Response:
        heard.append(request)
        code = request.json()[0]["data"].get("validationCode")
        return json_response(200, {"validationResponse": code})

    def serve(connection: Connection) -> None:
        with connection.socket.makefile("rb") as stream:
            converse(stream, connection.socket.sendall, answer)

    with Listener(serve, "webhook") as listener:
        url = f"http://127.0.0.1:{listener.listen()}/hook"
        assert ask(stand, "POST", "/webhooks", {"url": url})[0] == 204
        assert ask(stand, "POST", "/events", {"vault": "kv", "name": "shop", "kind": "NearExpiry"})[0] == 200
        assert ask(stand, "POST", "/events", {"do": "repeat"})[0] == 200
        _until(stand, lambda: len(heard) == 3)
        stand.use(World())
    assert heard[1].json() == heard[2].json()
    assert heard[1].json()[0]["eventType"] == "Microsoft.KeyVault.CertificateNearExpiry"


def test_events_can_be_held_and_lost(stand: Stand) -> None:
    """The control port can delay events of Key Vault and discard the delayed events.

    The control port refuses an unknown event action with 400.
    """
    ask(stand, "POST", "/events", {"do": "hold"})
    ask(stand, "POST", "/vaults/kv/certificates/shop/renew", {})
    assert len(ask(stand, "POST", "/events", {"do": "lose"})[1]) == 1
    assert ask(stand, "POST", "/events", {"do": "release"})[1] == []
    assert ask(stand, "POST", "/events", {"do": "juggle"})[0] == 400


def test_unknown_paths_are_not_found(stand: Stand) -> None:
    """The control port answers an unknown path with 404 and an unreadable body with 400."""
    assert ask(stand, "GET", "/nothing")[0] == 404
    assert ask(stand, "POST", "/clock", "not an object")[0] == 400
    assert ask(stand, "POST", "/clock", {"set": "tomorrow"})[0] == 400


ALL_BODIES = [
    ("/faults", {}, "lacks: kind"),
    ("/faults", {"kind": "x"}, "one of latency, throttle, site_lock"),
    ("/faults", {"kind": ["latency"]}, "one of latency"),
    ("/faults", [{"kind": "latency"}, {"kind": "x"}], "one of latency"),
    ("/faults", [[]], "a JSON object"),
    ("/faults", {"kind": "dropped", "strikes": 1}, "There is no field strikes"),
    ("/faults", {"kind": "dropped", "path": "("}, "path has to be a regular expression"),
    ("/faults", {"kind": "dropped", "times": "x"}, "times has to be a whole number or null"),
    ("/faults", {"kind": "dropped", "times": True}, "times has to be a whole number or null"),
    ("/faults", {"kind": "dropped", "skip": -1}, "skip has to be 0 or more"),
    ("/faults", {"kind": "latency", "seconds": 1e300}, "seconds has to be a number"),
    ("/faults", {"kind": "answered", "status": 100}, "from 200 to 599"),
    ("/knobs", {"page_size": 0}, "page_size has to be 1 or more"),
    ("/knobs", {"page_size": None}, "page_size has to be a whole number"),
    ("/knobs", {"wrong_echo": "yes"}, "wrong_echo has to be true or false"),
    ("/knobs", {"missing_site": "empty "}, "one of ResourceNotFound, empty"),
    ("/knobs", {"wrong_eco": True}, "There is no field wrong_eco"),
    ("/clock", {"advance": "soon"}, "advance has to be a number, not 'soon'"),
    ("/clock", {"advance": 1e300}, "advance has to be a number"),
    ("/clock", {"set": "2026-11-21T12:00:00"}, "a time with its offset"),
    ("/clock", {"set": "9999-12-31T12:00:00+00:00"}, "a time with its offset"),
    ("/clock", {"set": 5}, "a time with its offset"),
    ("/clock", {"sett": 5}, "there are: advance, set"),
    ("/dns", {}, "lacks: kind, name, value"),
    ("/dns", {"name": "a.b", "kind": "MX", "value": "x"}, "one of A, AAAA"),
    ("/dns", {"name": "a.b", "kind": "A", "value": "x"}, "has to be an IPv4 address"),
    ("/world", {}, "lacks: name"),
    ("/world", {"name": "empty", "seed": "x"}, "seed has to be a whole number"),
    ("/world", {"name": "nowhere"}, "No world named nowhere"),
    ("/webhooks", {}, "lacks: url"),
    ("/webhooks", {"url": "nothing"}, "url has to begin with http"),
    ("/webhooks", {"url": "http://127.0.0.1:9/"}, "http://127.0.0.1:9/ does not take events"),
    ("/webhooks", {"url": "http://[/"}, "does not take events"),
    ("/webhooks", {"url": "http://127.0.0.1:9/", "schema": "x"}, "one of EventGrid, CloudEvents"),
    ("/events", {"do": "juggle"}, "one of emit, repeat"),
    ("/events", {}, "lacks: name, vault"),
    ("/events", {"vault": "none", "name": "shop"}, "no vault named 'none'"),
    ("/events", {"vault": "kv", "name": "none"}, "there are: pfx, shop"),
    ("/events", {"vault": "kv", "name": "shop", "version": "x"}, "no version x"),
    ("/events", {"vault": "kv", "name": "shop", "kind": "x"}, "one of NewVersionCreated"),
    ("/vaults/kv/certificates/shop/renew", {"not_after": "tomorrow"}, "a time with its offset"),
    ("/vaults/kv/certificates/shop/renew", {"key_type": "DSA"}, "one of RSA, EC"),
    ("/vaults/kv/certificates/shop/renew", {"key_size": 10**9}, "one of 256"),
    ("/vaults/kv/certificates/shop/renew", {"host_names": "shop"}, "a list of texts"),
    ("/vaults/kv/certificates/shop/renew", {"tags": {"a": 1}}, "an object of texts"),
    ("/vaults/kv/secrets/pfx/renew", {"dated": 1}, "dated has to be true or false"),
    ("/partners/x/move", {}, "lacks: name, vault"),
    ("/partners/x/move", {"vault": "kv", "name": "shop"}, "no partner server named 'x'"),
]


@pytest.mark.parametrize(("path", "payload", "told"), ALL_BODIES)
def test_a_wrong_body_is_told_at_once(stand: Stand, path: str, payload: object, told: str) -> None:
    """The control port answers a wrong body with 400, and names the field and what the field can be.

    No answer has the name of a class of Python, and a refused body changes nothing.
    """
    stand.world.vaults["kv"].set_pfx_secret("pfx", ["www.contoso.com"])
    before = [ask(stand, "GET", part)[1] for part in ("/knobs", "/faults", "/dns")]
    status, refused = ask(stand, "POST", path, payload)
    assert (status, list(refused)) == (400, ["error"])
    assert told in refused["error"]
    assert "Error" not in refused["error"]
    assert [ask(stand, "GET", part)[1] for part in ("/knobs", "/faults", "/dns")] == before


def test_a_repetition_needs_an_event(stand: Stand) -> None:
    """The control port refuses to repeat an event before there is one, and a DELETE without the kind of a record."""
    stand.world.events.emitted.clear()
    assert ask(stand, "POST", "/events", {"do": "repeat"}) == (400, {"error": "There is no event to repeat yet."})
    assert "lacks: kind" in ask(stand, "DELETE", "/dns", {"name": "a.b"})[1]["error"]


def test_a_body_that_is_no_json_is_told(stand: Stand) -> None:
    """The control port answers every body that is no JSON object with 400."""
    paths = sorted({path for path, _, _ in ALL_BODIES} | {"/partners/x/move"})
    for path in paths:
        for body in (b"{", b"\xff", b"[" * 99_999, b"null", b"3"):
            answer = stand.control.answer(Request("POST", "127.0.0.1", path, {}, {}, body))
            assert (answer.status, "Error" in answer.body.decode()) == (400, False), (path, body[:9])


def _until(stand: Stand, condition: object) -> None:
    assert callable(condition)
    for _ in range(500):
        if condition():
            return
        ask(stand, "GET", "/clock")
    pytest.fail("it has not come to that")
