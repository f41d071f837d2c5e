import os, time, json
import pytest
from tests.scenarios.test_sick_things import begin, clients, rows, rows_of
from tests.scenarios.sick_fleets import FLEETS
from tests.scenarios.sick_things import ANSWERS, excused_by

OUT = os.environ.get("CELLS", "/tmp/work/cells.txt")
WANT = os.environ.get("WANT", "")
ANS = os.environ.get("ANS", "")
ONLY = os.environ.get("ONLY", "")

@pytest.mark.parametrize("name", [n for n in FLEETS if not ONLY or n in ONLY.split(",")])
def test_cells(begin, rows, name):
    t0 = time.process_time()
    things = rows_of(begin, rows, name)
    with open(OUT, "a") as out:
        print("== baseline", name, round(time.process_time() - t0, 2), len(things), file=out, flush=True)
        for thing in things:
            if WANT and not any(w in f"{thing.template}" for w in WANT.split(",")): continue
            for answer in (ANS.split(",") if ANS else ANSWERS):
                t = time.process_time(); w = time.time()
                try:
                    trial = begin(name, thing, answer)
                    trial.carry()
                    found = list(trial.troubles(excused_by(thing, trial.fleet.world)))
                except Exception as e:
                    found = [f"RAISED {e!r}"]
                print("BAD" if found else "ok ", name, str(thing.template), thing.path[-40:], answer, round(time.process_time() - t, 2), round(time.time()-w,1), found, file=out, flush=True)
