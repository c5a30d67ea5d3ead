"""Open the three widgets of chapter 3 in JupyterLab in a real browser, move what can be moved, and
see that the page follows.

    uv run --with playwright python -m authoring.browser_autoregressive --out shots

The models are small and untrained, or counted. Needs Chromium or Chrome on PATH, or its path in
CHROME. A screenshot of every stage goes to the folder --out. The exit status is 0 if the page
changed whenever it should, nothing was wider than its place, and no error showed.
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
from playwright.sync_api import Error, Locator, Page, TimeoutError, sync_playwright

from authoring.browser_check import (
    CHROMIUM_FLAGS,
    jupyterlab,
    open_notebook,
    print_texts,
    run_all,
    settle,
)
from authoring.browser_lab import OVERFLOW

CELLS = (
    """
import torch
from gencourse.data import images, text
from gencourse.models.autoregressive import GPT, PixelCNN
from gencourse.runtime import global_seed
from gencourse.widgets import attention_viewer, pixel_replay, sampling_explorer

shakespeare = text("shakespeare")
V, tokens = len(shakespeare.vocabulary), shakespeare.train
triples = tokens[:-2] * V * V + tokens[1:-1] * V + tokens[2:]
counts = torch.full((V**3,), 0.01).index_add_(0, triples, torch.ones(len(triples)))
def trigram(prompt):
    before = shakespeare.encode("\\n" + prompt)[-2:]
    return counts.view(V, V, V)[before[0], before[1]].log()

x = (images("mnist").test[:6] > 0.5).float()
pixelcnn = PixelCNN(channels=8, layers=2, mean_image=x.mean(0))
known = torch.arange(28)[None, :, None].expand(1, 28, 28) < 14
samples, completed = pixelcnn.sample(6), pixelcnn.complete(x[:2], known)
line = "ROMEO:\\nBut, soft! <light> & $more$?"
with global_seed(0):
    gpt = GPT(128, block_size=64, layers=3, heads=4, width=32)
with torch.no_grad():
    for p in gpt.blocks.parameters():
        p.mul_(12 if p.ndim == 2 else 1)
