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


def batches_of(p, size=256, seed=0):  # fresh draws: no training set, so no overfitting
    for i in itertools.count():
        yield p.sample(size, seed=1000 * seed + i)


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
# ## 4.3 To noise, and back
#
# A **path** is a choice of $\alpha_t$ and $\sigma_t$. One level of noise for each example of a batch, in one line:

# %%
def perturb(x, eps, alpha, sigma):  # alpha and sigma are numbers, or have one per row
    return alpha * x + sigma * eps


vp = m.linear_beta()  # α² + σ² = 1, as in DDPM
x, t = clean.sample(200_000, seed=0), torch.rand(200_000, generator=seeded(1)).double()
eps = torch.randn(x.shape, dtype=double, generator=seeded(2))
alpha, sigma = (level[:, None] for level in vp.levels(t))
x_t = perturb(x, eps, alpha, sigma)
claim("perturb_and_theirs", (x_t - vp.perturb(x, eps, t)).abs().max())
exact = m.ExactDiffusion(clean, vp)
near = (t - 0.3).abs() < 0.02
variance = m.marginal(clean, *(level.item() for level in vp.levels(0.3)))
second = (variance.weights * (variance.means**2 + variance.covariances[..., 0]).T).sum()
claim("marginal_second_moment", x_t[near].square().mean() - second)

# %% [markdown]
# The same can be reached in many small steps, $x \leftarrow x + f h + g \sqrt h\, \varepsilon$ with fresh noise at each. In the limit it is a
# **stochastic differential equation** (SDE),
#
# $$dx = f(x, t)\, dt + g(t)\, dw .$$
#
# The root is what makes it work: n independent pieces of variance $g^2 h$ add up to $g^2 n h$, however small the steps. Without a drift
# that is Brownian motion, whose variance grows like t. With a drift of $-x$ it is an Ornstein-Uhlenbeck process, whose variance tends to
# $g^2/2$. **Predict** both at t = 5, for g = 1:

# %%
def simulate(drift, diffusion, x, times, seed=0):  # all states, along rising or falling times
    states, generator = [x], seeded(seed)
    for t, s in pairwise(times):
        h = s - t
        eps = torch.randn(x.shape, dtype=x.dtype, generator=generator)
        x = x + h * drift(x, t) + diffusion(t) * abs(h) ** 0.5 * eps
        states.append(x)
    return torch.stack(states)


nothing, times = torch.zeros(20_000, 1, dtype=double), torch.linspace(0, 5, 201)
brownian = simulate(lambda x, t: 0 * x, lambda t: 1.0, nothing, times)
tied = simulate(lambda x, t: -x, lambda t: 1.0, nothing, times)
theirs = m.euler_maruyama(lambda x, t: -x, lambda t: torch.tensor(1.0), nothing, times,
                          seeded(0))
claim("sde_and_theirs", (tied[-1] - theirs).abs().max())
claim("brownian_variance", brownian[-1].var())
claim("tied_variance", tied[-1].var())

# %% [markdown]
# {{brownian_variance}} and {{tied_variance}}. For a path, $f = \frac{\dot\alpha}{\alpha} x$ and
# $g^2 = 2\sigma\dot\sigma - 2\frac{\dot\alpha}{\alpha}\sigma^2$ give exactly its marginals: `m.sde_coefficients`.
#
# **Three ways back.** How does the density of such a process change? Drift carries it, noise spreads it (the *Fokker-Planck equation*):
#
# $$\frac{\partial p}{\partial t} = -\mathrm{div}(f p) + \tfrac12 g^2 \Delta p .$$
#
# Now the observation on which everything rests. Since $\Delta p = \mathrm{div}\, \nabla p = \mathrm{div}(p\, \nabla \log p)$, spreading *is* a
# transport, with the velocity $-\tfrac12 g^2 \nabla \log p$. So noise can be traded for velocity, as much of it as one likes. Trade all of it, and
# there is no noise left: the **probability-flow ODE** has the same marginals as the SDE,
#
# $$\frac{dx}{dt} = f - \tfrac12 g^2\, \nabla \log p_t(x),$$
#
# and can be run backwards. Trade more, and add fresh noise λg while going back:
#
# $$dx = \big[f - \tfrac12 (1 + \lambda^2)\, g^2\, \nabla \log p_t(x)\big]\, dt + \lambda g\, dw, \qquad t \text{ from 1 to 0}.$$
#
# λ = 0 is the ODE, λ = 1 Anderson's **reverse SDE** of 1982; all λ have the same marginals. What λ adds, a pull along the score and noise, is a
# piece of **Langevin dynamics**, $dx = \nabla \log p\, d\tau + \sqrt2\, dw$, which leaves p as it is: noise spreads as much as the score
# gathers. EDM adds a little of it by hand, and calls it *churn*. From pure noise, with the exact score:

