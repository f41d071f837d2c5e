"""CRT306: an App Service Environment allows weak TLS."""

from shared.compliance import changes
from shared.compliance.facts import Facts
from shared.compliance.rule import (
    Area,
    Citation,
    Evidence,
    Example,
    Fix,
    Rule,
    Severity,
    Status,
    Verdict,
    failed,
    passed,
)
from shared.compliance.subjects import EnvironmentFacts
from shared.domain.shown import Gap, Source

SUITES = (
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
)
"""The two suites of TLS 1.3, and the two without which an environment does not work."""
ORDERED = {"FrontEndSSLCipherSuiteOrder": ",".join(SUITES)}
NO_TLS10 = {"DisableTls1.0": "1"}
ENCRYPTED = {"InternalEncryption": "true"}


def check(environment: EnvironmentFacts, facts: Facts) -> Verdict:
    """Fail an environment with TLS 1.0, another cipher order, or unencrypted traffic behind its front ends."""
    listed = environment.listed
    settings = {entry.text("name"): entry.text("value") for entry in listed.entries("clusterSettings")}

    def found(name: str, expected: str) -> Evidence:
        return Evidence(name, settings.get(name), expected, listed.read_at, listed.source)

    encrypted = settings.get("InternalEncryption", "false").lower()
    if encrypted not in {"true", "false"}:
        raise listed.unseen("InternalEncryption", Gap.ODD)
    if encrypted == "false":
        return failed(
            f"{environment.label} sends requests unencrypted from its front ends to its workers",
            found("InternalEncryption", "true"),
        )
    if environment.environment.internal:
        return passed(found("InternalEncryption", "true"))
    if settings.get("DisableTls1.0") != "1":
        return failed(f"{environment.label} accepts TLS 1.0", found("DisableTls1.0", "1"))
    order = settings.get("FrontEndSSLCipherSuiteOrder", "").upper().replace(" ", "").split(",")
    if missing := [suite for suite in SUITES if suite not in order]:
        return failed(
            f"the cipher order of {environment.label} lacks {', '.join(missing)}",
            found("FrontEndSSLCipherSuiteOrder", ",".join(SUITES)),
        )
    return passed(found("DisableTls1.0", "1"))


RULE = Rule(
    id="CRT306",
    name="AseTls",
    title="An App Service Environment allows weak TLS",
    why="Every app of the environment accepts what its front ends accept, whatever the app's own minimum says.",
    area=Area.TLS,
    severity=Severity.MEDIUM,
    citations=(
        Citation("Azure Policy d6545c6b-dd9d-4265-91e6-0b451e2f1c50"),
        Citation("Azure Policy 817dcf37-e83d-4999-a472-644eada2ea1e"),
        Citation("Azure Policy fb74e86f-d351-4b8d-b034-93da7391c01f"),
    ),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.environments,
    check=check,
    fix=Fix.COMMAND,
    remedy="Set the setting in clusterSettings of the environment; Azure then redeploys its front ends, for hours.",
    silent="TLS 1.0 and the cipher order of an internal environment (ILB), which may serve old clients of its owner.",
    examples=(
        Example(
            "the environment accepts TLS 1.0",
            changes.environment({**ENCRYPTED, **ORDERED}),
            Status.FAIL,
        ),
        Example(
            "the environment follows all three policies",
            changes.environment({**NO_TLS10, **ENCRYPTED, **ORDERED}),
            Status.PASS,
        ),
        Example(
            "traffic behind the front ends is unencrypted",
            changes.environment({**NO_TLS10, **ORDERED}),
            Status.FAIL,
        ),
        Example(
            "the cipher order is the default one",
            changes.environment({**NO_TLS10, **ENCRYPTED}),
            Status.FAIL,
        ),
        Example(
            "an internal environment serves old clients",
            changes.environment(ENCRYPTED, internal=True),
            Status.PASS,
        ),
    ),
)
