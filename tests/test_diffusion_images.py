"""Diffusion of pictures and codes: what the networks see, what is averaged, what is drawn, each
against something that is known, and each such test shown to notice a slip.
"""

import copy

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gencourse.data import minibatches
from gencourse.errors import DataUnavailable, InputError
from gencourse.models import diffusion as df
from gencourse.models.diffusion import trained
from gencourse.models.vae import VAE
from gencourse.runtime import global_seed, seeded
from gencourse.training import check_model, fit

SHAPE = (1, 8, 8)


def small_unet(num_classes=0, **options):
    with global_seed(0):
        return df.UNet(
            width=4, deep=6, dense=10, narrow=2, num_classes=num_classes,
            **{"image_shape": SHAPE} | options,
        )  # fmt: skip


def awake(network):
    """The same network with no weight at 0, so that all of its parts have a say."""
    with global_seed(1), torch.no_grad():
        for p in network.parameters():
            p.copy_(0.3 * torch.randn(p.shape))
    return network


def pictures(n, shape=SHAPE, seed=0):
    return torch.rand(n, *shape, generator=seeded(seed))


# --- the U-Net


def test_the_dense_middle_lets_each_place_see_all_others():
    network, t = awake(small_unet()), torch.tensor([0.4])
    x = pictures(1).requires_grad_()
    network(x, t)[0, 0, 0, 0].backward()
    assert (x.grad != 0).all()
    # without it convolutions reach only so far
    nn.init.zeros_(network.middle.wide.weight)
    far = pictures(1, (1, 64, 64)).requires_grad_()
    wide = awake(small_unet(image_shape=(1, 64, 64)))
    nn.init.zeros_(wide.middle.wide.weight)
    wide(far, t)[0, 0, 0, 0].backward()
    assert (far.grad[0, 0, :4, :4] != 0).any() and (far.grad[0, 0, 40:, 40:] == 0).all()


def test_time_and_label_enter_and_no_label_is_a_label_of_its_own():
    network, x = awake(small_unet(num_classes=3)), pictures(2)
    t, y = torch.tensor([0.2, 0.7]), torch.tensor([0, 2])
    said = network(x, t, y)
    assert said.shape == x.shape
    assert (said - network(x, t.flip(0), y)).abs().amax() > 1e-3
    assert (said - network(x, t, y.flip(0))).abs().amax() > 1e-3
    nothing = torch.full((2,), 3)
    torch.testing.assert_close(network(x, t), network(x, t, nothing))
    assert (said - network(x, t)).abs().amax() > 1e-3
    # each row goes by its own time and label
    alone, scale = network(x[1:], t[1:], y[1:]), said.abs().max().item()
    torch.testing.assert_close(alone, said[1:], atol=1e-4 * scale, rtol=1e-4)


def test_blocks_begin_as_the_identity_and_modulate_by_the_formula():
    layer = df.Modulated(3)
    h, told = torch.randn(2, 3, 4, 5), torch.randn(2, 128)
    torch.testing.assert_close(layer(h, told), h)
    layer.linear.reset_parameters()
    rows = torch.einsum("oi,bi->bo", layer.linear.weight, told) + layer.linear.bias
    by_hand = torch.stack(
        [h[:, c] * (1 + rows[:, c, None, None]) + rows[:, 3 + c, None, None] for c in range(3)], 1
    )
    torch.testing.assert_close(layer(h, told), by_hand)
    swapped = h * (1 + rows[:, 3:, None, None]) + rows[:, :3, None, None]
    assert (layer(h, told) - swapped).abs().max() > 1e-2


def test_sizes_that_ship_are_small_and_other_shapes_work():
    full = df.UNet(24, 64, 384, num_classes=10)
    assert sum(p.numel() for p in full.parameters()) < 1.5e6
    coloured = small_unet(image_shape=(3, 12, 8))
    assert coloured(pictures(2, (3, 12, 8)), torch.rand(2)).shape == (2, 3, 12, 8)


def test_what_does_not_fit_is_told():
    with pytest.raises(InputError, match="4 divides"):
        small_unet(image_shape=(1, 10, 10))
    with pytest.raises(InputError, match="One time per picture"):
        small_unet()(pictures(2), torch.rand(3))
    with pytest.raises(InputError, match="has no classes"):
        small_unet()(pictures(2), torch.rand(2), torch.zeros(2, dtype=torch.long))
    with pytest.raises(InputError, match=r"\[0, 1\)"):
        df.Averaged(df.DiffusionModel(df.CodeNetwork(2, 8), shape=(2,)), ema_decay=1.0)


