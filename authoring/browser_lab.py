"""Open the GAN lab in JupyterLab in a real browser, press its buttons, and see that the picture
follows.

    uv run --with playwright python -m authoring.browser_lab --out shots

Needs Chromium or Chrome on PATH, or its path in CHROME. A screenshot of every stage goes to the
folder --out. The exit status is 0 if the picture changed whenever it should, stood still after
Pause, nothing was wider than the page, and no error showed.
"""

import argparse
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from playwright.sync_api import Error, Page, TimeoutError, sync_playwright

from authoring.browser_check import (
    CHROMIUM_FLAGS,
    jupyterlab,
    open_notebook,
    print_texts,
    run_all,
    settle,
)

CELL = "from gencourse.widgets import gan_lab\n\ngan_lab()"
PICTURE = (
    "() => [...document.querySelectorAll('.jp-OutputArea-output img')].map((image) => "
    "image.src).join(' ')"
)
OVERFLOW = """
() => [...document.querySelectorAll('.jp-OutputArea-output *')].filter((node) =>
    node.getBoundingClientRect().right >
    node.closest('.jp-OutputArea-output').getBoundingClientRect().right + 1).length
"""


def main() -> int:
    """Go through the stages, print what each showed, return 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the screenshots")
    parser.add_argument(
        "--width", type=int, default=1280, help="of the window, in pixels (default: 1280)"
    )
    parser.add_argument(
        "--timeout", type=float, default=120, help="seconds for each stage (default: 120)"
    )
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    console: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        notebook = Path(folder, "gan_lab.ipynb")
        # else JupyterLab asks which
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        nbformat.write(
            nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)], metadata=kernel),
            notebook,
        )
        with jupyterlab(notebook, "default") as url, sync_playwright() as playwright:
            chrome = (
                os.environ.get("CHROME")
                or shutil.which("chromium")
                or shutil.which("google-chrome")
            )
            browser = playwright.chromium.launch(executable_path=chrome, args=CHROMIUM_FLAGS)
            page = browser.new_page(viewport={"width": arguments.width, "height": 1000})
            page.set_default_timeout(arguments.timeout * 1000)
            page.on(
                "console",
                lambda message: (
                    console.append(message.text.split("\n")[0]) if message.type == "error" else None
                ),
            )
            page.on("pageerror", lambda error: console.append(str(error).split("\n")[0]))
            try:
                open_notebook(page, url)
                print(f"cell run in {run_all(page):.1f} s")
                failures = Tour(page, arguments.out).go()
            except Error as error:
                page.screenshot(path=arguments.out / "failure.png")
                failures = [f"broken off: {error}"]
            finally:
                browser.close()
    print_texts("console errors", console)
    print_texts("failures", failures)
    return 1 if failures else 0


class Tour:
    """The stages in their order; `failures` gathers what did not happen."""

    def __init__(self, page: Page, out: Path):
        self.page, self.out, self.number, self.failures = page, out, 0, []

    def go(self) -> list[str]:
        """Recorded runs, then a live match; gives the failures."""
        page = self.page
        page.wait_for_selector(".jp-OutputArea-output img")
        self.shoot("recorded run opens")
        self.changes(
            "slider moved", lambda: self.press_keys(".noUi-handle >> nth=0", "ArrowRight", 12)
        )
        self.changes("another recorded run", lambda: self.choose("", "ring: mode collapse"))
        self.changes(
            "slider moved again", lambda: self.press_keys(".noUi-handle >> nth=0", "ArrowRight", 25)
        )
        self.changes("recorded run plays", lambda: page.click(".widget-play button >> nth=0"))
        page.click(".widget-play button >> nth=0")
        self.changes("live mode", lambda: self.press("play live"))
        for name in ("Step", "Step D only", "Step G only"):
            self.changes(name, lambda name=name: self.press(name))
        self.changes("Play", lambda: self.press("Play"))
        page.wait_for_timeout(12_000)
        self.shoot("Play for 12 seconds")
        self.stops("Pause", lambda: self.press("Pause"))
        self.changes("another data set", lambda: self.choose("data", "grid"))
        self.changes("noise of one number", lambda: self.choose("noise", "normal 1-D"))
        self.changes("Play again", lambda: self.press("Play"))
        self.changes("another loss while playing", lambda: self.choose("loss", "Wasserstein"))
        page.wait_for_timeout(5_000)
        self.stops("Pause again", lambda: self.press("Pause"))
        self.changes("arrows off", lambda: page.get_by_label("pushes").click())
        self.changes("best possible D", lambda: page.get_by_label("best possible D").click())
        faults = page.evaluate("course.faults()") + [
            cell["ename"]
            for c in page.evaluate("course.cells()")
            for cell in c["outputs"]
            if cell.get("ename")
        ]
        return self.failures + faults

    def press(self, words: str) -> None:
        """Press the button with these words on it."""
        self.page.locator("button.jupyter-button", has_text=re.compile(rf"^\s*{words}\s*$")).click()

    def press_keys(self, selector: str, key: str, times: int) -> None:
        """Press a key several times on what the selector finds."""
        self.page.focus(selector)
        for _ in range(times):
            self.page.keyboard.press(key)

    def choose(self, label: str, option: str) -> None:
        """Choose an option of the list with this label, of the first list if it has none."""
        lists = self.page.locator(".widget-dropdown")
        (
            lists.filter(has=self.page.get_by_text(label, exact=True)) if label else lists.first
        ).locator("select").select_option(option)

    def changes(self, name: str, action) -> None:
        """Act, and wait for another picture."""
        before, start = self.page.evaluate(PICTURE), time.perf_counter()
        action()
        try:
            self.page.wait_for_function(
                f"(before) => {{ const now = ({PICTURE})(); return now && now !== before; }}",
                arg=before,
                timeout=20_000,
            )
            print(f"{name}: the picture changed after {time.perf_counter() - start:.2f} s")
        except TimeoutError:
            self.failures.append(f"{name}: the picture stayed as it was")
        self.shoot(name)

    def stops(self, name: str, action) -> None:
        """Act, and see that the picture stands still once the button says Play again."""
        start = time.perf_counter()
        action()
        self.page.wait_for_selector("button.jupyter-button:has-text('Play')")
        seconds = time.perf_counter() - start
        self.page.wait_for_timeout(300)
        before = self.page.evaluate(PICTURE)
        self.page.wait_for_timeout(2_000)
        still = self.page.evaluate(PICTURE) == before
        print(
            f"{name}: the picture {'stands still' if still else 'goes on changing'} after "
            f"{seconds:.2f} s"
        )
        if not still:
            self.failures.append(f"{name}: the picture goes on changing")
        self.shoot(name)

    def shoot(self, name: str) -> None:
        """A screenshot; what is wider than the output is a failure."""
        self.page.wait_for_timeout(300)
        if "Play" not in name and "playing" not in name:
            settle(self.page)
        self.page.screenshot(path=self.out / f"{self.number:02d}_{name.replace(' ', '_')}.png")
        self.number += 1
        if wide := self.page.evaluate(OVERFLOW):
            self.failures.append(f"{name}: {wide} things reach beyond the right edge")


if __name__ == "__main__":
    sys.exit(main())
