"""Probes of chapter 1: that they see what they are there to see."""

import pytest
import torch

from gencourse.checks import vae as check
from gencourse.probes import general
from gencourse.probes.vae import (
    densities,
    divergences,
    experiments,
    hunt,
    modules,
    objective,
    pixels,
    posterior,
    prior,
)
from gencourse.runtime import seeded


@torch.no_grad()
def decoded(decoder, z):
    return decoder.eval()(z).sigmoid()


def codes(change):
    """What is said of samples whose codes are changed by a function."""

    def sample(decoder, n, latent_dim, generator):
        return decoded(decoder, change(torch.randn(n, latent_dim, generator=generator)))

    return prior.codes_of_samples(sample, 5003, 40, 0)


CHANGES = {
    "the codes have mean 0": lambda z: z + 0.025,
    "the codes have standard deviation 1": lambda z: 1.02 * z,
    "the codes leave [-3, 3] as often as a normal does": lambda z: z.clamp(-2.9, 2.9),
    "some of the codes leave [-4, 4]": lambda z: z.clamp(-3.9, 3.9),
    "the codes are distributed as N(0, 1)": lambda z: z.sign() * z.abs() ** 1.1,
    "the coordinates of a code are independent": lambda z: z + 0.2 * z.roll(1, 1),
    "the codes are independent of one another": lambda z: z + 0.2 * z.roll(1, 0),
}


def test_codes_in_order_and_codes_of_zero_are_seen():
    said = "whether the codes are independent of one another"
    assert not codes(lambda z: z[z[:, 0].argsort()])[said]
    said = "whether some number in the codes is exactly 0"
    assert (codes(lambda z: z)[said], codes(lambda z: z * (z > -3))[said]) == (False, True)


def test_what_is_added_to_a_small_spread_is_seen():
    """exp(½ (logvar + 2)) is e times exp(½ logvar), and no such factor holds of a sum."""
    logvar, eps = torch.full((2, 3), -45.0), torch.randn(2, 3, generator=seeded(0))
    right = densities.growth(check.reparameterize.reference, logvar, eps)
    torch.testing.assert_close(right, torch.full((2, 3), torch.e))
    off = densities.growth(lambda m, v, e: m + ((0.5 * v).exp() + 1e-9) * e, logvar, eps)
    assert bool((off < 2).all())


def test_a_test_of_a_kl_that_stays_right_for_random_rows():
    """Two honest lines convict every wrong version, whatever numbers they draw."""

    def honest(kl):
        mu, logvar = torch.randn(2, 5, 3)
        q = torch.distributions.Normal(mu, (logvar / 2).exp())
        want = torch.distributions.kl_divergence(q, torch.distributions.Normal(0, 1)).sum(1)
        got = kl(mu, logvar)
        return got.shape == want.shape and torch.allclose(got, want, atol=1e-4)

    with torch.random.fork_rng():
        for seed in range(50):
            torch.manual_seed(seed)
            trusted = {name for name in divergences.VERSIONS if divergences.said_of(honest, name)}
            assert trusted == set(divergences.RIGHT)


@pytest.mark.parametrize("said", CHANGES)
def test_codes_that_are_changed_a_little_are_seen(said):
    right, wrong = codes(lambda z: z), codes(CHANGES[said])
    assert (right[f"whether {said}"], wrong[f"whether {said}"]) == (True, False)


def test_latent_numbers_that_are_left_out_are_seen():
    found = codes(lambda z: torch.cat([z[:, :16], 0 * z[:, 16:]], 1))
    assert not found["whether the codes have standard deviation 1"]


def test_samples_are_tensors():
    with pytest.raises(TypeError, match="should be a tensor, got ndarray"):
        prior.as_images(torch.zeros(2).numpy())


def test_samples_that_ask_for_gradients_are_told_from_those_with_a_graph():
    def asks(decoder, *args):
        return check.sample_prior.reference(decoder, *args).clone().requires_grad_()

    found = prior.traces(asks, 3, 0)
    assert found["whether the samples ask for gradients"]
    assert not found["whether the samples still hold a graph"]


def test_gradients_that_a_sampler_clears_are_missed():
    def clears(decoder, n, latent_dim, generator):
        decoder.zero_grad()
        return decoded(decoder, torch.randn(n, latent_dim, generator=generator))

    said = "whether the decoder still holds the gradients that it held"
    assert prior.traces(check.sample_prior.reference, 3, 0)[said]
    assert not prior.traces(clears, 3, 0)[said]


def test_a_network_counts_its_calls_and_moves_as_by_hand():
    x, eps = torch.randn(5, 1, 3, 3, generator=seeded(0)), torch.randn(5, 2, generator=seeded(1))
    found = objective.train_network(check.vae_train_step.reference, x, eps, 20.0)
    model = objective.Convolutional()
    terms = model(x, eps)
    assert terms["reconstruction"].max().item() < 0 < terms["kl"].min().item()
    assert terms["kl"].max().item() < 0.05
    loss = (terms["reconstruction"] + 20 * terms["kl"]).mean()
    (gradient,) = torch.autograd.grad(loss, [model.heads])
    assert found["how often the model was called"] == 1
    torch.testing.assert_close(found["the loss"], loss.detach())
    moved = model.heads - 0.01 * (gradient + 0.5 * model.heads)
    torch.testing.assert_close(found["the parameters heads"], moved.detach())


