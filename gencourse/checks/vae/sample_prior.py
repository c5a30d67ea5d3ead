"""Exercise on sampling: codes from the prior, through the decoder."""

import torch

from gencourse.checks import exercise
from gencourse.probes.vae import prior


@torch.no_grad()
def sample_prior_reference(decoder, n, latent_dim, generator):
    """Images sigmoid(decoder(z)) at n draws z ~ N(0, I): decoder in evaluation mode, no graph."""
    decoder.eval()
    return decoder(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@exercise(
    reference=sample_prior_reference,
    difficulty=1,
    minutes=6,
    points=2,
    hints=(
        "Which distribution was the KL term pulling the codes towards? Draw from that one.",
        (
            "Three things besides: gradients, the decoder's mode, and what turns logits into grey "
            "values."
        ),
    ),
    on_success="The samples follow the prior, repeat with the generator, and carry no graph.",
)
def sample_prior(answer, seed):
    many = "5003 samples of 40 numbers through a decoder that changes nothing"
    yield many, answer.run(prior.codes_of_samples, 5003, 40, seed)
    yield "a decoder of five codes", answer.run(prior.repeatability, 2, seed)
    yield "a decoder in training mode", answer.run(prior.traces, 5, seed)
    yield "whether dropout was active while sampling", answer.run(prior.dropout_at_work, 3, seed)
    said = "whether dropout was active in a decoder that itself is in evaluation mode"
    yield said, answer.run(prior.dropout_at_work, 3, seed, training=False)
    said = "whether batch norm used the statistics of the samples"
    yield said, answer.run(prior.statistics_at_work, 3, seed)
    said = "whether a decoder that came in evaluation mode is in training mode afterwards"
    yield said, answer.run(prior.ends_in_training_mode, 2, seed)
    yield "six samples that are images", answer.run(prior.images_of_a_decoder, 6, 2, seed)
    yield "one sample from a single code", answer.run(prior.images_of_a_decoder, 1, 1, seed)
    without = "three samples through a decoder without parameters"
    yield without, answer.run(prior.images_without_parameters, 2, seed)


@sample_prior.alternative
def one_row_at_a_time(decoder, n, latent_dim, generator):
    decoder.train(False)
    with torch.inference_mode():
        rows = [torch.empty(latent_dim).normal_(generator=generator) for _ in range(n)]
        return 1 / (1 + torch.exp(-decoder(torch.stack(rows))))


@sample_prior.alternative
def mode_put_back(decoder, n, latent_dim, generator):
    was_training = decoder.training
    decoder.eval()
    images = decoder(torch.randn((n, latent_dim), generator=generator)).detach().sigmoid()
    decoder.train(was_training)
    return images


@sample_prior.mistake(
    "All your codes lie in [0, 1], and a standard normal has no such bounds. Which function draws "
    "from N(0, 1), and does anything squeeze its numbers before the decoder gets them?"
)
def uniform_codes(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(torch.rand(n, latent_dim, generator=generator)).sigmoid()


@sample_prior.mistake("The spread of the codes is off. What variance does the prior have?")
def codes_too_wide(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(2 * torch.randn(n, latent_dim, generator=generator)).sigmoid()


@sample_prior.mistake("The decoder returns logits. Are those images yet?")
def logits_returned(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(torch.randn(n, latent_dim, generator=generator))


@sample_prior.mistake(
    "Your samples still carry the graph that made them. Who needs gradients here?"
)
def graph_kept(decoder, n, latent_dim, generator):
    return decoder.eval()(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@sample_prior.mistake("Dropout was active while you sampled. In which mode should the decoder be?")
def left_in_training_mode(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@sample_prior.mistake(
    "A decoder that itself is in evaluation mode can hold layers in training mode, and yours stay "
    "so. Who looks at the mode before changing it?"
)
def evaluated_only_if_in_training_mode(decoder, n, latent_dim, generator):
    if decoder.training:
        decoder.eval()
    with torch.no_grad():
        return decoder(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@sample_prior.mistake(
    "A decoder need not have parameters: `nn.Identity()` has none. What does your code ask the "
    "first of them for?"
)
def as_the_first_parameter(decoder, n, latent_dim, generator):
    decoder.eval()
    with torch.no_grad():
        z = torch.randn(n, latent_dim, generator=generator)
        return decoder(z.to(next(decoder.parameters()))).sigmoid()


@sample_prior.mistake(
    "Two calls with generators in the same state should give the same images. Did you use the "
    "generator?"
)
def generator_ignored(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(torch.randn(n, latent_dim)).sigmoid()


@sample_prior.mistake(
    "A second call with the same generator gave the same images again. Is something reseeded "
    "inside?"
)
def reseeded_inside(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(
            torch.randn(n, latent_dim, generator=generator.manual_seed(0))
        ).sigmoid()
