"""Open one notebook in JupyterLab in a real browser, run all its cells, look at every page, and
move a slider.

    uv run --with playwright python -m authoring.browser_check \\
        notebooks/01_vae.ipynb --out shots --slider 1

A copy of the notebook is opened, so nothing is written beside it. Screenshots go to the folder
--out: page_00.png, page_01.png and so on for the whole notebook, slider_before.png and
slider_after.png, failure.png where it came to that. Needs Chromium or Chrome on PATH, or its path
in CHROME. The exit status is 0 if every cell ran, nothing shows an error, and the slider changed
its picture.
"""

import argparse
import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import ElementHandle, Error, Page, TimeoutError, sync_playwright

VIEWPORT = {"width": 1280, "height": 1600}
OVERLAP = 60  # pixels that two pages share, so that a line cut at the edge is whole on one of them
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]

# Runs in the page. JupyterLab shows itself as `jupyterapp` because the server is started with
# expose_app_in_browser.
SCRIPT = """
const panel = () => jupyterapp.shell.currentWidget;
const codeCells = () => panel().content.widgets.map((cell) => cell.model).filter(
    (model) => model.type === "code" && model.sharedModel.getSource().trim());
window.course = {
    kernel: () =>
        globalThis.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status,
    runAll() {
        this.running = true;
        jupyterapp.commands.execute("notebook:run-all-cells").finally(() => (this.running = false));
    },
    idle() { return !this.running && this.kernel() === "idle"; },
    cells: () => codeCells().map((model) => ({
        count: model.executionCount,
        outputs: model.outputs.toJSON().map(
            ({output_type, name, ename, evalue, text}) =>
                ({output_type, name, ename, evalue, text})),
    })),
    pane: () => panel().node.querySelector(".jp-WindowedPanel-outer"),
    // What the cells' outputs do not tell: errors in Output widgets, widgets without a view,
    // formulas that do not parse.
    faults() {
        const all = (selector, describe) =>
            [...this.pane().querySelectorAll(selector)].map(describe).filter(Boolean);
        return [
            ...all(".widget-output [data-mime-type$='.stderr']," +
                " .widget-output [data-mime-type$='.error']",
                (node) => "in an Output widget: " + node.textContent.trim().split("\\n").at(-1)),
            ...all(".jupyter-widgets-error-widget", () => "a widget that the browser cannot show"),
            ...all(".jp-OutputArea-output", (node) =>
                node.textContent === "Loading widget..." &&
                "a widget that the kernel does not know"),
            ...all("merror", (node) =>
                `formula ${node.textContent}: ${node.getAttribute("title")}`),
            ...all("mtext[mathcolor='red']", (node) =>
                `formula: ${node.textContent} is not defined`),
        ];
    },
    // The last cell's end: below it there is empty space, so that it can be scrolled up.
    view() {
        const {scrollTop, clientHeight} = this.pane();
        const top = this.pane().getBoundingClientRect().top;
        const last = [...this.pane().querySelectorAll(".jp-Cell")].at(-1);
        return [scrollTop, clientHeight, last.getBoundingClientRect().bottom - top + scrollTop];
    },
    settled() {
        const {scrollTop, scrollHeight} = this.pane(), before = this.place;
        this.place = `${scrollTop} ${scrollHeight}`;
        return this.place === before &&
            [...this.pane().querySelectorAll("img")].every((image) => image.complete);
    },
};
"""
PICTURES = """
(handle) => [...handle.closest(".jp-OutputArea-output").querySelectorAll("img")]
    .filter((image) => image.complete && image.naturalWidth).map((image) => image.src).join(" ")
"""


