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


def buttons(explorer):
    return explorer.box.children[0].children[-1].children


def test_buttons_move_the_whole_code(explorer):
    """Also the numbers that have no slider, here 0 and 2."""
    start, zero, random = buttons(explorer)
    zero.click()
    assert explorer.code.tolist() == [0, 0, 0, 0] and shown(explorer) == pytest.approx(
        [0.5] * 4, abs=0.01
    )
    assert "|z| = 0.0" in explorer.distance.value and "√4 = 2.0" in explorer.distance.value
    torch.manual_seed(0)
    drawn = torch.randn(D)
    torch.manual_seed(0)
    random.click()
    assert explorer.code[[0, 2]].tolist() == drawn[[0, 2]].tolist()
    assert explorer.code.tolist() == pytest.approx(drawn.tolist(), abs=0.051), "stops of 0.1"
    assert shown(explorer) == pytest.approx(decode(explorer.code[None]).flatten(), abs=0.01)
    start.click()
    assert explorer.code.tolist() == CENTRE.tolist()
    assert [slider.value for slider in explorer.sliders] == [0, 0]


def test_a_button_decodes_once_and_draws_spread_as_the_prior(monkeypatch):
    monkeypatch.setattr(widgets.notebook, "widgets_can_run", lambda: True)
    calls = []
    explorer = widgets.latent_explorer(lambda z: calls.append(z) or decode(z), torch.zeros(D))
    assert len(explorer.sliders) == D, "a slider for each number of the code"
    calls.clear()
    for _ in range(200):
        buttons(explorer)[2].click()
    assert len(calls) == 200
    codes = torch.cat(calls)
    assert (codes.mean(0).abs() < 0.35).all() and ((codes.std(0) - 1).abs() < 0.25).all()


def test_a_code_that_lies_far_out_is_shown_as_it_is(monkeypatch):
    monkeypatch.setattr(widgets.notebook, "widgets_can_run", lambda: True)
    far = torch.tensor([5.5, 0.0, -6.2, 0.0])
    explorer = widgets.latent_explorer(decode, far)
    assert explorer.code.tolist() == pytest.approx(far.tolist())


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


def test_the_strip_marks_where_the_image_lies():
    """On the middle of the image that has its value; beyond the reach at the row's end."""
    centre = torch.tensor([1.25, -2.5, 9.0, 0.0])
    figure = widgets.latent_strip(decode, centre, dims=(0, 1, 2, 3), reach=2.5)
    marks = [ax.lines[-1] for ax in figure.axes]
    middles = [i * (D + 2) + (D - 1) / 2 for i in range(9)]
    found = [mark.get_xdata()[0] for mark in marks]
    assert found == pytest.approx([middles[6], middles[0], middles[8], middles[4]])
    assert [mark.get_marker() for mark in marks] == ["^", "^", ">", "^"]
    assert [text.get_text() for text in figure.axes[0].texts][::4] == ["−2.5", "0", "2.5"]


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
