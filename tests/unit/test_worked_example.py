"""Test the worked example of docs/contributing/adding-an-action.md against the present code."""

import re
import sys
from types import ModuleType
from typing import Any

import pytest

from shared.controllers.certificate.records import pending_records, shown_bindings
from shared.controllers.site.bindings import _plan_of_site
from shared.domain import tags
from shared.loop.pool import Pool
from shared.loop.run import Run
from shared.planning import actions, planner
from tests.build import APPLY, NEW, WEST, ManualClock, copy, snapshot, version
from tests.pages import text_of
from tests.small_storage import SmallStorage, ports_on


@pytest.fixture
def worked_example(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the names that the page's test defines, after adding the page's action to `shared.planning.actions`."""
    blocks = re.findall(r"```python\n(.*?)```", text_of("docs/contributing/adding-an-action.md"), re.DOTALL)
    action, test = (block.replace("Reason.NOT_BOUND", "Reason.STALE_THUMBPRINT") for block in blocks[-2:])
    (added,) = re.findall(r"```diff\n\+BIND = (.*?)```", text_of("docs/contributing/adding-an-action.md"), re.DOTALL)
    tag = eval(added.replace("\n+", "\n"), dict(vars(tags)))  # noqa: S307 - our own page
    monkeypatch.setattr(tags, "BIND", tag, raising=False)
    module = ModuleType("shared.planning.actions.bind_host_name")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(actions, "bind_host_name", module, raising=False)
    exec(compile(action, module.__name__, "exec"), module.__dict__)  # noqa: S102 - our own page
    names: dict[str, Any] = {}
    exec(compile(test, "test_bind_host_name", "exec"), names)  # noqa: S102
    return names


def test_worked_example_still_fits(worked_example: dict[str, Any]) -> None:
    """The worked example's action passes the page's own test."""
    promises = [promise for name, promise in worked_example.items() if name.startswith("test_")]
    assert promises
    for promise in promises:
        promise()


def test_worked_example_is_one_file_and_one_line(
    worked_example: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No guard refuses the worked example's action, and Certroll's run for the site plans the action.

    The worked example's action needs only its file and its line in the table of proposals.
    """
    propose = worked_example["bind_host_name"].propose
    monkeypatch.setattr(planner, "PROPOSALS", (*planner.PROPOSALS, propose))
    asked, unbound = worked_example["ASKED"], worked_example["UNBOUND"]
    seen = snapshot(sites=(asked,), bindings=(unbound,), copies=(copy(thumbprint=NEW),))
    steps = planner.plan(seen, APPLY).steps
    assert [step.action.binds for step in steps] == [unbound]
    (record,) = pending_records(seen, version(), WEST, steps, shown_bindings(seen))
    with Pool(1, "reader") as pool:
        run = Run.start(ports_on(SmallStorage(), ManualClock()), APPLY, pool)
        assert _plan_of_site(run, seen, record).steps == steps
