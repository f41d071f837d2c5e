"""The page of installations lists each command of the way to an installation that only Azure or GitHub can answer."""

import re

from tests.infra.test_templates import snapshot
from tests.pages import part_of, text_of

PAGES = ("install", "make-a-release", "upgrade-and-remove")
COMMAND = re.compile(r"\b(?:az|azd|gh)(?: [a-z][a-z-]*[a-z]\b(?!-))+")
NEEDS_NO_TRIAL = {"az login", "az account set"}
OUTPUTS = ("deployCommand", "subscriptionCommands", "vaultCommands")


def commands_in(text: str) -> set[str]:
    """Return the commands in the code of a text, without options."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    words = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return {command for code in (*blocks, *words) for command in COMMAND.findall(code)}


def written_by_templates() -> set[str]:
    """Return the commands that deployments write for people."""
    outputs = [snapshot(variant)["outputs"].get(name, "") for variant in ("apart", "dedicated") for name in OUTPUTS]
    return {command for text in outputs for command in COMMAND.findall(str(text))}


def test_each_command_that_nobody_could_try_is_listed() -> None:
    """Each command of az, azd and gh on the way is in the one list of what nobody has tried, and no other command."""
    pages = set().union(*(commands_in(text_of(f"docs/how-to/{page}.md")) for page in PAGES))
    listed = commands_in(part_of(text_of("docs/reference/installation.md"), "Not tried"))
    assert listed == (pages | written_by_templates()) - NEEDS_NO_TRIAL


def test_each_way_to_an_installation_leads_to_the_list() -> None:
    """The page about installing links the list."""
    assert "installation.md#not-tried" in text_of("docs/how-to/install.md")
