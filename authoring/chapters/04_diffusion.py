# %% [markdown]
# # 4 · Diffusion and flow matching
#
# Adding noise to an example is easy. If a network learns to take a little of it away again, one can start from pure noise and walk to
# a new example. That is how most of today's pictures are drawn. This chapter builds the method on a line and in a plane, where every
# answer is known: each formula meets a number that does not depend on it, each sampler is run on the *exact* field before it is
# run on a network, and each loss is drawn against the floor below which it cannot fall.
#
# **You will be able to** follow a density through an invertible map and along a flow; derive and train a score, a denoiser and a velocity,
# and turn each into the others; write five samplers and know the error of each; compute a likelihood along a flow; and say what
# guidance, inpainting and a perfect fit really do.
#
# **You need** chapter 1's normal distributions, Taylor's formula, and PyTorch. The exercises are in
# [`exercises/04_diffusion.ipynb`](../exercises/04_diffusion.ipynb), the answers in
# [`solutions/04_diffusion.ipynb`](../solutions/04_diffusion.ipynb). Everything is small, and runs on the CPU.

# %%
import itertools
import math

import torch
from torch import nn

from gencourse import figures
from gencourse.claims import claim
from gencourse.data import points
from gencourse.evaluation import nearest_neighbours
from gencourse.models import diffusion as m
from gencourse.runtime import manual_seed, scaled, seeded
from gencourse.training import fit

pairwise, double = itertools.pairwise, torch.float64


def mixture_of(name):  # a known density of the plane, as a mixture of normals
    p = points(name)
    return m.isotropic_mixture(p.centres, p.stds, p.weights)


# %% [markdown]
# ## What we are going to build
#
# First the goal. Fifteen hundred points of pure noise, and what becomes of them when they follow a velocity field from t = 1 to t = 0:

# %%
perfect = m.ExactDiffusion(mixture_of("spiral"), m.linear())
noise = torch.randn(1500, 2, generator=seeded(0))
film = m.heun(perfect.velocity, noise, m.even_times(40), keep=True)
figure, axes = figures.panels(5, height=2.3, sharey=True)
for ax, frame in zip(axes, (0, 16, 28, 35, 40), strict=True):
    figures.point_clouds({"": film[frame]}, f"t = {1 - frame / 40:.2g}", ax=ax)
    ax.label_outer()

# %% [markdown]
# *From noise to data in forty steps, the same points in each panel. The field that moves them was computed exactly, from the
# known density of the spiral. A network that has seen nothing but examples will take its place.*
#
# That is the machine: a field, and a way to follow it.
#
# In the whole chapter **data are at t = 0 and noise is at t = 1**, and a noisy example is
#
# $$x_t = \alpha_t\, x + \sigma_t\, \varepsilon, \qquad \varepsilon \sim \mathcal N(0, I).$$
#
# In the *flow form* $\alpha_t = 1 - t$ and $\sigma_t = t$; other choices are *schedules*. Section 4.4 translates the conventions of others.
#
# ## 4.1 Change of variables and normalising flows
#
# Push random numbers through an invertible map, $x = f(z)$. Probability is carried along, and is thinned out where the map stretches: an
# interval of length $dz$ is laid over one of length $dx$, so $p(x)\,|dx| = p_z(z)\,|dz|$. In more dimensions the stretch of a small
# volume is the determinant of the Jacobian:
#
# $$\log p(x) = \log p_z\big(f^{-1}(x)\big) + \log\left|\det \frac{\partial f^{-1}}{\partial x}\right| .$$
#
# **Predict, then run:** z is normal, with one peak. Can $x = \mathrm{sigmoid}(2z)$ have two?

# %%
drawn = (2 * torch.randn(400_000, generator=seeded(0))).sigmoid()
edges = torch.linspace(0, 1, 101)
x = 0.5 * (edges[1:] + edges[:-1])
z = (x.log() - (1 - x).log()) / 2  # the inverse map
dz_dx = 1 / (2 * x * (1 - x))
density = (-0.5 * z**2).exp() / (2 * math.pi) ** 0.5 * dz_dx
counted = drawn.histc(100, 0, 1) / len(drawn) * 100
claim("histogram_error", (counted - density)[1:-1].abs().max())