# %%
def backwards(churn, n=4000):
    def drift(x, t):
        f, g = m.sde_coefficients(vp, t)
        return f * x - 0.5 * (1 + churn**2) * g**2 * exact.score(x, t)

    start = torch.randn(n, 1, dtype=double, generator=seeded(5))
    return simulate(drift, lambda t: churn * m.sde_coefficients(vp, t)[1], start, down)


down = torch.linspace(1, 0.001, 301, dtype=double)
runs = {churn: backwards(churn) for churn in (0, 1, 2)}
shares = torch.stack([(run[-1] < 0).double().mean() for run in runs.values()])
print("share of the left peak:", shares)
claim("reverse_share_error", (shares - 0.4).abs().max())
pulls = torch.stack([run[-1][run[-1] < 0].std() for run in runs.values()])
claim("reverse_width_error", (pulls - 0.3).abs().max())

# %%
x_axis, t_axis = torch.linspace(-4, 4, 161), torch.linspace(0.001, 1, 120)
t, x = torch.meshgrid(t_axis.double(), x_axis.double(), indexing="ij")
density = exact.log_prob(x.reshape(-1, 1), t.flatten()).exp().view_as(x)
figure, axes = figures.panels(3, height=3.2, sharey=True)
for ax, (churn, run) in zip(axes, runs.items(), strict=True):
    ax.pcolormesh(t_axis, x_axis, density.T.sqrt(), cmap="viridis", rasterized=True)
    ax.plot(down, run[:, :14, 0], color="white", lw=0.7)
    ax.set(xlabel="t, from noise to data", title=f"λ = {churn}", xlim=(1, 0), ylim=(-4, 4))
axes[0].set_ylabel("x");

# %% [markdown]
# *Colour: the exact density of $x_t$ (its root, to show faint parts), which a mixture leaves at t = 0 and a normal reaches at t = 1. White:
# fourteen points on their way back, from the same noise. Paths of the ODE are smooth and never meet; those of the SDEs are rough and
# cross. They are distributed alike.*
#
# The left peak holds 0.4 of the data. All three come within {{reverse_share_error}} of that, and within {{reverse_width_error}} of its deviation
# of 0.3.
#
# **What Langevin alone cannot do.** In steps of h it is `simulate` with the score as drift and $g = \sqrt2$. Two facts to know. A finite step
# changes what it leaves alone: N(0, 1) becomes a normal of variance $1/(1 - h/2)$. And it does not find a peak behind a valley. Start
# all points in the left peak. **Predict** the share that is still there after 500 steps of 0.01:

# %%
start = torch.randn(20_000, 1, dtype=double, generator=seeded(3))
coarse = simulate(lambda x, t: -x, lambda t: 2**0.5, start, 0.5 * torch.arange(40))
claim("langevin_variance", coarse[-1].var())
trapped = simulate(lambda x, t: exact.score(x, 0.0), lambda t: 2**0.5,
                   -1.5 + 0.3 * start[:1000], 0.01 * torch.arange(501))
claim("langevin_left", 100 * (trapped[-1] < 0).double().mean())

