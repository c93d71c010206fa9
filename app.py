"""Serve the web page, as `hwr serve` does: python app.py, then open http://127.0.0.1:7860."""

import sys

from hwr.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
