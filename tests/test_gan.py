"""The equations of the GAN chapter against closed forms, torch.distributions, finite differences
and known games.
"""

import math

import pytest
import torch
from torch import nn

from gencourse.checks import gan as checks
from gencourse.data import GaussianMixture, minibatches, points
from gencourse.errors import InputError
from gencourse.evaluation import mode_coverage
from gencourse.figures import plane_grid
from gencourse.models import gan
from gencourse.runtime import global_seed, seeded
from gencourse.training import check_model, fit

LOGITS = torch.tensor([-200.0, -30.0, -1.3, 0.0, 0.7, 30.0, 200.0])


def numeric_slope(function, at, h=1e-4):
    return (function(at + h) - function(at - h)) / (2 * h)


# --- losses


def test_discriminator_loss_is_minus_the_bernoulli_log_likelihood_of_the_labels():
    real, fake = torch.randn(2, 7, generator=seeded(0), dtype=torch.float64) * 4
    bernoulli = torch.distributions.Bernoulli
    want = -bernoulli(logits=real).log_prob(torch.ones(7).double()) - bernoulli(
        logits=fake
    ).log_prob(torch.zeros(7).double())
    torch.testing.assert_close(gan.discriminator_loss(real, fake), want)
    torch.testing.assert_close(
        gan.generator_loss(fake), -bernoulli(logits=fake).log_prob(torch.ones(7).double())
    )
    torch.testing.assert_close(
        gan.saturating_loss(fake), bernoulli(logits=fake).log_prob(torch.zeros(7).double())
    )


def test_a_discriminator_that_cannot_tell_pays_two_log_two():
    zero = torch.zeros(3)
    torch.testing.assert_close(
        gan.discriminator_loss(zero, zero), torch.full((3,), 2 * math.log(2))
    )
    torch.testing.assert_close(gan.generator_loss(zero), torch.full((3,), math.log(2)))


@pytest.mark.parametrize("name", gan.LOSSES)
def test_losses_are_finite_with_finite_gradients_at_any_logit(name):
    real, fake = LOGITS.clone().requires_grad_(), LOGITS.flip(0).clone().requires_grad_()
    loss = gan.LOSSES[name].discriminator(real, fake) + gan.LOSSES[name].generator(fake)
    loss.sum().backward()
    assert loss.shape == LOGITS.shape
    assert (
        torch.isfinite(loss).all()
        and torch.isfinite(real.grad).all()
        and torch.isfinite(fake.grad).all()
    )


@pytest.mark.parametrize("name", gan.LOSSES)
def test_better_logits_cost_the_discriminator_less_and_fooling_it_costs_the_generator_less(name):
    high, low = torch.tensor([0.8]), torch.tensor([-0.8])
    losses = gan.LOSSES[name]
    assert losses.discriminator(high, low) < losses.discriminator(low, high)
    assert losses.generator(high) < losses.generator(low)


@pytest.mark.parametrize("logit", [-6.0, -0.5, 0.0, 2.0])
def test_slopes_of_the_generators_losses_are_those_of_the_chapter(logit):
    at, s = torch.tensor(logit, dtype=torch.float64), 1 / (1 + math.exp(-logit))
    assert numeric_slope(gan.saturating_loss, at).item() == pytest.approx(-s, abs=1e-6)
    assert numeric_slope(gan.generator_loss, at).item() == pytest.approx(-(1 - s), abs=1e-6)


def test_the_slope_oracle_tells_the_two_losses_apart():
    at = torch.tensor(-5.0, dtype=torch.float64)
    assert (
        abs(numeric_slope(gan.saturating_loss, at) / numeric_slope(gan.generator_loss, at)) < 0.01
    )


def test_shapes_are_refused_in_a_sentence():
    with pytest.raises(InputError, match="real_logits"):
        gan.discriminator_loss(torch.zeros(3), torch.zeros(4))


# --- theory

GRID = torch.linspace(-12, 18, 6001, dtype=torch.float64)
CELL = (GRID[1] - GRID[0]).item()