# --- the average


def test_average_is_the_weighted_sum_of_all_weights_so_far():
    model = df.Averaged(df.DiffusionModel(df.CodeNetwork(2, 4, 1), shape=(2,)), ema_decay=0.7)
    decays, history = [], [model.model.network.leave.bias.detach().clone()]
    for step in range(1, 6):
        with torch.no_grad():
            model.model.network.leave.bias += step
        model.update()
        decays.append(min(0.7, step / (step + 10)))
        history.append(model.model.network.leave.bias.detach().clone())
    expected = history[0]
    for decay, weights in zip(decays, history[1:], strict=True):
        expected = decay * expected + (1 - decay) * weights
    found = model.averaged.network.leave.bias
    torch.testing.assert_close(found, expected)
    assert (found - model.model.network.leave.bias).abs().max() > 0.1  # not merely the last


def test_fit_moves_the_average_and_draws_with_it():
    with global_seed(0):
        model = df.code_flow(df.CodeNetwork(2, 16, 1), ema_decay=0.5)
    before = copy.deepcopy(model.averaged.state_dict())
    points = torch.randn(64, 2, generator=seeded(0))
    fit(model, minibatches(points, batch_size=16, seed=0), steps=4, lr=1e-2, progress=False)
    assert model.steps == 4
    assert any((before[k] != v).any() for k, v in model.averaged.state_dict().items())
    own, averaged = model.model.sample(3), model.averaged.sample(3)
    torch.testing.assert_close(model.sample(3), averaged)
    assert (own - averaged).abs().max() > 0
    twin = df.code_flow(df.CodeNetwork(2, 16, 1), ema_decay=0.5)
    twin.load_state_dict(model.state_dict())
    assert twin.steps == 4


# --- images


class One(nn.Module):
    """A network that knows the data: one image."""

    num_classes, image_shape = 0, SHAPE

    def __init__(self, image):
        super().__init__()
        self.image = nn.Parameter(image)

    def forward(self, x_t, t, y=None):
        return self.image.expand_as(x_t)


def test_the_exact_denoiser_of_one_image_draws_it_in_any_number_of_steps():
    image = pictures(1)[0]
    model = df.ImageDiffusion(One(df.centred(image)))
    for steps in (1, 2, 7):
        torch.testing.assert_close(model.sample(2, steps=steps), image.expand(2, *SHAPE))
    not_centred = df.ImageDiffusion(One(image))
    assert (not_centred.sample(2, steps=3) - image).abs().max() > 0.1


def test_loss_is_the_squared_error_around_zero_summed_over_pixels():
    model, x = df.ImageDiffusion(awake(small_unet())), pictures(3)
    t, eps = torch.tensor([0.1, 0.5, 0.9]), torch.randn(3, *SHAPE, generator=seeded(1))
    with torch.no_grad():
        found = model.loss(x, t=t, eps=eps)["loss"]
        level = t[:, None, None, None]
        x_t = (1 - level) * (2 * x - 1) + level * eps
        said = model.model.network(x_t, t)
    by_hand = ((said - (2 * x - 1)) ** 2).sum((1, 2, 3))
    torch.testing.assert_close(found, by_hand)
    assert (found - ((said - x) ** 2).sum((1, 2, 3))).abs().max() > 1  # of images in [0, 1]
    check_model(model, x)


def test_centring_is_undone_and_held_in_the_range():
    x = pictures(2)
    torch.testing.assert_close(df.uncentred(df.centred(x)), x)
    assert df.centred(torch.tensor([0.0, 1.0])).tolist() == [-1.0, 1.0]
    assert df.uncentred(torch.tensor([-3.0, 3.0])).tolist() == [0.0, 1.0]


def test_labels_are_hidden_from_their_share():
    seen = []

    class Watching(df.UNet):
        def forward(self, x_t, t, y=None):
            seen.append(y)
            return super().forward(x_t, t, y)

    model = df.ImageDiffusion(Watching(4, 6, 10, 3, SHAPE, 2))
    with global_seed(0):
        model.loss(pictures(2000), torch.zeros(2000, dtype=torch.long))
    assert 0.07 < (seen[0] == 3).float().mean() < 0.13 and (seen[0] % 3 == 0).all()


# --- codes