ax = figures.panels(height=2.8)[1]
ax.stairs(counted, edges, fill=True, color="0.8", label="400,000 draws, counted")
figures.curves(x, {"change of variables": density}, "x", "density",
               "One peak in, two peaks out", ax=ax)
ax.legend();

# %% [markdown]
# *The density of sigmoid(2z), counted and computed: they differ by less than {{histogram_error}}. Two peaks: near the ends the map
# flattens, and crowds what it maps.*
#
# ### A layer that can be inverted
#
# A model made of such maps, a **normalising flow**, is trained on $-\log p(x)$ itself: no bound and no opponent. Each layer has to be
# easy to invert, and its determinant easy to compute. A **coupling layer** (Dinh et al. 2017) leaves one half of x as it is, and
# scales and shifts the other by what a network makes of the first:

# %%
def coupling(x, network):
    stays, moved = x[:, :1], x[:, 1:]
    log_scale, shift = network(stays).chunk(2, dim=1)
    return torch.cat([stays, log_scale.exp() * moved + shift], 1), log_scale.sum(1)


def coupling_inverse(z, network):
    stays, moved = z[:, :1], z[:, 1:]
    log_scale, shift = network(stays).chunk(2, dim=1)
    return torch.cat([stays, (moved - shift) * (-log_scale).exp()], 1)


# %% [markdown]
# The network itself is never inverted. The Jacobian is triangular, with 1 and the scale on its diagonal, so its log-determinant is the
# log-scale. Both can be tested, against automatic differentiation and against the package's layer:

# %%
manual_seed(0)
network = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2)).double()
x = torch.randn(50, 2, dtype=double, generator=seeded(1))
z, log_det = coupling(x, network)
log_scale, shift = network(x[:, :1]).chunk(2, dim=1)
theirs, their_log_det = m.affine_coupling(x[:, 1:], log_scale, shift)
J = m.jacobian(lambda x: coupling(x, network)[0], x)
claim("coupling_inverse_error", (coupling_inverse(z, network) - x).abs().max())
claim("coupling_determinant_error", (J.det().log() - log_det).abs().max())
claim("coupling_and_theirs", (z[:, 1:] - theirs).abs().max()
      + (log_det - their_log_det).abs().max())

# %% [markdown]
# All three differences are below {{coupling_and_theirs}}. Now eight such layers, whose halves take turns, on a density that we know: eight
# islands on a ring. **Predict:** a chain of stretches and shears turns one round hill into this. What will the water between
# the islands look like?

# %%
ring = points("ring")


def batches_of(p, size=256, seed=0):  # fresh draws: no training set, so no overfitting
    for i in itertools.count():
        yield p.sample(size, seed=1000 * seed + i)


manual_seed(0)
flow = m.NormalizingFlow(layers=8, width=32)
fit(flow, batches_of(ring), steps=scaled(default=1000, smoke=5, full=5000), lr=5e-3,
    precision="float32")
held_out = ring.sample(4000, seed=99)
with torch.no_grad():
    claim("flow_kl", (ring.log_prob(held_out) - flow.log_prob(held_out)).mean())


def between_islands(x, p=ring):  # share of points more than 5 deviations from all centres
    return (torch.cdist(x, p.centres).amin(1) > 5 * p.stds[0]).double().mean()


claim("flow_between", 100 * between_islands(flow.sample(10_000)))

# %%
def density_map(ax, log_p, title, limit=3.0):
    n = round(len(log_p) ** 0.5)
    ax.imshow(log_p.detach().exp().view(n, n), origin="lower", cmap="viridis",
              extent=(-limit, limit, -limit, limit), vmin=0, vmax=1)
    ax.set(xlabel="x₁", ylabel="x₂", title=title)


grid, _ = figures.plane_grid(n=121)
circles = [r * torch.stack([a.cos(), a.sin()], 1) for r in (0.5, 1, 1.5, 2, 2.5)
           for a in [torch.linspace(0, 2 * math.pi, 400)]]
figure, (first, second, third) = figures.panels(3, height=3.2)
density_map(first, ring.log_prob(grid), "the known density")
density_map(second, flow.log_prob(grid), "the flow's density")
for i, circle in enumerate(circles):
    x1, x2 = flow.inverse(circle).detach().T
    third.plot(x1, x2, color=figures.PALETTE[i], lw=1, label=f"|z| = {0.5 + i / 2:g}")
