"""The probes of chapter 2 that run beside answers on noise, turns, averages, starts and runs."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn

from gencourse.models.gan.penalties import gradient_norm
from gencourse.probes.gan import (
    augmentation,
    averages,
    conditional,
    critics,
    densities,
    layers,
    noise,
    players,
    samples,
)
from gencourse.runner import run
from gencourse.runtime import seeded


def probed(probe, answer, *inputs, **named):
    """What a probe gives when the engine runs it, which copies the arguments of each call."""
    return run(probe, answer, inputs, named).value


def drawn(n, dim, generator):
    return torch.randn(n, dim, generator=generator)


def rolled(times):
    return [random.random() for _ in range(times)]


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
        (lambda z: torch.cat([z[:2000], z[:2000, [1, 2, 0]]]), "whether their lengths differ"),
        (
            lambda z: torch.cat([z[:2000], z[:2000].abs() * z[2000:].sign()]),
            "whether a code is independent of those far from it",
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


@pytest.mark.parametrize(
    ("draws", "whose"), [(torch.rand, "torch"), (np.random.rand, "NumPy"), (rolled, "Python")]
)
def test_each_global_generator_is_looked_at(draws, whose):
    def answer(n, dim, generator):
        draws(1)
        return drawn(n, dim, generator)

    seen = probed(noise.global_numbers, answer, seeded(0))
    assert [label for label in seen if not seen[label]] == [f"whether {whose}'s was left alone"]


def test_a_global_generator_that_is_seeded_as_before_is_seen():
    def answer(n, dim, generator):
        random.seed(0)
        return drawn(n, dim, generator)

    before = random.getstate()
    answer(5, 2, seeded(0))  # leaves Python's numbers as the probe's first call does
    assert not probed(noise.global_numbers, answer, seeded(0))["whether Python's was left alone"]
    random.setstate(before)
    probed(noise.global_numbers, drawn, seeded(0))
    assert random.getstate() == before


def test_a_global_generator_that_is_seeded_alike_is_seen():
    def answer(n, dim, generator):
        np.random.seed(int(torch.randint(2**31, (1,), generator=generator)))
        return torch.from_numpy(np.random.randn(n, dim)).float()

    answer(5, 2, seeded(0))  # leaves NumPy's numbers as the probe's first call does
    assert not probed(noise.global_numbers, answer, seeded(0))["whether NumPy's was left alone"]


def test_batches_are_looked_at_as_a_whole():
    def as_a_whole(n, dim, generator):
        z = drawn(n, dim, generator)
        return (z - z.mean()) / z.std()

    five = probed(noise.batch_of_five, as_a_whole, seeded(0))
    assert five["whether all of its numbers together add up to exactly 0"]
    assert five["whether their standard deviation is exactly 1"]
    for label in (
        "whether all of its numbers together add up to exactly 0",
        "whether their standard deviation is exactly 1",
    ):
        assert not probed(noise.batch_of_five, drawn, seeded(0))[label]
    opposite = lambda n, dim, generator: drawn(1, dim, generator) * torch.tensor([[1.0], [-1.0]])  # noqa: E731
    independent = "whether the two codes of a batch are independent"
    assert not probed(noise.many_calls, opposite, seeded(0), 60)[independent]
    assert probed(noise.many_calls, drawn, seeded(0), 60) == {"how many differ": 60} | {
        independent: True
    }
    coarse = lambda n, dim, generator: drawn(n, dim, generator).half().float()  # noqa: E731
    assert not probed(noise.large_batch, coarse, seeded(0), 150, 800)[
        "whether nearly all of them differ"
    ]


def test_a_player_knows_its_mode_and_refuses_another_shape():
    def turn(generator, discriminator, optimizer, real, z):
        discriminator(generator.eval()(z))
        generator.train()
        return 0.5

    seen = probed(players.discriminator_turn, turn, torch.zeros(3, 1, 2, 2), torch.zeros(4, 3))
    assert not seen["whether G and its layers kept their modes whenever it was called"]
    assert seen["whether D and its layers kept their modes whenever it was called"]
    assert seen["how many examples D judged"] == 4
    assert seen["how many samples G made"] == 4
    assert seen["whether G is in training mode"] and seen["whether a Python float is returned"]
    with pytest.raises(ValueError, match="handed"):
        players.Discriminator((1, 2, 2))(torch.zeros(3, 4))
    turn = lambda generator, discriminator, optimizer, z: -discriminator(generator(z)).sum()  # noqa: E731
    seen = probed(players.generator_turn, turn, torch.ones(4, 3))
    assert seen["whether what is returned holds the graph"]
    assert not seen["whether a gradient arrived at G, or moved it"]


@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.BatchNorm2d, nn.Dropout])
def test_a_player_knows_of_its_layers_and_whether_it_was_called(kind):
    turn = lambda generator, discriminator, optimizer, z: discriminator(generator(z)).sum().item()  # noqa: E731
    kept = "whether D and its layers kept their modes whenever it was called"

    def other_mode(generator, discriminator, optimizer, z):
        layers = [m for m in discriminator.modules() if isinstance(m, kind) and m.training]
        for layer in layers:
            layer.eval()
        loss = turn(generator, discriminator, optimizer, z)
        for layer in layers:
            layer.train()
        return loss

    mixed = probed(players.generator_turn, turn, torch.ones(4, 1), part=False)
    assert mixed[kept] and mixed["in how many calls D judged the samples"] == 1
    assert not probed(players.generator_turn, other_mode, torch.ones(4, 1))[kept]
    left = probed(players.generator_turn, other_mode, torch.ones(4, 1), part=False)
    assert left[kept] is (kind is not nn.Dropout)  # norms are in evaluation mode already
    by_a_copy = lambda generator, discriminator, *others: turn(  # noqa: E731
        generator, copy.deepcopy(discriminator), *others
    )
    seen = probed(players.generator_turn, by_a_copy, torch.ones(4, 3))
    assert seen["whether G itself was called"] and not seen["whether D itself was called"]


def test_a_frozen_parameter_with_an_old_gradient_may_be_moved_and_decay():
    def turn(generator, discriminator, optimizer, real, z):
        optimizer.step()
        return 0.5

    seen = probed(players.discriminator_turn, turn, torch.ones(3, 2), torch.ones(4, 3), frozen=True)
    moved, untouched = seen["the parameters of D"], players.Discriminator().w.detach()
    assert torch.allclose(moved[0], untouched - 0.1 * (2 + 0.1 * untouched))
    assert not seen["whether all parameters of D can learn"]
    assert seen["whether D was asked once or twice in a step"]


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
    woken = probed(averages.left_alone, lambda a, model, d: a.train(), old, new, 0.75)
    assert not woken["whether the average is still in evaluation mode"]

    def new_buffers(average, model, decay):
        average.centre = average.centre.clone()

    seen = probed(averages.whose_tensors, new_buffers, old, new, 0.75)
    assert not seen["whether its buffers are the ones that it had"]
    seen = probed(averages.shared, only_parameters, old, new, 0.75)
    weight, buffer, common = seen.values()
    assert bool((weight == 0.25).all()) and not bool(buffer.any()) and not bool(common.any())
    seen = probed(averages.whose_tensors, new_buffers, old, new, 0.75)
    assert seen["whether the average's parameters are the ones that it had, moved in place"]


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
    assert not any(probed(layers.subclasses, by_name).values())
    left = probed(layers.frozen, lambda module: None)
    assert [label for label in left if left[label]] == ["whether what was frozen is"]
    fresh = lambda module: getattr(module, "reset_running_stats", int)()  # noqa: E731
    assert not any(probed(layers.statistics, fresh).values())


def test_layers_show_structure_size_and_dtype():
    def started(change):
        def init(module):
            if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
                module.weight.data.normal_(0.0, 0.02)
                module.bias.data.zero_()
                change(module)

        return init

    right = started(lambda module: None)
    torch.manual_seed(0)
    whole = probed(layers.started, right, "linear layer")
    signs = "whether they differ in more than their signs"
    rows = "whether the rows of weights have one length"
    assert whole[signs] and not whole[rows]

    def mirrored(module):
        module.weight.data[40:] = -module.weight.data[:40]

    assert not probed(layers.started, started(mirrored), "linear layer")[signs]
    even = started(lambda module: nn.init.orthogonal_(module.weight, 0.2))
    assert probed(layers.started, even, "linear layer")[rows]

    def standardised(module):
        w = module.weight.data.double()
        module.weight.data.copy_(0.02 * (w - w.mean()) / w.std())

    exact = "whether mean and spread are exactly those"
    assert not whole[exact]
    assert probed(layers.started, started(standardised), "linear layer")[exact]
    bare = started(lambda module: module.register_parameter("bias", None))
    assert not probed(layers.started, bare, "linear layer")["whether it still has biases"]
    assert all(probed(layers.small, right).values())
    assert not any(probed(layers.small, lambda module: None).values())
    assert all(probed(layers.by_itself, right).values())
    through = probed(layers.by_itself, lambda module: [right(part) for part in module.modules()])
    assert list(through.values()) == [True, False]
    assert set(probed(layers.other_dtype, right).values()) == {"float64"}
    assert probed(layers.other_dtype, lambda module: module.float())[
        "the dtype of the weights"
    ] == ("float32")


def test_a_discriminator_of_images_shows_its_mode_and_its_gradients():
    x, w = torch.ones(2, 1, 2, 2), torch.ones(4)

    def logits(discriminator, augment, real, fake):
        return discriminator(augment(real)), discriminator(augment(fake))

    def asleep(discriminator, augment, real, fake):
        discriminator.last.eval()
        discriminator.zero_grad()
        return logits(discriminator, augment, real, fake)

    awake, other = (probed(augmentation.both_logits, f, x, x, w) for f in (logits, asleep))
    assert torch.equal(awake["for the data"], 2 * other["for the data"])
    kept = "whether D holds the gradients that it held"
    assert awake[kept] and not other[kept]
    only = "whether D saw only what came from the augmentation"
    assert awake[only] and awake["whether D and its layers kept their modes whenever it was called"]
    assert awake["how many images were augmented when the same ones came twice"] == 8

    def plainly(discriminator, augment, real, fake):
        discriminator(real)
        return logits(discriminator, augment, real, fake)

    seen = probed(augmentation.both_logits, plainly, x, x, w)
    assert not seen[only] and not seen["whether D was asked in one call or two"]
    one = probed(augmentation.both_logits, lambda d, a, real, fake: d(real), x, x, w)
    assert list(one.values()) == [False]


def test_a_critic_is_looked_at_before_and_after():
    rows, eps = torch.ones(3, 2), torch.ones(3)

    def cleared(critic, real, fake, eps):
        critic.zero_grad()
        return (critic(real) - 1) ** 2

    seen = probed(critics.left_behind, cleared, "linear", torch.ones(2), rows, rows, eps)
    assert list(seen.values()) == [False, False, True, True]
    asleep = lambda critic, *others: cleared(critic.eval(), *others)  # noqa: E731
    seen = probed(critics.left_behind, asleep, "linear", torch.ones(2), rows, rows, eps)
    assert list(seen.values())[-1] is False
    frozen = lambda critic, *others: critic.requires_grad_(False)(others[0])  # noqa: E731
    pull = probed(critics.pull_on_critic, frozen, "linear", torch.ones(2), rows, rows, eps)
    assert bool((pull == 0).all())
    for floor, near in ((0.0, True), (0.004, True), (0.02, False)):
        seen = probed(
            critics.at_a_flat_critic,
            lambda critic, real, *others, least=floor: (
                gradient_norm(critic, real).clamp_min(least) - 1
            ).square(),
            torch.ones(2),
            rows,
            rows,
            eps,
        )
        assert seen["whether the penalties are 1, to within 1%"] is near


def test_a_conditional_round_shows_who_was_told_what():
    from gencourse.checks import gan as check

    y, noises = torch.tensor([0, 3, 1]), torch.randn(1, 2, 3, 3, generator=seeded(0))
    x = torch.randn(3, 2, generator=seeded(1))
    right = probed(conditional.rounds, check.conditional_step.reference, x, y, noises)
    assert right["how many samples G made"] == 6 and right["how many examples D judged"] == 9

    def silent(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
        G(z_d, y[:2])

    said = probed(conditional.rounds, silent, x, y, noises).message
    assert "G was handed 3 rows and labels of shape (2,)" in said
    alone = conditional.LabelledDiscriminator()
    torch.testing.assert_close(alone(x), alone(x, y) - (alone.table[y] * x).sum(1))


def test_what_is_said_of_runs_and_samples():
    said = {"B": " d is  SURE", "A": "Mode collapse", "C": "fine", "D": None}
    seen = probed(samples.diagnosed, lambda: said)
    assert seen == {"B": "D is sure", "A": "mode collapse", "C": "fine", "D": None}
    assert probed(samples.diagnosed, lambda: ["healthy"]) == "list"
    x = torch.tensor([1.0, 2.0])
    found = probed(samples.asked_twice, lambda x: float(x.mul_(2).sum()), x)
    assert found == {"": [6.0, 12.0], "whether whole numbers are returned": False}
    found = probed(samples.asked_twice, lambda x: int(x.sum()), x)
    assert found == {"": [3, 3], "whether whole numbers are returned": True}
    below = lambda p, q, D, cell: (p * D.log()).sum()  # noqa: E731
    one = torch.ones(1)
    assert probed(densities.far_below, below, one, one, 0 * one, 1.0)
    assert not probed(densities.far_below, below, one, one, one, 1.0)
    assert probed(densities.dtype_of, torch.add, one.double(), one.double()) == "float64"
    assert probed(densities.times, torch.mul, 1e-10 * one, one, 1e10) == pytest.approx(1)
