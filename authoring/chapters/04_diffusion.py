# %% [markdown]
# # 4 · Diffusion and flow matching
#
# Adding noise to an example is easy. If a network learns to take a little of it away again, one can start from pure noise and walk to a new
# example. That is how most image generators work today. This chapter builds the method on a line and in a plane, where every answer is known:
# samplers first run on the *exact* field, and losses stand beside their least possible value.
#
# **You will be able to** follow a density through a map and along a flow; train a score, a denoiser and a velocity, and turn each into the
# others; write five samplers and know their errors; compute a likelihood along a flow; say what guidance, inpainting and a perfect fit really
# do; and draw digits and clothes, from pixels and from codes, in many steps and in one.
#
# **You need** chapter 1 (normal distributions, KL, the VAE's bound), and PyTorch. The exercises are in
# [`exercises/04_diffusion.ipynb`](../exercises/04_diffusion.ipynb), the answers in
# [`solutions/04_diffusion.ipynb`](../solutions/04_diffusion.ipynb).

# %%
import functools
import itertools
import math
import time

import torch
from torch import nn

from gencourse import figures
from gencourse.claims import claim
from gencourse.data import binarised, images, minibatches, points
from gencourse.evaluation import (
    feature_network, frechet_distance, nearest_neighbours, precision_recall)
from gencourse.models import diffusion as m
from gencourse.models.vae import VAE, reparameterize, trained_decoder
from gencourse.runtime import manual_seed, scaled, seeded
from gencourse.training import fit
from gencourse.widgets import (
    asking_explorer, denoising_film, flow_replay, guidance_explorer, noise_explorer)

# %% [markdown]
# Some shorthand; checks run in double precision, networks in single.

# %%
pairwise, double = itertools.pairwise, torch.float64
ring = points("ring")  # eight islands around the origin


def mixture_of(name):  # a known density of the plane, as a mixture of normals
    p = points(name)
    return m.isotropic_mixture(p.centres, p.stds, p.weights)


def normal_data(mean, std, path):  # all that is known of N(mean, std² I) on a path
    mixture = m.isotropic_mixture(torch.tensor(mean, dtype=double), std)
    return m.ExactDiffusion(mixture, path)


def normal(*shape, seed):  # noise in double precision, for exact fields
    return torch.randn(*shape, dtype=double, generator=seeded(seed))


def batches_of(p, size=256, seed=0):  # fresh draws: no training set, so no overfitting
    for i in itertools.count():
        yield p.sample(size, seed=1000 * seed + i)


# %% [markdown]
# ## What we are going to build
#
# The goal is a velocity field that carries pure noise to data:

# %%
perfect = m.ExactDiffusion(mixture_of("spiral"), m.linear())
noise = torch.randn(1500, 2, generator=seeded(0))
film = m.heun(perfect.velocity, noise, m.even_times(40), keep=True)
figure, axes = figures.panels(5, height=2.3, sharey=True)
for ax, frame in zip(axes, (0, 16, 28, 35, 40), strict=True):
    figures.point_clouds({"": film[frame]}, f"t = {1 - frame / 40:.2g}", ax=ax)
    ax.label_outer()

# %% [markdown]
# *Fifteen hundred points, in forty steps. The field is exact here, from the spiral's known density; later a network learns one.*
#
# The way to noise needs no network; the way back does:

# %%
figures.diffusion_diagram();

# %% [markdown]
# *Solid: a formula adds noise, to any level at once. Dashed: it is taken away step by step, with a network that sees the noisy example and
# the time.*
#
# In this chapter **data are at t = 0 and noise is at t = 1**, and a noisy example is
#
# $$x_t = \alpha_t\, x + \sigma_t\, \varepsilon, \qquad \varepsilon \sim \mathcal N(0, I).$$
#
# In the *flow form* $\alpha_t = 1 - t$ and $\sigma_t = t$. Section 4.4 translates the conventions of others.
#
# ## 4.1 Change of variables and normalising flows
#
# Push random numbers through an invertible map, $x = f(z)$. Probability is carried along, thinned out where the map stretches: a length $dz$ is
# laid over a length $dx$, so $p(x)\,|dx| = p_z(z)\,|dz|$. In more dimensions the stretch of a small volume is the determinant of the Jacobian:
#
# $$\log p(x) = \log p_z\big(f^{-1}(x)\big) + \log\left|\det \frac{\partial f^{-1}}{\partial x}\right| .$$
#
# **Predict, then run:** z is normal, with one peak. Can $x = \mathrm{sigmoid}(2z)$ have two?

# %%
drawn = (2 * torch.randn(400_000, generator=seeded(0))).sigmoid()
edges = torch.linspace(0, 1, 101)
x = (torch.arange(10_000) + 0.5) / 10_000  # a hundred points in each of a hundred bins
z = (x.log() - (1 - x).log()) / 2  # the inverse map
dz_dx = 1 / (2 * x * (1 - x))
density = (-0.5 * z**2).exp() / (2 * math.pi) ** 0.5 * dz_dx
counted = drawn.histc(100, 0, 1) / len(drawn) * 100
claim("histogram_error", (counted - density.view(100, 100).mean(1)).abs().max())

ax = figures.panels(height=2.8)[1]
ax.stairs(counted, edges, fill=True, color="0.8", label="400,000 draws, counted")
figures.curves(x, {"change of variables": density}, "x", "density",
               "One peak in, two peaks out", ax=ax)
ax.legend();

# %% [markdown]
# *The density of sigmoid(2z), counted and computed: no bin is off by {{histogram_error}}. Two peaks: towards the ends the map flattens and
# crowds what it maps, until z becomes rare.*
#
# ### A layer that can be inverted
#
# A **normalising flow** is made of such maps (so z has as many numbers as x: nothing is compressed), and trained on $-\log p(x)$ itself. Each
# layer has to be easy to invert, its determinant easy to compute. A **coupling layer** (Dinh et al. 2017) leaves one half of x as it is, and scales and shifts the other by what a network makes
# of the first:

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
# The network is never inverted. The Jacobian is triangular, with 1 and the scale on its diagonal, so its log-determinant is the log-scale.
# Compare with automatic differentiation and the package:

# %%
manual_seed(0)
network = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2)).double()
x = normal(50, 2, seed=1)
z, log_det = coupling(x, network)
log_scale, shift = network(x[:, :1]).chunk(2, dim=1)
theirs, their_log_det = m.affine_coupling(x[:, 1:], log_scale, shift)
J = m.jacobian(lambda x: coupling(x, network)[0], x)
off = {"inverse": coupling_inverse(z, network) - x, "theirs": z[:, 1:] - theirs,
       "determinant": J.det().log() - log_det, "their one": log_det - their_log_det}
claim("coupling_errors", max(each.abs().max() for each in off.values()))

# %% [markdown]
# All differences are below {{coupling_errors}}. Now eight such layers, whose halves take turns, on a known density, eight islands on a ring.
# **Predict:** what will the water between them look like?

# %%
manual_seed(0)
flow = m.NormalizingFlow(layers=8, width=32)
fit(flow, batches_of(ring), steps=scaled(default=1000, smoke=5, full=5000), lr=2e-3,
    precision="float32")

# %%
def between_islands(x):  # share of points 4 deviations off all centres, or more
    return (torch.cdist(x, ring.centres).amin(1) > 4 * ring.stds[0]).double().mean()


held_out = ring.sample(4000, seed=99)
with torch.no_grad():
    claim("flow_kl", (ring.log_prob(held_out) - flow.log_prob(held_out)).mean())
claim("flow_between", 100 * between_islands(flow.sample(10_000)))

# %%
def density_map(ax, log_p, title, limit=3.0):
    n = round(len(log_p) ** 0.5)
    ax.imshow(log_p.detach().exp().view(n, n).numpy(), origin="lower", cmap="viridis",
              extent=(-limit, limit, -limit, limit), vmin=0, vmax=1)
    ax.set(xlabel="x₁", ylabel="x₂", title=title)


grid, _ = figures.plane_grid(n=121)
circles = [r * torch.stack([a.cos(), a.sin()], 1) for r in (0.5, 1.5, 2.5)
           for a in [torch.linspace(0, 2 * math.pi, 6001)]]
figure, (first, second, third) = figures.panels(3, height=3.2)
densities = {"the known density": ring, "the flow's density": flow}
for ax, (title, p) in zip((first, second), densities.items(), strict=True):
    density_map(ax, p.log_prob(grid), title)
for i, circle in enumerate(circles):
    x1, x2 = flow.inverse(circle).detach().T
    third.plot(x1, x2, color=figures.PALETTE[i], lw=1)
third.set(xlabel="x₁", ylabel="x₂", title="circles of z, mapped to x",
          xlim=(-3, 3), ylim=(-3, 3), aspect="equal");

# %% [markdown]
# *Left and middle: densities, on one scale of colours, cut at 1. Right: where the flow takes circles |z|
# = 0.5, 1.5, 2.5. However thin its bridges, each stays one closed curve that crosses neither itself nor another.*
#
# On held-out points the flow's log-density is about {{flow_kl}} nats below the truth on average: an estimate of KL(truth ‖ flow), not a bound. And
# about {{flow_between}} % of its samples lie in the water, more than four deviations from every island; of true points three in ten thousand. **A
# continuous map with a continuous inverse cannot tear the plane:** what is in one piece stays so, and no hole is made. So bridges stay; how thin is a matter of the fit.
#
# *Autoregressive flows* scale and shift each coordinate by a function of all before it: triangular too, and stronger, but one of the two
# directions goes coordinate by coordinate (Papamakarios et al. 2017). With more and more layers, each a smaller step, the map becomes the
# flow of a velocity field, and the sum of log-determinants an integral (section 4.7).
#
# ## 4.2 Energy and score
#
# Another way to write a density: $p(x) = e^{-E(x)}/Z$ with an **energy** E, which can be any network. But Z is an integral over all x, and out
# of reach. Maximum likelihood lowers the energy of data and raises that of the model's own samples, which a Markov chain has to draw at each
# step. So *energy-based models* are slow.
#
# The **score** $\nabla_x \log p(x) = -\nabla E(x)$ does not contain Z. At each x it points where p grows fastest, and with it
# one can draw samples (section 4.3). For a mixture of normals, $\sum_k \pi_k\, \mathcal N(m_k, s_k^2)$, it is $\sum_k r_k\, (m_k - x)/s_k^2$:
# each component pulls, with a weight $r_k$ that is the probability that x belongs to it. And if x is made noisy,
# $x_t = \alpha x + \sigma\varepsilon$, the density stays a mixture, with means $\alpha m_k$ and variances $\alpha^2 s_k^2 + \sigma^2$:

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
claim("score_by_differences", (mixture_score(line[1:-1]) - slopes).abs().max())

# %% [markdown]
# It agrees with the package's to {{score_and_theirs}}, and with differences of $\log p$ to {{score_by_differences}}.
#
# How can one learn a score from samples? If we knew it, we could minimise the squared error of a field s:
#
# $$\tfrac12 \mathbb E\,\lVert s - \nabla \log p \rVert^2 = \mathbb E\big[\tfrac12 \lVert s \rVert^2\big]
#   - \mathbb E\big[s \cdot \nabla \log p\big] + \text{const}.$$
#
# The middle integral is $\int s \cdot \nabla p\, dx$, as $p \nabla \log p = \nabla p$, and one integration by parts makes it
# $-\int p\; \mathrm{div}\, s\, dx$, if $p\,s$ vanishes far out (div s is $\sum_d \partial s_d/\partial x_d$). So, up to a constant, the loss is
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
# They agree to {{implicit_difference}}. But the divergence costs D backward passes in D dimensions, and where there are no data nothing is
# learned. Noise helps with both. Given $x$, $x_t$ is normal, with the score $-(x_t - \alpha x)/\sigma^2 = -\varepsilon/\sigma$; and the score of
# all noisy examples is the mean of these over everything that could have led to $x_t$:
#
# $$\nabla \log p_t(x_t) = \frac{\int \nabla_{x_t}\, p(x_t \mid x)\, p(x)\, dx}{p_t(x_t)}
#   = \mathbb E\!\left[-\frac{\varepsilon}{\sigma} \,\Big|\, x_t\right].$$
#
# A regression finds conditional means. So regress $-\varepsilon/\sigma$ on $x_t$: **denoising score matching** (Vincent 2011). With
# $\varepsilon = (x_t - \alpha x)/\sigma$ it becomes **Tweedie's formula**: the best guess in squared error of the clean example is a step along the score,
#
# $$\mathbb E[x \mid x_t] = \frac{x_t + \sigma^2\, \nabla \log p_t(x_t)}{\alpha} .$$
#
# Test it against the posterior, summed over a grid of x:

# %%
alpha, sigma = 0.8, 0.6
x_t = torch.linspace(-2, 2, 41, dtype=double)
joint = log_p - 0.5 * ((x_t[:, None] - alpha * line) / sigma) ** 2  # up to a constant
posterior_mean = joint.softmax(1) @ line
tweedie = (x_t + sigma**2 * mixture_score(x_t, alpha, sigma)) / alpha
claim("tweedie_error", (tweedie - posterior_mean).abs().max())

# %% [markdown]
# They agree to {{tweedie_error}}. **Predict:** a small network sees noise of σ = 0.4. Does it learn the score of the data, or of the noisy
# data?

# %%
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
# *Grey, not to scale: where the noisy examples lie. The network learns the score of the noisy data, less well where they are rare; where there
# are none, it guesses.*
#
# Over noisy examples its root mean squared distance to their own score is {{score_network_error}}, to that of the clean data
# {{score_network_from_clean}}. With little noise one learns nearly the right score, but only near the data. With much noise, a score
# far out as well, but of a blurred density. The way out: learn **all noise levels at once** (Song & Ermon 2019), and walk from much to little.
#
# ## 4.3 To noise, and back
#
# A **path**, or schedule, is a choice of $\alpha_t$ and $\sigma_t$: the flow form's straight line; DDPM's (Ho et al. 2020), whose steps add
# noise of growing variance β; the cosine schedule (Nichol & Dhariwal 2021). To draw $x_t$:

# %%
def perturb(x, eps, alpha, sigma):  # alpha and sigma are numbers, or have one per row
    return alpha * x + sigma * eps


vp = m.linear_beta()  # α² + σ² = 1, as in DDPM
x, t = clean.sample(200_000, seed=0), torch.rand(200_000, generator=seeded(1)).double()
eps = normal(x.shape, seed=2)
alpha, sigma = (level[:, None] for level in vp.levels(t))
x_t = perturb(x, eps, alpha, sigma)
claim("perturb_and_theirs", (x_t - vp.perturb(x, eps, t)).abs().max())
exact = m.ExactDiffusion(clean, vp)
near = (t - 0.3).abs() < 0.02
variance = m.marginal(clean, *(level.item() for level in vp.levels(0.3)))
second = (variance.weights * (variance.means**2 + variance.covariances[..., 0]).T).sum()
claim("marginal_second_moment", x_t[near].square().mean() - second)