def test_code_network_goes_row_by_row_and_knows_labels():
    with global_seed(0):
        network = df.CodeNetwork(3, 8, 2, num_classes=4)
    z, t, y = torch.randn(5, 3), torch.rand(5), torch.arange(5) % 4
    said = network(z, t, y)
    torch.testing.assert_close(network(z[3:], t[3:], y[3:]), said[3:])
    torch.testing.assert_close(network(z, t), network(z, t, torch.full((5,), 4)))
    assert (said - network(z, t)).abs().max() > 1e-3
    with pytest.raises(InputError, match="One time per code"):
        network(z, t[:2])
    with pytest.raises(InputError, match="has no classes"):
        df.CodeNetwork(3, 8)(z, t, y)


def test_a_flow_of_codes_learns_a_normal_and_its_probability():
    """On N(m, s²) the exact log density is known, and the flow comes near it."""
    mean, std = torch.tensor([1.0, -0.5]), 0.6
    data = mean + std * torch.randn(4000, 2, generator=seeded(0))
    with global_seed(0):
        flow = df.code_flow(df.CodeNetwork(2, 32, 1), ema_decay=0.9)
        fit(flow, minibatches(data, batch_size=128, seed=0), steps=300, lr=5e-3, progress=False)
    x = mean + std * torch.randn(500, 2, generator=seeded(1))
    truth = torch.distributions.Normal(mean, std).log_prob(x).sum(1)
    times = torch.linspace(0, 1, 21)
    found, _ = df.ode_log_prob(flow.averaged.velocity, x, times)
    assert (truth - found).mean().abs() < 0.1
    untrained = df.code_flow(df.CodeNetwork(2, 32, 1))
    worse, _ = df.ode_log_prob(untrained.averaged.velocity, x, times)
    assert (truth - worse).mean() > 0.3


def latent():
    with global_seed(0):
        vae = VAE(4, hidden=16, image_shape=SHAPE)
        return df.LatentDiffusion(vae, df.CodeNetwork(4, 16, 1, num_classes=2))


def test_one_training_fits_the_encoder_and_the_flow_and_leaves_the_decoder():
    model, x = latent(), pictures(32).round()
    y = torch.arange(32) % 2
    before = copy.deepcopy(model.state_dict())
    stream = minibatches(x, y, batch_size=8, seed=0)
    history = fit(model, stream, steps=3, lr=1e-2, progress=False)
    assert {"encoder/loss", "flow/loss"} <= set(history.values)
    moved = {k for k, v in model.state_dict().items() if torch.is_tensor(v)
             and (v != before[k]).any()}  # fmt: skip
    assert not any("decoder" in name for name in moved)
    assert any("encoder" in name for name in moved)
    assert any(name.startswith("flow.averaged") for name in moved)
    drawn = model.sample(3, y=torch.tensor([0, 1, 1]), steps=2, w=2.0)
    assert drawn.shape == (3, *SHAPE) and drawn.min() >= 0 and drawn.max() <= 1


def test_the_flow_sends_no_gradient_to_the_encoder():
    model, x = latent(), pictures(4).round()
    model.flow_loss(x, torch.zeros(4, dtype=torch.long))["loss"].sum().backward()
    assert all(p.grad is None for p in model.vae.parameters())


# --- what ships


def test_denoisers_come_back_as_they_were_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(trained, "FILES", tmp_path)
    network = awake(df.UNet(4, 6, 10, 10, narrow=2))
    halves = {k: (0.1 * v).half().contiguous() for k, v in network.state_dict().items()}
    save_file(halves, tmp_path / "denoiser_fashion-mnist.safetensors")
    model = df.trained_denoiser("fashion-mnist")
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    for key, value in model.averaged.network.state_dict().items():
        torch.testing.assert_close(value, halves[key].float())
    assert model.sample(2, steps=2, y=torch.tensor([1, 9])).shape == (2, 1, 28, 28)
    codes = df.CodeNetwork(5, 12, 3, num_classes=10)
    save_file(
        {k: v.half().contiguous() for k, v in codes.state_dict().items()},
        tmp_path / "codes_mnist.safetensors",
    )
    flow = df.trained_code_flow()
    assert flow.sample(3, steps=2).shape == (3, 5) and len(flow.averaged.network.blocks) == 3


def test_missing_files_and_wrong_names_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(trained, "FILES", tmp_path)
    with pytest.raises(DataUnavailable, match="make_trained_denoisers"):
        df.trained_denoiser()
    with pytest.raises(InputError, match="mnist, fashion-mnist"):
        df.trained_denoiser("kmnist")
    (tmp_path / "families.json").write_text('{"rows": {}}', "utf-8")
    assert df.recorded("families") == {"rows": {}}
    with pytest.raises(InputError, match="one of families"):
        df.recorded("other")
