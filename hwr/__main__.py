"""Run the command line with `python -m hwr`."""

import sys

from hwr.cli import main

if __name__ == "__main__":
    sys.exit(main())