# %% [markdown]
# The package's `perturb` agrees to {{perturb_and_theirs}}, and draws with t near 0.3 have the second moment of section 4.2's noisy mixture, to
# {{marginal_second_moment}}.
#
# The same can be reached in many small steps, $x \leftarrow x + f h + g \sqrt h\, \varepsilon$ with a *drift* f and fresh noise at each; in the
# limit a **stochastic differential equation** (SDE),
#
# $$dx = f(x, t)\, dt + g(t)\, dw .$$
#
# The root makes it work: n independent pieces of variance $g^2 h$ add up to $g^2 n h$, however small the steps. With g = 1 and no drift that is
# Brownian motion w, with the drift $-x$ an Ornstein-Uhlenbeck process. **Predict** the variances at t = 5, from 0 at t = 0:

# %%
def simulate(drift, diffusion, x, times, seed=0):  # all states; times rise or fall
    states, generator = [x], seeded(seed)
    for t, s in pairwise(times):
        h = s - t
        eps = torch.randn(x.shape, dtype=x.dtype, generator=generator)
        x = x + h * drift(x, t) + diffusion(t) * abs(h) ** 0.5 * eps
        states.append(x)
    return torch.stack(states)


nothing, times = torch.zeros(50_000, 1, dtype=double), torch.linspace(0, 5, 201)
brownian = simulate(lambda x, t: 0 * x, lambda t: 1.0, nothing, times)
tied = simulate(lambda x, t: -x, lambda t: 1.0, nothing, times)
theirs = m.euler_maruyama(lambda x, t: -x, lambda t: torch.tensor(1.0), nothing, times,
                          seeded(0))
claim("sde_and_theirs", (tied[-1] - theirs).abs().max())
claim("brownian_variance", brownian[-1].var())
claim("tied_variance", tied[-1].var())

# %% [markdown]
# {{brownian_variance}} (in theory t), and {{tied_variance}} (in finer steps ½): the drift takes away as much as noise adds (`m.euler_maruyama`
# agrees to {{sde_and_theirs}}). For a path take $f = \frac{\dot\alpha}{\alpha} x$ and
# $g^2 = 2\sigma\dot\sigma - 2\frac{\dot\alpha}{\alpha}\sigma^2$ (`m.sde_coefficients`; dots are derivatives in t): the mean $\alpha x$ and the
# variance $\sigma^2$ then change as they should.
#
# **Ways back.** How does the density change? To order h, a step (its noise has mean 0 and variance $g^2 h$) changes the mean of any smooth $\varphi(x)$ by
# $h\, \mathbb E[f \cdot \nabla\varphi + \tfrac12 g^2 \Delta\varphi]$; integration by parts moves the derivatives to p. So the drift carries it,
# and noise spreads it (*Fokker-Planck equation*; Δ is div ∇):
#
# $$\frac{\partial p}{\partial t} = -\mathrm{div}(f p) + \tfrac12 g^2 \Delta p .$$
#
# But as $\Delta p = \mathrm{div}(p\, \nabla \log p)$, spreading *is* transport, with the velocity $-\tfrac12 g^2 \nabla \log p$. So noise can
# be traded for velocity. Trade all of it, and the **probability-flow ODE** (ordinary differential equation) has the SDE's *marginals*, its
# density of $x_t$ at each t,
#
# $$\frac{dx}{dt} = f - \tfrac12 g^2\, \nabla \log p_t(x),$$
#
# and can be run backwards. Follow still more of the score, and put noise λg in to make up for it:
#
# $$dx = \big[f - \tfrac12 (1 + \lambda^2)\, g^2\, \nabla \log p_t(x)\big]\, dt + \lambda g\, dw, \qquad t \text{ from 1 to 0}.$$
#
# λ = 0 is the ODE, λ = 1 Anderson's **reverse SDE** of 1982; in the limit of small steps all λ have the same marginals. What λ adds is a
# piece of **Langevin dynamics**, $dx = \nabla \log p\, d\tau + \sqrt2\, dw$, which leaves p as it is: noise spreads as much as the score
# gathers. (EDM's *churn* is akin.) From pure noise, with the exact score:

# %%
def backwards(churn, n=4000):
    def drift(x, t):
        f, g = m.sde_coefficients(vp, t)
        return f * x - 0.5 * (1 + churn**2) * g**2 * exact.score(x, t)

    start = normal(n, 1, seed=5)
    return simulate(drift, lambda t: churn * m.sde_coefficients(vp, t)[1], start, down)


down = torch.linspace(1, 0.001, 301, dtype=double)
runs = {churn: backwards(churn) for churn in (0, 1, 2)}
left, at = p[line < 0] * dx, line[line < 0]  # of the data, what lies left of 0
share, mean = left.sum(), (left * at).sum() / left.sum()
width = ((left * (at - mean) ** 2).sum() / share).sqrt()
ends = [run[-1] for run in runs.values()]
shares = torch.stack([(x < 0).double().mean() for x in ends])
print(f"left of 0: {share:.3f} of the data; of the samples", shares)
claim("reverse_share_error", (shares - share).abs().max())
widths = torch.stack([x[x < 0].std() for x in ends])
claim("reverse_width_error", (widths - width).abs().max())

# %%
x_axis, t_axis = torch.linspace(-4, 4, 161), torch.linspace(0.001, 1, 120)
t, x = torch.meshgrid(t_axis.double(), x_axis.double(), indexing="ij")
density = exact.log_prob(x.reshape(-1, 1), t.flatten()).exp().view_as(x)
figure, axes = figures.panels(3, height=3.2, sharey=True)
for ax, (churn, run) in zip(axes, runs.items(), strict=True):
    ax.pcolormesh(t_axis.numpy(), x_axis.numpy(), density.T.sqrt().numpy(),
                  cmap="viridis", rasterized=True)
    ax.plot(down, run[:, :6, 0], color="white", lw=0.8)
    ax.set(xlabel="t, from noise to data", title=f"λ = {churn}", xlim=(1, 0),
           ylim=(-4, 4))
axes[0].set_ylabel("x");

# %% [markdown]
# *Colour: the exact density of $x_t$ (its root, to show faint parts). White: six points on their way back, from the same noise. Paths of the
# ODE are smooth and never meet; those of the SDEs are rough and cross.*
#
# All end alike: left of 0 lies the data's share of points, to {{reverse_share_error}}, with the data's deviation, to {{reverse_width_error}}.
# With few steps, or a learned score, λ matters (section 4.5).
#
# **What Langevin alone cannot do.** A finite step h changes what it should leave alone: N(0, 1) becomes a normal of variance $1/(1 - h/2)$. And
# it rarely crosses a valley. **Predict** what share of points that start in the left peak is still there after 500 steps of 0.01:

# %%
start = normal(20_000, 1, seed=3)
coarse = simulate(lambda x, t: -x, lambda t: 2**0.5, start, 0.5 * torch.arange(40))
claim("langevin_variance", coarse[-1].var())
trapped = simulate(lambda x, t: exact.score(x, 0.0), lambda t: 2**0.5,
                   -1.5 + 0.3 * start[:1000], 0.01 * torch.arange(501))
claim("langevin_left", 100 * (trapped[-1] < 0).double().mean())

# %% [markdown]
# With h = 0.5 the variance, in theory 4/3, is about {{langevin_variance}}. And {{langevin_left}} % are still on the left, where 40 should be. Diffusion models
# choose their peak while noise fills the valley.
#
# ## 4.4 One thing under five names
#
# Networks are asked for different things: the clean example x, the noise ε, the score, $v = \alpha\varepsilon - \sigma x$, or the pair's **velocity** $u = dx_t/dt = \dot\alpha x + \dot\sigma \varepsilon$, in the flow form $\varepsilon - x$. Each is a combination $a\,x + b\,\varepsilon$, and
# so is $x_t$. Two equations, two unknowns: **given $x_t$, any one of them gives all others**, for $0 < t < 1$; and since all is linear, so
# do their conditional means, which networks learn.
#
# | name | is | x from it, any path | an error of 1 in it is, in x (flow form) |
# | --- | --- | --- | --- |
# | denoiser | $\mathbb E[x \mid x_t]$ | x | 1 |
# | noise | $\mathbb E[\varepsilon \mid x_t]$ | $(x_t - \sigma\varepsilon)/\alpha$ | $t/(1-t)$: lost at t = 1 |
# | score | $-\mathbb E[\varepsilon \mid x_t]/\sigma$ | $(x_t + \sigma^2 s)/\alpha$ | $t^2/(1-t)$: lost at t = 1; its targets explode at t = 0 |
# | v | $\mathbb E[\alpha\varepsilon - \sigma x \mid x_t]$ | $(\alpha x_t - \sigma v)/(\alpha^2 + \sigma^2)$ | $t/((1-t)^2 + t^2)$ |
# | velocity | $\mathbb E[\varepsilon - x \mid x_t]$ (flow form) | $x_t - t u$ (flow form) | $t$ |
#
# At t = 0 nothing else follows from the denoiser: $x_t$ is x, and says nothing of ε. **v and u are good at both ends.** (A narrow network
# needs x̂: section 4.11.) In the flow form:

# %%
def all_five(u, x_t, t):  # from the velocity, in the flow form
    x, eps = x_t - t * u, x_t + (1 - t) * u
    return {"x": x, "eps": eps, "score": -eps / t, "v": (1 - t) * eps - t * x, "u": u}


flow_form = m.linear()
x, eps = normal(2, 400, 3, seed=0)
t = torch.linspace(0.05, 0.95, 400, dtype=double)
x_t = perturb(x, eps, 1 - t[:, None], t[:, None])
five = all_five(eps - x, x_t, t[:, None])
ways = [m.convert(five[a], a, b, x_t, flow_form, t) - five[b]
        for a in five for b in five]
claim("round_trips", torch.stack(ways).abs().max())

# %%
t = torch.linspace(0.01, 0.99, 99, dtype=double)
growth = {name: m.weight_of(kind, flow_form, t) ** -0.5 for name, kind in
          {"denoiser x": "x", "noise ε": "eps", "v": "v", "velocity u": "u"}.items()}
ax = figures.curves(t, growth, "t", "error of x",
                    "What an error of 1 in each becomes, in x")
figures.log_scale(ax, "y")

# %% [markdown]
# *Flow form, without the score. All ways from one name to another agree to {{round_trips}}. Near t = 1 an error of the noise is multiplied without limit; one of
# the velocity is never enlarged.*
#
# This is also a **weight**: squared errors of ε are those of x times the signal-to-noise ratio (SNR) $\alpha^2/\sigma^2$, those of u times
# $1/t^2$. So what one predicts with a plain loss *is* a choice of what matters; one may also set the weight by hand (*min-SNR*: Hang et al.
# 2023). **Preconditioning** (EDM) takes $\hat x = c_\text{skip}\, x_t + c_\text{out}\, F(c_\text{in}\, x_t, t)$ with the best linear denoiser as the skip, at α = 1 $s^2/(s^2
# + \sigma^2)$ for data of variance $s^2$, and $c_\text{in}$, $c_\text{out}$ such that what F sees, and what it is asked for, has variance 1 at every level of noise:

# %%
x, eps = 0.5 * normal(100_000, seed=0), normal(100_000, seed=1)
seen, asked = [], []
for sigma in (0.01, 0.5, 3.0, 80.0):
    skip, out, inside = m.preconditioning(1.0, sigma, sigma_data=0.5)
    x_t = perturb(x, eps, 1.0, sigma)
    seen.append((inside * x_t).var())
    asked.append(((x - skip * x_t) / out).var())  # what F should say
claim("precondition_seen", max(seen, key=lambda v: abs(v - 1)))
claim("precondition_asked", max(asked, key=lambda v: abs(v - 1)))

# %% [markdown]
# The variances are {{precondition_seen}} (seen) and {{precondition_asked}} (asked for), but for chance.
#
# ### The conventions of others
#
# A denoiser does not depend on scale: x̂ at $(x_t, \alpha, \sigma)$ is x̂ at $(c x_t, c\alpha, c\sigma)$. So **any model is ours** after $x_t$
# is divided by $\alpha + \sigma$ and the time read as $t = \sigma/(\alpha + \sigma)$.
#
# | who | time, and where the data are | α, σ | predicts |
# | --- | --- | --- | --- |
# | this course; Stable Diffusion 3 | 0 to 1, data at 0 | 1 − t, t | u = ε − x |
# | MIT 6.S184 (its linear path); Liu et al. 2022; Meta's flow_matching; torchcfm | 0 to 1, **data at 1** | t, 1 − t | **x − ε** = −u at 1 − t |
# | DDPM; Stable Diffusion 1 | steps 1 to T (in code 0 to T − 1), data at 0 | √ᾱ, √(1 − ᾱ), with ᾱ = Π(1 − β) | ε |
# | score SDE, variance preserving (VP) | 0 to 1, data at 0 | √ᾱ, √(1 − ᾱ), with ᾱ = exp(−0.1 t − 9.95 t²) | score, or ε |
# | score SDE, variance exploding (VE) | 0 to 1, data (with noise of 0.01) at 0 | 1, 0.01 · 5000ᵗ (for CIFAR-10) | score |
# | EDM | σ itself | 1, σ | F, preconditioned |
#
# Is the third column right? Each author publishes how x *moves*: DDPM a step, $x \leftarrow \sqrt{1 - \beta}\, x + \sqrt\beta\, \varepsilon$; VP the SDE
# $f = -\tfrac12 \beta x$, $g^2 = \beta$ with $\beta = 0.1 + 19.9\, t$; VE and EDM $f = 0$, $g^2 = d\sigma^2/dt$; 6.S184 the velocity $(x - x_t)/(1 - t)$,
# from noise. Follow them, and see how much of x is left and how much noise has come in:

# %%
def after(moves):  # α and σ of x after steps x ← a x + b ε, from data
    alpha, variance = 1.0, 0.0
    for a, b in moves:
        alpha, variance = a * alpha, a**2 * variance + b**2
    return alpha, variance**0.5


def along(pull, g2, end, n=10_000):  # dx = -pull x dt + g dw, in n steps up to `end`
    h = end / n
    middle = [(i + 0.5) * h for i in range(n)]
    return after((1 - pull(t) * h, (g2(t) * h) ** 0.5) for t in middle)


def zero(t):
    return 0.0


# %%
betas = m.linear_betas().tolist()
noise_left = math.prod(1 - 0.01 / (1 - i / 100) for i in range(70))  # steps of 0.01
rate = 2 * math.log(5000)  # of VE's σ²
moved = {"DDPM": after(((1 - b) ** 0.5, b**0.5) for b in betas[:300]),
         "VP": along(lambda t: 0.05 + 9.95 * t, lambda t: 0.1 + 19.9 * t, 0.4),
         "VE": along(zero, lambda t: rate * 0.01**2 * math.exp(rate * t), 0.6),
         "EDM": along(zero, lambda t: 2 * t, 0.7),
         "6.S184": (1 - noise_left, noise_left)}
bars = {"DDPM": math.prod(1 - b for b in betas[:300]),
        "VP": math.exp(-0.1 * 0.4 - 9.95 * 0.4**2)}
column = {name: (bar**0.5, (1 - bar) ** 0.5) for name, bar in bars.items()}
column |= {"VE": (1, 0.01 * 5000**0.6), "EDM": (1, 0.7), "6.S184": (0.7, 1 - 0.7)}
theirs = {"DDPM": m.ddpm_levels(m.linear_betas(), 300), "EDM": m.edm_levels(0.7),
          "VP": m.score_sde_levels(0.4, "vp"), "VE": m.score_sde_levels(0.6, "ve"),
          "6.S184": m.linear().levels(1 - 0.7)}
