"""infra/uninstall.sh removes what one installation made, after an answer, and nothing that it could not look at.

The answers of az are recordings of az 2.91 against the local Azure, in which two installations share one vault
(docs/contributing/local-azure.md says how). Only the answers about the journal come from az with a connection string.
"""

import json
import os
import pty
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from local.environment import for_child
from tests.infra.recorded import write_az

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "infra/uninstall.sh"
KEPT: Mapping[str, Mapping[str, object]] = json.loads(
    (ROOT / "tests/infra/kept/uninstall.json").read_text(encoding="utf-8")
)
OWN, OTHER = "5b0c8a52-7f1e-4c39-9d3a-2e6f4b1c7a01", "5b0c8a52-7f1e-4c39-9d3a-2e6f4b1c7a02"
PRINCIPAL = "6d2f7c84-1b0e-4a5f-8f43-0c9d1e2a3b4c"
GROUP, SECOND = "certroll-rg", "certroll-b"
VAULT = f"/subscriptions/{OWN}/resourceGroups/security/providers/Microsoft.KeyVault/vaults/contoso-web-kv"
TOPIC = "certroll-contoso-web-kv"
REMOVING = re.compile(r" delete|delete-policy|--method (?:delete|put|patch)")
END = "\x04"
"""The key with which a person ends the input: each later question gets no answer."""
FIRST = ("account show",)
"""The request without which the script does not start."""


class Ended(NamedTuple):
    """A run of the script that has ended."""

    code: int
    said: str
    told: str
    calls: tuple[str, ...]

    @property
    def removed(self) -> list[str]:
        """The commands by which the script removed something, in order."""
        return [call for call in self.calls if REMOVING.search(call)]

    def lines(self, word: str) -> list[str]:
        """Return the printed lines that begin with the word."""
        return [line.removeprefix(word).strip() for line in self.said.splitlines() if line.startswith(word)]


Run = Callable[..., Ended]
Answer = str | None


def command(beginning: str) -> str:
    """Return the recorded command that begins so."""
    (found,) = [command for command in KEPT if command.startswith(beginning)]
    return found


ASSIGNMENTS, ROLES = command("role assignment list"), command("role definition list")
SETTINGS = command("rest --method post --url /subscriptions/" + OWN + "/resourceGroups/certroll-rg/")
SUBSCRIBED, TOPICS = command("eventgrid system-topic event-subscription list"), command("eventgrid system-topic list")
MEMBERS = command("resource list --resource-group certroll-rg")
ALL = command(f"resource list --subscription {OWN}")
SHOWN = command("keyvault show")
STARTS, ROLLS = (
    command(f"storage entity query --account-name certrolla3vcrrdbs4n2s {rest}")
    for rest in (
        "--auth-mode login --table-name certrolljournal --filter PartitionKey",
        "--auth-mode login --table-name certrolljournal --filter RowKey",
    )
)
QUICK = [
    name
    for name in KEPT
    if not REMOVING.search(name)
    and not name.startswith("rest --method get --url /subscriptions/")
    and name != ALL
    and "config/appsettings/list" not in name
]


