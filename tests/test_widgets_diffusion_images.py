"""The denoising film and the asking explorer: what is moved changes what is shown, as the model
says, and a static figure takes a widget's place.
"""

import io

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from gencourse import widgets
from gencourse.errors import InputError
from gencourse.models import diffusion as df
from gencourse.runtime import seeded

SHAPE = (1, 8, 8)


class ByClass(nn.Module):
    """A network that knows the data: one image for each of three classes, and their mean."""

    num_classes, image_shape = 3, SHAPE

    def __init__(self):
        super().__init__()
        self.images = nn.Parameter(df.centred(torch.rand(3, *SHAPE, generator=seeded(0))))

    def forward(self, x_t, t, y=None):
        if y is None:
            return self.images.mean(0).expand_as(x_t)
        return self.images[y]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def live(monkeypatch):
    monkeypatch.setattr("gencourse.widgets.notebook.widgets_can_run", lambda: True)


@pytest.fixture
def model():
    return df.ImageDiffusion(ByClass())


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("L")).astype(int)


def test_film_goes_from_noise_to_the_images_on_straight_lines(model):
    film = widgets.denoising_film(model, torch.tensor([0, 2]), n=2, steps=4)
    image = df.uncentred(model.averaged.network.images[[0, 2]]).detach()
    assert [frame.t for frame in film.frames] == [1.0, 0.75, 0.5, 0.25, 0.0]
    for frame in film.frames:
        torch.testing.assert_close(frame.guess, image)  # the network knows it at once
    torch.testing.assert_close(film.frames[-1].noisy, image)
    assert (film.frames[0].noisy - image).abs().mean() > 0.2
    other = widgets.denoising_film(model, torch.tensor([1, 1]), n=2, steps=4)
    torch.testing.assert_close(other.frames[0].noisy, film.frames[0].noisy)  # the same noise
    assert (other.frames[-1].noisy - image).abs().mean() > 0.05


def test_film_slider_shows_its_moment(model, live):
    film = widgets.denoising_film(model, torch.tensor([0, 2]), n=2, steps=4)
    first = pixels(film.image.value)
    assert film.label.value.startswith("t = 1.00")
    film.position.value = 4
    assert film.label.value.startswith("t = 0.00")
    assert (pixels(film.image.value) != first).any()
    assert (pixels(film.show(0)) == first).all()
    above, below = np.split(pixels(film.image.value)[: 2 * (2 * 8 + 2)], [2 * 8 + 2])
    assert (above[:16] == below[2:18]).all()  # at the end x_t is the guess


def test_film_strip_has_two_rows_for_each_moment(model):
    film = widgets.denoising_film(model, torch.tensor([0, 2]), n=2, steps=10)
    figure = widgets.denoising_strip(film.frames)
    names = [ax.get_ylabel() for ax in figure.axes]
    assert len(names) == 11 and names[0] == "$x_t$, t = 1" and names[-1] == "the images"
    with pytest.raises(InputError, match="One label"):
        widgets.denoising_film(model, torch.tensor([0]), n=2, steps=2)


def test_asking_explorer_shows_class_and_guidance(model, live):
    explorer = widgets.asking_explorer(model, ("a", "b", "c"))
    first = pixels(explorer.image.value)
    explorer.label.value = 1
    second = pixels(explorer.image.value)
    assert (second != first).any()
    explorer.weight.value = 3.0
    assert (pixels(explorer.image.value) != second).any()
    # guided: uncond + w (cond - uncond)
    network = model.averaged.network
    mean, image = network.images.mean(0), network.images[1]
    expected = df.uncentred(mean + 3 * (image - mean)).detach()
    drawn = explorer.model.sample(1, steps=5, y=torch.tensor([1]), w=3.0)
    torch.testing.assert_close(drawn[0], expected)


def test_asking_strip_has_a_row_for_each_setting(model):
    figure = widgets.asking_strip(model, ("a", "b", "c"), settings=((3, 1.0), (2, 4.0)))
    assert [ax.get_ylabel() for ax in figure.axes] == ["3 steps, w = 1", "2 steps, w = 4"]
    with pytest.raises(InputError, match="3 classes"):
        widgets.asking_explorer(model, ("a", "b"))