# %% [markdown]
# With h = 0.5 the variance is {{langevin_variance}}. And {{langevin_left}} % are on the left still, where 40 should be. Diffusion models cross the
# valley while it is filled with noise.
#
# ## 4.4 One thing under five names
#
# Networks are asked for different things: the clean example x, the noise ε, the score, $v = \alpha\varepsilon - \sigma x$, or the **velocity**
# $u = dx_t/dt = \dot\alpha x + \dot\sigma \varepsilon$, in the flow form $\varepsilon - x$. Each is a combination $a\,x + b\,\varepsilon$, and
# so is $x_t$ itself. Two equations, two unknowns: **given $x_t$, any one of them gives all others**, for $0 < t < 1$. All is linear, so it
# holds for conditional means as well, which is what networks learn.
#
# | name | is | x from it, any path | an error of 1 in it is, in x (flow form) |
# | --- | --- | --- | --- |
# | denoiser | $\mathbb E[x \mid x_t]$ | x | 1 |
# | noise | $\mathbb E[\varepsilon \mid x_t]$ | $(x_t - \sigma\varepsilon)/\alpha$ | $t/(1-t)$: lost at t = 1 |
# | score | $-\mathbb E[\varepsilon \mid x_t]/\sigma$ | $(x_t + \sigma^2 s)/\alpha$ | $t^2/(1-t)$: lost at t = 1; no limit at t = 0 |
# | v | $\mathbb E[\alpha\varepsilon - \sigma x \mid x_t]$ | $(\alpha x_t - \sigma v)/(\alpha^2 + \sigma^2)$ | $t/((1-t)^2 + t^2)$ |
# | velocity | $\mathbb E[\varepsilon - x \mid x_t]$ (flow form) | $x_t - t u$ (flow form) | $t$ |
#
# At t = 0 the denoiser is lost, too: $x_t$ is x, and x says nothing of ε. **v and u are good at both ends.** In the flow form:

# %%
def all_five(u, x_t, t):  # from the velocity, in the flow form
    x, eps = x_t - t * u, x_t + (1 - t) * u
    return {"x": x, "eps": eps, "score": -eps / t, "v": (1 - t) * eps - t * x, "u": u}


flow_form = m.linear()
x, eps = torch.randn(2, 400, 3, dtype=double, generator=seeded(0))
t = torch.linspace(0.05, 0.95, 400, dtype=double)
x_t = perturb(x, eps, 1 - t[:, None], t[:, None])
five = all_five(eps - x, x_t, t[:, None])
ways = [m.convert(five[a], a, b, x_t, flow_form, t) - five[b] for a in five for b in five]
claim("round_trips", torch.stack(ways).abs().max())

# %%
t = torch.linspace(0.01, 0.99, 99, dtype=double)
growth = {name: m.weight_of(kind, flow_form, t) ** -0.5 for name, kind in
          {"denoiser x": "x", "noise ε": "eps", "v": "v", "velocity u": "u"}.items()}
ax = figures.curves(t, growth, "t", "error of x", "What an error of 1 in each becomes, in x")
figures.log_scale(ax, "y")

# %% [markdown]
# *Flow form. A network that is asked for the noise must know it to many digits near t = 1, as its error is multiplied without limit; one that
# is asked for the velocity never has its error enlarged.*
#
# Read the other way round it is a **weight**: squared errors of ε are squared errors of x times the signal-to-noise ratio
# $\alpha^2/\sigma^2$, those of u times $1/t^2$. So "predict the noise" with a plain loss *is* a choice of what matters. One may also fix the
# weight by hand (*min-SNR*: Hang et al. 2023), or the network's scales: **preconditioning** (EDM, Karras et al. 2022) takes
# $\hat x = c_\text{skip}\, x_t + c_\text{out}\, F(c_\text{in}\, x_t, t)$, with the best linear denoiser as the skip, so that F sees and
# returns numbers of variance 1 at every level of noise:

# %%
x, eps = 0.5 * torch.randn(100_000, generator=seeded(0)), torch.randn(100_000, generator=seeded(1))
seen, asked = [], []
for sigma in (0.01, 0.5, 3.0, 80.0):
    skip, out, inside = m.preconditioning(1.0, sigma, sigma_data=0.5)
    x_t = perturb(x, eps, 1.0, sigma)
    seen.append((inside * x_t).var())
    asked.append(((x - skip * x_t) / out).var())  # what F should say