def layers(step, *evaluated):
    x, eps = torch.randn(5, 1, 3, 3, generator=seeded(0)), torch.randn(5, 2, generator=seeded(1))
    return objective.train_layers(step, x, eps, 1.5, evaluated)


def mode_set(mode):
    """The reference's step, after a mode is set."""

    def step(model, *args):
        return check.vae_train_step.reference(model.train(mode), *args)

    return step


def test_the_mode_of_every_layer_is_seen():
    reference = check.vae_train_step.reference
    counted = "how many batches the batch norm has counted"
    dropped = "whether dropout was at work"
    for found, at_work, number in (
        (layers(reference), True, 1),
        (layers(reference, "norm"), True, 0),
        (layers(mode_set(False)), False, 0),
        (layers(mode_set(True), "norm"), True, 1),
        (layers(reference, ""), True, 1),
        (layers(reference, "", "norm", "dropout"), False, 0),
    ):
        assert (found[dropped], found[counted]) == (at_work, number)
    assert layers(reference)["the loss"] != layers(mode_set(False))["the loss"]


def test_parameters_that_an_optimizer_lacks_are_seen():
    x, eps = torch.randn(2, 5, 2, generator=seeded(0))

    def adds(model, optimizer, *args):
        optimizer.add_param_group({"params": [model.a]})
        return check.vae_train_step.reference(model, optimizer, *args)

    right = objective.train_one_of_two(check.vae_train_step.reference, x, eps, 1.5)
    wrong = objective.train_one_of_two(adds, x, eps, 1.5)
    assert right["the first parameter"] == 0.5 != wrong["the first parameter"]
    assert right["the second parameter"] == wrong["the second parameter"]


def test_layers_in_training_mode_are_seen_in_a_decoder_that_is_not():
    def root_only(decoder, n, latent_dim, generator):
        decoder = decoder.eval() if decoder.training else decoder
        with torch.no_grad():
            return decoder(torch.randn(n, latent_dim, generator=generator)).sigmoid()

    found = [prior.dropout_at_work(root_only, 3, 0, training) for training in (True, False)]
    assert found == [False, True]
    assert not prior.dropout_at_work(check.sample_prior.reference, 3, 0, training=False)


def test_a_decoder_without_parameters_gives_its_codes():
    found = prior.images_without_parameters(check.sample_prior.reference, 2, 0)
    assert found == {"the shape": [3, 2], "whether a number is 0.5": False}


def test_a_parameter_stays_while_it_is_frozen():
    x, *noises = torch.randn(4, 5, 2, generator=seeded(0))
    found = objective.train_with_a_pause(check.vae_train_step.reference, x, *noises, beta=0.4)
    assert found["how far the frozen parameter moved"] == 0
    assert found["whether it moves when it is no longer frozen"]


def test_a_grid_that_is_handed_out_twice_is_seen():
    kept, said = torch.zeros(2, 2, 2), "whether two calls return one and the same memory"
    assert prior.grid_of_codes(lambda n: kept, 2)[said]
    assert not prior.grid_of_codes(lambda n: kept.clone(), 2)[said]


def test_a_sum_that_is_written_into_a_term_is_seen():
    x = torch.randn(4, 6, generator=seeded(0))
    output = (x + 1, x[:, :3], x[:, 3:])
    said = "whether what `reconstruction` and `kl` return stays as it is"
    in_place = next(m for m in check.repair_5.mistakes if m.name == "step_loss_in_place")
    right = hunt.loss_of_a_batch(check.repair_5.reference, output, x)
    wrong = hunt.loss_of_a_batch(in_place.answer, output, x)
    assert (right[said], wrong[said]) == (True, False)
    torch.testing.assert_close(right[""], wrong[""])


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (("kl", "draw"), ["draw", "kl"]),
        ({"kl": True}, "dict"),
        ({test_samples_are_tensors}, "set"),
        ("kl", "str"),
    ],
)
def test_names_are_those_of_a_collection_of_texts(named, said):
    assert general.accused(lambda: named) == said


def test_numbers_of_a_report_are_floats():
    said = "whether the numbers are floats"
    cost = torch.ones(3)
    assert hunt.numbers_of_the_report(check.repair_7.reference, cost, cost, 4)[said]
    found = hunt.numbers_of_the_report(lambda r, k, pixels: {"elbo": r.mean()}, cost, cost, 4)
    assert not found[said]


def test_a_number_in_a_text_is_no_weight():
    assert objective.as_float(lambda: torch.tensor(0.5)) == 0.5
    assert objective.as_float(lambda: "0.5") == "0.5"
    assert objective.as_float(lambda: torch.tensor([0.5])).shape == (1,)


