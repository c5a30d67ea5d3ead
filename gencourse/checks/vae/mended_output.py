"""The bug hunt, third part: mending what comes after training."""

import math

import torch

from gencourse.checks._legacy import exercise
from gencourse.checks._inputs import draw
from gencourse.checks.vae.networks import sampling_trial
from gencourse.checks.vae.sample_prior import sample_prior_reference

mended_generate = exercise(
    reference=sample_prior_reference,
    difficulty=1,
    minutes=4,
    points=2,
    hints=(
        "The instrument found too many dark samples. Which two things decide that: where codes come from, and what follows the decoder?",
    ),
    insight="Samples come from the prior that the KL term prepared.",
)(sampling_trial("mended_generate"))


@mended_generate.mistake("This is still the planted piece: where do its codes come from, and what does the decoder return?")
def planted_generate(decoder, n, latent_dim, generator):
    return decoder(torch.rand(n, latent_dim, generator=generator))


@mended_generate.mistake("The codes are right. Are logits images?")
def generates_logits(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(torch.randn(n, latent_dim, generator=generator))


@mended_generate.mistake("The codes are right. Are logits images? And who needs the graph, or dropout, of a sample?")
def generates_raw_output(decoder, n, latent_dim, generator):
    return decoder(torch.randn(n, latent_dim, generator=generator))


@mended_generate.mistake("These are images now, but from which codes?")
def generates_from_the_unit_cube(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(torch.rand(n, latent_dim, generator=generator)).sigmoid()


@mended_generate.mistake("Codes and images are right. Does anyone need the graph, and in which mode is the decoder?")
def generates_in_training_mode(decoder, n, latent_dim, generator):
    return decoder(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@mended_generate.mistake("Codes and images are right. Does anyone need the graph of a sample?")
def generates_with_graph(decoder, n, latent_dim, generator):
    return decoder.eval()(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@mended_generate.mistake("The graph is gone. In which mode is the decoder when it samples?")
def generates_with_dropout(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@mended_generate.also_right
def generates_by_normal(decoder, n, latent_dim, generator):
    decoder.eval()
    z = torch.normal(0.0, 1.0, (n, latent_dim), generator=generator)
    return torch.sigmoid(decoder(z)).detach()


def report_reference(reconstruction, kl, pixels):
    """{"elbo": nats per image, "bits_per_dim"}: the mean bound over a test set, and its negative per pixel in bits."""
    elbo = float(-(reconstruction + kl).mean())
    return {"elbo": elbo, "bits_per_dim": -elbo / (pixels * math.log(2))}


@exercise(
    reference=report_reference,
    difficulty=2,
    minutes=5,
    points=2,
    hints=("How many nats does one image cost? Then how many bits is that for one of its pixels?",),
    insight="A loss of 0.002 says nothing until its unit is known. Yours now has one.",
)
def mended_report(ask, seed):
    reconstruction, kl = 80 + draw(seed, 50).abs(), 20 + draw(seed + 3, 50).abs()
    call, data = "mended_report(reconstruction, kl, pixels)", dict(reconstruction=reconstruction, kl=kl)
    yield "the report on 50 test images of 784 pixels", ask(call, **data, pixels=784)
    yield "the report on 50 test images of 64 pixels", ask(call, **data, pixels=64)


@mended_report.mistake("This is still the planted piece: it divides by the pixels before anyone asked for bits.")
def planted_report(reconstruction, kl, pixels):
    per_pixel = float(((reconstruction + kl) / pixels).mean())
    return {"elbo": per_pixel, "bits_per_dim": per_pixel}


@mended_report.mistake("The ELBO bounds log p(x) from below. Can it be positive for binary images?")
def report_with_positive_elbo(reconstruction, kl, pixels):
    right = report_reference(reconstruction, kl, pixels)
    return right | {"elbo": -right["elbo"]}


@mended_report.mistake("The nats are right. A description of an image has a length: can the bits be negative?")
def report_with_negative_bits(reconstruction, kl, pixels):
    right = report_reference(reconstruction, kl, pixels)
    return right | {"bits_per_dim": -right["bits_per_dim"]}


@mended_report.mistake("The nats are right. How many nats are one bit: did you divide by log 2 or multiply?")
def report_log2_inverted(reconstruction, kl, pixels):
    elbo = float(-(reconstruction + kl).mean())
    return {"elbo": elbo, "bits_per_dim": -elbo * math.log(2) / pixels}


@mended_report.mistake("The nats are right. These are nats per pixel; what turns them into bits?")
def report_nats_as_bits(reconstruction, kl, pixels):
    elbo = float(-(reconstruction + kl).mean())
    return {"elbo": elbo, "bits_per_dim": -elbo / pixels}


@mended_report.mistake("Which of the two terms does your bound leave out?")
def report_without_kl(reconstruction, kl, pixels):
    return report_reference(reconstruction, torch.zeros_like(kl), pixels)


@mended_report.mistake("The nats are right. Bits per image are not yet bits per pixel: what is still to be divided by?")
def report_bits_per_image(reconstruction, kl, pixels):
    elbo = float(-(reconstruction + kl).mean())
    return {"elbo": elbo, "bits_per_dim": -elbo / math.log(2)}


@mended_report.also_right
def report_by_bits_per_dim(reconstruction, kl, pixels):
    nll = (reconstruction.double() + kl.double()).mean()
    return {"bits_per_dim": nll / pixels / math.log(2), "elbo": -nll}