def normal(mean, std=1.0):
    return (
        torch.distributions.Normal(torch.tensor(mean, dtype=torch.float64), std)
        .log_prob(GRID)
        .exp()
    )


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0, 6.0])
def test_value_at_the_best_discriminator_is_minus_log_four_plus_twice_the_divergence(shift):
    p, q = normal(0.0), normal(shift, 1.5)
    best = gan.optimal_discriminator(p, q)
    assert gan.game_value(p, q, best, CELL).item() == pytest.approx(
        -math.log(4) + 2 * gan.jensen_shannon(p, q, CELL).item(), abs=1e-6
    )


@pytest.mark.parametrize(
    ("shift", "saturating", "non_saturating"),
    [(0.5, 0.2353, 0.2647), (1, 0.3980, 0.6020), (2, 0.4496, 1.5504), (4, 0.1372, 3.8628)],
)
def test_each_loss_has_the_gradient_of_a_divergence_at_the_best_discriminator(
    shift, saturating, non_saturating
):
    """d 2 JSD, and d (KL(p_g ‖ p_data) - 2 JSD), with D held fixed; the numbers of shifted normals
    by finite differences of the divergences, independently of the losses.
    """
    x = torch.linspace(-10, 14, 4801, dtype=torch.float64)

    def density(mean):
        return torch.exp(-0.5 * (x - mean) ** 2) / math.sqrt(2 * math.pi)

    p, cell = density(0.0), (x[1] - x[0]).item()
    fixed = p.log() - density(shift).log()  # the best D's logit at this shift

    def expected(loss, mean):
        return (cell * (density(mean) * loss(fixed)).sum()).item()

    def divergence(mean, kl):
        q = density(mean)
        jsd = gan.jensen_shannon(p, q, cell)
        return (kl * cell * (q * (q.log() - p.log())).sum() + (1 - 2 * kl) * 2 * jsd).item()

    h = 1e-4
    for loss, kl, value in (
        (gan.saturating_loss, 0, saturating),
        (gan.generator_loss, 1, non_saturating),
    ):
        slope = (expected(loss, shift + h) - expected(loss, shift - h)) / (2 * h)
        theirs = (divergence(shift + h, kl) - divergence(shift - h, kl)) / (2 * h)
        assert slope == pytest.approx(theirs, abs=1e-6) and slope == pytest.approx(value, abs=6e-5)


def test_no_other_discriminator_has_a_higher_value():
    p, q = normal(0.0), normal(1.5)
    best = gan.optimal_discriminator(p, q)
    value = gan.game_value(p, q, best, CELL)
    for seed in range(5):
        other = (
            best.logit().clamp(-30, 30) + 0.3 * torch.randn(len(GRID), generator=seeded(seed))
        ).sigmoid()
        assert gan.game_value(p, q, other, CELL) < value


def test_jensen_shannon_is_the_mutual_information_of_a_draw_and_its_label():
    """Another way to the same number: H(label) - H(label given x), the label a fair coin between p
    and q.
    """
    p, q = normal(0.0), normal(2.0)
    m, D = (p + q) / 2, gan.optimal_discriminator(p, q)
    entropy = torch.distributions.Bernoulli(probs=D.clamp(1e-12, 1 - 1e-12)).entropy()
    assert gan.jensen_shannon(p, q, CELL).item() == pytest.approx(
        math.log(2) - (m * entropy).sum().item() * CELL, abs=1e-6
    )


def test_equal_and_disjoint_densities_are_the_two_ends():
    p, far = normal(0.0), normal(12.0, 0.5)
    assert gan.jensen_shannon(p, p, CELL).item() == pytest.approx(0, abs=1e-9)
    assert gan.jensen_shannon(p, far, CELL).item() == pytest.approx(math.log(2), abs=1e-4)
    assert gan.optimal_discriminator(torch.zeros(2), torch.zeros(2)).tolist() == [0.5, 0.5]
    assert gan.game_value(p, torch.zeros_like(p), torch.ones_like(p), CELL).item() == pytest.approx(
        0, abs=1e-9
    )