by_name = [torch.tensor([kind[name] for name in theirs], dtype=double)
           for kind in (moved, column, theirs)]
claim("levels_moved", (by_name[0] - by_name[1]).abs().max())
claim("levels_and_theirs", (by_name[2] - by_name[1]).abs().max())

# %% [markdown]
# Column and motion agree to {{levels_moved}} (finite steps; VE's first 0.01), the column and the package to {{levels_and_theirs}}. Now noisy points of
# the spiral in these five, denoised as they are and as ours:

# %%
spiral = mixture_of("spiral")
columns = spiral.means.double(), points("spiral").stds.double(), spiral.weights.double()
x, eps = normal(2, 100, 2, seed=0)
off = []
for alpha, sigma in theirs.values():
    x_t = perturb(x, eps, alpha, sigma)
    ours = m.to_linear(x_t, alpha, sigma)
    back = m.mixture_denoiser(ours.x_t, 1 - ours.sigma, ours.sigma, *columns)
    off.append((back - m.mixture_denoiser(x_t, alpha, sigma, *columns)).abs().max())
x_t, wide = perturb(x, eps, 0.7, 0.3), m.isotropic_mixture(*columns)
x_hat = m.mixture_denoiser(x_t, 0.7, 0.3, *columns)
asked = x_hat - (x_t - 0.7 * x_hat) / 0.3  # x̂ - ε̂, as 6.S184's model says at its 0.7
t, u = m.from_reversed_time(0.7, asked)
off.append((u - m.ExactDiffusion(wide, flow_form).velocity(x_t, t)).abs().max())
claim("translations", max(off))

# %% [markdown]
# All agree to {{translations}}; so does the velocity of a model with the other time.
#
# **Check where a schedule ends.** Sampling starts at pure noise, so α/σ has to end near 0. DDPM has 1,000 steps, with betas from 0.0001 to
# 0.02. What if a schedule has only 100 betas?

# %%
snr = {T: m.terminal_snr(m.alpha_bars(m.linear_betas(T))) for T in (1000, 100)}
claim("snr_of_1000", 100 * snr[1000])
claim("snr_of_100", 100 * snr[100])

# %% [markdown]
# The SNR is {{snr_of_1000}} % with 1,000, but {{snr_of_100}} % with 100. `m.check_terminal_snr` refuses that.
#
# ### The loss and its floor
#
# The loss asks for the velocity of a single pair, which nobody can know from $x_t$: other pairs lead to the same point. So the error splits:
#
# $$\mathbb E\,\lVert \hat u - (\varepsilon - x) \rVert^2 = \mathbb E\,\lVert \hat u - u(x_t, t) \rVert^2
#   + \mathbb E\,\lVert u(x_t, t) - (\varepsilon - x) \rVert^2, \qquad u(x_t, t) = \mathbb E[\varepsilon - x \mid x_t].$$
#
# (Given $x_t$, the cross term has the mean 0.) The second does not depend on the network: **a floor, as a rule well above zero**. For data
# $\mathcal N(m, s^2)$ it is known at each t (an exercise); its mean over t, for uniform t and independent pairs, is $\pi s/2$ in each
# dimension.
#
# **Predict** the loss of a *perfect* model on two-dimensional normal data with s = 0.5, summed over dimensions:

# %%
def flow_loss(field, x, eps, t):
    x_t = perturb(x, eps, 1 - t[:, None], t[:, None])
    return (field(x_t, t) - (eps - x)).square().sum(1)


n = scaled(default=100_000, smoke=1000, full=1_000_000)
x, eps = normal(2, n, 2, seed=0)
x, t = 0.5 * x, torch.rand(n, dtype=double, generator=seeded(1))
disc = normal_data([[0.0, 0.0]], 0.5, flow_form)
ours, theirs = (loss(disc.velocity, x, eps, t)
                for loss in (flow_loss, m.flow_matching_loss))
claim("flow_loss_and_theirs", (ours - theirs).abs().max())
claim("perfect_loss", ours.mean())
claim("perfect_loss_off", ours.mean() - 2 * m.flow_matching_floor(0.5))

# %% [markdown]
# {{perfect_loss}}, twice πs/2 to {{perfect_loss_off}} (and the package's loss agrees with yours to {{flow_loss_and_theirs}}). With a mean over
# dimensions, a weight, or other times the floor is another: **say how a loss was taken**.
#
# Now a network. It sees $x_t$, and t as sines and cosines; in each batch every example draws a new t and ε for the loss above. On the ring floor and true field are known:

# %%
def new_flow(seed=0, **options):
    manual_seed(seed)
    return m.DiffusionModel(m.PointNetwork(width=96), flow_form, predict="u", **options)


steps = scaled(default=1500, smoke=5, full=20_000)
net = new_flow()
history = fit(net, batches_of(ring), steps=steps, lr=4e-3, precision="float32")

# %%
perfect_ring = m.ExactDiffusion(mixture_of("ring"), flow_form)
x_drawn = ring.sample(20_000, seed=50)
eps_drawn = torch.randn(20_000, 2, generator=seeded(51))
t_drawn = torch.rand(20_000, generator=seeded(52)).clamp(0.001)
x_drawn_t = flow_form.perturb(x_drawn, eps_drawn, t_drawn)
true_field = perfect_ring.velocity(x_drawn_t, t_drawn)


@torch.no_grad()
def losses_of(model):  # of each example: the loss, the squared distance to the truth
    off = (model.velocity(x_drawn_t, t_drawn) - true_field).square().sum(1)
    return flow_loss(model.velocity, x_drawn, eps_drawn, t_drawn), off


def by_time(values, bins=20):  # means over t in bins
    which = (t_drawn * bins).long()
    total = torch.zeros(bins).index_add(0, which, values.float())
    return total / which.bincount(minlength=bins)


# %%
loss, excess = losses_of(net)
floor = perfect_ring.posterior_variance(x_drawn_t, t_drawn) / t_drawn**2
claim("ring_floor", floor.mean())
claim("ring_excess", excess.mean())
claim("ring_loss_gap", loss.mean() - floor.mean() - excess.mean())

# %%
figure, (left, right) = figures.panels(2, height=3.2)
at, values = figures.running_mean(history["loss"], 40)
figures.curves(at, {"loss, running mean": values}, "training step",
               "squared error, summed", "Training", ax=left)
left.axhline(floor.mean().item(), color="black", ls=":", label="exact floor")
left.set_ylim(0, 6)
left.legend()
middle = (torch.arange(20) + 0.5) / 20
figures.curves(middle, {"loss": by_time(loss), "exact floor": by_time(floor),
                        "squared distance to the true field": by_time(excess)},
               "t", "squared error, summed", "After training, by time", ax=right)
right.set_ylim(0);

# %% [markdown]
# *Left: the loss sinks to its floor, and scatters about it. Right: at each t it is the floor plus the squared distance to the true field, but
# for chance.*
#
# On average the floor is {{ring_floor}}, the squared distance {{ring_excess}}; loss minus both is less than {{ring_loss_gap}}. Without its floor only differences of
# losses tell how good a model is.
#
# ## 4.5 Samplers
#
# Three samplers follow the ODE in finite steps: Euler's rule; **Heun's**, which looks ahead and takes the mean of two slopes (its last step
# is Euler's, as a velocity computed from x̂ divides by σ); and **DDIM**, which splits $x_t$ into x̂ and ε̂, and joins them at the next level.
# The **ancestral** sampler of DDPM (in small steps λ = 1) draws from $p(x_s \mid x_t, x = \hat x)$, which is normal. And a **Langevin corrector** shakes points at a
# fixed level, to repair what a step spoiled.

# %%
def euler(velocity, x, times):
    for t, s in pairwise(times):
        x = x + (s - t) * velocity(x, t)
    return x


def heun(velocity, x, times):
    for t, s in pairwise(times):
        slope = velocity(x, t)
        if s > 0:
            slope = 0.5 * (slope + velocity(x + (s - t) * slope, s))
        x = x + (s - t) * slope
    return x


def ddim(denoise, x, path, times):
    for t, s in pairwise(times):
        (alpha, sigma), (alpha_s, sigma_s) = path.levels(t), path.levels(s)
        x_hat = denoise(x, t)
        x = alpha_s * x_hat + sigma_s * (x - alpha * x_hat) / sigma
    return x


# %%
def ancestral(denoise, x, path, times, generator):
    for t, s in pairwise(times):
        (alpha, sigma), (alpha_s, sigma_s) = path.levels(t), path.levels(s)
        kept = alpha / alpha_s  # x_t = kept · x_s + fresh noise of this variance:
        fresh = sigma**2 - kept**2 * sigma_s**2
        mean = kept * sigma_s**2 * x + alpha_s * fresh * denoise(x, t)
        eps = torch.randn(x.shape, dtype=x.dtype, generator=generator)
        x = (mean + (fresh.sqrt() * sigma_s * sigma) * eps) / sigma**2
    return x


def corrected(velocity, score, x, path, times, generator, ratio=0.1):
    for t, s in pairwise(times):
        x, sigma = x + (s - t) * velocity(x, t), path.levels(s)[1]
        if s > 0:
            h = ratio * sigma**2
            eps = torch.randn(x.shape, dtype=x.dtype, generator=generator)
            x = x + h * score(x, s) + (2 * h) ** 0.5 * eps
    return x


# %% [markdown]
# On the exact field of the ring, yours and the package's:

# %%
sharp = m.ExactDiffusion(m.isotropic_mixture(
    ring.centres.double(), ring.stds.double(), ring.weights.double()), flow_form)
field, noise, times = sharp, normal(1500, 2, seed=7), m.even_times(12)
yours = [euler(field.velocity, noise, times), heun(field.velocity, noise, times),
         ddim(field.denoise, noise, flow_form, times),
         ancestral(field.denoise, noise, flow_form, times, seeded(1)),
         corrected(field.velocity, field.score, noise, flow_form, times, seeded(1))]
theirs = [m.euler(field.velocity, noise, times), m.heun(field.velocity, noise, times),
          m.ddim(field.denoise, noise, flow_form, times),
          m.ancestral(field.denoise, noise, flow_form, times, seeded(1)),
          m.predictor_corrector(field.velocity, field.score, noise, flow_form, times,
                                seeded(1))]
off = [(a - b).abs().max() for a, b in zip(yours, theirs, strict=True)]
claim("samplers_and_theirs", max(off))
claim("ddim_is_euler", (yours[2] - yours[0]).abs().max())

# %% [markdown]
# They agree to {{samplers_and_theirs}}; and in the flow form (as for α = 1 in steps of σ) DDIM *is* Euler, to {{ddim_is_euler}}.
#
# **How wrong is a step?** For normal data the flow has a closed form: on a path with α = 1, from level σ to σ′, it multiplies $x - m$ by
# $\sqrt{(s^2 + \sigma'^2)/(s^2 + \sigma^2)}$. Take N(1, 0.5²), and σ from 10 down to 0.002, in steps even in $\sigma^{1/7}$ (EDM's
# spacing). **Predict** by what the error falls if steps are doubled, for Euler and for Heun:

# %%
bell = normal_data([[1.0]], 0.5, m.ve(10.0))
start = 10 * torch.linspace(-2, 2, 101, dtype=double)[:, None]
truth = m.gaussian_flow_map(start, 1.0, 0.5, (1.0, 10.0), (1.0, 0.002))


def levels(n, last):  # times of the path, whose σ is 10 t
    return m.rho_levels(n, sigma_max=10.0, last=last) / 10


numbers = torch.tensor([8, 16, 32, 64, 128, 256])
errors = {rule.__name__: torch.stack(
    [(rule(bell.velocity, start, levels(n, "sigma_min")) - truth).square().mean().sqrt()
     for n in numbers.tolist()]) for rule in (euler, heun)}
claim("euler_slope", (errors["euler"][-2] / errors["euler"][-1]).log2())
claim("heun_slope", (errors["heun"][-2] / errors["heun"][-1]).log2())


def spread(n, last, rule=euler):  # deviation of the samples over that of the data
    ends = torch.tensor([[-1.0], [1.0]], dtype=double) * 100.25**0.5  # of x_t at σ = 10
    x = rule(bell.velocity, ends, levels(n, last))
    return (x[1] - x[0]) / 2 / 0.5


# %%
few = (1, 2, 5, 10, 25, 50)
table = {last: torch.cat([spread(n, last) for n in few])
         for last in ("sigma_min", "zero")}
print("n         ", *(f"{n:5}" for n in few))
for last, row in table.items():
    print(f"{last:10}", *(f"{value:.3f}" for value in row))
claim("shrink_two", table["sigma_min"][1])
claim("shrink_ten", table["sigma_min"][3])
claim("shrink_fifty", table["sigma_min"][5])
claim("shrink_two_to_zero", table["zero"][1])
claim("shrink_ten_to_zero", table["zero"][3])
claim("heun_five", spread(5, "sigma_min", heun))

# %%
figure, (left, right) = figures.panels(2, height=3.2)
figures.curves(numbers, {"Euler (DDIM)": errors["euler"], "Heun": errors["heun"]},
               "steps n", "error of x", "Order 1 and order 2", ax=left)
figures.log_scale(left, "both")
figures.curves(torch.tensor(few), {"n steps 10 → 0.002": table["sigma_min"],
                                   "n levels to 0.002, then 0": table["zero"]},
               "Euler steps n", "spread, 1 is right", "Few steps shrink the spread",
               ax=right)
figures.log_scale(right, "x")
right.axhline(1, color="black", ls=":");

# %% [markdown]
# *Left: root mean squared distance to the exact map; Heun asks the field twice in a step. Right: the deviation of the samples over that of
# the data, with two schedules.*
#
# Doubling divides the errors by 2 to the power of {{euler_slope}} and {{heun_slope}}: orders 1 and 2. And Euler's error has a direction. Its step goes to a mean, $\mathbb E[\alpha_s x +
# \sigma_s \varepsilon \mid x_t]$, which varies less than $x_s$. Here it multiplies $x - m$ by $(s^2 + \sigma\sigma')/(s^2 + \sigma^2)$, which by Cauchy and
# Schwarz is less than the factor above: **few steps shrink the spread.** With n steps that *end at* 0.002 it is {{shrink_two}}, {{shrink_ten}}
# and {{shrink_fifty}} of the truth at n = 2, 10 and 50. With the usual n levels down to 0.002 and a last step to 0 it is {{shrink_two_to_zero}}
# and {{shrink_ten_to_zero}} at 2 and 10. A number of steps means nothing without its schedule, or its rule: five of Heun's steps to 0.002 widen
# the spread, to {{heun_five}}. (DDIM is exact only where x̂ stays the same on the way: with independent noise, for a single point.)
#
# **Whose error is it?** Run the samplers on the exact field and on section 4.4's network, with equally many evaluations. Count samples in the
# water, and measure how wide the islands are.

# %%
def island_width(x):  # spread of the points on islands about their centres, 1 is right
    away = torch.cdist(x, ring.centres).amin(1)
    dry = away[away <= 4 * ring.stds[0]]
    return (dry.square().mean() / 2).sqrt() / ring.stds[0]


