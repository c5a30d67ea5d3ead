"""The probes of chapter 2 that run beside answers on noise, turns, averages, starts and runs."""

import pytest
import torch
from torch import nn

from gencourse.probes.gan import averages, densities, layers, noise, players, samples
from gencourse.runner import run
from gencourse.runtime import seeded


def probed(probe, answer, *inputs, **named):
    """What a probe gives when the engine runs it, which copies the arguments of each call."""
    return run(probe, answer, inputs, named).value


def drawn(n, dim, generator):
    return torch.randn(n, dim, generator=generator)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda z: 1.2 * z, "whether the numbers have standard deviation 1"),
        (lambda z: z + 0.2, "whether the numbers have mean 0"),
        (lambda z: z.clamp(-3, 3), "whether any number is larger than 3.2"),
        (
            lambda z: z[z.norm(dim=1).argsort()],
            "whether a code is independent of the one before it",
        ),
        (lambda z: z[:, [0, 0, 1]], "whether the coordinates of a code are independent"),
        (
            lambda z: torch.cat([z[:2000], -z[:2000]]),
            "whether the codes differ in more than their signs",
        ),
        (lambda z: z.double(), "the dtype"),
    ],
)
def test_what_is_wrong_with_noise_shows_in_its_own_value(change, said):
    right = probed(noise.codes, drawn, seeded(0), 4000, 3)
    wrong = probed(noise.codes, lambda *a: change(drawn(*a)), seeded(0), 4000, 3)
    assert said in [label for label in right if right[label] != wrong[label]]


def test_noise_that_repeats_is_seen():
    label = "whether a second call with the same generator repeats numbers of the first"
    assert not probed(noise.batch_of_five, drawn, seeded(0))[label]
    again = lambda n, dim, generator: drawn(n, dim, generator.manual_seed(0))  # noqa: E731
    assert probed(noise.batch_of_five, again, seeded(0))[label]
    assert probed(noise.same_state, drawn, seeded(0))
    assert not probed(noise.same_state, lambda n, dim, generator: torch.randn(n, dim), seeded(0))
    assert not probed(
        noise.global_numbers, lambda n, dim, generator: torch.randn(n, dim), seeded(0)
    )


def test_a_player_knows_its_mode_and_refuses_another_shape():
    def turn(generator, discriminator, optimizer, real, z):
        discriminator(generator.eval()(z))
        generator.train()
        return 0.5

    seen = probed(players.discriminator_turn, turn, torch.zeros(3, 1, 2, 2), torch.zeros(4, 3))
    assert not seen["whether G was in training mode whenever it was called"]
    assert seen["whether D was in training mode whenever it was called"]
    assert seen["whether G is in training mode"] and seen["whether a Python float is returned"]
    with pytest.raises(ValueError, match="handed"):
        players.Discriminator((1, 2, 2))(torch.zeros(3, 4))
    turn = lambda generator, discriminator, optimizer, z: -discriminator(generator(z)).sum()  # noqa: E731
    seen = probed(players.generator_turn, turn, torch.ones(4, 3))
    assert seen["whether what is returned holds the graph"]
    assert not seen["whether a gradient arrived at G, or moved it"]


def test_an_average_shows_what_moved_it():
    def only_parameters(average, model, decay):
        for kept, new in zip(average.parameters(), model.parameters(), strict=True):
            kept.data.lerp_(new.data, 1 - decay)

    old, new = torch.zeros(80), torch.ones(80)
    seen = probed(averages.updates, only_parameters, old, new, decays=(0.75,))
    assert all(bool((p == 0.25).all()) for p in seen["the parameters of the average"])
    assert all(bool((b == 0).all()) for b in seen["the average's running means and variances"])
    shared = probed(
        averages.whose_tensors,
        lambda average, model, decay: setattr(average.gain, "data", model.gain.data),
        old,
        new,
        0.75,
    )
    assert shared["whether the average changes when the model does later"]
    spoiled = probed(averages.left_alone, lambda a, model, d: model.zero_grad(), old, new, 0.75)
    assert not spoiled["whether the model holds the gradients that it held"]
    assert spoiled["whether the model is as it was"]


def test_layers_are_looked_at_one_by_one():
    def by_name(module):
        if "Conv" in type(module).__name__ and hasattr(module, "weight"):
            nn.init.normal_(module.weight, 0.0, 0.02)

    torch.manual_seed(0)
    seen = probed(layers.started, by_name, "convolution")
    assert seen["whether the weights spread around 0 by 0.02"]
    assert not seen["whether the biases are 0"]
    assert probed(layers.started, by_name, "linear layer")["whether they are left as they were"]
    left = probed(layers.others_left, by_name)
    changed = {label.split()[1] for label in left if not left[label]}
    assert changed == {"Conv1d", "Conv3d", "ConvTranspose1d", "ConvTranspose3d"}
    assert not any(probed(layers.without_bias, lambda module: None).values())
    assert not probed(layers.without_scales, lambda module: None)["whether they have scales now"]
    assert all(probed(layers.statistics, by_name).values())
    assert all(probed(layers.own_modules, lambda module: None).values())
    assert probed(layers.two_of_one_size, lambda module: None)


def test_what_is_said_of_runs_and_samples():
    said = {"B": " The discriminator wins", "A": "Oscillation", "C": "fine", "D": None}
    seen = probed(samples.diagnosed, lambda: said)
    assert seen["the letters"] == "A, B, C, D" and seen["run B"] == "the discriminator wins"
    assert seen["the words that are none of the four"] == "fine, None"
    assert not any(probed(samples.diagnosed, lambda: ["healthy"]).values())
    x = torch.tensor([1.0, 2.0])
    assert probed(samples.asked_twice, lambda x: float(x.mul_(2).sum()), x) == [6.0, 12.0]
    below = lambda p, q, D, cell: (p * D.log()).sum()  # noqa: E731
    one = torch.ones(1)
    assert probed(densities.far_below, below, one, one, 0 * one, 1.0)
    assert not probed(densities.far_below, below, one, one, one, 1.0)
