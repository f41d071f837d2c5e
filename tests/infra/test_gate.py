"""azure.yaml is what azd expects, and the CI workflow checks the templates with the compiler that is pinned."""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.compiler import VERSION
from infra.gate import AZURE_YAML, SCHEMA, misspelt
from infra.sources import INFRA
from local.environment import for_child

WORKFLOW = INFRA.parent / ".github" / "workflows" / "ci.yml"
WRONG = {
    "a misspelt hook": ("predown:", "predwon:"),
    "a misspelt part": ("services:", "service:"),
    "another host": ("host: function", "host: functionapp"),
    "a misspelt property": ("project: .", "projekt: ."),
    "a hook without a command": ("run: echo", "runs: echo"),
}
ELSEWHERE = {"$ref": "https://schemas.invalid/agent.json"}


def job() -> dict[str, Any]:
    """Return the job of the CI workflow that checks the templates."""
    found: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["infra"]
    return found


def test_azure_yaml_is_what_azd_expects() -> None:
    """The file azure.yaml has only what the kept part of azd's schema allows."""
    assert misspelt(AZURE_YAML, SCHEMA) == []


@pytest.mark.parametrize(("right", "wrong"), WRONG.values(), ids=WRONG)
def test_misspelt_azure_yaml_is_found(tmp_path: Path, right: str, wrong: str) -> None:
    """The check finds each misspelling, also those that azd silently ignores."""
    text = AZURE_YAML.read_text(encoding="utf-8")
    assert text.count(right) == 1
    (tmp_path / "azure.yaml").write_text(text.replace(right, wrong), encoding="utf-8")
    assert misspelt(tmp_path / "azure.yaml", SCHEMA)


def test_schema_of_another_host_is_not_loaded(tmp_path: Path) -> None:
    """The whole schema of azd names schemas of other hosts at other addresses, and a check of azure.yaml loads none."""
    agent = {"if": {"properties": {"host": {"const": "azure.ai.agent"}}}, "then": {"allOf": [ELSEWHERE]}}
    service = {"required": ["host", "project"], "allOf": [agent]}
    schema = tmp_path / "azure.yaml.json"
    schema.write_text(json.dumps({"properties": {"services": {"additionalProperties": service}}}), encoding="utf-8")
    assert misspelt(AZURE_YAML, schema) == []


def test_ci_checks_the_templates() -> None:
    """The workflow runs `make infra` with the compiler and the schema that it loads, of the versions that are kept."""
    (load, check) = [step["run"] for step in job()["steps"] if "run" in step]
    assert check == "make infra BICEP=build/bicep-linux-x64 AZD_SCHEMA=build/azure.yaml.json"
    assert re.findall(r"--output (\S+)", load) == ["bicep-linux-x64", "azure.yaml.json"]
    assert f"at {job()['env']['AZD_COMMIT']}. " in json.loads(SCHEMA.read_text(encoding="utf-8"))["$comment"]


@pytest.mark.parametrize(("sent", "code"), [("compiler", 0), ("another program", 1)])
def test_ci_runs_no_compiler_but_the_pinned_one(tmp_path: Path, sent: str, code: int) -> None:
    """The workflow goes on only if the loaded compiler has the kept hash, and asks for the kept version."""
    script = next(step["run"] for step in job()["steps"] if "run" in step)
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "bicep.version").write_text(f"{VERSION}\n", encoding="utf-8")
    kept = f"{hashlib.sha256(b'compiler').hexdigest()}  bicep-linux-x64\n"
    (tmp_path / "infra" / "bicep.sha256").write_text(kept, encoding="utf-8")
    curl = tmp_path / "curl"
    curl.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/asked\nprintf %s "{sent}" > "$6"\n', encoding="utf-8")
    curl.chmod(0o755)
    environment = for_child({"AZD_COMMIT": "commit"})
    environment["PATH"] = f"{tmp_path}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=environment, check=False)  # noqa: S603, S607 - ours
    asked = (tmp_path / "asked").read_text(encoding="utf-8")
    assert done.returncode == code
    assert f"/v{VERSION}/bicep-linux-x64" in asked
    assert ("azure.yaml.json" in asked) is (code == 0)
    assert os.access(tmp_path / "build" / "bicep-linux-x64", os.X_OK) is (code == 0)


def test_hash_of_the_compiler_is_kept() -> None:
    """The kept hash names the file that the workflow loads."""
    kept = (INFRA / "bicep.sha256").read_text(encoding="utf-8")
    assert re.fullmatch(r"[0-9a-f]{64}  bicep-linux-x64\n", kept)