def answered(name: str) -> str:
    """Return the recorded answer to a command."""
    return str(KEPT[name]["answer"])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs the script with the recorded answers, changed as the test wants.

    A changed answer is its text, or None for a command that fails; a pair has the first and all later answers.
    `typed` is what the person types in a terminal; without it there is no terminal.
    """

    def running(
        changes: Mapping[str, Answer | tuple[Answer, Answer]] = {}, typed: str | None = None, options: str = "-q"
    ) -> Ended:
        answers = dict(KEPT)
        for name, answer in changes.items():
            first, later = answer if isinstance(answer, tuple) else (answer, answer)
            answers[name] = {**_answer(first), "later": _answer(later)}
        noted = write_az(tmp_path, answers)
        noted.unlink(missing_ok=True)
        path = f"{tmp_path}{os.pathsep}{for_child({})['PATH']}"
        typist, terminal = pty.openpty()
        os.write(typist, f"{typed}{END * 9}".encode())
        ended = subprocess.run(  # noqa: S603 - our own script
            [SCRIPT, "-g", GROUP, *options.split()],
            stdin=subprocess.DEVNULL if typed is None else terminal,
            capture_output=True,
            text=True,
            check=False,
            env=for_child({"PATH": path}),
        )
        os.close(typist)
        os.close(terminal)
        calls = noted.read_text(encoding="utf-8").splitlines()
        return Ended(ended.returncode, ended.stdout, ended.stderr, tuple(calls))

    return running


def _answer(text: Answer) -> dict[str, object]:
    return {"code": 1, "answer": ""} if text is None else {"code": 0, "answer": text}


# --------------------------------------------------------------------------------------------------- list, ask, remove


def test_list_has_the_order_in_which_azure_lets_things_go(run: Run) -> None:
    """The script lists event subscriptions, rights and entries before role definitions, and the group at the end."""
    kinds = [line.partition(" of ")[0].split(" at ")[0] for line in run().lines("take")]
    order = ["event subscription", "role ", "entry", "role definition", "group"]
    ranks = [max(order.index(word) for word in order if kind.startswith(word)) for kind in kinds]
    assert ranks == sorted(ranks)
    assert set(ranks) == set(range(len(order)))


def test_nothing_goes_without_a_terminal(run: Run) -> None:
    """Without a terminal, the script lists and removes nothing, and says so."""
    ended = run()
    assert (ended.code, ended.removed) == (1, [])
    assert "asks in a terminal" in ended.told


@pytest.mark.parametrize("typed", ["\n", "yes\n", f"{SECOND}-rg\n", "certroll-rg2\n", "none\n"])
def test_nothing_goes_without_the_name_of_the_group(run: Run, typed: str) -> None:
    """Every answer but the name of the listed group removes nothing."""
    ended = run(typed=typed)
    assert (ended.code, ended.removed) == (1, [])
    assert "Nothing was removed" in ended.told


def test_answer_removes_the_list_and_nothing_of_a_second_installation(run: Run) -> None:
    """After the answer, the script removes each listed thing in order, and nothing of another installation."""
    ended = run(typed=f"{GROUP}\n")
    assert ended.code == 0
    assert len(ended.removed) == len(ended.lines("take"))
    assert [call.split(" delete")[0].split(" delete-policy")[0] for call in ended.removed] == [
        "eventgrid system-topic event-subscription",
        "role assignment",
        "role assignment",
        "role assignment",
        "monitor private-link-scope scoped-resource",
        "monitor private-link-scope scoped-resource",
        "role definition",
        "group",
    ]
    assert not [call for call in ended.removed if SECOND in call]


def test_rights_of_others_stay(run: Run) -> None:
    """The script deletes role assignments of the installation's identity alone, and leaves those of App Service."""
    rows = [line.split("\t") for line in answered(ASSIGNMENTS).splitlines()]
    own = {row[1] for row in rows if row[0] == PRINCIPAL}
    ids = {call.split("--ids ")[1].split(" ")[0] for call in run(typed=f"{GROUP}\n").removed if "--ids" in call}
    assert ids < own
    assert own - ids == {identifier for identifier in own if f"/{GROUP}/" in identifier}


def test_role_above_the_subscription_stays(run: Run) -> None:
    """A role at a management group is listed with its command, because the templates did not assign it."""
    above = "/providers/Microsoft.Management/managementGroups/corp"
    row = f"{PRINCIPAL}\t{above}/providers/Microsoft.Authorization/roleAssignments/1\t{above}\tx\tReader\n"
    ended = run({ASSIGNMENTS: answered(ASSIGNMENTS) + row}, f"{GROUP}\n")
    assert "managementGroups/corp" in ended.lines("keep")[0]
    assert not [call for call in ended.removed if "managementGroups" in call]


