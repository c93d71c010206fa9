"""Run the command line with `python -m hwr`."""

import sys

from hwr.cli import main

sys.exit(main())
