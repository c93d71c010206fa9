"""Find a Chromium for the browser tests, or install one: `python tests/browser.py`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> str | None:
    """Return a Chromium that starts: $CHROMIUM, the system's, Playwright's own, or None."""
    candidates = [os.environ.get("CHROMIUM"), *map(shutil.which, NAMES), _playwrights_own()]
    return next((path for path in candidates if path and _starts(path)), None)


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def _starts(path: str) -> bool:
    # Ubuntu's chromium package is a stub that asks for snap; it does not answer this.
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0


def install_browser() -> None:
    """Install Debian's chromium where that is possible, else Playwright's own."""
    sudo = [] if os.name == "nt" or os.geteuid() == 0 else ["sudo", "-n"]
    if shutil.which("apt-get") and (not sudo or shutil.which("sudo")):
        package = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
        for command in (["apt-get", "update"], package):
            quietly = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", *command]
            subprocess.run(quietly, stdout=subprocess.DEVNULL, check=False)
        if find_browser():
            return
    subprocess.run(
        [sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"], check=False
    )


def main() -> int:
    if not find_browser():
        print("Installing a Chromium for the browser tests")
        install_browser()
    found = find_browser()
    print(f"Browser tests use {found}" if found else "No Chromium could be installed")
    return 0 if found or "CI" not in os.environ else 1


if __name__ == "__main__":
    sys.exit(main())