def test_gradients_of_a_draw_have_names():
    mu, logvar, eps = torch.zeros(2, 3), torch.zeros(2, 3), torch.ones(2, 3)
    found = densities.learned(check.reparameterize.reference, mu, logvar, eps)
    assert {name: g.unique().tolist() for name, g in found.items()} == {
        "for mu": [1.0],
        "for logvar": [0.5],
    }


@pytest.mark.parametrize(
    ("training", "factors"),
    [
        ("borderline", (1.9, 4.0)),
        ("below_the_border", (1.2, 1.2)),
        ("beyond_the_border", (2.1, 2.1)),
        ("rising_beyond_the_border", (-2.1, -2.1)),
        ("rising_borderline", (-1.9, -4.0)),
    ],
)
def test_steps_are_as_many_errors_as_they_say(training, factors):
    train = experiments.TRAININGS[training]
    table = check.sweep.reference(train, [1.0, 2.0, 3.0], [0, 1])
    rate, error = torch.tensor(table["rate"]), torch.tensor(table["error"])
    found = -rate.diff() / (error[1:] ** 2 + error[:-1] ** 2).sqrt()
    torch.testing.assert_close(found, torch.tensor(factors), rtol=1e-3, atol=0)


def test_a_training_that_is_run_again_gives_something_else():
    def twice(train, betas):
        return {"rate": [train(betas[0], 0)[0], train(betas[0], 0)[0]]}

    found = experiments.swept(twice, "falling", [1.0])
    assert found["how many trainings were run"] == 2
    assert found[""]["rate"][1] - found[""]["rate"][0] == pytest.approx(3.0)


def test_the_posterior_of_a_linear_decoder_is_exact():
    """p(x) = p(x, z) / p(z given x) is the same at every z."""
    model, x = posterior.LinearDecoder(3), torch.randn(1, 4, generator=seeded(0))
    mu, logvar = model.posterior(x)
    z = torch.randn(50, 3, generator=seeded(1))
    normal = torch.distributions.Normal
    log_joint = model.log_likelihood(z, x.expand(50, 4)) + normal(0.0, 1.0).log_prob(z).sum(1)
    log_p = log_joint - normal(mu, (0.5 * logvar).exp()).log_prob(z).sum(1)
    assert log_p.std().item() < 1e-4
    covariance = model.W @ model.W.T + posterior.NOISE_STD**2 * torch.eye(4)
    exact = torch.distributions.MultivariateNormal(model.b, covariance).log_prob(x)
    torch.testing.assert_close(log_p.mean()[None], exact)


@pytest.mark.parametrize("steps", [300, 30])
def test_q_arrives_at_the_posterior_in_300_steps_and_not_in_30(steps):
    x, far = torch.randn(5, 4, generator=seeded(0)), torch.full((5, 3), -1.0)
    noise = torch.randn(steps, 5, 3, generator=seeded(1))
    found = posterior.distance_from_the_posterior(
        check.refit_q.reference, x, far, 0 * far, noise, 0.03
    )
    assert found["whether every q is within 0.2 nats of it"] == (steps == 300)


def test_pixels_are_on_as_often_as_their_probability_says():
    normal = "whether as often as normal noise on logits makes it"
    cut = "whether as often as logits say that are cut at 0 and 1"
    right = pixels.frequencies(check.repair_6.reference, 0)
    assert [said for said, value in right.items() if not value] == [normal, cut]
    for mistake in check.repair_6.mistakes:
        if mistake.name in ("normal_noise", "logits_cut"):
            seen = pixels.frequencies(mistake.answer, 0)
            assert (seen[normal], seen[cut]) == (
                mistake.name == "normal_noise",
                mistake.name == "logits_cut",
            )
    for scale, said in (
        (1.1, "whether each pixel is on as often as p(x given z) says"),
        (-1.0, "whether bright pixels are on more often than dark ones"),
    ):

        def off(decoder, z, generator, scale=scale):
            return torch.bernoulli((scale * decoder(z)).sigmoid(), generator=generator)

        assert not pixels.frequencies(off, 0)[said]


def test_the_noise_of_a_module_is_seen():
    reference = check.TinyVAE.reference

    class Scaled(reference):
        def loss(self, x, eps=None):
            return super().loss(x, 1.1 * torch.randn(len(x), 4) if eps is None else eps)

    said = "whether the noise has standard deviation 1"
    assert modules.noise_of_the_loss(reference, 0)[said]
    assert not modules.noise_of_the_loss(Scaled, 0)[said]


def test_gradients_of_a_code_are_those_of_its_square():
    mu, std, eps = torch.tensor([[2.0]]), torch.tensor([[3.0]]), torch.tensor([[0.5]])
    found = hunt.code_and_gradients(check.repair_2.reference, mu, std, eps)
    assert [value.item() for value in found.values()] == [3.5, 7.0, 3.5]