third.set(xlabel="x₁", ylabel="x₂", title="circles of z, mapped to x",
          xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
third.legend(fontsize=7, loc="center");

# %% [markdown]
# *Left and middle: densities over the plane, per unit of area, on one scale. Right: where the flow takes five circles around the origin.
# Each stays one closed curve that crosses neither itself nor another.*
#
# On held-out points the flow's log-density is {{flow_kl}} nats below the truth on average: its divergence KL(p ‖ q), without any bound. And
# {{flow_between}} % of its samples lie in the water, more than five deviations from every island; of the true density fewer than four
# in a million. **A continuous map with a continuous inverse cannot tear the plane:** what is in one piece stays in one piece, and a hole is
# never made. Bridges can be as thin as you like, but only with a map that is as steep, and layers are steep only to a degree.
#
# *Autoregressive flows* scale and shift each coordinate by a function of all before it: triangular too, and stronger; one direction is one
# pass, the other goes coordinate by coordinate (Papamakarios et al. 2017). Chapter 3's models with normal conditionals are of this kind.
# And a chain of very many layers, each close to doing nothing? A velocity field, whose log-determinants add up to an integral (section 4.7).
#
# ## 4.2 Energy and score
#
# Another way to write a density: $p(x) = e^{-E(x)}/Z$ with any function E, an **energy**. A network may be E, but Z is an integral over all
# x, and nobody has it. Energy-based models are trained all the same: maximum likelihood lowers the energy of data and raises
# that of the model's own samples, which have to be drawn anew for each step, by a Markov chain. That is what makes them slow.
#
# The **score** $\nabla_x \log p(x) = -\nabla E(x)$ does not contain Z. It points, everywhere, to where the density grows fastest. For a
# mixture of normals, $\sum_k \pi_k\, \mathcal N(m_k, s_k^2)$, it is a mean of the pulls of all components, weighted with the
# probability $r_k$ that x belongs to component k. And if x is made noisy, $x_t = \alpha x + \sigma\varepsilon$, the density stays a mixture,
# with means $\alpha m_k$ and variances $\alpha^2 s_k^2 + \sigma^2$:

# %%
means, stds, weights = (torch.tensor(v, dtype=double)
                        for v in ([-1.5, 1.2], [0.3, 0.5], [0.4, 0.6]))


def mixture_score(x, alpha=1.0, sigma=0.0):
    variance = alpha**2 * stds**2 + sigma**2
    pull = (alpha * means - x[:, None]) / variance
    r = (weights.log() - 0.5 * variance.log() - 0.5 * pull**2 * variance).softmax(1)
    return (r * pull).sum(1)


line = torch.linspace(-7, 7, 2801, dtype=double)
dx, columns = line[1] - line[0], (means[:, None], stds, weights)
theirs = m.mixture_score(line[:, None], 0.8, 0.6, *columns)[:, 0]
claim("score_and_theirs", (mixture_score(line, 0.8, 0.6) - theirs).abs().max())
clean = m.isotropic_mixture(*columns)
log_p = clean.log_prob(line[:, None])
slopes = (log_p[2:] - log_p[:-2]) / (2 * dx)  # a derivative without any formula
claim("score_by_differences", (mixture_score(line[1:-1]) - slopes)[900:-900].abs().max())

# %% [markdown]
# It agrees with the package's to {{score_and_theirs}}, and with differences of $\log p$ to {{score_by_differences}}.
#
# How can one learn a score from samples, without knowing it? Suppose we did know it and minimised the squared error of a field s:
#
# $$\tfrac12 \mathbb E\,\lVert s - \nabla \log p \rVert^2 = \mathbb E\big[\tfrac12 \lVert s \rVert^2\big]
#   - \mathbb E\big[s \cdot \nabla \log p\big] + \text{const}.$$
#
# The middle term is $\int s \cdot \nabla p\, dx$, as $p \nabla \log p = \nabla p$, and one integration by parts makes it
# $-\int p\; \mathrm{div}\, s\, dx$. So, up to a constant, the loss is
#
# $$\mathbb E\big[\tfrac12 \lVert s(x) \rVert^2 + \mathrm{div}\, s(x)\big],$$
#
# which needs samples alone: **implicit score matching** (Hyvärinen 2005). Check it on the mixture, for a field that is far from the score:

# %%
p = log_p.exp()
s, ds_dx = (2 * line).sin() - line, 2 * (2 * line).cos() - 1
truth = mixture_score(line)
explicit = ((0.5 * (s - truth) ** 2 - 0.5 * truth**2) * p).sum() * dx
implicit = ((0.5 * s**2 + ds_dx) * p).sum() * dx
claim("implicit_difference", explicit - implicit)

# %% [markdown]
# They agree to {{implicit_difference}}. But the divergence of a network in D dimensions costs D backward passes, and where there are no data
# there is nothing to learn. Noise mends both. For a single example, $x_t$ given $x$ is normal, with the score
# $-(x_t - \alpha x)/\sigma^2 = -\varepsilon/\sigma$; and the score of all noisy examples is the mean of these over everything that could have
# led to $x_t$:
#
# $$\nabla \log p_t(x_t) = \frac{\int \nabla_{x_t}\, p(x_t \mid x)\, p(x)\, dx}{p_t(x_t)}
#   = \mathbb E\!\left[-\frac{\varepsilon}{\sigma} \,\Big|\, x_t\right].$$
#
# A regression finds a conditional mean. So regress $-\varepsilon/\sigma$ on $x_t$: **denoising score matching** (Vincent 2011). Put
# $\varepsilon = (x_t - \alpha x)/\sigma$ in, and one has **Tweedie's formula**: the best guess of the clean example is a step along the score,
#
# $$\mathbb E[x \mid x_t] = \frac{x_t + \sigma^2\, \nabla \log p_t(x_t)}{\alpha} .$$
#
# Test it against the posterior itself, summed over a grid of x. Then train a network of a few lines. **Predict:** noise has σ = 0.4. Does it
# learn the score of the data, or of the noisy data?

# %%
alpha, sigma = 0.8, 0.6
x_t = torch.linspace(-2, 2, 41, dtype=double)
joint = log_p - 0.5 * ((x_t[:, None] - alpha * line) / sigma) ** 2  # up to a constant
posterior_mean = joint.softmax(1) @ line
tweedie = (x_t + sigma**2 * mixture_score(x_t, alpha, sigma)) / alpha
claim("tweedie_error", (tweedie - posterior_mean).abs().max())


class ScoreNetwork(nn.Module):
    def __init__(self, sigma=0.4):
        super().__init__()
        self.sigma = sigma
        self.layers = nn.Sequential(nn.Linear(1, 64), nn.SiLU(), nn.Linear(64, 64),
                                    nn.SiLU(), nn.Linear(64, 1))

    def loss(self, x):
        eps = torch.randn_like(x)
        error = self.layers(x + self.sigma * eps) + eps / self.sigma
        return {"loss": 0.5 * error.square().sum(1)}


# %%
manual_seed(0)
student = ScoreNetwork()
single = m.isotropic_mixture(means[:, None].float(), stds.float(), weights.float())
fit(student, batches_of(single, 512), steps=scaled(default=600, smoke=5, full=3000),
    lr=1e-2, precision="float32")
learned = student.layers(line[:, None].float()).detach()[:, 0].double()
noisy = m.marginal(clean, 1.0, student.sigma).log_prob(line[:, None]).exp()
from_noisy, from_clean = (
    (((learned - mixture_score(line, 1.0, sigma)) ** 2 * noisy).sum() * dx).sqrt()
    for sigma in (student.sigma, 0.0))
claim("score_network_error", from_noisy)
claim("score_network_from_clean", from_clean)

# %%
ax = figures.curves(
    line, {"learned": learned, "exact, noisy data": mixture_score(line, 1.0, 0.4),
           "exact, clean data": mixture_score(line)},
    "x", "score", "A score learned from noisy examples")
ax.fill_between(line, 4 * noisy - 8, -8, color="0.85", label="density of noisy data")
ax.set(xlim=(-4, 4), ylim=(-8, 8))
ax.legend(ncols=2);

# %% [markdown]
# *The network's score and the exact ones; grey, not to scale: where the noisy examples lie. It learns the score of the noisy data, and where
# there are none, it is a guess.*
#
# Its root mean squared distance to the score of the noisy data is {{score_network_error}}; to that of the clean data
# {{score_network_from_clean}}. Little noise gives a score that is nearly right, near the data only; much noise one that is known everywhere,
# of a density that is blurred. The way out is to learn **all noise levels at once** (Song & Ermon 2019), and to walk from much to little.
#