claim("precondition_seen", max(seen, key=lambda v: abs(v - 1)))
claim("precondition_asked", max(asked, key=lambda v: abs(v - 1)))

# %% [markdown]
# Over four decades of noise the variances that are farthest from 1 are {{precondition_seen}} (seen) and {{precondition_asked}} (asked for).
#
# ### The conventions of others
#
# A denoiser does not care for scale: x̂ at $(x_t, \alpha, \sigma)$ is x̂ at $(c x_t, c\alpha, c\sigma)$. So **any model is ours** after $x_t$
# is divided by $\alpha + \sigma$ and the time read as $t = \sigma/(\alpha + \sigma)$.
#
# | who | time, and where the data are | α, σ | predicts |
# | --- | --- | --- | --- |
# | this course; rectified flow; Stable Diffusion 3 | 0 to 1, data at 0 | 1 − t, t | u = ε − x |
# | MIT 6.S184; Meta's flow_matching; torchcfm | 0 to 1, **data at 1** | t, 1 − t | **x − ε** = −u at 1 − t |
# | DDPM; Stable Diffusion 1 | steps 1 to T (in code 0 to T − 1), data at 0 | √ᾱ, √(1 − ᾱ) | ε |
# | score SDE, VP | 0 to 1, data at 0 | DDPM's, continuous | score, or ε |
# | score SDE, VE | 0 to 1, data at 0 | 1, σ | score |
# | EDM | σ itself | 1, σ | F, preconditioned |
#
# One point of the spiral's noise in five conventions, and one answer:

# %%
spiral = mixture_of("spiral")
columns = (spiral.means.double(), points("spiral").stds.double(), spiral.weights.double())
x, eps = torch.randn(2, 100, 2, dtype=double, generator=seeded(0))
theirs = {"DDPM": m.ddpm_levels(m.linear_betas(), 300), "EDM": m.edm_levels(0.7),
          "VP": m.score_sde_levels(0.4, "vp"), "VE": m.score_sde_levels(0.6, "ve"),
          "6.S184": (0.7, 0.3)}
off = []
for alpha, sigma in theirs.values():
    x_t = perturb(x, eps, alpha, sigma)
    ours = m.to_linear(x_t, alpha, sigma)
    back = m.mixture_denoiser(ours.x_t, 1 - ours.sigma, ours.sigma, *columns)
    off.append((back - m.mixture_denoiser(x_t, alpha, sigma, *columns)).abs().max())
claim("translations", max(off))
x_t, wide = perturb(x, eps, 0.7, 0.3), m.isotropic_mixture(*columns)
velocity = m.ExactDiffusion(wide, flow_form).velocity(x_t, 0.3)
t, u = m.from_reversed_time(0.7, -velocity)  # what a model of 6.S184's kind says at its 0.7
claim("reversed_time", (u - velocity).abs().max() + abs(t - 0.3))

# %% [markdown]
# **Check where a schedule ends.** Sampling starts at pure noise, so α at the end has to be nearly 0. DDPM's betas, from 0.0001 to 0.02, leave a
# signal-to-noise ratio of 0.00004 after 1,000 steps, but 0.57 after the 100 steps to which tutorials like to shorten them; `m.check_terminal_snr`
# refuses that.
#
# ### The loss and its floor
#
# The loss of the flow form asks for the velocity of a single pair, which nobody can know from $x_t$: other pairs lead to the same point.
# The error splits in two:
#
# $$\mathbb E\,\lVert \hat u - (\varepsilon - x) \rVert^2 = \mathbb E\,\lVert \hat u - u(x_t, t) \rVert^2
#   + \mathbb E\,\lVert u(x_t, t) - (\varepsilon - x) \rVert^2, \qquad u(x_t, t) = \mathbb E[\varepsilon - x \mid x_t].$$
#
# The second does not depend on the network: **a floor, well above zero**. For data $\mathcal N(m, s^2)$ it is
# $s^2/((1-t)^2 s^2 + t^2)$ at time t, in each dimension; its mean over t, for uniform t and independent pairs, is $\pi s/2$.
#
# **Predict** the loss of a *perfect* model on two-dimensional normal data with s = 0.5, summed over dimensions:

# %%
def flow_loss(field, x, eps, t):
    x_t = perturb(x, eps, 1 - t[:, None], t[:, None])
    return (field(x_t, t) - (eps - x)).square().sum(1)


n = scaled(default=100_000, smoke=1000, full=1_000_000)
x, eps = torch.randn(2, n, 2, dtype=double, generator=seeded(0))
x, t = 0.5 * x, torch.rand(n, dtype=double, generator=seeded(1))
disc = m.ExactDiffusion(m.isotropic_mixture(torch.zeros(1, 2, dtype=double), 0.5), flow_form)
ours, theirs = (loss(disc.velocity, x, eps, t) for loss in (flow_loss, m.flow_matching_loss))
claim("flow_loss_and_theirs", (ours - theirs).abs().max())
claim("perfect_loss", ours.mean())
claim("perfect_loss_off", ours.mean() - 2 * m.flow_matching_floor(0.5))

# %% [markdown]
# {{perfect_loss}}, from πs/2 by less than {{perfect_loss_off}}. A loss of that size is no sign that something is wrong, and a smaller one would
# be. Average over dimensions, weight by t or draw t otherwise, and the floor is another; **say how a loss was taken**.
#
# Now a network, on the ring. The exact model knows the floor at each t, and how far the network's field is from the true one:

# %%
def new_flow(seed=0, **options):
    manual_seed(seed)
    return m.DiffusionModel(m.PointNetwork(width=96), flow_form, predict="u", **options)


steps = scaled(default=2000, smoke=5, full=20_000)
net = new_flow()
history = fit(net, batches_of(ring), steps=steps, lr=4e-3, precision="float32")

# %%
perfect_ring = m.ExactDiffusion(mixture_of("ring"), flow_form)
x, eps = ring.sample(20_000, seed=50), torch.randn(20_000, 2, generator=seeded(51))
t = torch.rand(20_000, generator=seeded(52)).clamp(0.001)


@torch.no_grad()
def losses_of(model):  # of each example: the loss, and the distance to the true field
    x_t = flow_form.perturb(x, eps, t)
    off = (model.velocity(x_t, t) - perfect_ring.velocity(x_t, t)).square().sum(1)
    return flow_loss(model.velocity, x, eps, t), off


def by_time(values, bins=40):  # means over t in bins
    which = (t * bins).long()
    total = torch.zeros(bins).index_add(0, which, values.float())
    return total / which.bincount(minlength=bins)


loss, excess = losses_of(net)
x_t = flow_form.perturb(x, eps, t)
floor = perfect_ring.posterior_variance(x_t, t) / t**2
claim("ring_floor", floor.mean())
claim("ring_excess", excess.mean())
claim("ring_loss_gap", loss.mean() - floor.mean() - excess.mean())

# %%
figure, (left, right) = figures.panels(2, height=3.2)
at, values = figures.running_mean(history["loss"], 40)
figures.curves(at, {"loss, running mean": values}, "training step", "squared error, summed",
               "Training", ax=left)
left.axhline(floor.mean().item(), color="black", ls=":", label="exact floor")
left.set_ylim(0, 4)
left.legend()
middle = (torch.arange(40) + 0.5) / 40
figures.curves(middle, {"loss": by_time(loss), "exact floor": by_time(floor),
                        "distance to the true field": by_time(excess)},
               "t", "squared error, summed", "After training, by time", ax=right)
right.set_ylim(0);

# %% [markdown]
# *Left: the loss sinks to its floor and no further; what looks like a model that has stopped learning is one that is nearly perfect. Right: at
# each t the loss is the floor plus the squared distance to the true field, which is small beside it.*
#
# The floor is {{ring_floor}}, and the part that training can still lower is {{ring_excess}}; loss minus both is less than {{ring_loss_gap}}. Without the
# floor, the loss says almost nothing about how good a model is.
#