def test_change_between_list_and_answer_removes_nothing(run: Run) -> None:
    """If the installation changed while the person read the list, the script removes nothing."""
    changed = {SUBSCRIBED: (answered(SUBSCRIBED), f"{answered(SUBSCRIBED)}audit\t/subscriptions/x\n")}
    more = {ASSIGNMENTS: (answered(ASSIGNMENTS), "")}
    for changes in (changed, more):
        ended = run(changes, f"{GROUP}\n")
        assert (ended.code, ended.removed) == (1, [])
        assert "Something changed" in ended.told


def test_failed_removal_stops_and_keeps_the_group(run: Run) -> None:
    """If Azure refuses one removal, the script stops there: the group, which tells what belongs to it, stays."""
    ended = run({command("eventgrid system-topic event-subscription delete"): None}, f"{GROUP}\n")
    assert (ended.code, len(ended.removed)) == (1, 1)
    assert "run it again" in ended.told


# ------------------------------------------------------------------------------------------------- looks, and Certroll


@pytest.mark.parametrize("failing", [name for name in QUICK if not name.startswith((*FIRST, "storage"))])
def test_look_that_fails_is_told_and_removes_nothing(run: Run, failing: str) -> None:
    """A failed read never counts as "nothing there": the script tells the person, and removes nothing."""
    ended = run({failing: None}, f"{GROUP}\n")
    assert ended.lines("ASK") != []
    assert (ended.code, ended.removed) == (1, [])


def test_partial_rights_of_the_person_are_no_complete_look(run: Run) -> None:
    """A person who may not read the whole subscription gets partial lists from Azure, so nothing is removed."""
    permissions = command(f"rest --method get --url /subscriptions/{OWN}/providers/Microsoft.Authorization")
    for partial in ("", "1\n"):
        ended = run({permissions: partial}, f"{GROUP}\n")
        assert "Reader on the whole subscription" in ended.lines("ASK")[0]
        assert ended.removed == []


def test_vault_that_is_nowhere_is_asked_for(run: Run) -> None:
    """A vault of the installation in a subscription that nobody named stops the removal."""
    ended = run({SETTINGS: answered(SETTINGS).replace("contoso-web-kv", "contoso-web-kv,lost-kv")}, f"{GROUP}\n")
    assert "Vault lost-kv" in ended.lines("ASK")[0]
    assert ended.removed == []


@pytest.mark.parametrize("mode", ["apply", "None", "observed"])
def test_app_that_may_write_is_told_to_observe_first(run: Run, mode: str) -> None:
    """While Certroll may write, nothing is removed, because it may have stopped an app or changed its settings."""
    ended = run({SETTINGS: answered(SETTINGS).replace("observe", mode)}, f"{GROUP}\n")
    assert "mode=observe" in ended.lines("DO")[0]
    assert ended.removed == []


@pytest.mark.parametrize(("looked", "words"), [(STARTS, "may be down"), (ROLLS, "Overlapping")])
def test_unfinished_work_is_waited_for(run: Run, looked: str, words: str) -> None:
    """While an app waits for its start, or has two thumbprints in its settings, the script says what to wait for."""
    for changed in ("2\n0\n", ("0\n0\n", "1\n0\n")):
        ended = run({looked: changed}, f"{GROUP}\n")
        assert words in ended.lines("DO")[0] if isinstance(changed, str) else "Something changed" in ended.told
        assert (ended.code, ended.removed) == (1, [])


@pytest.mark.parametrize("answer", [None, "0\n1\n", "", "\n", "None\n0\n"])
def test_unreadable_journal_needs_an_answer_of_its_own(run: Run, answer: str | None) -> None:
    """Where the script cannot see whether an app waits for its start, the person has to say that none does."""
    refused, said = run({STARTS: answer}, f"{GROUP}\n{GROUP}\n"), run({STARTS: answer}, f"none\n{GROUP}\n")
    assert (refused.code, refused.removed) == (1, [])
    assert "complete-a-pending-start" in refused.told
    assert said.code == 0


