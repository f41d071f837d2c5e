"""`python -m local`: set up, start and ask for the local Azure."""

import sys

from local.command_line import main

sys.exit(main(sys.argv[1:]))
