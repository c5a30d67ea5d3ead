"""The bug hunt: mending the heads of the encoder."""

from gencourse.checks import exercise
from gencourse.checks.vae.split_heads import split_heads, split_heads_reference


@exercise(
    reference=split_heads_reference,
    difficulty=1,
    minutes=3,
    points=2,
    hints=("Which values can μ and log σ² no longer take in the planted version?",),
    on_success=(
        "A ReLU before the heads would have forbidden every posterior narrower than the prior."
    ),
)
def mended_heads(answer, seed):
    yield from split_heads.trial(answer, seed)


@mended_heads.alternative
def heads_by_slices(h):
    D = h.size(1) // 2
    return h[:, :D], h[:, D:]


@mended_heads.mistake(
    "This is still the planted piece: which values can the code not take after it?"
)
def planted_heads(h):
    return h.relu().chunk(2, dim=1)


@mended_heads.mistake("μ is free now, log σ² is not yet. Which posteriors does that forbid?")
def logvar_still_clipped(h):
    mu, logvar = h.chunk(2, dim=1)
    return mu, logvar.relu()


@mended_heads.mistake(
    "log σ² is free now, μ is not yet. On which side of the origin do all codes lie?"
)
def mu_still_clipped(h):
    mu, logvar = h.chunk(2, dim=1)
    return mu.relu(), logvar


@mended_heads.mistake("A tanh allows both signs. Does it allow every size?")
def squashed(h):
    return h.tanh().chunk(2, dim=1)
