"""The pictures of README.md that show the course at work: docs/lab.png and docs/check.png.

    uv run --with playwright python -m authoring.make_screenshots

In a real browser, on a copy: chapter 1 in JupyterLab with the folders beside it, and the third
exercise with a mistake, which its check recognises. Needs Chromium or Chrome on PATH, or its path
in CHROME.
"""

import contextlib
import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from authoring.browser_check import CHROMIUM_FLAGS, jupyterlab, open_notebook, run_all, settle

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
COLOURS = 128  # of the palette; each picture has less than 150 kB
EXERCISE = "kl_to_standard_normal"
STUB = "# YOUR CODE HERE\n    raise NotImplementedError()"
MISTAKE = "return 0.5 * (mu**2 + (2 * logvar).exp() - 1 - 2 * logvar).sum(1)"
# scrolls JupyterLab's notebook, which draws only the cells in view, to a cell
SCROLL = "(index) => jupyterapp.shell.currentWidget.content.scrollToItem(index, 'start')"


@contextlib.contextmanager
def browser(width: int, height: int) -> Iterator[Page]:
    """An empty page."""
    chrome = os.environ.get("CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chrome, args=CHROMIUM_FLAGS)
        page = running.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(180_000)
        yield page
        running.close()


def copied(folder: Path) -> Path:
    """What a clone holds, in `folder`."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, check=True, encoding="utf-8"
    )
    for name in listed.stdout.splitlines():
        if not name.startswith("."):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def saved(png: bytes, path: Path) -> None:
    """The picture with few colours, which makes it small."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def lab(folder: Path) -> None:
    """JupyterLab as the README's command opens it, at the samples on the cover of chapter 1."""
    notebook = copied(folder) / "notebooks" / "01_vae.ipynb"
    cells = nbformat.read(notebook, 4).cells
    cover = next(i for i, cell in enumerate(cells) if "cover" in cell.metadata.get("tags", ()))
    with jupyterlab(notebook, "smoke", folder) as url, browser(1280, 760) as page:
        open_notebook(page, url.replace("/doc/tree/", "/lab/tree/"))
        page.evaluate("jupyterapp.commands.execute('filebrowser:go-to-path', {path: '/'})")
        for _ in range(3):  # heights are known only when cells were in view
            page.evaluate(SCROLL, cover)
            settle(page)
        saved(page.screenshot(), DOCS / "lab.png")


def mistaken(folder: Path) -> Path:
    """A notebook with one exercise, answered with a mistake that people make."""
    notebook = nbformat.read(ROOT / "exercises" / "01_vae.ipynb", 4)
    at = next(i for i, cell in enumerate(notebook.cells) if f"`{EXERCISE}`" in cell.source)
    imports = next(cell for cell in notebook.cells if "import vae as check" in cell.source)
    task, answer, check = notebook.cells[at : at + 3]
    answer.source = answer.source.replace(STUB, MISTAKE)
    notebook.cells = [imports, task, answer, check]
    nbformat.write(notebook, folder / "exercise.ipynb")
    return folder / "exercise.ipynb"


def check(folder: Path) -> None:
    """The exercise, the answer and what the check says."""
    with jupyterlab(mistaken(folder), "smoke") as url, browser(1000, 1000) as page:
        open_notebook(page, url)
        run_all(page)
        settle(page)
        boxes = [
            box
            for cell in page.locator(".jp-Notebook .jp-Cell").all()[1:]
            if (box := cell.bounding_box())
        ]
        top, bottom = boxes[0]["y"], boxes[-1]["y"] + boxes[-1]["height"]
        clip = {"x": boxes[0]["x"], "y": top, "width": boxes[0]["width"], "height": bottom - top}
        saved(page.screenshot(clip=clip), DOCS / "check.png")


if __name__ == "__main__":
    for picture in (lab, check):
        with tempfile.TemporaryDirectory(prefix="screenshots-") as place:
            picture(Path(place))
