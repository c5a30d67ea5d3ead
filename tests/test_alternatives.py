"""Every picture of a stored chapter has its caption as alternative text, every widget a picture."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import nbconvert
import nbformat
import pytest

from authoring import alternatives, build
from gencourse import widgets
from tests.lanes import mostly_slow

CHAPTERS = sorted((Path(__file__).parents[1] / "notebooks").glob("[0-9]*.ipynb"))
IDS = [path.stem for path in CHAPTERS]
SHOWN = [name for name in widgets.__all__ if name.islower() and not re.search("strip|grid", name)]


def pictures(cell):
    return [o for o in cell.get("outputs", ()) if "image/png" in o.get("data", {})]


@pytest.mark.parametrize("path", CHAPTERS, ids=IDS)
def test_every_stored_picture_says_what_it_shows(path):
    cells = nbformat.read(path, as_version=4).cells
    texts = []
    for i, cell in enumerate(cells):
        for output in pictures(cell):
            alt = output.metadata["image/png"]["alt"]
            after = next(c for c in cells[i:] if c.cell_type == "markdown").source
            assert output.data["text/plain"] == alt, "VS Code reads this"
            assert 20 <= len(alt) <= 300 and alt[-1] in ".?!:…" and not re.search(r"[$*\\{}]", alt)
            assert alt.split()[0] == re.sub(r"[*`$]", "", after.split()[0])
            texts.append(alt)
    assert len(set(texts)) >= 15


@pytest.mark.parametrize("path", CHAPTERS, ids=IDS)
def test_a_page_without_a_kernel_shows_every_widget_as_a_picture(path):
    calls = re.compile(rf"^(?:\w+ = )?(?:{'|'.join(SHOWN)})\(", re.M)
    found = 0
    for cell in nbformat.read(path, as_version=4).cells:
        tagged = "widget" in cell.metadata.get("tags", ())
        if cell.cell_type == "code" and (tagged or calls.search(cell.source)):
            found += 1
            [picture] = pictures(cell)
            assert picture.metadata["image/png"]["alt"]
            kinds = {mime for output in cell.outputs for mime in output.get("data", {})}
            assert kinds == {"image/png", "text/plain"}
    assert found or path.stem not in ("01_vae", "02_gan", "03_autoregressive")


class Images(HTMLParser):
    def __init__(self):
        super().__init__()
        self.texts = []

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.texts.append(dict(attrs).get("alt"))


@pytest.mark.parametrize("path", mostly_slow(CHAPTERS), ids=IDS)
def test_html_has_the_texts(path):
    notebook = nbformat.read(path, as_version=4)
    stored = [o.metadata["image/png"]["alt"] for cell in notebook.cells for o in pictures(cell)]
    page, _ = nbconvert.HTMLExporter(template_name="classic").from_notebook_node(notebook)
    images = Images()
    images.feed(page)
    assert [unescape(text) for text in images.texts if text in stored] == stored


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("*Left: `x`, [here](a.md).*", "Left: x, here."),
        (r"*About $784 \log 2 \approx 543$ nats.*", "About 784 log 2 ≈ 543 nats."),
        (r"*$q = \mathcal N(\mu, \sigma^2)$, $p(z \mid x)$.*", "q = N(μ, σ²), p(z | x)."),
        (r"*$D^*$ pays $2\log 2$.*", "D∗ pays 2 log 2."),
        (r"*From $e^{-103}$ to\n$\lambda$.*".replace(r"\n", "\n"), "From e⁻¹⁰³ to λ."),
        ("*One.*\n\nAnother.", "One."),
    ],
)
def test_captions_become_plain_text(markdown, text):
    said = alternatives.plain(alternatives.first_paragraph(markdown))
    assert re.sub(r"(?<=\() ", "", said) == text


def test_long_texts_end_with_a_sentence():
    sentence = "Ten words of this sentence say what it is about."
    assert alternatives.shortened(f"{sentence} {sentence}", 60) == sentence
    assert alternatives.shortened(sentence, 30) == "Ten words of this sentence…"
    assert alternatives.shortened(sentence, len(sentence)) == sentence


def test_a_picture_without_words_is_refused():
    new = nbformat.v4
    output = new.new_output("display_data", {"image/png": ""})
    cell = new.new_code_cell("draw()", outputs=[output])
    with pytest.raises(SystemExit, match=r"got none after 'draw\(\)'"):
        alternatives.described(new.new_notebook(cells=[cell]))
    after = new.new_markdown_cell("*What it shows.* And more.")
    told = alternatives.described(new.new_notebook(cells=[cell, new.new_code_cell("1"), after]))
    assert told.cells[0].outputs[0].metadata["image/png"]["alt"] == "What it shows. And more."


@pytest.mark.slow
def test_running_a_chapter_keeps_the_static_twin_of_a_widget(monkeypatch):
    """And no widget's view, which a page without a kernel answers with an error."""
    for name in ("SCALE", "STRICT", "DEVICE", "WIDGETS"):  # what `execute` sets, undone afterwards
        monkeypatch.setenv(f"GENCOURSE_{name}", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    new = nbformat.v4
    code = (
        "import torch\nfrom gencourse.widgets import latent_explorer\n"
        "latent_explorer(lambda z: z.sigmoid()[:, None, None, :], torch.zeros(3))"
    )
    cells = [new.new_code_cell(code), new.new_markdown_cell("*Three numbers.*")]
    cells[0].metadata["tags"] = ["widget"]
    notebook = alternatives.described(build.execute(new.new_notebook(cells=cells)))
    [output] = notebook.cells[0].outputs
    assert set(output.data) == {"image/png", "text/plain"} and output.data["image/png"]
    assert output.metadata["image/png"]["alt"] == "Three numbers."