# ------------------------------------------------------------------------------------------------ what others own


def test_topic_that_others_use_stays(run: Run) -> None:
    """A system topic with an event subscription of somebody else stays, and the subscription too."""
    ended = run(typed=f"{GROUP}\n")
    assert f"system topic {TOPIC}: others use it" in ended.lines("keep")[0]
    assert not [call for call in ended.removed if call.startswith("eventgrid system-topic delete")]


def test_topic_goes_after_its_only_subscription(run: Run) -> None:
    """A system topic that the templates made, and that nobody else uses, is removed after its subscription."""
    (own,) = [line for line in answered(SUBSCRIBED).splitlines() if f"/{GROUP}/" in line]
    gone = f"eventgrid system-topic delete --yes --name {TOPIC} --resource-group security --subscription {OWN}"
    removed = run({SUBSCRIBED: f"{own}\n", f"{gone} --only-show-errors --output none": ""}, f"{GROUP}\n").removed
    assert [call.split(" --")[0] for call in removed[:2]] == [
        "eventgrid system-topic event-subscription delete",
        "eventgrid system-topic delete",
    ]


def test_topic_of_somebody_else_stays(run: Run) -> None:
    """A system topic with another name than the templates give stays, and loses only the own subscription."""
    (own,) = [line for line in answered(SUBSCRIBED).splitlines() if f"/{GROUP}/" in line]
    renamed = {
        TOPICS: answered(TOPICS).replace(TOPIC, "policy-topic"),
        SUBSCRIBED.replace(TOPIC, "policy-topic"): f"{own}\n",
    }
    ended = run(renamed)
    assert "policy-topic: the templates did not make it" in ended.lines("keep")[0]
    assert "event subscription certroll-" in ended.lines("take")[0]
    assert not [line for line in ended.lines("take") if line.startswith("system topic")]


def test_subscription_named_otherwise_is_somebody_elses(run: Run) -> None:
    """An event subscription to the own queue stays if its name does not begin with certroll."""
    other = answered(SUBSCRIBED).replace("certroll-4vtt73fhrvm6o", "mine")
    assert not [line for line in run({SUBSCRIBED: other}).lines("take") if line.startswith("event")]


def test_role_that_others_have_stays(run: Run) -> None:
    """A role definition stays if somebody else has the role, or if it can be assigned elsewhere."""
    (own,) = [line for line in answered(ASSIGNMENTS).splitlines() if f"{PRINCIPAL}\t" in line and "\tCertroll " in line]
    others = {ASSIGNMENTS: f"{answered(ASSIGNMENTS)}{own.replace(PRINCIPAL, OTHER)}\n"}
    elsewhere = {
        ROLES: answered(ROLES).replace(f"\t/subscriptions/{OWN}\n", f"\t/subscriptions/{OWN},/subscriptions/x\n")
    }
    for changes in (others, elsewhere):
        ended = run(changes)
        assert [line for line in ended.lines("keep") if line.startswith("role definition Certroll certroll-a")]
        assert not [line for line in ended.lines("take") if line.startswith("role definition")]


def test_access_policy_of_the_identity_goes(run: Run) -> None:
    """On a vault with access policies, the script removes the policy of the identity, found on the vault."""
    ended = run({SHOWN: answered(SHOWN).replace("0", "1") if answered(SHOWN).strip() == "0" else "tenant\n1\n"})
    assert "access policy of the identity on vault contoso-web-kv" in "\n".join(ended.lines("take"))


