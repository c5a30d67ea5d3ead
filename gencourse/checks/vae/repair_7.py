"""The bug hunt: piece 7, what is told to the world."""

import math

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.vae.hunt import numbers_of_the_report


def report_reference(reconstruction, kl, pixels):
    """{"elbo": nats per image, "bits_per_dim"}: the mean bound over a test set, and its negative
    per pixel in bits."""
    elbo = float(-(reconstruction + kl).mean())
    return {"elbo": elbo, "bits_per_dim": -elbo / (pixels * math.log(2))}


@exercise(
    reference=report_reference,
    difficulty=2,
    minutes=5,
    points=2,
    hints=("How many nats does one image cost? Then how many bits is that for one of its pixels?",),
    on_success="A loss of 0.002 says nothing until its unit is known. Yours now has one.",
)
def repair_7(answer, seed):
    reconstruction, kl = 80 + 20 * draw(seed, 50).abs(), 15 * draw(seed + 3, 50).exp()
    for pixels in (784, 64):
        report = answer.run(numbers_of_the_report, reconstruction, kl, pixels)
        yield f"50 test images of {pixels} pixels", report
    reconstruction = 80 + 20 * draw(seed + 1, 1301).sort().values
    kl = 9 * draw(seed + 4, 1301).exp().sort().values
    report = answer.run(numbers_of_the_report, reconstruction, kl, 784)
    yield "1301 test images, from the cheapest to the dearest", report
    reconstruction, kl = 1500 + 900 * draw(seed + 6, 40).abs(), 300 * draw(seed + 7, 40).exp()
    report = answer.run(numbers_of_the_report, reconstruction, kl, 3 * 33 * 31)
    yield "40 test images of 3 x 33 x 31 pixels that cost thousands of nats", report
    reconstruction, kl = 0.05 * draw(seed + 2, 20).abs(), 0.002 * draw(seed + 5, 20).square()
    yield (
        "20 test images of 4 pixels that cost next to nothing",
        answer.run(numbers_of_the_report, reconstruction, kl, 4),
    )


@repair_7.alternative
def report_by_bits_per_dim(reconstruction, kl, pixels):
    nll = (reconstruction.double() + kl.double()).mean().item()
    return {"bits_per_dim": nll / pixels / math.log(2), "elbo": -nll}


@repair_7.mistake(
    "This is still the planted piece: it divides by the pixels before anyone asked for bits."
)
def planted_report(reconstruction, kl, pixels):
    per_pixel = float(((reconstruction + kl) / pixels).mean())
    return {"elbo": per_pixel, "bits_per_dim": per_pixel}


@repair_7.mistake("The ELBO bounds log p(x) from below. Can it be positive for binary images?")
def report_with_positive_elbo(reconstruction, kl, pixels):
    right = report_reference(reconstruction, kl, pixels)
    return right | {"elbo": -right["elbo"]}


@repair_7.mistake(
    "The nats are right. A description of an image has a length: can the bits be negative?"
)
def report_with_negative_bits(reconstruction, kl, pixels):
    right = report_reference(reconstruction, kl, pixels)
    return right | {"bits_per_dim": -right["bits_per_dim"]}


@repair_7.mistake(
    "The nats are right. How many nats are one bit: did you divide by log 2 or multiply?"
)
def report_log2_inverted(reconstruction, kl, pixels):
    elbo = float(-(reconstruction + kl).mean())
    return {"elbo": elbo, "bits_per_dim": -elbo * math.log(2) / pixels}


@repair_7.mistake("The nats are right. These are nats per pixel; what turns them into bits?")
def report_nats_as_bits(reconstruction, kl, pixels):
    elbo = float(-(reconstruction + kl).mean())
    return {"elbo": elbo, "bits_per_dim": -elbo / pixels}


@repair_7.mistake("Which of the two terms does your bound leave out?")
def report_without_kl(reconstruction, kl, pixels):
    return report_reference(reconstruction, torch.zeros_like(kl), pixels)


@repair_7.mistake(
    "The nats are right. Bits per image are not yet bits per pixel: what is still to be divided by?"
)
def report_bits_per_image(reconstruction, kl, pixels):
    elbo = float(-(reconstruction + kl).mean())
    return {"elbo": elbo, "bits_per_dim": -elbo / math.log(2)}