def main() -> int:
    """Start JupyterLab and the browser, do what the command line asks for, print the findings; 0 if
    all is well.
    """
    arguments = parse_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    start, console, moved = time.perf_counter(), [], True
    with jupyterlab(arguments.notebook, arguments.scale) as url, sync_playwright() as playwright:
        chrome = (
            os.environ.get("CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
        )
        browser = playwright.chromium.launch(executable_path=chrome, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport=VIEWPORT)
        page.set_default_timeout(arguments.timeout * 1000)
        page.on(
            "console",
            lambda message: (
                console.append(message.text.split("\n")[0]) if message.type == "error" else None
            ),
        )
        page.on("pageerror", lambda error: console.append(str(error).split("\n")[0]))
        try:
            opened = open_notebook(page, url)
            ran = run_all(page)
            pages, faults = photograph(page, arguments.out)
            cells = page.evaluate("course.cells()")
            if arguments.slider:
                moved, story = move_slider(page, arguments.slider, arguments.out)
        except Error as error:
            page.screenshot(path=arguments.out / "failure.png")
            print(
                f"{arguments.notebook.name}: broken off, see {arguments.out / 'failure.png'}: "
                f"{error}"
            )
            print_texts("console errors", console)
            return 1
        finally:
            browser.close()
    outputs = [
        (number, output) for number, cell in enumerate(cells, 1) for output in cell["outputs"]
    ]
    errors = [
        f"code cell {number}: {output['ename']}: {output['evalue']}"
        for number, output in outputs
        if output["output_type"] == "error"
    ]
    stderr = [
        f"code cell {number}: {''.join(output['text']).strip()}"
        for number, output in outputs
        if output.get("name") == "stderr"
    ]
    run = sum(cell["count"] is not None for cell in cells)
    seconds = f"opened {opened:.1f} s, ran {ran:.1f} s, all {time.perf_counter() - start:.1f} s"
    print(
        f"{arguments.notebook.name}: {run} of {len(cells)} code cells run, {pages} pages in "
        f"{arguments.out}; {seconds}"
    )
    for title, texts in (
        ("error outputs", errors),
        ("stderr outputs", stderr),
        ("faults on the page", faults),
        ("console errors", console),
    ):
        print_texts(title, texts)
    if arguments.slider:
        print(f"slider {arguments.slider}: {story}")
    return 0 if run == len(cells) and moved and not errors and not faults else 1


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for the screenshots")
    parser.add_argument(
        "--timeout",
        type=float,
        default=600,
        help="seconds for each of: opening, running, moving (default: 600)",
    )
    parser.add_argument(
        "--scale",
        choices=("smoke", "default", "full"),
        default="default",
        help="GENCOURSE_SCALE (default: default)",
    )
    parser.add_argument(
        "--slider",
        type=int,
        metavar="N",
        help="move the N-th slider of the notebook, counted from 1",
    )
    arguments = parser.parse_args()
    if not arguments.notebook.is_file():
        parser.error(f"notebook should be a file, got {arguments.notebook}")
    return arguments


@contextlib.contextmanager
def jupyterlab(notebook: Path, scale: str, served: Path | None = None) -> Iterator[str]:
    """A JupyterLab server of its own, with fresh settings, on a copy of the notebook; gives the URL
    that opens it. With `served` that folder is served, in which the notebook lies, and no copy.
    """
    with (
        tempfile.TemporaryDirectory(prefix="browser-check-", ignore_cleanup_errors=True) as folder,
        socket.socket() as probe,
    ):
        home, content = Path(folder), served or Path(folder, "content")
        if served is None:
            content.mkdir()
            shutil.copy(notebook, content)
        opened = notebook.relative_to(served).as_posix() if served else notebook.name
        probe.bind(("127.0.0.1", 0))
        port, token = probe.getsockname()[1], secrets.token_hex(16)
        probe.close()
        settings = {
            "IdentityProvider.token": token,
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": port,
            "ServerApp.port_retries": 0,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "ServerApp.root_dir": content,
            "LabApp.expose_app_in_browser": True,
        }
        command = [
            sys.executable,
            "-m",
            "jupyterlab",
            *(f"--{name}={value}" for name, value in settings.items()),
        ]
        # Else a question about news covers a corner of the page.
        quiet = (
            home
            / "jupyter"
            / "lab"
            / "user-settings"
            / "@jupyterlab"
            / "apputils-extension"
            / "notification.jupyterlab-settings"
        )
        quiet.parent.mkdir(parents=True)
        quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}', encoding="utf-8")
        places = {"JUPYTER_CONFIG_DIR": str(home / "jupyter"), "IPYTHONDIR": str(home / "ipython")}
        with open(home / "log", "w+", encoding="utf-8") as log:
            server = subprocess.Popen(
                command,
                cwd=content,
                env=os.environ | places | {"GENCOURSE_SCALE": scale},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                wait_for_server(
                    server, f"http://127.0.0.1:{port}/api/status?token={token}", home / "log"
                )
                yield f"http://127.0.0.1:{port}/doc/tree/{opened}?token={token}&reset"
            finally:
                server.terminate()  # ends the kernels as well
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.wait(20)
                server.kill()


def wait_for_server(server: subprocess.Popen, url: str, log: Path, seconds: float = 120) -> None:
    """Return as soon as the server answers; exit with its log if it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.3)
    sys.exit("JupyterLab did not start:\n" + log.read_text(encoding="utf-8")[-2000:])


def open_notebook(page: Page, url: str) -> float:
    """Open the notebook and wait until its kernel is up; the seconds it took."""
    start = time.perf_counter()
    page.add_init_script(SCRIPT)
    page.goto(url)
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function("course.kernel() === 'idle'")
    return time.perf_counter() - start


def run_all(page: Page) -> float:
    """Run all cells and wait until the last is done and the kernel is idle; the seconds it took."""
    start = time.perf_counter()
    page.evaluate("course.runAll()")
    page.wait_for_function("course.idle()", polling=250)
    return time.perf_counter() - start


def photograph(page: Page, out: Path) -> tuple[int, list[str]]:
    """Scroll through the notebook with a screenshot at every stop; the number of stops and the
    faults seen.
    """
    for old in out.glob("page_*.png"):
        old.unlink()
    faults: dict[str, None] = {}  # in the order of their appearance
    top = stop = 0
    while True:
        page.evaluate("(top) => { course.pane().scrollTop = top; }", top)
        settle(page)
        page.screenshot(path=out / f"page_{stop:02d}.png")
        faults |= dict.fromkeys(page.evaluate("course.faults()"))
        # The end is read anew at each stop: cells get their true height only when they come into
        # view.
        reached, visible, end = page.evaluate("course.view()")
        top, stop = reached + visible - OVERLAP, stop + 1
        if reached + visible >= end:
            return stop, list(faults)


def settle(page: Page) -> None:
    """Wait until pictures are loaded and the layout has stopped moving; a page that never rests is
    taken as it is.
    """
    page.wait_for_timeout(300)
    with contextlib.suppress(TimeoutError):
        page.wait_for_function("course.settled()", polling=200, timeout=5_000)


def move_slider(page: Page, number: int, out: Path) -> tuple[bool, str]:
    """Press an arrow key on a slider three times: whether a picture in the same output changes, and
    what happened.
    """
    sliders = page.locator(".jp-OutputArea-output .noUi-handle")
    if not 0 < number <= sliders.count():
        return False, f"there are {sliders.count()} in the notebook"
    sliders.nth(number - 1).scroll_into_view_if_needed()
    settle(page)
    handle = sliders.nth(number - 1).element_handle()
    before, pictures = position(handle), handle.evaluate(PICTURES)
    if not pictures:
        return False, "there is no picture in its output"
    page.screenshot(path=out / "slider_before.png")
    start = time.perf_counter()
    at_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
    handle.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft" if at_end else "ArrowRight")
    try:
        # While a picture is being replaced it is missing for a moment, which is no change.
        changed = (
            f"([handle, before]) => {{ const now = ({PICTURES})(handle); return now && now !== "
            f"before; }}"
        )
        page.wait_for_function(changed, arg=[handle, pictures], polling=20)
        story = f"the picture changed after {time.perf_counter() - start:.2f} s"
        page.wait_for_function("course.idle()")
    except TimeoutError:
        story = ""
    settle(page)
    page.screenshot(path=out / "slider_after.png")
    return bool(story), f"from {before} to {position(handle)}, " + (
        story or "the picture stayed as it was"
    )


def position(handle: ElementHandle) -> str:
    """The slider's value as it tells it to a screen reader, without the noise of floating point."""
    return f"{float(handle.get_attribute('aria-valuetext')):.4g}"


def print_texts(title: str, texts: list[str]) -> None:
    """A count and the texts below it."""
    print(f"{title}: {len(texts)}", *(f"  {text}" for text in texts), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
