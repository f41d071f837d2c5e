"""Every compliance rule says of its own examples what it promises, and never calls fine what nobody could read."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.compliance import rules
from shared.compliance.engine import Result, judge
from shared.compliance.rule import AnyRule, Example, Status
from shared.compliance.rules import RULES
from shared.domain.shown import Source
from tests.unit.compliance.worlds import HEALTHY, facts_in, facts_of, merged

FOUND = frozenset({Status.FAIL, Status.ERROR, Status.NOT_CHECKED})
NULL_MEANS_NOT_SET = frozenset(
    {
        "clientCertExclusionPaths",
        "minTlsCipherSuite",
        "healthCheckPath",
        "expirationTimeUtc",
        "deadLetterDestination",
        "canonicalName",
        "publicNetworkAccess",
        "cname",
        "lifetime_percentage",
        "days_before_expiry",
        "subjectBeginsWith",
        "subjectEndsWith",
        "advancedFilters",
    }
)
"""The properties for which Azure shows null where somebody set nothing, so that null is an answer."""
EXAMPLES = [
    pytest.param(rule, example, id=f"{rule.id}: {example.title}") for rule in RULES for example in rule.examples
]
OF_EACH = [pytest.param(rule, id=rule.id) for rule in RULES]


def judged(rule: AnyRule, example: Example, world: Mapping[str, Any] | None = None) -> list[Result]:
    """Return what a rule says of the subjects of an example, in the example's world or in a changed one."""
    results = judge(facts_of(example.world) if world is None else facts_in(world), (rule,))
    return [result for result in results if example.subject in ("", result.label)]


@pytest.mark.parametrize(("rule", "example"), EXAMPLES)
def test_rule_says_what_its_example_promises(rule: AnyRule, example: Example) -> None:
    """A rule judges each of its examples as the example says, with the severity that it says."""
    results = judged(rule, example)
    assert results, "the example has no subject of the rule"
    assert {result.status for result in results} == {example.status}, [result.verdict for result in results]
    if example.status is Status.FAIL:
        assert {result.severity for result in results} == {example.severity or rule.severity}
        for result in results:
            assert result.verdict.detail, "a finding has a sentence"
            assert result.verdict.evidence, "a finding has evidence"


@pytest.mark.parametrize("rule", OF_EACH)
def test_rule_shows_a_finding_and_a_pass(rule: AnyRule) -> None:
    """The first example of each rule is a finding, and the second one passes."""
    first, second = rule.examples[:2]
    assert (first.status, second.status) == (Status.FAIL, Status.PASS)


def test_world_in_good_order_has_no_findings() -> None:
    """No rule finds anything, fails or misses a fact in a world in good order."""
    results = judge(facts_of({}), RULES)
    assert [(result.rule.id, result.label, result.verdict) for result in results if result.status in FOUND] == []


@pytest.mark.parametrize(("rule", "example"), EXAMPLES)
def test_rule_without_a_source_passes_nothing(rule: AnyRule, example: Example) -> None:
    """Without a source that it needs, a rule finds what it found, or says that it could not check, and why."""
    before = {result.subject: result.status for result in judged(rule, example)}
    for source in rule.needs:
        for result in judged(rule, example, without(source, example.world)):
            if before.get(result.subject) is Status.FAIL:
                assert result.status in {Status.FAIL, Status.NOT_CHECKED}, (source, result.verdict)
            assert result.status is not Status.ERROR, (source, result.verdict)
            if result.status is Status.NOT_CHECKED:
                assert result.source in rule.needs
                assert result.gap is not None


@pytest.mark.parametrize("rule", OF_EACH)
def test_rule_misses_each_source_that_it_names(rule: AnyRule) -> None:
    """Each source that a rule names is one without which it cannot check some subject."""
    for source in rule.needs - UNMISSED:
        worlds = [(example, world) for example in rule.examples for world in (None, without(source, example.world))]
        unchecked = [result for example, world in worlds for result in judged(rule, example, world) if result.gap]
        assert source in {result.source for result in unchecked}


@pytest.mark.parametrize(("rule", "example"), [param for param in EXAMPLES if param.values[1].status is Status.FAIL])
def test_odd_facts_pass_nothing(rule: AnyRule, example: Example) -> None:
    """A missing, null or odd property never turns a finding into a pass, and never breaks a rule."""
    failing = {result.subject for result in judged(rule, example) if result.status is Status.FAIL}
    for path, world in odd_worlds(rule, example.world):
        for result in judged(rule, example, world):
            assert result.status is not Status.ERROR, (path, result.verdict)
            if result.subject in failing:
                assert result.status is not Status.PASS, path


def test_table_has_every_rule_in_order() -> None:
    """Each file of a rule stands in the table once, named by its rule, in the order of the ids."""
    names = [path.stem for path in sorted(Path(rules.__path__[0]).glob("crt*.py"))]
    assert names == [f"{rule.id.lower()}_{snake(rule.name)}" for rule in RULES]
    assert [rule.id for rule in RULES] == sorted({rule.id for rule in RULES})


