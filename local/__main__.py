"""`python -m local` installs, starts and describes the local Azure."""

import sys

from local.command_line import main

sys.exit(main(sys.argv[1:]))