maps = gpt.attention_maps(torch.tensor([[ord(c) for c in line]]))[:, 0]
""",
    'sampling_explorer(trigram, shakespeare.vocabulary, "ROMEO:\\nBut th")',
    "pixel_replay(samples, pixelcnn(samples).sigmoid())",
    "pixel_replay(completed[:1], pixelcnn(completed[:1]).sigmoid(), known)",
    "attention_viewer(maps, line)",
)
SAMPLING, PIXELS, HALF, ATTENTION = 1, 2, 3, 4  # the cells
SHOWN = (
    "(node) => [...node.querySelectorAll('img')].map((image) => image.src).join(' ') + "
    "node.querySelector('.jp-OutputArea').innerText"
)


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
        notebook = Path(folder, "autoregressive.ipynb")
        # else JupyterLab asks which
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        cells = [nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), notebook)
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
                print(f"cells run in {run_all(page):.1f} s")
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
        self.page, self.out, self.number, self.failures, self.cell = page, out, 0, [], None

    def go(self) -> list[str]:
        """All widgets; gives the failures."""
        self.sampling()
        self.pixels()
        self.attention()
        cells = self.page.evaluate("course.cells()")
        return (
            self.failures
            + self.page.evaluate("course.faults()")
            + [o["ename"] for c in cells for o in c["outputs"] if o.get("ename")]
        )

    def sampling(self) -> None:
        """Sliders, buttons, and a text that the model does not know."""
        self.enter(SAMPLING)
        self.shoot("sampling opens")
        self.changes("temperature down", lambda: self.press_keys(self.handle(0), "ArrowLeft", 8))
        self.changes("top-k down", lambda: self.press_keys(self.handle(1), "PageDown", 2))
        self.changes("top-p down", lambda: self.press_keys(self.handle(2), "ArrowLeft", 10))
        for i in range(4):
            self.changes(f"next {i + 1}", lambda: self.press("next"))
        self.changes("write", lambda: self.press("write"))
        area = self.cell.locator("textarea")
        self.changes("unknown characters", lambda: area.press_sequentially(" für 5€ <b>"))
        self.says("should use the model's characters")
        self.changes("known again", lambda: area.fill("JULIET:\nO Romeo, "))
        self.lacks("should use the model's characters")
        self.changes("temperature 2", lambda: self.press_keys(self.handle(0), "End", 1))
        self.changes("temperature 0", lambda: self.press_keys(self.handle(0), "Home", 1))
        self.changes("reset", lambda: self.press("reset"))

    def pixels(self) -> None:
        """The slider by hand, the film to its end, and a half-erased image."""
        self.enter(PIXELS)
        self.shoot("pixels open")
        self.changes("pixel by pixel", lambda: self.press_keys(self.handle(0), "ArrowRight", 3))
        self.says("3 of 784 pixels drawn")
        play = self.cell.locator(".widget-play button").first
        self.changes("film plays", play.click)
        self.page.wait_for_timeout(10_000)
        self.shoot("film playing")
        start = time.perf_counter()
        self.cell.get_by_text("All 784 pixels are drawn.").wait_for()
        print(f"film: at its end after {10 + time.perf_counter() - start:.0f} s")
        self.shoot("film ended")
        self.changes("film again from the start", play.click)
        play.click()
        self.enter(HALF)
        self.changes("half-erased image", lambda: self.press_keys(self.handle(0), "PageUp", 3))

    def attention(self) -> None:
        """Layer, head, query."""
        self.enter(ATTENTION)
        self.shoot("attention opens")
        self.changes("query earlier", lambda: self.press_keys(self.handle(0), "ArrowLeft", 9))
        self.changes(
            "another layer", lambda: self.cell.locator("select").nth(0).select_option("2 of 3")
        )
        self.changes(
            "another head", lambda: self.cell.locator("select").nth(1).select_option("3 of 4")
        )

    def enter(self, number: int) -> None:
        """Scroll to a cell and wait for its picture."""
        self.page.evaluate(
            "(i) => jupyterapp.shell.currentWidget.content.scrollToItem(i, 'start')", number
        )
        self.cell = self.page.locator(f".jp-Cell[data-windowed-list-index='{number}']")
        self.cell.locator("img").first.wait_for()
        settle(self.page)

    def handle(self, number: int) -> Locator:
        return self.cell.locator(".noUi-handle").nth(number)

    def press(self, words: str) -> None:
        self.cell.locator("button.jupyter-button", has_text=re.compile(rf"^\s*{words}\s*$")).click()

    def press_keys(self, handle: Locator, key: str, times: int) -> None:
        for _ in range(times):
            handle.press(key)

    def changes(self, name: str, action) -> None:
        """Act, and wait until the output of the cell shows something else."""
        before, start = self.cell.evaluate(SHOWN), time.perf_counter()
        action()
        try:
            condition = (
                f"([node, before]) => {{ const now = ({SHOWN})(node); return now && now !== "
                f"before; }}"
            )
            self.page.wait_for_function(
                condition, arg=[self.cell.element_handle(), before], timeout=20_000
            )
            print(f"{name}: changed after {time.perf_counter() - start:.2f} s")
        except TimeoutError:
            self.failures.append(f"{name}: the page stayed as it was")
        self.shoot(name)

    def says(self, words: str) -> None:
        if self.cell.get_by_text(words).count() == 0:
            self.failures.append(f"nowhere on the page: {words}")

    def lacks(self, words: str) -> None:
        if self.cell.get_by_text(words).count():
            self.failures.append(f"still on the page: {words}")

    def shoot(self, name: str) -> None:
        """A screenshot; what is wider than the output is a failure."""
        self.page.wait_for_timeout(1_000)
        if "film" not in name:
            settle(self.page)
        self.page.screenshot(path=self.out / f"{self.number:02d}_{name.replace(' ', '_')}.png")
        self.number += 1
        if wide := self.page.evaluate(OVERFLOW):
            self.failures.append(f"{name}: {wide} things reach beyond the right edge")


if __name__ == "__main__":
    sys.exit(main())