def test_a_trained_discriminator_approaches_the_best_one():
    """On a mixture whose densities are known: the error shrinks with training, and the value nears
    its bound from below.
    """
    data, blob = (
        points("two"),
        GaussianMixture(torch.zeros(1, 2), torch.tensor([1.2]), torch.ones(1)),
    )
    grid, cell = plane_grid(limit=5.0, n=61)
    p, q = data.log_prob(grid).exp(), blob.log_prob(grid).exp()
    best = gan.optimal_discriminator(p, q)
    bound = (-math.log(4) + 2 * gan.jensen_shannon(p, q, cell)).item()
    with global_seed(0):
        D = gan.PointDiscriminator(64)
    optimizer = torch.optim.Adam(D.parameters(), lr=5e-3)
    real, fake = data.sample(400 * 256, seed=1), blob.sample(400 * 256, seed=2)

    def error_and_value():
        with torch.no_grad():
            trained = D(grid).sigmoid()
        return ((p + q) / 2 * (trained - best).abs()).sum().item() * cell, gan.game_value(
            p, q, trained, cell
        ).item()

    before, _ = error_and_value()
    for a, b in zip(real.split(256), fake.split(256), strict=True):
        optimizer.zero_grad()
        gan.discriminator_loss(D(a), D(b)).mean().backward()
        optimizer.step()
    after, value = error_and_value()
    assert after < 0.06 < before
    assert bound - 0.03 < value < bound + 1e-3


# --- penalties


def test_gradient_penalty_of_a_linear_critic_is_known():
    w = torch.tensor([3.0, -4.0], requires_grad=True)
    real, fake, eps = torch.randn(5, 2), torch.randn(5, 2), torch.rand(5)
    penalty = gan.gradient_penalty(lambda x: x @ w, real, fake, eps)
    torch.testing.assert_close(penalty, torch.full((5,), 16.0))
    penalty.mean().backward()
    torch.testing.assert_close(w.grad, 2 * (5 - 1) * w.detach() / 5)


def test_penalties_differ_from_row_to_row_and_look_at_the_right_points():
    real, fake, eps = torch.randn(3, 4, 2, generator=seeded(0))[..., :].unbind(0)
    eps = eps[:, 0].abs().clamp(max=1)
    between = eps[:, None] * real + (1 - eps[:, None]) * fake
    square = lambda x: x.square().sum(1)  # noqa: E731  (its gradient is 2x)
    torch.testing.assert_close(
        gan.gradient_penalty(square, real, fake, eps),
        (2 * between.norm(dim=1) - 1) ** 2,
        atol=1e-4,
        rtol=1e-4,
    )
    torch.testing.assert_close(gan.r1_penalty(square, real), 2 * real.square().sum(1))


def test_penalties_reach_the_parameters_of_an_image_critic():
    D = gan.Discriminator(4, (2, 8, 12))
    x = torch.rand(3, 2, 8, 12)
    for penalty in (gan.gradient_penalty(D, x, x.flip(0), torch.rand(3)), gan.r1_penalty(D, x)):
        assert penalty.shape == (3,)
        gradients = torch.autograd.grad(penalty.sum(), list(D.parameters()), allow_unused=True)
        assert any(g is not None and g.abs().sum() > 0 for g in gradients)


@pytest.mark.parametrize("setting", [torch.no_grad, torch.inference_mode])
def test_penalties_without_gradients_are_refused_in_a_sentence(setting):
    x, square = torch.ones(3, 2), lambda x: x.square().sum(1)
    with setting():
        with pytest.raises(InputError, match="gradient_penalty: gradients should be recorded"):
            gan.gradient_penalty(square, x, x, torch.ones(3))
        with pytest.raises(InputError, match="r1_penalty: gradients should be recorded"):
            gan.r1_penalty(square, x)