@pytest.mark.parametrize(
    "stranger",
    [
        "Microsoft.KeyVault/vaults\t/subscriptions/s/resourceGroups/certroll-rg/providers/Microsoft.KeyVault/vaults/kv",
        "Microsoft.Storage/storageAccounts\t/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/x",
        "Microsoft.Insights/actionGroups\t/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/actionGroups/on-call",
        "Microsoft.Web/serverfarms\t/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/serverfarms/other",
        "Microsoft.Web/sites\t/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/shop",
        "Microsoft.Web/certificates\t/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/certificates/shop",
    ],
    ids=["vault", "storage", "action group", "plan", "app", "certificate"],
)
def test_group_with_something_else_stays(run: Run, stranger: str) -> None:
    """A group that holds what the templates did not make is never deleted: the person moves that out first."""
    ended = run({MEMBERS: f"{answered(MEMBERS)}{stranger}\n"}, f"{GROUP}\n")
    assert len(ended.lines("DO")) == 1
    assert ended.removed == []


def test_group_without_certroll_is_not_taken_for_one(run: Run) -> None:
    """A group whose app has not Certroll's settings is no installation."""
    ended = run({SETTINGS: "None\nNone\nNone\nNone\nNone\n"}, f"{GROUP}\n")
    assert "the templates did not make it" in ended.lines("DO")[0]
    assert (ended.lines("take"), ended.removed) == ([], [])


def test_each_type_that_the_templates_make_may_be_in_the_group() -> None:
    """The script knows the type of each resource in the group, in every kept variant of the templates."""
    text = SCRIPT.read_text(encoding="utf-8").lower()
    made = set(text.partition("made='")[2].partition("'")[0].split())
    for snapshot in sorted((ROOT / "infra/variants").glob("*.snapshot.json")):
        for resource in json.loads(snapshot.read_text(encoding="utf-8"))["predictedResources"]:
            found = re.match(
                r"/subscriptions/[^/]+/resourcegroups/certroll[^/]*/providers/[^/]+/[^/]+/[^/]+$",
                resource["id"].lower(),
            )
            assert not found or resource["type"].lower().removeprefix("microsoft.") in made


# -------------------------------------------------------------------------------------------------------- the fleet


def left_in_fleet() -> list[str]:
    """Return the ids of the certificates that Certroll left in the recorded fleet."""
    text = "\n".join(str(answer["answer"]) for name, answer in KEPT.items() if not REMOVING.search(name))
    return sorted(set(re.findall(r"/\S+/(?:certificates|publicCertificates)/certroll-\S+", text)))


def test_certificates_in_the_fleet_stay(run: Run) -> None:
    """The script lists the certificates that Certroll left in the apps, and leaves them unless it is asked to ask."""
    ended = run(typed=asked_one_by_one(left_in_fleet()), options="")
    assert ended.code == 0
    assert sorted(line for line in ended.lines("keep") if line.startswith("/")) == left_in_fleet()
    assert not [call for call in ended.removed if "ertificates/" in call]


def fleet_answers() -> dict[str, Answer]:
    """Return the answers of az to the deletion of each certificate in the recorded fleet."""
    options = "?api-version=2024-04-01 --only-show-errors --output none"
    return {f"rest --method delete --url {name}{options}": "" for name in left_in_fleet()}


def asked_one_by_one(names: list[str]) -> str:
    """Return what a person types who removes the installation, and then deletes each certificate by its name."""
    return f"{GROUP}\n" + "".join(f"{name.rpartition('/')[2]}\n" for name in names)


def listed_order(run: Run) -> list[str]:
    """Return the ids of the certificates in the recorded fleet, in the order of the list."""
    return [line for line in run(options="").lines("keep") if line.startswith("/")]


def test_each_certificate_of_the_fleet_has_a_question_of_its_own(run: Run) -> None:
    """With -f the script asks for each certificate, after the removal, and deletes only what the person names."""
    first, second = listed_order(run)
    clean = {**fleet_answers(), **settings_of_fleet("Production\n")}
    for typed, gone in (([first, second], [first, second]), (["x/no", second], [second]), ([], [])):
        ended = run(clean, asked_one_by_one(typed), options="-f")
        deleted = [call for call in ended.removed if "ertificates/" in call]
        assert [call.split("--url ")[1].split("?")[0] for call in deleted] == gone
        assert ended.removed[-len(deleted) - 1].startswith("group delete")