def snake(name: str) -> str:
    """Return a name of words in capitals as the name of a file."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


UNMISSED = frozenset({Source.LIST, Source.JOURNAL})
"""Sources whose absence hides the subject itself: what no list shows is told as a blind spot, not by a rule."""
_BLANKS: Mapping[Source, tuple[str, ...]] = {
    Source.CONFIG: ("sites", "*", "config"),
    Source.SETTINGS: ("sites", "*", "settings"),
    Source.POLICY: ("objects", "*", "policy"),
    Source.PROBE: ("sites", "*", "probed"),
    Source.VAULT: ("vaults", "*", "properties"),
    Source.EVENTS: ("vaults", "*", "events"),
    Source.DNS: ("dns", "*"),
    Source.TLS: ("tls", "*"),
    Source.ROLES: ("own", "roles"),
    Source.OWN: ("own", "site"),
    Source.JOURNAL: ("own", "swept"),
}
LISTED = (
    "clientCertEnabled",
    "clientCertMode",
    "clientCertExclusionPaths",
    "httpsOnly",
    "endToEndEncryptionEnabled",
    "publicNetworkAccess",
    "customDomainVerificationId",
)


def without(source: Source, change: Mapping[str, object]) -> dict[str, Any]:
    """Return the world of an example without what a source says."""
    world = merged(HEALTHY, change)
    if source is Source.LIST:
        for site in filter(None, world["sites"].values()):
            site["properties"] = {key: value for key, value in site["properties"].items() if key not in LISTED}
    elif source is Source.POLICY:
        for found in filter(None, world["objects"].values()):
            found["policy"] = None
            for version in found["versions"]:
                version["facts"] = None
    else:
        _blank(world, _BLANKS[source])
    return world


def _blank(world: Any, path: tuple[str, ...]) -> None:  # noqa: ANN401 - JSON
    key, *rest = path
    for name in list(world) if key == "*" else [key]:
        if not rest:
            world[name] = None
        elif world.get(name):
            _blank(world[name], tuple(rest))


ODD: tuple[object, ...] = (None, {"odd": 1}, ["odd"], 7)
"""Values of other types than Azure documents. `None` stands for null."""
MISSING = object()
_FUZZED: Mapping[Source, tuple[tuple[str, ...], ...]] = {
    Source.LIST: (("sites", "*", "properties"), ("certificates", "*"), ("environments", "*", "clusterSettings")),
    Source.CONFIG: (("sites", "*", "config"),),
    Source.POLICY: (("objects", "*", "policy"), ("objects", "*", "policy", "key_props")),
    Source.DNS: (("dns", "*"),),
    Source.TLS: (("tls", "*"),),
    Source.PROBE: (("sites", "*", "probed"),),
    Source.VAULT: (("vaults", "*", "properties"),),
    Source.EVENTS: (("vaults", "*", "events", "*"),),
    Source.OWN: (("own", "site"), ("own", "site", "config")),
    Source.JOURNAL: (("own", "swept"),),
}
_OF_DOMAIN = frozenset(
    {"state", "defaultHostName", "webSpace", "serverFarmId", "sku", "hostingEnvironmentProfile", "networkAcls"}
    | {
        "enableRbacAuthorization",
        "tags",
        "accessPolicies",
        "thumbprint",
        "hostNames",
        "keyVaultId",
        "keyVaultSecretName",
        "site",
    }
    | {"id", "created"}
)
"""The properties that the readers of the fleet judge before any rule; tests/unit/clients shows how."""


def odd_worlds(rule: AnyRule, change: Mapping[str, object]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the world of an example with one property missing, null or of an odd type, for all that the rule needs."""
    base = merged(HEALTHY, change)
    for pattern in (pattern for source in sorted(rule.needs) for pattern in _FUZZED.get(source, ())):
        for path in _paths(base, pattern):
            for name in _names(base, path):
                for odd in (MISSING, *ODD):
                    if (odd is None and name in NULL_MEANS_NOT_SET) or name in _OF_DOMAIN:
                        continue
                    world = merged(base, {})
                    place = _at(world, path)
                    if odd is MISSING:
                        del place[name]
                    elif type(odd) is type(place[name]):
                        continue
                    else:
                        place[name] = odd
                    yield f"{'.'.join(map(str, path))}.{name} = {'missing' if odd is MISSING else odd!r}", world


def _paths(world: Any, pattern: tuple[str, ...]) -> list[tuple[Any, ...]]:  # noqa: ANN401 - JSON
    found: list[tuple[Any, ...]] = [()]
    for key in pattern:
        grown = []
        for path in found:
            place = _at(world, path)
            if key != "*":
                grown.append((*path, key))
            else:
                grown += [(*path, name) for name in (range(len(place)) if isinstance(place, list) else place or ())]
        found = [path for path in grown if _at(world, path) is not None]
    return found


def _names(world: Any, path: tuple[Any, ...]) -> list[str]:  # noqa: ANN401 - JSON
    place = _at(world, path)
    return list(place) if isinstance(place, dict) else []


def _at(world: Any, path: tuple[Any, ...]) -> Any:  # noqa: ANN401 - JSON
    for key in path:
        world = world[key]
    return world
