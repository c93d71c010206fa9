"""Train a model, as `hwr train` does."""

import sys

from hwr.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
