"""Measure the page in a browser: from pen-up to the reading, and how long it takes to come up.

    python benchmarks/pen_latency.py --strokes 30

It starts `app.py` on a free port and drives a headless Chromium. Strokes are drawn as a person
draws them: one after the other, each waited for; the time is that between the release of the
mouse button and the change of the time line under the reading, both taken in the browser.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT), str(ROOT / "tests")]

#: Notes the time from each pen-up to the first change of the reading, its confidence or its time.
#: What else changes there is Gradio's clock, which starts at once and is hidden.
WATCH = """
() => {
  const read = () => ["reading", "confidence", "time"].map(
    (id) => document.getElementById(id).textContent).join();
  window.times = [];
  window.last = performance.now();
  let up = null;
  let shown = read();
  addEventListener("pointerup", () => { up = performance.now(); }, true);
  new MutationObserver(() => {
    const now = read();
    if (now === shown) return;
    shown = now;
    window.last = performance.now();
    if (up !== null) { window.times.push(performance.now() - up); up = null; }
  }).observe(document.querySelector("#headline"), {
    childList: true, subtree: true, characterData: true,
  });
}
"""


def get_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--strokes", type=int, default=30, help="strokes (%(default)s)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Print the figures."""
    from browser import find_browser
    from helpers import free_port
    from playwright.sync_api import sync_playwright

    args = get_args(argv)
    executable = find_browser()
    if executable is None:
        raise SystemExit("There is no browser; run python tests/browser.py first.")
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    start = time.monotonic()
    server = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(address)
        print(f"server up           {time.monotonic() - start:.1f} s")
        with sync_playwright() as playwright:
            flags = ["--no-sandbox"]
            page = playwright.chromium.launch(executable_path=executable, args=flags).new_page()
            page.set_default_timeout(120_000)
            start = time.monotonic()
            page.goto(address)
            page.locator("#pad canvas").first.wait_for()
            print(f"first page          {time.monotonic() - start:.1f} s")
            page.locator("#verdict .badge").wait_for()
            page.wait_for_timeout(2000)
            page.evaluate(WATCH)
            box = page.locator("#pad canvas").first.bounding_box()
            assert box is not None
            for stroke in range(args.strokes):
                x = box["x"] + 60 + (stroke * 37) % (box["width"] - 160)
                y = box["y"] + box["height"] / 2 + (stroke % 5) * 8
                page.mouse.move(x, y - 30)
                page.mouse.down()
                page.mouse.move(x + 15, y + 20)
                page.mouse.move(x + 30, y - 30)
                page.mouse.up()
                page.wait_for_function("n => window.times.length > n", arg=stroke)
                page.wait_for_timeout(500)
            times = sorted(page.evaluate("window.times"))
    finally:
        server.terminate()
        server.wait(20)
    print(
        f"pen-up to reading   median {statistics.median(times):.0f} ms, "
        f"90 % below {times[int(0.9 * len(times))]:.0f} ms (n = {len(times)})"
    )
    print(f"cores               {os.cpu_count()}, load {os.getloadavg()[0]:.1f}")
    return 0


def _wait(address: str) -> None:
    for _ in range(1000):
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.1)
    raise SystemExit("The server does not answer.")


if __name__ == "__main__":
    sys.exit(main())
