"""Run az, and add what it was asked and what it answered to a file: REAL_AZ names az, and RECORDING the file.

With this program as `az` first on the path, a run of a script of infra/ in `python -m local shell` makes its recording.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

recording = Path(os.environ["RECORDING"])  # noqa: TID251 - a program of its own
kept = json.loads(recording.read_text(encoding="utf-8")) if recording.exists() else {}
real = os.environ["REAL_AZ"]  # noqa: TID251 - as above
ended = subprocess.run([real, *sys.argv[1:]], capture_output=True, text=True, check=False)  # noqa: S603 - the person's az
kept[" ".join(sys.argv[1:])] = {"code": ended.returncode, "answer": ended.stdout}
recording.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
sys.stdout.write(ended.stdout)
sys.stderr.write(ended.stderr)
raise SystemExit(ended.returncode)
