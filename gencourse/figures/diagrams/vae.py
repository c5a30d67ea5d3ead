"""The schematics of the chapter on variational autoencoders."""

from matplotlib.axes import Axes

from gencourse.figures.diagrams.kit import (
    COMPUTED,
    GRADIENT,
    Node,
    arrow,
    box,
    canvas,
    circle,
    frame,
    label,
    legend,
    path_arrow,
    stop,
)
from gencourse.figures.style import PALETTE

ROW, UP, DOWN, BELOW = 1.75, 2.3, 1.2, 0.55  # heights: the main row, μ and σ, ε


def graphical_model(ax: Axes | None = None) -> Axes:
    """A latent variable model: a code z makes an observation x (solid), and q guesses z from x
    (dashed), for each of N examples.
    """
    ax = canvas(5.2, 2.7, "A latent variable model", ax)
    z, x = circle(ax, 2.6, 2.05, "$z$"), circle(ax, 2.6, 0.75, "$x$", kind="observed")
    arrow(ax, z, x, bend=-0.45, shift=(0.06, 0))
    arrow(ax, x, z, bend=-0.45, shift=(-0.06, 0), dashed=True, color=PALETTE[0])
    label(ax, 3.1, 1.4, r"$p_\theta(x \mid z)$", ha="left")
    label(ax, 2.1, 1.4, r"$q_\phi(z \mid x)$", ha="right")
    label(ax, 3.1, 2.05, r"$z \sim p(z)$", ha="left")
    frame(ax, 1.05, 0.3, 3.1, 2.2)
    label(ax, 4.0, 0.47, "$N$")
    legend(
        ax,
        [("model, parameters θ", False, COMPUTED), ("inference, φ", True, PALETTE[0])],
        loc="lower center",
        ncols=2,
    )
    return ax


def vae_diagram(reparameterised: bool = True, ax: Axes | None = None) -> Axes:
    """A variational autoencoder as it is trained: what is computed (solid), and where the gradient
    of the loss goes (dashed).

    With z = μ + σε the gradient passes z, μ and σ and reaches the encoder; ε is drawn outside and
    gets none. Without it z is drawn inside the network, and the reconstruction's gradient ends
    there: only the KL term still teaches the encoder.
    """
    title = "A VAE in training" if reparameterised else "A VAE without reparameterisation"
    ax = canvas(9.0, 3.6, title, ax)
    x = circle(ax, 0.5, ROW, "$x$", kind="observed")
    encoder = box(ax, 1.65, ROW, "encoder")
    mu, sigma = circle(ax, 2.95, UP, r"$\mu$"), circle(ax, 2.95, DOWN, r"$\sigma$")
    frame(ax, 2.5, 0.85, 0.9, 1.8)
    z = circle(ax, 4.45, ROW, "$z$")
    decoder = box(ax, 5.65, ROW, "decoder")
    output = circle(ax, 6.8, ROW, r"$\hat{x}$")
    frame(ax, 7.3, 1.2, 1.6, 2.3)
    label(ax, 8.1, 2.32, "+")
    cost = box(ax, 8.1, ROW, "reconstruction\n" + r"$-\log p(x \mid z)$", 1.4, 0.7, kind="loss")
    kl = box(ax, 8.1, 2.85, r"$\mathrm{KL}(q \,\|\, p)$", 1.4, 0.6, kind="loss")
    label(ax, 8.1, 3.33, "loss", size=9)
    label(ax, 2.95, 0.68, r"$q(z \mid x)$")
    _computed(ax, [x, encoder, mu, sigma, z, decoder, output, cost])
    _gradient(ax, [encoder, mu, sigma, z, decoder, output, cost], kl, reparameterised)
    if reparameterised:
        eps = circle(ax, 4.45, BELOW, r"$\varepsilon$")
        arrow(ax, eps, z)
        label(ax, 4.45, 2.22, r"$z = \mu + \sigma\,\varepsilon$")
        label(ax, 4.85, BELOW, "$\\sim \\mathcal{N}(0, I)$, drawn outside:\nno gradient", ha="left")
    else:
        label(ax, 4.45, 2.22, r"$z \sim \mathcal{N}(\mu, \sigma^2)$")
        label(ax, 4.45, 0.85, "drawn inside:\nthe gradient stops")
    legend(
        ax,
        [("computed", False, COMPUTED), ("gradient of the loss", True, GRADIENT)],
        loc="upper left",
    )
    return ax


def _computed(ax: Axes, nodes: list[Node]) -> None:
    x, encoder, mu, sigma, z, decoder, output, cost = nodes
    pairs = [(x, encoder), (encoder, mu), (encoder, sigma), (mu, z), (sigma, z)]
    for start, end in [*pairs, (z, decoder), (decoder, output), (output, cost)]:
        arrow(ax, start, end, shift=(0, 0.07))
    path_arrow(ax, [(2.8, 2.65), (2.8, 2.95), (7.4, 2.95)])
    path_arrow(ax, [(0.5, ROW - 0.3), (0.5, 0.12), (8.1, 0.12), (8.1, 1.4)])


def _gradient(ax: Axes, nodes: list[Node], kl: Node, reparameterised: bool) -> None:
    encoder, mu, sigma, z, decoder, output, cost = nodes
    pairs = [(cost, output), (output, decoder), (decoder, z)]
    pairs += [(z, mu), (z, sigma)] if reparameterised else []
    for start, end in [*pairs, (mu, encoder), (sigma, encoder)]:
        arrow(ax, start, end, dashed=True, color=GRADIENT, shift=(0, -0.1))
    path_arrow(ax, [(7.4, 2.75), (3.1, 2.75), (3.1, 2.65)], dashed=True, color=GRADIENT)
    if not reparameterised:
        arrow(ax, z, stop(ax, 3.72, ROW), dashed=True, color=GRADIENT)
