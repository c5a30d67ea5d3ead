"""The bug hunt: mending what draws new images."""

import torch

from gencourse.checks import exercise
from gencourse.checks.vae.sample_prior import sample_prior, sample_prior_reference


@exercise(
    reference=sample_prior_reference,
    difficulty=1,
    minutes=4,
    points=2,
    hints=(
        "The instrument found too many dark samples. Which two things decide that: where codes "
        "come from, and what follows the decoder?",
    ),
    on_success="Samples come from the prior that the KL term prepared.",
)
def mended_generate(answer, seed):
    yield from sample_prior.trial(answer, seed)


@mended_generate.alternative
def generates_by_normal(decoder, n, latent_dim, generator):
    decoder.eval()
    z = torch.normal(0.0, 1.0, (n, latent_dim), generator=generator)
    return torch.sigmoid(decoder(z)).detach()


@mended_generate.mistake(
    "This is still the planted piece: where do its codes come from, and what does the decoder "
    "return?"
)
def planted_generate(decoder, n, latent_dim, generator):
    return decoder(torch.rand(n, latent_dim, generator=generator))


@mended_generate.mistake("The codes are right. Are logits images?")
def generates_logits(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(torch.randn(n, latent_dim, generator=generator))


@mended_generate.mistake(
    "The codes are right. Are logits images? And who needs the graph, or dropout, of a sample?"
)
def generates_raw_output(decoder, n, latent_dim, generator):
    return decoder(torch.randn(n, latent_dim, generator=generator))


@mended_generate.mistake("These are images now, but from which codes?")
def generates_from_the_unit_cube(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(torch.rand(n, latent_dim, generator=generator)).sigmoid()


@mended_generate.mistake(
    "Codes and images are right. Does anyone need the graph, and in which mode is the decoder?"
)
def generates_in_training_mode(decoder, n, latent_dim, generator):
    return decoder(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@mended_generate.mistake("Codes and images are right. Does anyone need the graph of a sample?")
def generates_with_graph(decoder, n, latent_dim, generator):
    return decoder.eval()(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@mended_generate.mistake("The graph is gone. In which mode is the decoder when it samples?")
def generates_with_dropout(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder(torch.randn(n, latent_dim, generator=generator)).sigmoid()