def test_spectral_normalisation_leaves_no_layer_that_stretches():
    D = gan.Discriminator(8)
    for _ in range(40):
        D(torch.rand(2, 1, 28, 28))
    for layer in (D.features[0], D.features[2], D.head):
        assert torch.linalg.svdvals(layer.weight.detach().flatten(1))[0].item() == pytest.approx(
            1.0, abs=0.05
        )
    plain = gan.Discriminator(8, spectral=False)
    assert torch.linalg.svdvals(plain.head.weight)[0].item() != pytest.approx(1.0, abs=0.05)


# --- the game


def image_game(**settings):
    with global_seed(0):
        return gan.GAN(
            gan.Generator(6, 4, (2, 8, 12)), gan.Discriminator(4, (2, 8, 12)), **settings
        )


def moved(before, module):
    return [name for name, p in module.named_parameters() if not torch.equal(before[name], p)]


def snapshot(module):
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def test_each_player_moves_itself_alone():
    game = image_game()
    d, g = game.players(1e-3)
    x = torch.rand(4, 2, 8, 12)
    for player, mover, other in (
        (d, game.discriminator, game.generator),
        (g, game.generator, game.discriminator),
    ):
        mine, theirs = snapshot(mover), snapshot(other)
        game.zero_grad()
        player.loss(x)["loss"].mean().backward()
        assert all(p.grad is None for p in other.parameters())
        player.optimizer.step()
        assert moved(mine, mover) and not moved(theirs, other)
    assert all(p.requires_grad for p in game.discriminator.parameters()), (
        "frozen for the moment only"
    )


def test_generators_gradient_is_that_of_its_loss():
    """Finite differences through both networks, in double precision and evaluation mode (batch norm
    couples rows).
    """
    game = image_game().double().eval()
    x, z = (
        torch.rand(3, 2, 8, 12, dtype=torch.float64),
        torch.randn(3, 6, generator=seeded(0), dtype=torch.float64),
    )
    weight = game.generator.project.weight
    loss = game.generator_loss(x, z=z)["loss"].sum()
    slope = torch.autograd.grad(loss, weight)[0][2, 3].item()

    def at(shift):
        with torch.no_grad():
            weight[2, 3] += shift
            value = game.generator_loss(x, z=z)["loss"].sum().item()
            weight[2, 3] -= shift
        return value

    assert slope == pytest.approx((at(1e-5) - at(-1e-5)) / 2e-5, rel=1e-4, abs=1e-9)


def test_average_follows_the_recursion_and_is_what_samples_come_from():
    game = image_game(ema_decay=0.9)
    key, want = "project.weight", None
    _, g = game.players(1e-2)
    x = torch.rand(4, 2, 8, 12)
    want = game.ema_generator.state_dict()[key].clone()
    for step in range(1, 4):
        g.optimizer.zero_grad()
        g.loss(x)["loss"].mean().backward()
        g.optimizer.step()
        decay = min(0.9, step / (step + 10))
        want = decay * want + (1 - decay) * game.generator.state_dict()[key]
    torch.testing.assert_close(game.ema_generator.state_dict()[key], want)
    assert not any(p.requires_grad for p in game.ema_generator.parameters())
    torch.testing.assert_close(
        game.sample(5, seed=2), game.generate(torch.randn(5, 6, generator=seeded(2)))
    )
    assert (
        game.sample(5).shape == (5, 2, 8, 12)
        and game.sample(5).min() >= 0
        and game.sample(5).max() <= 1
    )


def test_average_moves_a_shared_weight_once_and_an_unsaved_buffer_too():
    average, model = (nn.Sequential(nn.Linear(1, 1, bias=False), nn.Identity()) for _ in range(2))
    for network, value in ((average, 1.0), (model, 0.0)):
        network[0].weight.data.fill_(value)
        network[1].weight = network[0].weight
        network.register_buffer("passing", torch.tensor(1 - value), persistent=False)
    gan.ema_update(average, model, 0.75)
    assert average[0].weight.item() == 0.75 and average.passing.item() == 0.25


