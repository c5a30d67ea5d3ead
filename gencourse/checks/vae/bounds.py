"""Exercises on what a trained VAE is worth: a tighter bound, units in use, a map of its latent space."""

import torch

from gencourse import evaluation
from gencourse.checks._legacy import exercise
from gencourse.checks._inputs import draw

# --- importance_weighted_bound ---------------------------------------------------------------------------------


@exercise(
    reference=evaluation.iwae_bound,
    difficulty=3,
    minutes=12,
    points=4,
    hints=(
        "The bound is the logarithm of an average of weights. You have the logarithms of the weights.",
        "exp(-1000) is 0 in float32. Which function of torch sums exponentials without leaving the logarithm?",
        "An average divides by K. What does that become outside the logarithm?",
    ),
    insight="With equal weights it returns their value, at K = 1 it is the ELBO's term, and -1000 nats do no harm.",
)
def importance_weighted_bound(ask, seed):
    log_w = 3 * draw(seed, 7, 4)
    call = "importance_weighted_bound(log_w)"
    yield "the bound from K = 7 draws for each of B = 4 examples", ask(call, log_w=log_w)
    yield "the bound near -1000 nats", ask(call, log_w=log_w - 1000)
    yield "the bound near +1000 nats", ask(call, log_w=log_w + 1000)
    yield "the bound from a single draw", ask(call, log_w=log_w[:1])
    apart = log_w + torch.tensor([0.0, -1000.0, 1000.0, -300.0])
    yield "the bound when one example lies near 0, others near -1000, 1000 and -300", ask(call, log_w=apart)
    yield "the bound when the weights of one example lie hundreds of nats apart", ask(call, log_w=100 * log_w)


@importance_weighted_bound.mistake("The mean of the logarithms is the ELBO. What stands inside the logarithm of the IWAE bound?")
def mean_of_logarithms(log_w):
    return log_w.mean(0)


@importance_weighted_bound.mistake("With K equal weights the bound should be their common value. What is yours too high by?")
def sum_instead_of_mean(log_w):
    return log_w.logsumexp(0)


@importance_weighted_bound.mistake("With K equal weights the bound should be their common value. Does an average multiply or divide by K?")
def log_k_added(log_w):
    return log_w.logsumexp(0) + torch.tensor(float(len(log_w))).log()


@importance_weighted_bound.mistake("Some examples come out infinite: one shift serves the whole batch. Which weights should share a shift?")
def one_shift_for_the_batch(log_w):
    shift = log_w.max()
    return shift + (log_w - shift).exp().mean(0).log()


@importance_weighted_bound.mistake("At -1000 nats you get -inf, or at +1000 inf. What does the computer make of those exponentials?")
def naive_exponential(log_w):
    return log_w.exp().mean(0).log()


@importance_weighted_bound.mistake("Your result is stable, but the shift that you took out has not come back. Add what you subtracted.")
def shift_not_restored(log_w):
    return (log_w - log_w.amax(0)).exp().mean(0).log()


@importance_weighted_bound.mistake("You averaged over the examples. Which axis holds the draws of one example?")
def over_the_batch_axis(log_w):
    return log_w.logsumexp(1) - torch.tensor(float(log_w.shape[1])).log()


@importance_weighted_bound.mistake("The number that you divide by is the batch size. How many draws are averaged?")
def divided_by_batch_size(log_w):
    return log_w.logsumexp(0) - torch.tensor(float(log_w.shape[1])).log()


@importance_weighted_bound.mistake("You kept the best draw only. Is the logarithm of an average its largest term?")
def best_draw_only(log_w):
    return log_w.amax(0)


@importance_weighted_bound.mistake("Normalised weights belong to the gradient of the bound. What is the bound's own value?")
def self_normalised_average(log_w):
    return (log_w.softmax(0) * log_w).sum(0)


@importance_weighted_bound.mistake("This is the loss. A bound on log p(x) should go up when the weights do.")
def negative_bound(log_w):
    return -evaluation.iwae_bound(log_w)


@importance_weighted_bound.mistake("One bound per example is asked for. Where did the batch axis go?")
def one_number_for_the_batch(log_w):
    return evaluation.iwae_bound(log_w).mean()


@importance_weighted_bound.also_right
def by_hand(log_w):
    top = log_w.max(dim=0, keepdim=True).values
    return (top + (log_w - top).exp().mean(0, keepdim=True).log()).squeeze(0)


@importance_weighted_bound.also_right
def one_after_another(log_w):
    total = log_w[0]
    for row in log_w[1:]:
        total = torch.logaddexp(total, row)
    return total - torch.tensor(len(log_w)).log()


# --- active_units ----------------------------------------------------------------------------------------------


@exercise(
    reference=evaluation.active_units,
    difficulty=2,
    minutes=6,
    points=2,
    hints=(
        "A unit that says the same for every image says nothing. What measures that?",
        "mu is (N, D): N images, D units. One answer per unit.",
    ),
    insight="A unit that is far from zero but constant was counted as inactive: it carries no information.",
)
def active_units(ask, seed):
    mu = draw(seed, 200, 5) * torch.tensor([2.0, 0.05, 0.0, 0.5, 0.2]) + torch.tensor([0.0, 0.0, 3.0, -1.0, 0.0])
    yield "which of five units are active", ask("torch.as_tensor(active_units(mu, 0.01))", mu=mu)
    yield "which are at a high threshold", ask("torch.as_tensor(active_units(mu, 0.5))", mu=mu)
    yield "which are when no threshold is given", ask("torch.as_tensor(active_units(mu))", mu=mu)
    yield "whether the answers are truth values", ask("torch.as_tensor(active_units(mu, 0.01)).dtype == torch.bool", mu=mu)


@active_units.mistake("You asked each image how its units vary. Along which axis does one unit run through the data?")
def variance_over_units(mu, threshold=0.01):
    return mu.var(1) > threshold


@active_units.mistake("A unit that is always 3 is far from zero. Does it tell images apart?")
def mean_square_instead_of_variance(mu, threshold=0.01):
    return mu.square().mean(0) > threshold


@active_units.mistake("The mean of a unit over the data is compared. Is it the level or the variation that carries information?")
def mean_instead_of_variance(mu, threshold=0.01):
    return mu.mean(0).abs() > threshold


@active_units.mistake("The mean size of a unit is compared. Is a unit that is always 3 large or informative?")
def mean_size_instead_of_variance(mu, threshold=0.01):
    return mu.abs().mean(0) > threshold


@active_units.mistake("The threshold is one for a variance. What do you compare it with?")
def standard_deviation_compared(mu, threshold=0.01):
    return mu.std(0) > threshold


@active_units.mistake("You name the units that are switched off. Which side of the threshold is asked for?")
def inverted(mu, threshold=0.01):
    return mu.var(0) < threshold


@active_units.mistake("How many there are is a fine number to report. Which ones they are is asked for here.")
def counted(mu, threshold=0.01):
    return (mu.var(0) > threshold).sum()


@active_units.also_right
def by_moments(mu, threshold=0.01):
    return ((mu - mu.mean(0, keepdim=True)) ** 2).mean(0) > threshold


@active_units.also_right
def unit_by_unit(mu, threshold=0.01):
    return torch.tensor([bool(column.var() > threshold) for column in mu.T])
