"""The latent explorer: every slider redraws the right image, and a static strip takes its place
elsewhere.
"""

import io

import matplotlib

matplotlib.use("Agg")
import pytest
import torch
from PIL import Image

from gencourse import widgets
from gencourse.errors import InputError

D = 4
CENTRE = torch.tensor([1.0, 0.0, -2.0, 0.0])


def decode(z):
    """Pixel d shows sigmoid(z_d)."""
    return z.sigmoid()[:, None, None, :]


@pytest.fixture
def explorer(monkeypatch):
    monkeypatch.setattr(widgets.notebook, "widgets_can_run", lambda: True)
    return widgets.latent_explorer(decode, CENTRE, dims=(1, 3))


def shown(explorer):
    picture = Image.open(io.BytesIO(bytes(explorer.picture.value)))
    return [picture.getpixel((i * explorer.zoom, 0)) / 255 for i in range(D)]


def test_every_slider_moves_its_own_number_at_every_stop(explorer):
    for slider, d in zip(explorer.sliders, (1, 3), strict=True):
        for stop in (slider.min, 0.0, 1.5, slider.max):
            slider.value = stop
            expected = CENTRE[None].clone()
            expected[0, d] = stop
            assert shown(explorer) == pytest.approx(decode(expected).flatten().tolist(), abs=0.01)
        slider.value = 0


def test_buttons_move_all_sliders(explorer):
    reset, random = explorer.box.children[0].children[-1].children
    random.click()
    assert any(slider.value != 0 for slider in explorer.sliders)
    reset.click()
    assert [slider.value for slider in explorer.sliders] == [0, 0]


def test_errors_in_the_decoder_are_not_swallowed(monkeypatch):
    monkeypatch.setattr(widgets.notebook, "widgets_can_run", lambda: True)

    def broken(z):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        widgets.latent_explorer(broken, CENTRE)


def test_static_strip_where_widgets_cannot_run(capsys):
    explorer = widgets.latent_explorer(decode, CENTRE)
    assert explorer.box is None
    explorer._ipython_display_()
    assert "Figure" in capsys.readouterr().out
    figure = widgets.latent_strip(decode, CENTRE, dims=(0, 2))
    row = figure.axes[1].images[0].get_array()
    assert row[0, 0] == pytest.approx(torch.tensor(1.0).sigmoid().item(), abs=1e-6), (
        "the others stay where they were"
    )
    assert row[0, 2] == pytest.approx(torch.tensor(-2.5).sigmoid().item(), abs=1e-6)


def test_who_wants_no_widgets_gets_the_static_strip(monkeypatch):
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.setattr(
        "IPython.get_ipython", lambda: type("Shell", (InteractiveShell,), {"kernel": object()})
    )
    assert widgets.notebook.widgets_can_run()
    monkeypatch.setenv("GENCOURSE_WIDGETS", "0")
    assert not widgets.notebook.widgets_can_run()


def test_dims_are_refused_in_a_sentence():
    with pytest.raises(InputError, match=r"dims should lie in 0\.\.3, got \(4,\)"):
        widgets.latent_explorer(decode, CENTRE, dims=(4,))
    with pytest.raises(InputError, match=r"centre should have shape \(D,\), got \(1, 4\)"):
        widgets.latent_explorer(decode, CENTRE[None])