@torch.no_grad()
def four_ways(field, evaluations):
    whole, half = m.even_times(evaluations), m.even_times(evaluations // 2)
    yield "Euler", euler(field.velocity, noise, whole)
    yield "Heun", heun(field.velocity, noise, half)
    yield "ancestral", ancestral(field.denoise, noise, flow_form, whole, seeded(1))
    yield "corrector", corrected(field.velocity, field.score, noise, flow_form, half,
                                 seeded(1))


# %%
budgets, noise = (4, 8, 16, 32, 128), torch.randn(2000, 2, generator=seeded(7))
fields = {"the exact field": perfect_ring, "the network": net}
wet, widths = {}, {}
for who, field in fields.items():
    for n in budgets:
        for name, x in four_ways(field, n):
            wet.setdefault((who, name), []).append(100 * between_islands(x))
            widths.setdefault((who, name), []).append(island_width(x))

# %%
claim("exact_heun", wet["the exact field", "Heun"][-1])
claim("network_heun", wet["the network", "Heun"][-1])
claim("few_euler", wet["the exact field", "Euler"][0])
claim("exact_ancestral", wet["the exact field", "ancestral"][3])
claim("ancestral_width", widths["the exact field", "ancestral"][3])
claim("network_ancestral_width", widths["the network", "ancestral"][3])

# %%
figure, axes = figures.panels(2, height=5.4, rows=2, sharey="row")
kinds = ((wet, "% of samples in the water", 100 * math.exp(-8)),
         (widths, "width of islands", 1.0))
for row, (found, words, truth) in zip(axes, kinds, strict=True):
    for ax, who in zip(row, fields, strict=True):
        lines = {name: torch.stack(v) for (w, name), v in found.items() if w == who}
        figures.curves(torch.tensor(budgets), lines, "evaluations of the field", words,
                       f"On {who}", ax=ax)
        ax.axhline(truth, color="black", ls=":", label="true points")
        figures.log_scale(ax, "x")
        ax.legend().set_visible(ax is axes[0, 0])
        ax.label_outer()
axes[0, 0].set_yscale("symlog", linthresh=0.1)
axes[0, 0].set_yticks([0, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
axes[0, 0].set_ylim(0, 120);

# %% [markdown]
# *Above: samples between the islands, on an axis that is logarithmic above 0.1 %. Below: the spread of the others (cut at 4 deviations; an even
# smear has 2) about their centres, over the true one. Left: the sampler's error, which goes away with steps. Right: on the network the ODE's samplers level off far above the truth.
# The ancestral one gets lower: fresh noise replaces part of the errors so far. The corrector hardly does.*
#
# **One measure is not enough.** With 32 evaluations of the exact field the ancestral sampler leaves less than {{exact_ancestral}} % in the
# water, but its islands have only {{ancestral_width}} of their width: dry, but narrow, as one x̂ stands for many x. On the network, whose own error widens islands,
# they have {{network_ancestral_width}}.
#
# Four Euler steps on the exact field put {{few_euler}} % in the water, Heun's rule with 128 evaluations less than {{exact_heun}} %; on the
# network, with as many, {{network_heun}} %. Neither field can tear the plane; the exact one is just steep enough, and the network
# steeper than section 4.1's smaller flow with its {{flow_between}} %.

# %% tags=["widget"]
noise_explorer(perfect_ring)

# %% [markdown]
# *Density and score field, long arrows shortened (without a kernel: five levels of noise). With little noise each island pulls for itself; with much, the field has
# forgotten that there are eight.*
#
# ## 4.6 Flow matching
#
# Flow matching reaches an ODE without SDEs (Lipman et al. 2022, Liu et al. 2022, Albergo & Vanden-Eijnden 2022): connect each example with a
# draw of noise by a straight line, and learn the velocity. Lines cross, and at a crossing the network can give only one answer, the mean over
# those that pass: the **conditional** velocity $\varepsilon - x$ is the target, the **marginal** velocity
# $u(x_t, t) = \mathbb E[\varepsilon - x \mid x_t]$ is learned. That suffices. How a density changes depends on the flow of mass $p\,u$ alone
# (the *continuity equation*, $\partial p/\partial t = -\mathrm{div}(p u)$), and $p\,u$ is the sum over all lines through the point. So points
# that follow u have, at each t, the same density as points that follow the lines. (With independent normal noise this *is* diffusion, in the flow
# form; but one may start elsewhere, and choose the pairs.)

# %%
two_peaks = m.ExactDiffusion(clean, flow_form)
x, eps = clean.sample(60, seed=3), normal(60, 1, seed=4)
straight = torch.stack([x, eps])[:, :, 0]
flowing = m.heun(two_peaks.velocity, eps, m.even_times(100), keep=True)[:, :, 0]
figure, (left, right) = figures.panels(2, height=3.2, sharey=True)
left.plot([0, 1], straight, color=figures.PALETTE[0], lw=0.6)
left.set(xlabel="t", ylabel="x", title="Pairs: straight lines that cross", xlim=(1, 0))
right.plot(m.even_times(100), flowing, color=figures.PALETTE[1], lw=0.6)
right.set(xlabel="t", title="Their flow: curves that do not", xlim=(1, 0))
order = flowing[0].argsort()
claim("flow_crossings", (flowing[:, order].diff(dim=1) < 0).sum())
theirs = x[:, 0][order]  # the ends of the straight lines, in the order of their noise
crossed = (theirs[:, None] > theirs).triu(1).sum()
claim("pairs_that_cross", 100 * crossed / (60 * 59 / 2))

# %% [markdown]
# *Sixty pairs of noise (left ends) and data. Left: their own lines; of any two, on average half cross (here about {{pairs_that_cross}} %). Right: where the exact
# marginal velocity takes the same noise, with {{flow_crossings}} crossings.*
#
# The losses with $\varepsilon - x$ and with u as target differ by the floor, a constant, so their gradients are equal; in expectation, not in a
# batch. Two data points, ±1, and $\hat u = a \tanh x_t + b$ at t = 0.4, every expectation a sum over a grid of noise:

# %%
t, wide = 0.4, torch.linspace(-8, 8, 4001, dtype=double)
density = (-0.5 * wide**2).softmax(0) / 2  # of the noise, for each of two points
x, eps = torch.tensor([[-1.0], [1.0]], dtype=double), wide.expand(2, -1)
x_t = (1 - t) * x + t * eps
x_hat = ((1 - t) * x_t / t**2).tanh()  # the posterior mean of two points
marginal = (x_t - x_hat) / t  # u = (x_t - x̂) / t
feature = torch.stack([x_t.tanh(), torch.ones_like(x_t)])


def gradient(target, p):  # of the mean of (a tanh x_t + b - target)²
    error = 0.3 * feature[0] - 0.2 - target
    return (2 * error * feature * p).flatten(1).sum(1)


difference = gradient(eps - x, density) - gradient(marginal, density)
claim("gradients_differ", difference.abs().max())
claim("gradient_length", gradient(marginal, density).norm())

# %%
generator, apart, flat_density = seeded(0), [], density.repeat(2)
for _ in range(100):
    chosen = torch.multinomial(flat_density, 64, True, generator=generator)
    batch = chosen.bincount(minlength=x_t.numel()).view_as(x_t) / 64
    apart.append((gradient(eps - x, batch) - gradient(marginal, batch)).norm())
claim("batch_differs", torch.stack(apart).mean())

# %% [markdown]
# The gradients agree to {{gradients_differ}}; in a batch of 64 they are about {{batch_differs}} apart on average, where the gradient's length
# is {{gradient_length}}.
#
# **Straight pairs do not make straight flows.** The bend of a flow is the mean of $\int \lVert x_1 - x_0 - u(x_t, t) \rVert^2 dt$ along it.
# For N(0, s²) with independent pairs it is $s(2 - \pi/2)$ per dimension. **Reflow** (Liu et al. 2022) makes pairs with the flow itself, noise with
# the sample that it became, and trains again. Lines between such pairs cross less. (As do pairs matched within a batch by
# least distance, *minibatch optimal transport*: Tong et al. 2023.) For normal data on a line the second field is known too, and straight:

# %%
eps = normal(4000, 1, seed=0)
field = normal_data([[0.0]], 0.6, flow_form).velocity
bend = m.straightness(field, eps, m.even_times(60)).mean()
claim("straightness", bend)
claim("straightness_off", bend - m.straightness_of_gaussian(0.6))


def after_reflow(x_t, t):  # pairs (x, ε) with x = 0.6 ε
    return (1 - 0.6) * x_t / ((1 - t) * 0.6 + t)[:, None]


claim("straight_after", m.straightness(after_reflow, eps, m.even_times(60)).mean())

# %% [markdown]
# For s = 0.6 it is {{straightness}}, the formula's number to {{straightness_off}}; afterwards less than {{straight_after}}, and a single
# Euler step is exact. **Predict** what one step gives on the ring, before and after:

# %%
class OnPairs(nn.Module):  # the loss of a model on pairs that belong together
    def __init__(self, model):
        super().__init__()
        self.model = model

    def loss(self, x, eps):
        return self.model.loss(x, eps=eps)


its_noise = torch.randn(20_000, 2, generator=seeded(20))
made, its_noise = m.reflow_pairs(net.velocity, its_noise, m.even_times(20))
second = new_flow(seed=1)
fit(OnPairs(second), minibatches(made, its_noise, batch_size=256, seed=0),
    steps=steps * 2 // 3, lr=4e-3, precision="float32")

# %%
def energy_distance(a, b):
    within = torch.cdist(a, a).mean() + torch.cdist(b, b).mean()
    return 2 * torch.cdist(a, b).mean() - within


real, noise = ring.sample(1500, seed=77), noise[:1500]
pairs = [[ring.sample(1500, seed=i), ring.sample(1500, seed=50 + i)] for i in range(10)]
chance = torch.stack([energy_distance(*pair) for pair in pairs]).mean()
with torch.no_grad():
    ones = {name: euler(model.velocity, noise, m.even_times(1))
            for name, model in (("first flow", net), ("after reflow", second))}
    four = euler(net.velocity, noise, m.even_times(4))
    bent, mended = (m.straightness(model.velocity, noise, m.even_times(40)).mean()
                    for model in (net, second))

# %%
figure, axes = figures.panels(2, height=3.4)
for ax, (name, x) in zip(axes, ones.items(), strict=True):
    figures.point_clouds({"data": real, "one step": x}, f"One Euler step, {name}",
                         ax=ax)
claim("bent", bent)
claim("mended", mended)
claim("one_step_before", energy_distance(ones["first flow"], real) / chance)
claim("one_step_after", energy_distance(ones["after reflow"], real) / chance)
claim("four_steps", energy_distance(four, real) / chance)
claim("reflow_wet", 100 * between_islands(ones["after reflow"]))

# %% [markdown]
# *1,500 samples, each from one evaluation of a network. The first flow's single step goes to the mean of all data; after one reflow it lands on
# the islands, on bridges between them, and now and then inside.*
#
# The bend falls from {{bent}} to {{mended}}. The *energy distance*,
# $2\,\mathbb E\lVert a - b \rVert - \mathbb E\lVert a - a' \rVert - \mathbb E\lVert b - b' \rVert$ of samples a, a′ and data b, b′, falls from
# about {{one_step_before}} to {{one_step_after}} times what it is for two sets of data; four steps of the first flow
# gave {{four_steps}}. The price: the first network's mistakes, and new ones, {{reflow_wet}} % in the water.
#
# **Which times?** At the ends the best answer is simple: $x_t$ less the mean of the data at t = 1, $-x_t$ at t = 0. A *logit-normal* t, the
# sigmoid of a normal draw, trains more in the middle (Esser et al. 2024). Same network, same steps:

# %%
middle_first = new_flow(draw_times=m.logit_normal_times)
fit(middle_first, batches_of(ring), steps=steps, lr=4e-3, precision="float32")
_, other = losses_of(middle_first)
ax = figures.curves(middle, {"t uniform": by_time(excess),
                             "t logit-normal": by_time(other)}, "t",
                    "squared distance to the true field", "Two ways to draw t")
figures.log_scale(ax, "y")
central = (t_drawn > 0.3) & (t_drawn < 0.7)
claim("central_ratio", other[central].mean() / excess[central].mean())
claim("edge_ratio", other[t_drawn < 0.05].mean() / excess[t_drawn < 0.05].mean())

# %% [markdown]
# *Logit-normal times buy a better field in the middle with a worse one at the ends:* between 0.3 and 0.7 the squared distance is about
# {{central_ratio}} times that with uniform t, below 0.05 about {{edge_ratio}} times.

# %% tags=["widget"]
flow_replay(net.velocity)

# %% [markdown]
# *The learned flow, applied to a grid (without a kernel: five moments). Cells are stretched and squeezed, never torn.*
#
# ## 4.7 Likelihood along the flow
#
# Follow one point of a flow. The volume around it grows at the rate $\mathrm{div}\, u$, so the logarithm of the density falls at that rate. From
# data to noise, this is section 4.1's formula for infinitely many layers (Chen et al. 2018):
#
# $$\log p(x_0) = \log \mathcal N(x_1; 0, I) + \int_0^1 \mathrm{div}\, u(x_t, t)\, dt .$$

# %%
def velocity_and_divergence(velocity, x, t):
    x = x.detach().requires_grad_()
    u = velocity(x, t.to(x).expand(len(x)))
    parts = [torch.autograd.grad(u[:, d].sum(), x, retain_graph=True)[0][:, d]
             for d in (0, 1)]
    return u.detach(), sum(parts)


def log_prob_along(velocity, x, times):  # Heun's rule for x and for the integral
    total = torch.zeros(len(x), dtype=x.dtype)
    for t, s in pairwise(times):
        u, growth = velocity_and_divergence(velocity, x, t)
        later, later_growth = velocity_and_divergence(velocity, x + (s - t) * u, s)
        x = x + (s - t) * (u + later) / 2
        total = total + (s - t) * (growth + later_growth) / 2
    return -0.5 * x.square().sum(1) - math.log(2 * math.pi) + total


# %%
up = torch.linspace(0, 1, 61, dtype=double) ** 2  # finer where the field is steep
x = ring.sample(scaled(default=600, smoke=20, full=4000), seed=98)
truth, ours = ring.log_prob(x), log_prob_along(perfect_ring.velocity, x, up)
theirs, _ = m.ode_log_prob(perfect_ring.velocity, x, up)
claim("ode_log_prob_and_theirs", (ours - theirs).abs().max())
claim("ode_log_prob_error", (ours - truth).abs().mean())

# %%
claim("network_kl", (truth - log_prob_along(net.velocity, x, up)).mean())

# %% [markdown]
# Yours and the package's agree to {{ode_log_prob_and_theirs}}. With the exact field the log-densities are the ring's to
# {{ode_log_prob_error}} nats on average. The network's are {{network_kl}} nats below the truth, those of section 4.1's smaller flow {{flow_kl}}.
#
# In D dimensions the divergence costs D backward passes, **Hutchinson's** estimate one: with J the Jacobian of u and a random v with
# $\mathbb E[v v^\top] = I$, $v^\top J v$ has the mean $\mathrm{tr}\, J$. **Predict** which scatters less, v of independent signs ±1 or of
# normal numbers:

# %%
A = torch.tensor([[1.0, 2.0], [0.0, -3.0]])
probes = torch.randn(200_000, 2, generator=seeded(0))
by_normal, by_sign = ((v @ A * v).sum(1) for v in (probes, probes.sign()))
print(f"trace {A.trace():.0f}; means {by_normal.mean():.2f} and {by_sign.mean():.2f}")
claim("hutchinson_normal", by_normal.var())
claim("hutchinson_sign", by_sign.var())

# %% [markdown]
# Variances {{hutchinson_normal}} and {{hutchinson_sign}}. With $S = \tfrac12(J + J^\top)$ normal numbers give $2\lVert S \rVert^2$ (a sum of squares), signs
# the same without the diagonal: the square of a sign is 1.
#
# **The other view:** a diffusion model is a VAE with a code for each step, whose encoder is not learned: it adds noise. Its bound is a sum over steps (Kingma et al. 2021),
#
# $$-\log p(x) \le \text{ends} + \sum_{\text{steps } t \to s} \tfrac12 \big(\mathrm{SNR}(s) - \mathrm{SNR}(t)\big)\,
#   \mathbb E\,\lVert x - \hat x(x_t, t) \rVert^2,$$
#
# *ends* are a KL at t = 1 and a reconstruction near 0, each step's term the KL between $p(x_s \mid x_t, x)$ and the same with $\hat x$ for x: the squared distance of `ancestral`'s means over
# twice their variance. So the denoising loss *is* a likelihood bound, with one particular
# weight. With the exact denoiser the ELBO rises to $\log p$ as steps get fine:

# %%
x = ring.sample(2000, seed=97).double()
many = (4, 8, 16, 32, 64, 128, scaled(default=256, smoke=130, full=1024))
grids = [torch.linspace(4, -4.5, n + 1, dtype=double).sigmoid() for n in many]
bounds = torch.stack([
    m.diffusion_elbo(sharp.denoise, x, flow_form, times, seeded(0))["elbo"].mean()
    for times in grids])
truth = ring.log_prob(x).mean().item()
ax = figures.curves(torch.tensor(many), {"ELBO of the exact denoiser": bounds}, "steps",
                    "nats", "A bound that closes as steps get fine")
ax.axhline(truth, color="black", ls=":", label="log p(x), exact")
figures.log_scale(ax, "x")
ax.set_ylim(truth - 6, truth + 1)
ax.legend()
claim("elbo_gap", truth - bounds[-1])

# %% [markdown]
# *The mean bound over 2,000 points of the ring. With few steps $p(x_s \mid x_t)$ is far from the normal that stands for it. Once they are
# many, doubling them about halves the gap, at the end {{elbo_gap}} nats.*
#
# ## 4.8 Guidance
#
# To ask for a class y, train a network that sees y; or keep the one that does not, and add a classifier that reads noisy examples. By
# Bayes' rule
#
# $$\nabla \log p_t(x_t \mid y) = \nabla \log p_t(x_t) + \nabla \log p_t(y \mid x_t) ,$$
#
# and **classifier guidance** (Dhariwal & Nichol 2021) multiplies the second term by w, so that samples obey more. **Classifier-free guidance** (Ho &
# Salimans 2022) takes for it the difference of two scores, with the class and without; in practice both come from one network, whose label
# is hidden in, say, a tenth of the training. So
#
# $$\hat s = s(x_t) + w\,\big[s(x_t, y) - s(x_t)\big],$$
#
# and alike for x̂, ε and u. Here **w = 1 is the plain conditional model**; papers that write $(1 + w)\,s(x_t, y) - w\,s(x_t)$ call that w = 0.
# On two classes, N(1, 0.5²) and N(−1, 0.5²), all of it is known:

# %%
def guided(cond, uncond, w):
    return uncond + w * (cond - uncond)


classes, exploding = m.TwoClasses(mean=1.0, std=0.5), m.ve(20.0)
asked, anything = classes.exact(exploding, 0), classes.exact(exploding)
x_t = torch.linspace(-4, 4, 81, dtype=double)[:, None].requires_grad_()
sigma = 20 * 0.05
log_class = nn.functional.logsigmoid(2 * x_t / (0.5**2 + sigma**2))  # log p_t(y | x_t)
by_classifier = torch.autograd.grad(log_class.sum(), x_t)[0]
x_t = x_t.detach()
scores = asked.score(x_t, 0.05), anything.score(x_t, 0.05)
with_classifier = m.classifier_guidance(scores[1], by_classifier, 3.0)
ours, theirs = guided(*scores, 3.0), m.guided(*scores, 3.0)
off = ours - with_classifier, ours - theirs
claim("guidance_two_ways", max(each.abs().max() for each in off))

# %% [markdown]
# Both kinds, and the package's, agree to {{guidance_two_ways}}. What does the guided ODE sample? The formula looks like the score of
# $p(x)\,p(y \mid x)^w$, normalised. **Predict** mean and deviation of the samples at w = 4. The plain class has 1 and 0.5.

# %%
weights_of_guidance = (1.0, 2.0, 4.0, 8.0)
n = scaled(default=200, smoke=10, full=400)
rows = {w: (classes.product_moments(w), classes.guided_moments(w, 1000.0, n, 501),
            classes.guided_moments(w, 20.0, n, 501)) for w in weights_of_guidance}
print("w     the product       guided, from σ = 1000   guided, from σ = 20")
for w, row in rows.items():
    print(f"{w:g}   " + "      ".join(f"{mean:7.3f} ± {std:.3f}" for mean, std in row))
claim("product_mean", rows[4.0][0][0])
claim("product_std", rows[4.0][0][1])
claim("guided_mean", rows[4.0][1][0])
claim("guided_std", rows[4.0][1][1])
claim("guided_mean_from_20", rows[4.0][2][0])
claim("guided_std_from_20", rows[4.0][2][1])

# %%
field = m.guided_field(asked.velocity, anything.velocity, 4.0)
start = 20 * normal(4000, 1, seed=0)
samples = m.heun(field, start, m.rho_levels(60, 20.0) / 20)[:, 0]
x = torch.linspace(-1, 4, 401, dtype=double)
plain = torch.distributions.Normal(1.0, 0.5).log_prob(x).exp()
product = anything.log_prob(x[:, None], 0.0) + 4 * nn.functional.logsigmoid(8 * x)
product = product.softmax(0) / (x[1] - x[0])
ax = figures.panels(height=3)[1]
ax.hist(samples, 60, density=True, color="0.8", label="guided samples, w = 4")
figures.curves(x, {"the class": plain, "the product": product}, "x", "density",
               "What guidance samples, and what it does not", ax=ax)
ax.legend(loc="upper right");

# %% [markdown]
# *Guided samples lie farther out than the class and than the product, and closer together.*
#
# The product has {{product_mean}} ± {{product_std}}: it only cuts off the overlap with the other class. The guided flow from σ = 1000 gives
# {{guided_mean}} ± {{guided_std}}, from 20 {{guided_mean_from_20}} ± {{guided_std_from_20}}: even the start matters (at w = 1 little).
# The guided score belongs to $p_t(x_t)\,p_t(y \mid x_t)^w$ at each level. Were these one
# density with more and more noise, the flow would lead from each to the next. They are not. **Guidance does not sample
# the product. It pushes samples away from the other classes,** and pays with variety. (To pay less: guide at middle levels only, Kynkäänniemi
# et al. 2024; or away from a worse model of the same class, Karras et al. 2024.)

# %% tags=["widget"]
two = mixture_of("two")
right_one = m.isotropic_mixture(two.means[two.means[:, 0] > 0], 0.5)
guidance_explorer(*(m.ExactDiffusion(each, flow_form) for each in (right_one, two)))

# %% [markdown]
# *Steps and guidance on an exact mixture in the plane (without a kernel: a grid). Above each: the spread of the samples over that of the
# class.*
#
# ## 4.9 Editing, with a field that is right
#
# **Inpainting by replacement** (Song et al. 2021, SDEs). Some entries of x are known. Run a sampler, and after each step put the known entries, with
# fresh noise of the new level, in their place. Of two standard normal numbers with correlation 0.9 the first is known to be 2, so the second has
# the mean 1.8. **Predict** what many steps give:

# %%
def inpaint(denoise, x, known, mask, path, times, generator, deterministic=False):
    for t, s in pairwise(times):
        if deterministic:
            x = ddim(denoise, x, path, (t, s))
        else:
            x = ancestral(denoise, x, path, (t, s), generator)
        eps = torch.randn(x.shape, dtype=x.dtype, generator=generator)
        x = torch.where(mask, perturb(known, eps, *path.levels(s)), x)
    return x


covariance = torch.tensor([[[1.0, 0.9], [0.9, 1.0]]], dtype=double)
pair = m.ExactDiffusion(m.GaussianMixture(
    torch.ones(1, dtype=double), torch.zeros(1, 2, dtype=double), covariance), vp)
start, mask = normal(1500, 2, seed=0), torch.tensor([True, False])
start = torch.cat([start, -start])  # so that their mean is exactly 0
known = torch.tensor([2.0, 0.0], dtype=double).expand(3000, 2)
counts = scaled(default=(10, 30, 100, 500), smoke=(10, 20), full=(10, 100, 1000))
filled = {kind: torch.stack([
    inpaint(pair.denoise, start, known, mask, vp, m.even_times(n), seeded(1),
            deterministic=kind == "DDIM")[:, 1] for n in counts])
    for kind in ("ancestral", "DDIM")}

# %%
limits = [m.replacement_limit(0.9, 2.0, deterministic)[0]
          for deterministic in (False, True)]
claim("limit_ancestral", limits[0])
claim("limit_ddim", limits[1])

# %%
ax = figures.curves(torch.tensor(counts), {k: v.mean(1) for k, v in filled.items()},
                    "steps", "mean of the unknown entry",
                    "Inpainting with an exact field")
ax.axhline(1.8, color="black", ls=":", label="truth")
for limit, color in zip(limits, figures.PALETTE, strict=False):
    ax.axhline(limit, color=color, lw=0.8)
figures.log_scale(ax, "x")
ax.set_ylim(0.6, 1.9)
ax.legend(loc="lower right", ncols=3)
claim("inpaint_ancestral", filled["ancestral"][-1].mean())
claim("inpaint_ddim", filled["DDIM"][-1].mean())

# %% [markdown]
# *Mean of 3,000 fillings; thin lines: limits, from equations for mean and variance.*
#
# The ancestral sampler reaches {{inpaint_ancestral}} (limit {{limit_ancestral}}), the deterministic one {{inpaint_ddim}}
# ({{limit_ddim}}), and **no number of steps helps.** At each level the unknown entry is denoised as if the *noisy* known one were all
# that is known, and what was decided early is only partly revised, least by a deterministic sampler. *RePaint* (Lugmayr et al. 2022) goes
# back up several times at each level (section 4.14).
#
# **Image to image** (*SDEdit*: Meng et al. 2022). Add noise up to a level $t_0$, and walk back. On the ring, how often does one return to the
# same island?

# %%
def island(x):
    return torch.cdist(x, ring.centres.double()).argmin(1)


x = ring.sample(2000, seed=60).double()
depths = torch.linspace(0.1, 0.99, 10)
stayed = []
for depth in depths.tolist():
    times = m.even_times(40, depth)
    back = m.image_to_image(sharp.denoise, x, flow_form, times, seeded(2))
    stayed.append((island(back) == island(x)).double().mean())
ax = figures.curves(depths, {"share": 100 * torch.stack(stayed)},
                    "noise level t₀ from which one walks back",
                    "% on the same island", "Image to image, on the ring")
ax.axhline(100 / 8, color="black", ls=":", label="chance")
ax.legend()
claim("stayed_low", 100 * stayed[1])
claim("stayed_high", 100 * stayed[-1])

# %% [markdown]
# *From $t_0 = 0.2$ {{stayed_low}} % of the points return to their own island, from near noise {{stayed_high}} %.*
#
# (Between two samples, interpolate noises on the sphere, `m.slerp`: halfway on a line the variance is only ½.)
#
# ## 4.10 Why does it not copy?
#
# The loss is a mean over a *finite* training set. Of that set the best denoiser is known: the posterior mean over its N points,
#
# $$\hat x = \sum_i w_i\, x_i, \qquad w = \mathrm{softmax}_i\!\Big(-\frac{\lVert x_t - \alpha x_i \rVert^2}{2\sigma^2}\Big).$$
#
# **Predict** what a sampler draws with it. The measure is the median distance of samples to the nearest training point *relative to that of
# held-out data*: 1 is as new as new data are, 0 is a copy.

# %%
def copier(x_t, alpha, sigma, train):
    squared = torch.cdist(x_t, alpha * train).square()
    return (-squared / (2 * sigma**2)).softmax(1) @ train


few_points = points("spiral").sample(64, seed=5)
x_t, (alpha, sigma) = torch.randn(50, 2, generator=seeded(0)), (0.7, 0.3)
theirs = m.optimal_denoiser(x_t, sigma, few_points, alpha)
off = copier(x_t, alpha, sigma, few_points) - theirs
ends, x = torch.tensor([[-1.0], [1.0]]), x_t[:, :1]  # two points: a hyperbolic tangent
off_two = copier(x, alpha, sigma, ends) - (alpha * x / sigma**2).tanh()
claim("copier_errors", max(off.abs().max(), off_two.abs().max()))
best = m.copying_denoiser(few_points, flow_form)
start = torch.randn(1500, 2, generator=seeded(1))
copies = ddim(best, start, flow_form, m.even_times(50))
fresh = points("spiral").sample(1500, seed=6)
claim("copies_of_the_best", m.copying_ratio(copies, few_points, fresh))

# %% [markdown]
# (For two points a hyperbolic tangent; that, and the package's, agree to {{copier_errors}}.) The ratio is below {{copies_of_the_best}}:
# **a perfect fit to the training loss, in fine steps, copies and does nothing else.** What is new in samples comes from missing that minimum (or
# from coarse steps, which blur). When does a network miss it? Train a small one, for as many steps, on more and more points: of the spiral, and of codes for
# chapter 1's shipped decoder (an encoder is fitted to it):

# %%
digits = images("mnist")
manual_seed(0)
vae = VAE(latent_dim=16)
vae.decoder.load_state_dict(trained_decoder().layers.state_dict())
vae.decoder.requires_grad_(False)
stream = binarised(minibatches(digits.train_bytes, batch_size=128, seed=0), seed=1)
fit(vae, stream, steps=scaled(default=200, smoke=5, full=3000), lr=3e-3)
with torch.no_grad():
    codes = vae.encode(digits.train).mu

# %%
def trained_on(train, width):
    size = min(128, len(train))
    manual_seed(0)
    model = m.DiffusionModel(m.PointNetwork(train.shape[1], width), flow_form,
                             shape=train.shape[1:])
    fit(model, minibatches(train, batch_size=size, seed=0), precision="float32",
        steps=scaled(default=700, smoke=5, full=10_000), lr=4e-3)
    return model


sizes = scaled(default=(16, 256, 8192), smoke=(16, 64), full=(16, 128, 1024, 8192))
spirals = {n: points("spiral").sample(n, seed=5) for n in sizes}
flat = {n: trained_on(x, 96) for n, x in spirals.items()}

# %%
deep = {n: trained_on(codes[:n], 192) for n in sizes}

# %%
new_codes, path = codes[-1000:], flow_form
drawn = {n: model.sample(1000, seed=1) for n, model in deep.items()}
from_spiral = [m.copying_ratio(model.sample(1000, seed=1), spirals[n], fresh)
               for n, model in flat.items()]
from_codes = [m.copying_ratio(drawn[n], codes[:n], new_codes) for n in sizes]
start = torch.randn(300, 16, generator=seeded(2))
best = [ddim(m.copying_denoiser(codes[:n], path), start, path, m.even_times(50))
        for n in sizes]
best = [m.copying_ratio(x, codes[:n], new_codes)
        for x, n in zip(best, sizes, strict=True)]

# %%
ratios = {"the spiral, network": from_spiral, "codes of digits, network": from_codes,
          "codes of digits, the best fit": best}
ratios = {name: torch.tensor(each) for name, each in ratios.items()}
ax = figures.curves(torch.tensor(sizes), ratios, "training points N",
                    "distance, relative to held-out",
                    "Copying, by the size of the training set")
figures.log_scale(ax, "x")
ax.axhline(1, color="black", ls=":")
claim("codes_few", from_codes[0])
claim("codes_many", from_codes[-1])
claim("spiral_few", from_spiral[0])
claim("spiral_many", from_spiral[-1])
claim("best_fit_copies", max(best))

# %% [markdown]
# *The measure by the size of the set; dotted: 1. The best fit copies at every size, its ratio below {{best_fit_copies}}.*

# %%
rows = {}
for n in (sizes[0], sizes[-1]):
    x = drawn[n][:14]
    near = nearest_neighbours(x, codes[:n])[1][:, 0]
    rows |= {f"sample, N = {n}": x, f"nearest of {n}": codes[:n][near]}
with torch.no_grad():
    figures.image_rows({name: trained_decoder()(z) for name, z in rows.items()},
                       title="Samples of codes and nearest training codes, decoded");

# %% [markdown]
# *Decoded codes, none selected. Trained on 16 codes the network often repeats one; trained on thousands it draws what differs from the nearest
# training code, though not always a digit.*
#
# On codes the ratio goes from {{codes_few}} with 16 examples to {{codes_many}} with 8,192; on the spiral about {{spiral_few}} and {{spiral_many}} (another draw of 16 gave 1.1). A network of limited size and training cannot form a
# spike at each of thousands of points; it learns a smooth field, what they have in common. With few examples, or many repeats of one, if it
# is large and trained for long, it does copy (Carlini et al. 2023; Gu et al. 2023; Kadkhodaie et al. 2024). Above 1, samples stray. The ratio can convict, not acquit (section 1.16).
#
# **A bridge to chapter 3: masked diffusion.** One cannot add a little noise to a letter. But each token may be replaced by a mask, with
# probability t. The "denoiser" then gives a distribution for each masked token, and its loss, a cross-entropy on masked positions with the
# weight 1/t, is a bound on $-\log p(x)$, as in section 4.7 (Austin et al. 2021; Sahoo et al. 2024; Shi et al. 2024). Sampling starts with masks only and uncovers some in each step: one
# at a time, as chapter 3's model but in any order; several at once,
# faster, and wrong as far as they depend on one another.
#
# ## 4.11 Pixels
#
# Now digits: 784 grey values instead of two numbers, moved from [0, 1] to [−1, 1], so that black and white lie on either side of 0. The
# method stays. What shall the network say, and what should it look like?
#
# Take the 64 directions, of 784, along which digits vary most. **Predict** what share of the variation of digits they hold, and what share of
# noise:

# %%
rows = digits.train.flatten(1) - digits.train.flatten(1).mean(0)
directions = torch.linalg.eigh(rows.T @ rows)[1][:, -64:]  # by rising variance
noise = torch.randn(rows.shape, generator=seeded(0))
held = {name: (x @ directions).square().sum() / x.square().sum()
        for name, x in (("digits", rows), ("noise", noise))}
claim("digits_held", 100 * held["digits"])
claim("noise_held", 100 * held["noise"])

# %% [markdown]
# {{digits_held}} % and {{noise_held}} % (64 of 784). **Pictures can be squeezed, noise cannot.** A network with a narrow place and
# no way round it can say x̂, but not ε or u, which contain all of the noise (Li & He 2025). Ours has skips, yet says x̂ too (asked for u, with its own loss, so another weight too, it drew worse: not shown). Section 4.5's DDIM draws with it as it is.
#
# What should it look like? Neighbours matter: convolutions. Places far apart have to agree on *which* digit it is: something must see the
# whole. And fine detail must not get lost. This **U-Net** (Ronneberger et al. 2015; our `unet.py`) has all three:

# %%
figures.unet_diagram();

# %% [markdown]
# *Four pixels become four channels of one place (14 × 14), four of these one of 7 × 7; a dense middle sees all at once (elsewhere: attention); and up again. Dashed, the
# skips: what the way down had is added on the way up (elsewhere: appended), so the middle need not carry detail (nor noise: many U-Nets say ε). Orange: the time, and the label if there is one.*
#
# The same weights serve all levels of noise. How are they told which? The time becomes a vector of sines and cosines, a small network makes of
# it a scale and a shift for each channel, and $h \leftarrow h\,(1 + \text{scale}) + \text{shift}$ in every block (*FiLM*). A label enters the same way. Three lines,
# compared with the package's:

# %%
def modulated(h, told, linear):  # h (B, channels, H, W), told (B, 128)
    scale, shift = linear(told)[:, :, None, None].chunk(2, dim=1)
    return h * (1 + scale) + shift


manual_seed(0)
layer = m.Modulated(channels=6)
layer.linear.reset_parameters()  # as made, it changes nothing
h, told = torch.randn(2, 6, 5, 5), torch.randn(2, 128)
claim("modulated_and_theirs",
      (modulated(h, told, layer.linear) - layer(h, told)).abs().max().detach())

# %% [markdown]
# They agree to {{modulated_and_theirs}}. The last ingredient is **averaging**. Each batch pushes the weights back and forth, and samples change with them. So one
# draws with an average, kept beside the weights and moved a little after each step: $\bar w \leftarrow d\, \bar w + (1 - d)\, w$. If weights scatter around the
# right ones independently, with deviation 1, theory gives $\bar w$ the deviation $\sqrt{(1-d)/(1+d)}$, which for d = 0.9 is 0.229:

# %%
average, pushed = torch.zeros(20_000), torch.randn(80, 20_000, generator=seeded(0))
for weights in pushed:
    average = 0.9 * average + 0.1 * weights
claim("average_scatter", average.std())

# %% [markdown]
# {{average_scatter}}. Now train on $\lVert \hat x - x \rVert^2$, summed over pixels, t uniform: less than a minute of one core, ten thousand digits. The network is told which digit it sees, and in a tenth of the training it
# is not (section 4.8). With labels it need not find out by itself that there are ten kinds.

# %%
manual_seed(0)
pixels = m.ImageDiffusion(m.UNet(num_classes=10), ema_decay=0.99)
stream = minibatches(digits.train_bytes, digits.train_labels, batch_size=64, seed=0)
fit(pixels, stream, steps=scaled(default=900, smoke=3, full=10_000), lr=2e-3)

# %% [markdown]
# The judges are those of chapter 2: the Fréchet distance, recall, the share of test images among the samples, and precision, that of samples among test images. **Predict** how both
# change with the number of steps.

# %%
def judge_of(name, test):  # images -> Fréchet distance, recall, precision
    network = feature_network(name)
    real = network.features(test)

    def judged(x):
        found = network.features(x)
        n = min(len(found), len(real))
        among = precision_recall(real[:n], found[:n])
        return torch.tensor([frechet_distance(found, real), among.recall,
                             among.precision])

    return judged


judged = judge_of("mnist", digits.test)
in_turn = torch.arange(scaled(default=500, smoke=20, full=2000)) % 10
few = (1, 2, 5, 10, 25)
made = [pixels.sample(len(in_turn), y=in_turn, steps=k, seed=1) for k in few]
by_steps = torch.stack([judged(x) for x in made])
for k, row in zip(few, by_steps, strict=True):
    print("{:3} steps: Fréchet distance {:6.1f}, recall {:.3f}".format(k, *row))

# %%
claim("pixels_fd", by_steps[-1, 0])
claim("pixels_fd_two", by_steps[1, 0])
claim("pixels_recall", by_steps[-1, 1])
claim("pixels_recall_two", by_steps[1, 1])
shipped, scores = m.trained_denoiser("mnist"), m.recorded("shipped")["denoiser_mnist"]
claim("shipped_pixels_fd", scores["w = 1"]["frechet"])
claim("shipped_pixels_recall", scores["w = 1"]["recall"])
better = shipped.sample(15, y=in_turn[:15], steps=25, seed=1)
figures.image_rows({"a minute, 1 step": made[0][:15], "a minute, 5 steps": made[2][:15],
                    "a minute, 25 steps": made[4][:15], "shipped, 25 steps": better,
                    "test images": digits.test[:15]}, title="Digits out of noise");

# %% [markdown]
# *Asked for 0 to 9 in turn, none selected, the first four rows from the same noise. One step gives about the mean of the class, whatever the noise. Shipped: nearly the same U-Net
# after forty minutes on 55,000 digits (`gencourse train diffusion_digits`).*
#
# With 25 steps the distance of 500 samples is {{pixels_fd}} (with other seeds 12 to 22) and their recall
# {{pixels_recall}}, with two about {{pixels_fd_two}} and {{pixels_recall_two}}: few steps blur, which alone costs recall (section 2.15). The shipped model has {{shipped_pixels_fd}} and
# {{shipped_pixels_recall}} (of 1,000; for real images see section 2.15). Averaging helps while the learning rate
# is high; as ours falls to 0, the last weights draw no worse (not shown).
#
# **Larger pictures need more noise.** Noise that hides a small picture averages out in a large one, so schedules shift
# towards t = 1 as resolution grows (Hoogeboom et al. 2023; Esser et al. 2024).

# %% tags=["widget"]
denoising_film(shipped, torch.arange(10))

# %% [markdown]
# *A film: noisy digits, and below each what the network takes it for (without a kernel: five moments). Early guesses are blurred means of the class that was asked
# for; then strokes find their places, and detail comes last.*
#
# ## 4.12 Latents
#
# Most of what 784 pixels say is not about what is drawn. Chapter 1's VAE keeps 16 numbers of a digit, and its decoder guesses the rest. Its weak spot was the
# prior (section 1.11). So: train that VAE, draw codes of the images, learn a flow of codes, and decode what it makes. That is **latent diffusion** (Rombach et al. 2022; both
# trained at once, by the bound: Vahdat et al. 2021).

# %%
manual_seed(0)
small = VAE(latent_dim=16, mean_image=digits.train.mean(0))
stream = binarised(minibatches(digits.train_bytes, batch_size=128, seed=0), seed=1)
fit(small, stream, steps=scaled(default=1200, smoke=5, full=20_000), lr=4e-3)


@torch.no_grad()
def code_draws(vae, x, seed):  # one draw of q(z | x) for each image
    mu, logvar = vae.encode(x)
    return mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=seeded(seed))


binary = {name: torch.bernoulli(x, generator=seeded(3))
          for name, x in (("train", digits.train), ("test", digits.test))}
z = {name: code_draws(small, x, seed=4) for name, x in binary.items()}
scale = z["train"].std()

# %% [markdown]
# Codes are divided by *one* number, the deviation of the draws, here {{code_scale}}, so that a time t means the same for any autoencoder. (Do not divide each number
# by the deviation of its own means: those of an idle number hardly vary, so its draws, mere noise, would be divided by almost zero.) Times are logit-normal (section
# 4.6). A flow of 16 numbers needs no U-Net, and can say the velocity. Each batch draws its codes anew from q(z | x), so that none is seen twice:

# %%
claim("code_scale", scale)
manual_seed(0)
flow = m.code_flow(m.CodeNetwork(16, width=192, blocks=2), ema_decay=0.99)
with torch.no_grad():
    q = small.encode(binary["train"])
fresh_codes = (reparameterize(mu, logvar, torch.randn_like(mu)) / scale
               for mu, logvar in minibatches(q.mu, q.logvar, batch_size=512, seed=0))
fit(flow, fresh_codes, precision="float32", lr=6e-3,
    steps=scaled(default=1800, smoke=5, full=20_000))

# %% [markdown]
# Heun's rule, 25 evaluations. **Predict** the order by distance: codes from the VAE's prior, from 40 normals fitted to its codes (chapter 1), from the flow, and the codes of training images.

# %%
n = scaled(default=2000, smoke=50, full=2000)
em_steps = scaled(default=60, smoke=1, full=60)
mixture = m.GaussianMixture.fit(z["train"], 40, steps=em_steps)
noise = torch.randn(n, 16, generator=seeded(1))
with torch.no_grad():
    flowing_codes = heun(flow.averaged.velocity, noise, m.even_times(13))
sources = {"the prior": noise,
           "40 normals": mixture.sample(n, seed=1),
           "the flow": scale * flowing_codes,
           "training images": z["train"][:n]}
drawn = {name: judged(small.decode_mean(codes)) for name, codes in sources.items()}
print(f"{'':16} distance  recall  precision")
for name, row in drawn.items():
    print("{:16} {:8.1f} {:7.3f} {:10.3f}".format(name, *row))

# %%
claim("latent_prior_fd", drawn["the prior"][0])
claim("latent_mixture_fd", drawn["40 normals"][0])
claim("latent_flow_fd", drawn["the flow"][0])
claim("latent_codes_fd", drawn["training images"][0])
scores = m.recorded("shipped")["codes_mnist"]["no label"]
claim("shipped_codes_fd", scores["frechet"])
told = m.recorded("shipped")["codes_mnist"]["w = 1"]
claim("shipped_codes_told", told["frechet"])
better = trained_decoder()(m.trained_code_flow().sample(14, y=in_turn[:14], seed=1))
figures.image_rows({f"codes from {name}": small.decode_mean(codes[:14])
                    for name, codes in sources.items()} | {"shipped, by class": better},
                   title="Where codes come from");

# %% [markdown]
# *Decoded codes, none selected. In the first four rows the decoder, and so its blur, is the same. Rows one and three: the same noise, which the
# flow moves little. Last: a larger flow on codes of the decoder that
# ships (`gencourse train diffusion_codes`), asked for 0 to 9.*
#
# The prior's distance is {{latent_prior_fd}}, the mixture's {{latent_mixture_fd}}, the flow's {{latent_flow_fd}}, and that of the training images' own codes, what
# a perfect fit of them gets, {{latent_codes_fd}}. **Forty normals, fitted in seconds, do as well as the flow**: with other seeds now one is ahead, now the other, by about one at most. (Precision agrees. The shipped decoder and flow,
# of 1,000 samples: {{shipped_codes_fd}}, told the digit {{shipped_codes_told}}.) Here, for a distance, one need not learn a flow. For probability? How likely does each
# find codes of *test* images?

# %%
on_the_way = torch.linspace(0, 1, 31)
signs = torch.randn(z["test"].shape, generator=seeded(5)).sign()  # Hutchinson's
along, _ = m.ode_log_prob(flow.averaged.velocity, z["test"] / scale, on_the_way, signs)
log_p = {"the prior": m.standard_normal_log_prob(z["test"]),
         "40 normals": mixture.log_prob(z["test"]),
         "the flow": along - 16 * scale.log()}  # the change of variables once more
with torch.no_grad():
    elbo = -small.loss(binary["test"])["loss"].mean()
gain = {name: (p - log_p["the prior"]).mean() for name, p in log_p.items()}
for name, more in gain.items():
    print(f"{name:11}: log p(z) {log_p[name].mean():6.2f}, ELBO {elbo + more:7.2f}")
claim("gain_mixture", gain["40 normals"])
claim("gain_flow", gain["the flow"])

# %% [markdown]
# The ELBO contains $\log p(z)$ for codes of the image, so a better p(z) raises it by as much. On test images the mixture gains {{gain_mixture}} nats, the flow
# {{gain_flow}}: here the flow is ahead, with other seeds too (perhaps as the mixture saw each code drawn once). But both gain only about two nats in a hundred: in this bound, what makes
# samples good weighs little (section 1.11). Flows pay off in more dimensions, as on grids of codes: not shown here. Does ours only repeat codes?

# %%
claim("flow_copies", m.copying_ratio(sources["the flow"][:1000], z["train"], z["test"]))
copies = code_draws(small, binary["train"][:1000], seed=6)
claim("copies_anew", m.copying_ratio(copies, z["train"], z["test"]))

# %% [markdown]
# {{flow_copies}} times as far from training codes as test codes are: no sign of it, by a blunt test (copies, drawn anew, would be at {{copies_anew}}).
#
# **Why the autoencoder of picture tools is hardly a VAE.** The KL wants codes to look like N(0, I), so that one may draw from it. If a flow draws them, nobody
# needs that any more. The KL may have a tiny weight, just enough to keep codes from drifting far apart, and all capacity goes into sharp
# reconstructions (judged by a network's features and by chapter 2's discriminator). A bound in nats can still be computed, but training did not aim at it. What remains: no flow draws what the decoder cannot.
#
# ## 4.13 Asking for a class
#
# Clothes, 24 numbers each (one draw each, for brevity), and a flow that sees the label, hidden from it in a tenth of the training (section 4.8).

# %%
fashion = images("fashion-mnist")
manual_seed(0)
closet = VAE(latent_dim=24, mean_image=fashion.train.mean(0))
fit(closet, minibatches(fashion.train_bytes, batch_size=128, seed=0),
    steps=scaled(default=1000, smoke=5, full=20_000), lr=4e-3)
worn = code_draws(closet, fashion.train, seed=4)
worn_scale = worn.std()

# %%
manual_seed(0)
asked_flow = m.code_flow(m.CodeNetwork(24, 256, 3, num_classes=10), ema_decay=0.99)
stream = minibatches(worn / worn_scale, fashion.train_labels, batch_size=256, seed=0)
fit(asked_flow, stream, precision="float32", lr=2e-3,
    steps=scaled(default=1800, smoke=5, full=20_000))

# %% [markdown]
# Three numbers judge it: how often a classifier sees the class that was asked for (*obeyed*; of real test images it recognises {{judge_clothes}} %), the
# Fréchet distance, and recall. **Predict** how each changes as w grows:

# %%
reader = feature_network("fashion-mnist")
judged_clothes = judge_of("fashion-mnist", fashion.test)
asked = torch.arange(n) % 10


def dressed(w, labels, seed=1):
    start = torch.randn(len(labels), 24, generator=seeded(seed))
    with torch.no_grad():
        field = functools.partial(asked_flow.averaged.velocity, y=labels, w=w)
        return closet.decode_mean(worn_scale * heun(field, start, m.even_times(10)))


strengths = (1.0, 1.5, 2.0, 3.0, 5.0)
outfits = {w: dressed(w, asked) for w in strengths}
table = torch.stack([torch.cat([
    100 * (reader.classify(x) == asked).float().mean()[None], judged_clothes(x)])
    for x in outfits.values()])
for w, row in zip(strengths, table, strict=True):
    print("w = {:3}: obeyed {:.1f} %, Fréchet {:4.1f}, recall {:.3f}".format(w, *row))
right = (reader.classify(fashion.test) == fashion.test_labels).float().mean()

# %%
decoded = closet.decode_mean(worn[:n])  # of real clothes: what the decoder leaves
read = 100 * (reader.classify(decoded) == fashion.train_labels[:n]).float().mean()
of_decoded = judged_clothes(decoded)
print("real clothes, coded and decoded: read as what they are {:.1f} %,"
      " Fréchet {:4.1f}, recall {:.3f}".format(read, *of_decoded))

# %%
claim("judge_clothes", 100 * right)
claim("obeyed_one", table[0, 0])
claim("clothes_fd_one", table[0, 1])
claim("clothes_decoded_fd", of_decoded[0])
claim("clothes_recall_most", table[:, 2].max())
claim("obeyed_three", table[3, 0])
claim("clothes_fd_three", table[3, 1])
claim("obeyed_five", table[4, 0])
claim("clothes_fd_five", table[4, 1])

# %%
scores = m.recorded("shipped")["denoiser_fashion-mnist"]
shipped_table = torch.tensor([[scores[f"w = {w:g}"][key]
                               for key in ("obeyed", "frechet", "recall")]
                              for w in strengths])
for w, row in zip(strengths, shipped_table, strict=True):
    print("w = {:3}: obeyed {:.1f} %, Fréchet {:4.1f}, recall {:.3f}".format(w, *row))
claim("shipped_clothes_obeyed", shipped_table[0, 0])
claim("shipped_clothes_fd", shipped_table[0, 1])
claim("shipped_clothes_recall", shipped_table[0, 2])
claim("shipped_obeyed_five", shipped_table[4, 0])
claim("shipped_clothes_fd_five", shipped_table[4, 1])
claim("shipped_recall_five", shipped_table[4, 2])
claim("shipped_precision_three", scores["w = 3"]["precision"])
claim("shipped_precision_five", scores["w = 5"]["precision"])

# %%
over, (figure, axes) = torch.tensor(strengths), figures.panels(3, height=2.8)
names = ("obeyed, %", "Fréchet distance", "recall")
titles = ("Does it obey?", "How near to real clothes?", "How much variety is left?")
for ax, i, name, title in zip(axes, range(3), names, titles, strict=True):
    both = {"a minute, codes": table[:, i], "shipped, pixels": shipped_table[:, i]}
    figures.curves(over, both, "guidance w", name, title, ax=ax)
    ax.set_ylim(0)
    ax.legend().set_visible(i == 0)

# %% [markdown]
# *The same number of samples of each class at each w. Shipped: a U-Net of pixels after forty minutes (recorded, with half as many samples: compare the points of one
# line).*
#
# A minute's flow obeys in {{obeyed_one}} % at w = 1, about as often as decoded real clothes are read right, and in {{obeyed_five}} % at w = 5. Its distance falls
# from {{clothes_fd_one}} to {{clothes_fd_five}}, far *below* theirs, {{clothes_decoded_fd}}: this judge, a classifier, probably weighs clear classes above likeness. At w = 3 it obeys in {{obeyed_three}} %, at a distance of {{clothes_fd_three}}. Its recall falls too, but is
# poor at any w, {{clothes_recall_most}} at most (theirs is no better: the decoder blurs), too poor to show well what guidance costs.
#
# The shipped model shows it: from w = 1 to 5 obedience goes from {{shipped_clothes_obeyed}} to {{shipped_obeyed_five}} %, above what the judge says of *real*
# clothes, the distance from {{shipped_clothes_fd}} to {{shipped_clothes_fd_five}} (it is least at 3), and recall from {{shipped_clothes_recall}} to
# {{shipped_recall_five}}. Up to w = 1.5 recall shows no price; **beyond, obedience costs variety.** Guidance (section 4.8) pushes away
# from other classes, at w = 5 (25 steps) partly off the data: precision falls from {{shipped_precision_three}} at 3 to {{shipped_precision_five}}. Who reports obedience and distance alone will choose w = 3 or 5. (Chapter 2's GAN, trained in a minute, obeys as well as this model at w =
# 1, is there nearer to real clothes (on twice the samples,
# a small help), and has more recall at any w; its precision may be worse: section 4.16.)

# %%
wardrobe = m.trained_denoiser("fashion-mnist")
clothes = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt",
           "sneaker", "bag", "boot")
each = torch.arange(10)
figures.image_rows({"w = 1": outfits[1.0][:10], "w = 3": outfits[3.0][:10],
                    "w = 5": outfits[5.0][:10],
                    "shipped, w = 1": wardrobe.sample(10, y=each, seed=2),
                    "shipped, w = 2": wardrobe.sample(10, y=each, w=2.0, seed=2)},
                   title="Asked for a class", headings=clothes);

# %% [markdown]
# *One picture for each class, not selected. First three rows: the flow of codes, the same noise, blurred by its decoder. Last two: the shipped U-Net of pixels
# (`gencourse train diffusion_clothes`).*

# %% tags=["cover"]
figures.image_grid(wardrobe.sample(60, y=each.repeat(6), seed=3), columns=10,
                   title="Clothes out of noise", headings=clothes);

# %% [markdown]
# *Six samples of each class from the shipped model at w = 1, not selected: shapes mostly right, not sandals', textures often speckled.*

# %% tags=["widget"]
asking_explorer(wardrobe, clothes)

# %% [markdown]
# *Class, steps and guidance of the shipped model (without a kernel: a table). Large w: strong contrast. Two steps: blurred.*
#
# ## 4.14 Editing a picture
#
# The methods of section 4.9, on pixels, with the shipped model of digits. Replacement decides early and takes back too little. *RePaint*'s mend: after
# each step down go up again by adding noise, and down once more, r times in all. First for section 4.9's pair, where 1.8 is true:

# %%
def repaint(denoise, x, known, mask, times, generator, rounds):
    for t, s in pairwise(times):
        for i in range(rounds):
            step = torch.stack([t, s])
            x = m.inpaint(denoise, x, known, mask, flow_form, step, generator)
            if i + 1 < rounds:  # up again: the noise between the two levels
                (a, sigma), (a_s, sigma_s) = flow_form.levels(t), flow_form.levels(s)
                fresh = (sigma**2 - (a / a_s * sigma_s) ** 2).sqrt()
                eps = torch.randn(x.shape, dtype=x.dtype, generator=generator)
                x = a / a_s * x + fresh * eps
    return x


pair_flow = m.ExactDiffusion(pair.mixture, flow_form)
start = normal(3000, 2, seed=0)
rounds = scaled(default=(1, 3, 10, 30), smoke=(1, 2), full=(1, 3, 10, 30, 100))
repainted = [
    repaint(pair_flow.denoise, start, known, mask, m.even_times(50), seeded(1), r)[:, 1]
    for r in rounds]
for r, x in zip(rounds, repainted, strict=True):
    print(f"rounds {r:2}: mean {x.mean():.2f}, deviation {x.std():.2f}")

# %%
claim("repaint_one", repainted[0].mean())
claim("repaint_many", repainted[-1].mean())
claim("repaint_std", repainted[-1].std())

# %% [markdown]
# The mean goes from {{repaint_one}} to {{repaint_many}} with thirty rounds, and as many times the work; the deviation past the truth, 0.436, to {{repaint_std}}: repeated coarse steps shrink it. Now the lower
# half of digits:

# %%
whole = m.centred(digits.test[:scaled(default=200, smoke=14, full=1000)])
upper = torch.zeros(28, 28, dtype=torch.bool)
upper[:14] = True
labels = digits.test_labels[:len(whole)]
filled_in, same, reads = {}, {}, feature_network("mnist")
with torch.no_grad():
    noise = torch.randn(whole.shape, generator=seeded(8))
    ways = (("replaced", None, 20, 1), ("60 steps", None, 60, 1),
            ("3 rounds", None, 20, 3), ("told y", labels, 20, 1))
    for name, y, count, r in ways:
        field = functools.partial(shipped.averaged.denoise, y=y)
        x = repaint(field, noise, whole, upper, m.even_times(count), seeded(9), r)
        filled_in[name] = m.uncentred(x)
        same[name] = 100 * (reads.classify(filled_in[name]) == labels).double().mean()
claim("same_replaced", same["replaced"])
claim("longer_gain", same["60 steps"] - same["replaced"])
claim("rounds_gain", same["3 rounds"] - same["replaced"])
claim("same_told", same["told y"])

# %%
half = torch.where(upper, digits.test[:14], 0.5)
figures.image_rows({"test images": digits.test[:14], "what is known": half}
                   | {name: x[:14] for name, x in filled_in.items()},
                   title="Lower halves, drawn");

# %% [markdown]
# *Upper halves given, lower halves drawn, none selected, in 20 steps if not 60. "told y": the model is told the digit.*
#
# A classifier reads about {{same_replaced}} % of 200 filled digits as the original ones. Three rounds add about {{rounds_gain}} points; 60 single steps, as many
# evaluations, none ({{longer_gain}}; chance: some 4): rounds help, finer steps do not. Told the digit, which gives the answer away, {{same_told}} %. (Not told, the network is weaker, section 4.16; and some upper halves belong to several digits: 100 % is not the aim.)
#
# **Image to image**, into another class: sneakers are made noisy up to t₀, and go down as boots, at w = 2.

# %%
shoes = fashion.test[fashion.test_labels == 7][:scaled(default=50, smoke=10, full=200)]
boots = torch.full((len(shoes),), 9)
field = functools.partial(wardrobe.averaged.denoise, y=boots, w=2.0)
turned, taken_for_boots = {"sneakers": shoes}, []
before = (reader.classify(shoes) == 9).double().mean()
with torch.no_grad():
    for depth in (0.3, 0.5, 0.7, 0.9):
        times = m.even_times(10, depth)
        x = m.image_to_image(field, m.centred(shoes), flow_form, times, seeded(3))
        turned[f"t₀ = {depth}"] = m.uncentred(x)
        is_boot = reader.classify(m.uncentred(x)) == 9
        taken_for_boots.append(100 * is_boot.double().mean())
claim("boots_before", 100 * before)
claim("boots_low", taken_for_boots[0])
claim("boots_high", taken_for_boots[-1])
figures.image_rows({name: x[:14] for name, x in turned.items()},
                   title="Sneakers, asked to be boots");

# %% [markdown]
# *The same sneakers, from four depths. Little noise: the sneaker stays. Much: a boot that has little of it.*
#
# At t₀ = 0.3 the judge sees {{boots_low}} % boots (of 50; before: {{boots_before}}), at 0.9 {{boots_high}} %. One number chooses how much stays, and nothing guarantees that it is the part
# one wanted to keep.
#
# ## 4.15 Few steps
#
# For large networks it is the evaluations that cost. **Reflow** (section 4.6), on codes: let the flow make pairs of noise and code, start a second network from the
# first one's weights, train it on these pairs, and take *one* step. It is a kind of **distillation**: a student learns from its teacher (in tools often from a discriminator, too).

# %%
its_noise = torch.randn(scaled(default=20_000, smoke=300, full=100_000), 16,
                        generator=seeded(20))
pairs_made, _ = m.reflow_pairs(flow.averaged.velocity, its_noise, m.even_times(8))
student = m.DiffusionModel(m.CodeNetwork(16, width=192, blocks=2), shape=(16,))
student.load_state_dict(flow.averaged.state_dict())
manual_seed(1)
fit(OnPairs(student), minibatches(pairs_made, its_noise, batch_size=256, seed=0),
    precision="float32", lr=2e-3, steps=scaled(default=1200, smoke=5, full=10_000))

# %%
few = (1, 2, 4, 25)
shorter = {who: torch.stack([
    judged(small.decode_mean(scale * model.sample(n, steps=k, seed=1)))
    for k in few]) for who, model in (("teacher", flow), ("student", student))}
for who, rows in shorter.items():
    for k, row in zip(few, rows, strict=True):
        print(f"{who}, {k:2} steps:", "distance {:5.1f}, recall {:.2f}".format(*row))
claim("teacher_one", shorter["teacher"][0, 0])
claim("student_one", shorter["student"][0, 0])
claim("teacher_many", shorter["teacher"][-1, 0])

# %% [markdown]
# The teacher's one step, to about the mean code, gives about {{teacher_one}}, the student's {{student_one}}, 25 of the teacher's {{teacher_many}}. Others: *progressive distillation* halves the steps repeatedly (Salimans & Ho 2022). Without a teacher, too: a *consistency model* says
# of any point where the flow takes it (Song et al. 2023); *mean flow* learns the
# mean velocity between two times, from an identity that it must obey (Geng et al. 2025; an exercise). For a student one step is easy here: codes are nearly normal already. How fast is one picture?

# %%
def milliseconds(draw, k, repeats):  # for k pictures, the fastest of several calls
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        draw(k)
        seconds.append(time.perf_counter() - begun)
    return 1000 * min(seconds)


decode, repeats = small.decode_mean, scaled(default=20, smoke=1, full=20)
ways = {"VAE, its prior": lambda k: small.sample(k),
        "codes, 25 steps": lambda k: decode(scale * flow.sample(k, steps=25)),
        "codes, 1 step": lambda k: decode(scale * student.sample(k, steps=1)),
        "pixels, 25 steps": lambda k: pixels.sample(k, steps=25)}
one = {name: milliseconds(way, 1, repeats) for name, way in ways.items()}
batch = {name: 100_000 / milliseconds(way, 100, 2) for name, way in ways.items()}
for name in ways:
    print(f"{name:17} one picture {one[name]:6.1f} ms, a batch {batch[name]:7,.0f} /s")
claim("student_share", 100 * one["codes, 1 step"] / one["codes, 25 steps"])

# %% [markdown]
# For one picture, one step takes less than {{student_share}} % of the time of 25. A film has 25 pictures a second, which leaves 40 milliseconds for each: **from codes, pictures this small come
# in real time, even on a CPU**, in one step or in 25. From pixels it depends on the machine. (Chapters 1 to 3: the table below.)
#
# ## 4.16 All four families, on equal terms
#
# The same ten thousand digits, no labels, the chapters' settings, forty seconds of one thread for each, three seeds; 2,000 samples, the same judge (recorded, by
# `authoring/record_families.py`). The flow's VAE has only two fifths of its seconds; a mixture's few seconds come on top.

# %%
recorded = m.recorded("families")
families = {name: {key: torch.tensor(row[key])
                   for key in ("frechet", "recall", "precision")}
            for name, row in recorded["rows"].items()}
print(f"{recorded['machine']}\n{'':25}distance     recall precision  ms/picture"
      "  pictures/s")
for name, row in families.items():
    speed = recorded["rows"][name]
    print(f"{name:25}{row['frechet'].mean():5.1f} ± {row['frechet'].std():4.1f}"
          f"{row['recall'].mean():8.2f}{row['precision'].mean():10.2f}"
          f"{speed['milliseconds']:12.1f}{speed['per_second']:12,.0f}")

# %%
figure, axes = figures.panels(2, height=3.0)
for ax, key, words, title in zip(
        axes, ("frechet", "recall"), ("Fréchet distance", "recall"),
        ("How near to test images after 40 s?", "How varied?"), strict=True):
    for i, row in enumerate(families.values()):
        ax.plot(row[key], [-i] * 3, "o", color=figures.PALETTE[i % 7])
    ax.set(xlabel=words, xlim=(0, None), yticks=range(0, -len(families), -1),
           title=title)
    ax.set_yticklabels(families if ax is axes[0] else [])
claim("family_flow", families["diffusion of codes"]["frechet"].mean())
claim("family_auto", families["autoencoder, 40 normals"]["frechet"].mean())
claim("family_pixels", families["diffusion of pixels"]["frechet"].mean())
claim("family_gan", families["GAN"]["frechet"].mean())
claim("family_prior", families["VAE, its prior"]["frechet"].mean())
claim("family_mixture", families["VAE, 40 normals"]["frechet"].mean())
claim("family_flow_precision", families["diffusion of codes"]["precision"].mean())
claim("family_gan_precision", families["GAN"]["precision"].mean())
alone = m.recorded("shipped")["denoiser_mnist"]["no label"]
claim("shipped_pixels_alone", alone["frechet"])

# %% [markdown]
# *Each point is a training (± above: over seeds); PixelCNN: against binary test images. Left, lower is better; right, higher.*
#
# In forty seconds forty normals on a plain autoencoder's codes have {{family_auto}}, on a VAE's {{family_mixture}}, the flow of codes {{family_flow}} (VAE of 16 s; on one VAE they tie),
# the GAN {{family_gan}}, the VAE's prior {{family_prior}}, diffusion of pixels {{family_pixels}}: **by distance, this early, forty normals are best, the bare prior and pixels worst.** Precision, which blur does not hurt (section 2.15), is {{family_flow_precision}} for the
# flow, and much the same for both mixtures, {{family_gan_precision}} for the GAN; the GAN's recall is higher. The shipped U-Net (forty minutes, more digits) has {{shipped_pixels_fd}} told the
# digit, and untold, as in a tenth of its training, {{shipped_pixels_alone}}.
#
# For some things no fair comparison exists. Chapter 3's PixelCNN knows the exact probability of *binary* digits, and draws those; they are compared with binary test images, a
# different task. A diffusion model of grey values has a density, not a probability of bits: its nats cannot stand beside those of chapters 1 and 3, and a GAN has none. Section 4.12's bounds, of binary digits,
# can be compared, also with those chapters.
#
# | | VAE | GAN | autoregressive | diffusion |
# | --- | --- | --- | --- | --- |
# | probability | a bound | none | exact | a bound, or along the ODE |
# | drawing | one pass | one pass | a pass per part | some passes, fewer after distillation |
# | training | one loss | a game | one loss | one regression |
# | a code | yes | yes, no encoder | none | the noise, as large as x |
# | asking, editing | asking if trained for it; editing by changing the code | asking if trained for it; editing by search for a code | if trained for it; continues a beginning | asking if trained with labels, or by a classifier of noisy x; editing as it is, roughly |
#
# ## 4.17 What the picture tools do with it
#
# Most open picture tools are these parts, larger:
#
# - **An autoencoder** turns a picture of a million pixels into a grid of codes.
# - **A network**, once a U-Net for ε, now mostly a transformer over patches (chapter 3's, unmasked; told t by section 4.11's scale and shift), says a velocity.
# - **Text** takes the label's place. A text encoder makes vectors of it, and the network looks at them by attention. In a tenth of training, say, the text is hidden,
#   so that w can be chosen ("guidance scale", 3 to 8, and now you know what it costs).
# - **Steps:** 20 to 50, or 1 to 8 after a distillation.
#
# "Image to image" is section 4.14's (t₀ is set by "strength", the share of the steps that are walked). "Inpainting" is often a model trained with masks, because replacement is not good enough. A "negative
# prompt" takes the place of the missing label: away from *that*.
#
# ## 4.18 Questions
#
# Think first, then open the answer.
#
# <details><summary>1. The loss of a diffusion model has stopped falling at 1.4. Is it trained?</summary>
#
# That number cannot tell. The floor may be 1.3 or 1.4; it depends on the data, the target, weights, times, and on sum or mean. Look at samples, or at a larger network's held-out loss.
# </details>
#
# <details><summary>2. Why do the ODE and the reverse SDE give the same distribution, though their paths differ?</summary>
#
# Spreading by noise changes a density as a transport along minus the score does. What the SDE adds in noise it takes away with more of the score.
# </details>
#
# <details><summary>3. Samples in four steps are too alike. Is the network to blame?</summary>
#
# Run the network with many steps, or the four steps on an exact field. Few steps of Euler's rule (DDIM) can shrink the
# spread even on an exact field; so can guidance.
# </details>
#
# <details><summary>4. Does guidance with w = 3 sample from p(x) p(y | x)³, normalised?</summary>
#
# No. The guided scores of different levels do not belong to the noisy versions of one density. Samples lie farther out and closer together.
# </details>
#
# <details><summary>5. Could a diffusion model reach a lower training loss and draw worse samples?</summary>
#
# Yes: at the minimum over a finite set it copies. Watch the loss on held-out examples, and distances relative to them.
# </details>
#
# <details><summary>6. A network for faces has a narrow bottleneck. Should it predict the noise?</summary>
#
# No: noise does not fit through. Let it say x̂, or give it skips as wide as the picture.
# </details>
#
# <details><summary>7. Someone reports: "guidance 6 improved the Fréchet distance and the class accuracy". What do you ask for?</summary>
#
# Recall, over several w; and what the classifier says of real images. Obedience above that leaves out hard examples.
# </details>
#
# <details><summary>8. Latent diffusion draws blurred pictures, in however many steps. Where do you look?</summary>
#
# At reconstructions. If they are blurred, it is the autoencoder, and no flow of codes mends that.
# </details>
#
# <details><summary>9. A one-step student is as good as its teacher with 25 steps, and it repeats the teacher's odd digits. Why?</summary>
#
# It learned from what the teacher made, odd digits included, not from data.
# </details>
#
# Now the exercises: [`exercises/04_diffusion.ipynb`](../exercises/04_diffusion.ipynb).
#
# ## 4.19 Where this comes from
#
# **Courses and books:** MIT 6.S184, *Generative AI with Stochastic Differential
# Equations*; Berkeley's *Deep Unsupervised Learning*; Prince, *Understanding Deep Learning*, 2023, chapters 16 and 18; Bishop & Bishop,
# *Deep Learning*, 2024, chapters 18 and 20.
#
# - **Flows:** Rezende & Mohamed 2015, [arXiv:1505.05770](https://arxiv.org/abs/1505.05770); Dinh et al. 2017 (Real NVP),
#   [arXiv:1605.08803](https://arxiv.org/abs/1605.08803); Papamakarios et al. 2017, [arXiv:1705.07057](https://arxiv.org/abs/1705.07057); Chen et al. 2018
#   (neural ODEs), [arXiv:1806.07366](https://arxiv.org/abs/1806.07366); Grathwohl et al. 2019, [arXiv:1810.01367](https://arxiv.org/abs/1810.01367).
# - **Scores:** Hyvärinen 2005, J. Machine Learning Research 6; Vincent 2011, Neural Computation 23; Efron 2011 (Tweedie's formula); Song & Ermon 2019,
#   [arXiv:1907.05600](https://arxiv.org/abs/1907.05600).
# - **Diffusion:** Sohl-Dickstein et al. 2015, [arXiv:1503.03585](https://arxiv.org/abs/1503.03585); Ho et al. 2020 (DDPM),
#   [arXiv:2006.11239](https://arxiv.org/abs/2006.11239); Song et al. 2021 (DDIM), [arXiv:2010.02502](https://arxiv.org/abs/2010.02502); Song et al. 2021 (SDEs),
#   [arXiv:2011.13456](https://arxiv.org/abs/2011.13456); Nichol & Dhariwal 2021, [arXiv:2102.09672](https://arxiv.org/abs/2102.09672); Anderson 1982; Kingma et al. 2021, [arXiv:2107.00630](https://arxiv.org/abs/2107.00630); Karras et al.
#   2022 (EDM), [arXiv:2206.00364](https://arxiv.org/abs/2206.00364); Hang et al. 2023 (min-SNR), [arXiv:2303.09556](https://arxiv.org/abs/2303.09556); Salimans & Ho 2022 (v),
#   [arXiv:2202.00512](https://arxiv.org/abs/2202.00512).
# - **Flow matching:** Lipman et al. 2022, [arXiv:2210.02747](https://arxiv.org/abs/2210.02747); Liu et al. 2022,
#   [arXiv:2209.03003](https://arxiv.org/abs/2209.03003); Tong et al. 2023, [arXiv:2302.00482](https://arxiv.org/abs/2302.00482); Albergo & Vanden-Eijnden 2022, [arXiv:2209.15571](https://arxiv.org/abs/2209.15571); Esser et al. 2024
#   (Stable Diffusion 3), [arXiv:2403.03206](https://arxiv.org/abs/2403.03206).
# - **Guidance and editing:** Dhariwal & Nichol 2021, [arXiv:2105.05233](https://arxiv.org/abs/2105.05233); Ho & Salimans 2022,
#   [arXiv:2207.12598](https://arxiv.org/abs/2207.12598); Kynkäänniemi et al. 2024, [arXiv:2404.07724](https://arxiv.org/abs/2404.07724); Karras et al. 2024,
#   [arXiv:2406.02507](https://arxiv.org/abs/2406.02507); Meng et al. 2022, [arXiv:2108.01073](https://arxiv.org/abs/2108.01073); Lugmayr et al. 2022,
#   [arXiv:2201.09865](https://arxiv.org/abs/2201.09865).
# - **Copying, and discrete data:** Carlini et al. 2023, [arXiv:2301.13188](https://arxiv.org/abs/2301.13188); Gu et al. 2023, [arXiv:2310.02664](https://arxiv.org/abs/2310.02664); Kadkhodaie et al. 2024,
#   [arXiv:2310.02557](https://arxiv.org/abs/2310.02557); Austin et al. 2021, [arXiv:2107.03006](https://arxiv.org/abs/2107.03006); Sahoo et al. 2024,
#   [arXiv:2406.07524](https://arxiv.org/abs/2406.07524); Shi et al. 2024, [arXiv:2406.04329](https://arxiv.org/abs/2406.04329).
# - **Pictures:** Ronneberger et al. 2015 (U-Net), [arXiv:1505.04597](https://arxiv.org/abs/1505.04597); Li & He 2025 (predict x̂),
#   [arXiv:2511.13720](https://arxiv.org/abs/2511.13720); Hoogeboom et al. 2023, [arXiv:2301.11093](https://arxiv.org/abs/2301.11093); Vahdat et al. 2021,
#   [arXiv:2106.05931](https://arxiv.org/abs/2106.05931); Rombach et al. 2022 (latent diffusion), [arXiv:2112.10752](https://arxiv.org/abs/2112.10752).
# - **Few steps:** Song et al. 2023 (consistency models), [arXiv:2303.01469](https://arxiv.org/abs/2303.01469); Geng et al. 2025 (mean flow),
#   [arXiv:2505.13447](https://arxiv.org/abs/2505.13447).