def test_without_an_average_samples_come_from_the_generator_itself():
    game = image_game(ema_decay=0.0)
    fit(game, iter([torch.rand(4, 2, 8, 12)] * 3), steps=3, progress=False)
    z = torch.randn(5, 6, generator=seeded(0))
    torch.testing.assert_close(game.generate(z), game.generator.eval()(z))


def test_game_keeps_the_contract_of_fit(capsys):
    check_model(image_game(r1=0.1, augment=gan.augment), torch.rand(4, 2, 8, 12))
    labelled = gan.ConditionalGAN(
        gan.Generator(6, 4, num_classes=3),
        gan.Discriminator(4, num_classes=3),
        gp=1.0,
        loss="Wasserstein",
    )
    check_model(labelled, (torch.rand(4, 1, 28, 28), torch.tensor([0, 1, 2, 0])))
    assert capsys.readouterr().out.count("every parameter gets a gradient") == 2


def test_label_changes_the_sample_and_the_verdict():
    game = gan.ConditionalGAN(
        gan.Generator(6, 4, num_classes=3), gan.Discriminator(4, num_classes=3)
    )
    a, b = game.sample(torch.tensor([0, 0])), game.sample(torch.tensor([0, 1]))
    assert torch.equal(a[0], b[0]) and not torch.equal(a[1], b[1])
    x = torch.rand(2, 1, 28, 28)
    assert (
        game.discriminator(x, torch.tensor([0, 0]))[1]
        != game.discriminator(x, torch.tensor([0, 1]))[1]
    )


@pytest.mark.slow
def test_reference_settings_reach_the_ring_of_eight():
    ring = points("ring")
    with global_seed(0):
        game = gan.GAN(gan.PointGenerator(), gan.PointDiscriminator(), r1=0.1, d_lr_ratio=2.0)
        batches = minibatches(ring.sample(10_000, seed=0), batch_size=256, seed=0)
        fit(game, batches, steps=700, lr=2e-3, progress=False, precision="float32")
    assert mode_coverage(game.sample(2000), ring.centres, ring.stds).modes == 8


def test_settings_are_refused_in_sentences():
    with pytest.raises(InputError, match=r"loss should be one of non-saturating, .* got 'minimax'"):
        image_game(loss="minimax")
    with pytest.raises(InputError, match=r"ema_decay should lie in \[0, 1\), got 1"):
        image_game(ema_decay=1)
    with pytest.raises(InputError, match=r"z should have shape \(B, 6\)"):
        image_game().generator(torch.zeros(2, 5))
    with pytest.raises(InputError, match="4 divides"):
        gan.Generator(image_shape=(1, 27, 28))


# --- DCGAN's start, augmentation


def test_dcgan_start_has_the_stated_spread():
    with global_seed(0):
        layers = nn.Sequential(
            nn.Conv2d(64, 64, 4),
            nn.ConvTranspose2d(64, 64, 4),
            nn.Linear(300, 300),
            nn.BatchNorm2d(4000),
        ).apply(gan.dcgan_init)
    for layer in layers[:3]:
        assert (
            layer.weight.std().item() == pytest.approx(0.02, rel=0.03)
            and layer.bias.abs().max() == 0
        )
    assert layers[3].weight.mean().item() == pytest.approx(1.0, abs=2e-3) and layers[
        3
    ].weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_augmentations_do_what_their_names_say():
    x = torch.rand(2, 1, 8, 8, generator=seeded(0)) + 0.5
    # at most one pixel
    moved = gan.translate(x, torch.tensor([[0.5, 0.999], [0.0, 0.5]]), reach=0.125)
    assert (
        torch.equal(moved[0, :, :, 1:], x[0, :, :, :-1]) and moved[0, :, :, 0].abs().max() == 0
    ), "one to the right"
    assert torch.equal(moved[1, :, :-1], x[1, :, 1:]) and moved[1, :, -1].abs().max() == 0, "one up"
    torch.testing.assert_close(
        gan.shift_brightness(x, torch.tensor([0.5, 1.0])) - x,
        torch.tensor([0.0, 0.25]).view(2, 1, 1, 1).expand_as(x),
    )
    cut = gan.cutout(x, torch.full((2, 2), 0.5), share=0.5) == 0
    assert cut.flatten(1).sum(1).tolist() == [16, 16] and cut[0, 0, 2:6, 2:6].all()
    ends = torch.tensor([[0.0, 1.0], [1.0, 0.0]])  # half of the square is outside, at either end
    assert (gan.cutout(x, ends) == 0).flatten(1).sum(1).tolist() == [4, 4]
    odd = torch.rand(1, 1, 7, 7, generator=seeded(0)) + 0.5
    middle = (gan.cutout(odd, torch.full((1, 2), 0.5), share=3 / 7) == 0)[0, 0]
    assert middle[2:5, 2:5].all() and middle.sum() == 9