def settings_of_fleet(answer: Answer) -> dict[str, Answer]:
    """Return this answer for the settings of each recorded app."""
    return {name: answer for name in KEPT if "config/appsettings/list" in name and name != SETTINGS}


def test_certificate_that_an_app_uses_is_never_asked_about(run: Run) -> None:
    """A certificate that a setting or a binding names, or that an app with `*` loads, stays without a question."""
    order = listed_order(run)
    used = order[0].rpartition("-")[2].upper()
    for answer, stays in ((f"a,{used}\n", order[:1]), ("*\n", order)):
        ended = run({**fleet_answers(), **settings_of_fleet(answer)}, asked_one_by_one(order[1:]), options="-f")
        deleted = [call for call in ended.removed if "ertificates/" in call]
        assert len(deleted) == len(order) - len(stays)
        assert not [call for call in deleted if any(name in call for name in stays)]
    bound = next(name for name in KEPT if "hostNameSslStates" in name)
    ended = run({**fleet_answers(), **settings_of_fleet("x\n"), bound: f"{used}\n"}, asked_one_by_one(order), "-f")
    assert not [call for call in ended.removed if order[0] in call]


def test_app_that_cannot_be_read_keeps_every_certificate(run: Run) -> None:
    """If the settings of one app cannot be read, no certificate is asked about, because that app may use it."""
    ended = run({**fleet_answers(), **settings_of_fleet(None)}, asked_one_by_one(listed_order(run)), options="-f")
    assert "every certificate stays" in ended.lines("ASK")[0]
    assert not [call for call in ended.removed if "ertificates/" in call]


@pytest.mark.parametrize("form", ["pairs with colons", "quoted, with blanks", "after other digits"])
def test_certificate_that_a_setting_names_in_another_form_is_never_asked_about(run: Run, form: str) -> None:
    """A certificate stays without a question in each form in which Certroll itself finds a thumbprint in a setting."""
    order = listed_order(run)
    used = order[0].rpartition("-")[2].upper()
    pairs = [used[at : at + 2] for at in range(0, 40, 2)]
    value = {
        "pairs with colons": ":".join(pairs),
        "quoted, with blanks": f'"{" ".join(pairs)}"',
        "after other digits": f"AFFE{used}",
    }[form]
    ended = run({**fleet_answers(), **settings_of_fleet(f"{value}\n")}, asked_one_by_one(order), options="-f")
    assert not [call for call in ended.removed if order[0] in call]
    assert [line for line in ended.lines("keep") if line.startswith(f"{order[0]}: a binding or a setting")]


@pytest.mark.parametrize("value", ["{other},*", "*,{other}", "{other}, * "])
def test_load_list_with_an_asterisk_keeps_every_certificate(run: Run, value: str) -> None:
    """A load list with `*` as one of several entries loads every certificate, so none is asked about."""
    settings = settings_of_fleet(value.format(other="0" * 40) + "\n")
    ended = run({**fleet_answers(), **settings}, asked_one_by_one(listed_order(run)), options="-f")
    assert not [call for call in ended.removed if "ertificates/" in call]


def test_certificate_with_a_blank_in_its_name_is_not_taken_for_another(run: Run) -> None:
    """The script asks about whole names only, so a name with a blank does not lead to another certificate."""
    other = f"/subscriptions/{OWN}/resourceGroups/web/providers/Microsoft.Web/certificates/certroll-mine-{'A' * 40}"
    row = f"Microsoft.Web/certificates\t{other} old\tNone\n"
    deleted = f"rest --method delete --url {other}?api-version=2024-04-01 --only-show-errors --output none"
    changes = {**fleet_answers(), **settings_of_fleet("x\n"), ALL: answered(ALL) + row, deleted: ""}
    name = other.rpartition("/")[2]
    ended = run(changes, f"{GROUP}\n{name}\n{name}\n{name}\n{name}\n", options="-f")
    assert f"{other} old: its name has no thumbprint." in ended.said
    assert deleted not in ended.removed
