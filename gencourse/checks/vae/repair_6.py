"""The bug hunt: piece 6, new images."""

import torch

from gencourse.checks import draw
from gencourse.checks._hunt import repair
from gencourse.probes.vae.pixels import drawn, frequencies, repeated


@torch.no_grad()
def repair_6_reference(decoder, z, generator):
    """Images (n, pixels) of zeros and ones, drawn from p(x given z): z (n, D)."""
    return torch.bernoulli(decoder(z).sigmoid(), generator=generator)


@repair(
    reference=repair_6_reference,
    minutes=4,
    hints=(
        "The instrument asked how often a pixel of probability 0.2 is on. How often is yours?",
        "A coin that shows heads in 2 of 10 tosses does not show tails in all of them.",
        "torch.bernoulli takes probabilities, and a generator.",
    ),
    on_success="These are draws from p(x given z), noise and all; the means hide it.",
)
def repair_6(answer, seed):
    yield "20,000 images of one code", answer.run(frequencies, seed)
    z = draw(seed, 6, 3)
    yield "images of six codes", answer.run(drawn, z, seed, 1.0)
    yield "one image", answer.run(drawn, z[:1], seed, 1.0)
    yield "images of a decoder that is sure", answer.run(drawn, z, seed, 1e5)
    yield "a decoder of six codes", answer.run(repeated, z, seed)


@repair_6.alternative
def by_comparison(decoder, z, generator):
    with torch.no_grad():
        p = torch.sigmoid(decoder(z))
    return (torch.rand(p.shape, generator=generator) < p).float()


@repair_6.alternative
def by_logistic_noise(decoder, z, generator):
    logits = decoder(z).detach()
    u = torch.rand(logits.shape, dtype=torch.float64, generator=generator)
    return torch.where(logits + u.logit() > 0, 1.0, 0.0)


@repair_6.mistake(
    "Each pixel takes its more probable value, as in the planted piece. How often should one of "
    "probability 0.2 be on?"
)
def planted_generate(decoder, z, generator):
    return (decoder(z).sigmoid() > 0.5).float()


@repair_6.mistake("These are probabilities. What do you draw with them?")
def means(decoder, z, generator):
    with torch.no_grad():
        return decoder(z).sigmoid()


@repair_6.mistake("These are logits. How do they become probabilities, and those pixels?")
def logits(decoder, z, generator):
    with torch.no_grad():
        return decoder(z)


@repair_6.mistake("The pixels are drawn, but not from the generator that was passed.")
def generator_ignored(decoder, z, generator):
    with torch.no_grad():
        return torch.bernoulli(decoder(z).sigmoid())


@repair_6.mistake("A second call repeats the first. Is something seeded inside?")
def reseeded(decoder, z, generator):
    with torch.no_grad():
        again = torch.Generator().manual_seed(generator.initial_seed())
        return torch.bernoulli(decoder(z).sigmoid(), generator=again)


@repair_6.mistake("Dark pixels are on and bright ones off. Which side of p is a success?")
def inverted(decoder, z, generator):
    return 1 - repair_6_reference(decoder, z, generator)


@repair_6.mistake("All pixels of an image share one number from [0, 1]. How many coins are tossed?")
def one_coin_for_an_image(decoder, z, generator):
    with torch.no_grad():
        return (torch.rand(len(z), 1, generator=generator) < decoder(z).sigmoid()).float()


@repair_6.mistake("All images share their noise: a pixel has one coin for the whole batch.")
def one_noise_for_the_batch(decoder, z, generator):
    with torch.no_grad():
        p = decoder(z).sigmoid()
        return (torch.rand(1, p.shape[1], generator=generator) < p).float()


@repair_6.mistake(
    "The right images, in another type, of truth values or integers. Which numbers does the "
    "docstring ask for?"
)
def truth_values(decoder, z, generator):
    return repair_6_reference(decoder, z, generator).bool()


@repair_6.mistake("Normal noise on logits makes another probability than the sigmoid says.")
def normal_noise(decoder, z, generator):
    with torch.no_grad():
        found = decoder(z)
        return (found + torch.randn(found.shape, generator=generator) > 0).float()


@repair_6.mistake("A logit that is cut at 0 and 1 is no probability. Which function makes it one?")
def logits_cut(decoder, z, generator):
    with torch.no_grad():
        return torch.bernoulli(decoder(z).clamp(0, 1), generator=generator)


@repair_6.mistake("The sigmoid is applied twice: a probability is no logit.")
def two_sigmoids(decoder, z, generator):
    with torch.no_grad():
        return torch.bernoulli(decoder(z).sigmoid().sigmoid(), generator=generator)


@repair_6.mistake("The codes that were passed are not those that you decode.")
def other_codes(decoder, z, generator):
    new = torch.randn(z.shape, generator=generator)
    return repair_6_reference(decoder, new, generator)