def test_gradients_pass_through_augmentation():
    x = torch.rand(3, 1, 8, 8, requires_grad=True)
    gan.augment(x, seeded(0)).sum().backward()
    assert set(x.grad.unique().tolist()) == {0.0, 1.0}, (
        "1 where a pixel is still seen, 0 where it was cut or moved out"
    )
    assert torch.equal(gan.augment(x, seeded(1)), gan.augment(x, seeded(1)))
    assert not torch.equal(gan.augment(x, seeded(1)), gan.augment(x, seeded(2)))


def test_measured_games_have_three_seeds_each_and_unknown_ones_are_refused():
    for name in ("remedies", "two by two", "scarce"):
        rows = gan.measured(name)
        assert {row["seed"] for row in rows} == {0, 1, 2} and len({r["game"] for r in rows}) > 1
    rows[0]["seed"] = 7  # one's own copy
    assert {row["seed"] for row in gan.measured("scarce")} == {0, 1, 2}
    with pytest.raises(InputError, match="remedies, two by two"):
        gan.measured("none")


# --- the oracles have power: they fail for the registered mistakes
# ------------------------------------------------


def test_references_of_the_checks_are_the_package():
    """Where an exercise asks for what the package has, both give the same numbers."""
    real, fake = torch.randn(2, 6, generator=seeded(3))
    assert checks.discriminator_loss.reference(real, fake).item() == pytest.approx(
        gan.discriminator_loss(real, fake).mean().item(), rel=1e-5
    )
    assert checks.generator_loss.reference(fake).item() == pytest.approx(
        gan.generator_loss(fake).mean().item(), rel=1e-5
    )


def test_value_oracle_rejects_every_registered_wrong_discriminator():
    """By the value on a grid, by places that are empty, one-sided, or almost so, or far out where
    both densities are tiny.
    """
    p, q = normal(0.0), normal(2.0)
    bound = -math.log(4) + 2 * gan.jensen_shannon(p, q, CELL).item()

    def passes(answer):
        D = answer(p, q)
        if (
            D.shape != p.shape
            or not abs(gan.game_value(p, q, D.double(), CELL).item() - bound) < 1e-4
        ):
            return False
        empty, tiny, one_sided = (
            torch.zeros(2),
            torch.tensor([1e-20, 3e-20]),
            torch.tensor([1.0, 0.0]),
        )
        if answer(one_sided, one_sided.flip(0)).tolist() != [1.0, 0.0]:
            return False
        rare = answer(torch.tensor([1e-10]), torch.tensor([1.0]))
        if rare.item() != pytest.approx(1e-10):
            return False
        return answer(empty, empty).tolist() == [0.5, 0.5] and answer(
            tiny, tiny.flip(0)
        ).tolist() == pytest.approx([0.25, 0.75])

    assert passes(gan.optimal_discriminator)
    for mistake in checks.optimal_discriminator.mistakes:
        assert "float" in mistake.name or not passes(mistake.answer), mistake.name
