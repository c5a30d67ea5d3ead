# %% [markdown]
# # Exercises 4 · Diffusion and flow matching
#
# Each exercise is one function. Replace `raise NotImplementedError()` by your answer, run the cell, then run the check
# below it. A check knows the mistakes that people make here and says which one it recognises; `check.NAME.hint()` says
# more, one step at a time. Nothing is sent anywhere, and you may try as often as you like.
#
# The chapter is [`notebooks/04_diffusion.ipynb`](../notebooks/04_diffusion.ipynb), the worked answers are in
# [`solutions/04_diffusion.ipynb`](../solutions/04_diffusion.ipynb); the section of the chapter stands beside each exercise.
# Answers are torch tensors, nothing that is passed in is changed, and gradients pass through unless the text says that none are needed.
# A tensor that you are given may be a slice of another one, so that `view` may refuse it; `reshape` does not.
#
# **One convention holds here**: data at t = 0, noise at t = 1, $x_t = \alpha x + \sigma\varepsilon$, and the velocity points to the
# noise, $u = \varepsilon - x$ on the straight path. Others count time the other way, or write $1 + w$ where we write $w$. They are
# not wrong; a check that recognises their form says so.

# %%
import math

import torch

from gencourse import figures
from gencourse.checks import diffusion as check
from gencourse.checks import report
from gencourse.data import points
from gencourse.models import diffusion as m
from gencourse.runtime import seeded

# %% [markdown]
# ## Change of variables
#
# ### {{exercise coupling_layer}}
#
# A layer of a normalising flow (section 4.1). The first ⌊D/2⌋ numbers of each row stay as they are. `network` takes them, (B, ⌊D/2⌋),
# and returns two tensors, log-scale s and shift b; each of the other numbers becomes exp(s) x + b, in its old place. Return z and
# the logarithm of the Jacobian's determinant, one for each row. Both are differentiable.

# %%
def coupling_layer(x, network):
    """z (B, D) and log |det ∂z/∂x| (B,), of x (B, D)."""
    ### BEGIN SOLUTION
    half = x.shape[1] // 2
    stays, moved = x[:, :half], x[:, half:]
    s, b = network(stays)
    return torch.cat([stays, s.exp() * moved + b], dim=1), s.sum(1)
    ### END SOLUTION

# %%
check.coupling_layer(coupling_layer)

# %% [markdown]
# ### {{exercise coupling_inverse}}
#
# The way back through the same layer (section 4.1), with the same network.

# %%
def coupling_inverse(z, network):
    """x (B, D) of which the layer makes z (B, D)."""
    ### BEGIN SOLUTION
    half = z.shape[1] // 2
    stays, moved = z[:, :half], z[:, half:]
    s, b = network(stays)
    return torch.cat([stays, (moved - b) * (-s).exp()], dim=1)
    ### END SOLUTION

# %%
check.coupling_inverse(coupling_inverse)

# %% [markdown]
# ## Scores
#
# ### {{exercise implicit_score_matching}}
#
# $\tfrac12 |s(x)|^2 + \sum_d \partial s_d / \partial x_d$ for each point: a loss for a score s whose truth nobody knows (section 4.2).
# `score` takes (B, D) and returns (B, D), each row from its own row. Training differentiates the loss once more, so
# `torch.autograd.grad` needs `create_graph=True`. `x` comes without gradients; make a copy that has them.

# %%
def implicit_score_matching(score, x):
    """½ |s|² + div s of each row of x (B, D), (B,), with a graph."""
    ### BEGIN SOLUTION
    x = x.detach().clone().requires_grad_()
    s = score(x)
    divergence = sum(torch.autograd.grad(s[:, d].sum(), x, create_graph=True)[0][:, d]
                     for d in range(x.shape[1]))
    return 0.5 * (s**2).sum(1) + divergence
    ### END SOLUTION

# %%
check.implicit_score_matching(implicit_score_matching)

# %% [markdown]
# ### {{exercise denoiser_from_score}}
#
# Tweedie's formula (section 4.2), for $x_t = \alpha x + \sigma\varepsilon$: the mean of x given x_t from the score of p(x_t). Each row has
# a level of its own, so `alpha` and `sigma` have shape (B,). `x_t` has any number of axes: points (B, D) as well as images (B, C, H, W).

# %%
def denoiser_from_score(x_t, score, alpha, sigma):
    """E[x given x_t], (B, ...): x_t, score (B, ...), alpha and sigma (B,)."""
    ### BEGIN SOLUTION
    shape = (-1, *[1] * (x_t.ndim - 1))
    alpha, sigma = alpha.view(shape), sigma.view(shape)
    return (x_t + sigma**2 * score) / alpha
    ### END SOLUTION

# %%
check.denoiser_from_score(denoiser_from_score)

# %% [markdown]
# ## To noise, and back
#
# ### {{exercise perturb}}
#
# A draw of x_t given x (section 4.3): noise of standard deviation σ, and a signal of size α. Each row has a level of its own.
# Nothing ties σ to α: paths differ in that. σ may be far above 1.

# %%
def perturb(x, eps, alpha, sigma):
    """x_t = α x + σ ε: x, eps (B, ...), alpha and sigma (B,) -> (B, ...)."""
    ### BEGIN SOLUTION
    shape = (-1, *[1] * (x.ndim - 1))
    return alpha.view(shape) * x + sigma.view(shape) * eps
    ### END SOLUTION

# %%
check.perturb(perturb)

# %% [markdown]
# ### {{exercise schedule}}
#
# DDPM adds noise in T small steps, $x_n = \sqrt{1 - \beta_n}\, x_{n-1} + \sqrt{\beta_n}\,\varepsilon$ (section 4.4, the conventions of others). Return the levels after
# n = 0, 1, ..., T steps by name: `"alpha"` and `"sigma"` such that $x_n = \alpha_n x + \sigma_n\varepsilon$, and `"snr"`, $\alpha_n^2/\sigma_n^2$. All have
# shape (T + 1,); entry 0 is data, so α is 1 there, σ is 0, and snr infinite. No gradients need to pass.

# %%
def schedule(betas):
    """{"alpha", "sigma", "snr"}, each (T + 1,), of betas (T,) in (0, 1)."""
    ### BEGIN SOLUTION
    kept = torch.cat([torch.ones_like(betas[:1]), 1 - betas])
    alpha_bar = kept.cumprod(0)
    return {"alpha": alpha_bar.sqrt(), "sigma": (1 - alpha_bar).sqrt(),
            "snr": alpha_bar / (1 - alpha_bar)}
    ### END SOLUTION

# %%
check.schedule(schedule)

# %% [markdown]
# A sampler starts at pure noise, and so takes the last signal-to-noise ratio for zero. Is it? DDPM's betas in fewer and fewer steps:

# %%
if check.schedule.judge(schedule).status == "right":
    for T in (1000, 400, 200, 100, 50):
        last = schedule(torch.linspace(1e-4, 0.02, T, dtype=torch.float64))["snr"][-1]
        print(f"{T:5} steps: signal-to-noise ratio at the end {last:.2g}")
else:
    print("Once schedule is right, this cell says what is left of the signal.")

# %% [markdown]
# ### {{exercise cosine_betas}}
#
# The cosine schedule (Nichol & Dhariwal 2021; section 4.4 on where schedules end) says what ᾱ = α² should be, $\bar\alpha(t) \propto \cos^2\bigl(\tfrac\pi2 \tfrac{t + s}{1 + s}\bigr)$, and lets
# each step do its part: $\beta_n = 1 - \bar\alpha(n/T) / \bar\alpha((n - 1)/T)$ for n = 1, ..., T. The last would be 1; none is above `largest`.

# %%
def cosine_betas(T, s=0.008, largest=0.999):
    """β_1, ..., β_T: (T,)."""
    ### BEGIN SOLUTION
    t = torch.linspace(0, 1, T + 1, dtype=torch.float64)
    alpha_bar = torch.cos(0.5 * math.pi * (t + s) / (1 + s)) ** 2
    return (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=largest)
    ### END SOLUTION

# %%
check.cosine_betas(cosine_betas)

# %% [markdown]
# ### {{exercise mixture_score}}
#
# The exact score of a mixture after noise (section 4.2). The data have the density $\sum_k \pi_k \mathcal N(m_k, s_k^2 I)$;
# find $\nabla \log p(x_t)$ for $x_t = \alpha x + \sigma\varepsilon$, with one `alpha` and one `sigma`, numbers, for all rows. It stays finite far from all
# components, where the densities themselves are 0 in the computer. σ may be 0. No gradients need to pass.

# %%
def mixture_score(x_t, alpha, sigma, means, stds, weights):
    """∇ log p(x_t): x_t (B, D), means (K, D), stds and weights (K,) -> (B, D)."""
    ### BEGIN SOLUTION
    variance = alpha**2 * stds**2 + sigma**2  # (K,)
    way = alpha * means - x_t[:, None]  # (B, K, D)
    D = x_t.shape[1]
    log_joint = (weights.log() - 0.5 * (way**2).sum(2) / variance
                 - 0.5 * D * variance.log())
    r = log_joint.softmax(1)
    return (r[:, :, None] * way / variance[:, None]).sum(1)
    ### END SOLUTION

# %%
check.mixture_score(mixture_score)

# %% [markdown]
# ### {{exercise reverse_sde_step}}
#
# The forward process is $dx = f x\, dt + g\, dw$. Backward in time a whole family has the same marginals (section 4.3),
#
# $$dx = \bigl[f x - \tfrac12 (1 + \lambda^2)\, g^2\, \nabla \log p\bigr] dt + \lambda\, g\, dw ,$$
#
# with λ the `churn`: Anderson's reverse SDE at 1, the probability-flow ODE at 0. Take one step from t to t − h (Euler and Maruyama's) with f,
# g and the score at t; the result rises with `eps`, which is standard normal noise.

# %%
def reverse_sde_step(x, score, eps, f, g, h, churn=1.0):
    """x at time t - h: x, score, eps (B, ...), f, g, h > 0 and churn numbers."""
    ### BEGIN SOLUTION
    drift = f * x - 0.5 * (1 + churn**2) * g**2 * score
    return x - h * drift + churn * g * math.sqrt(h) * eps
    ### END SOLUTION

# %%
check.reverse_sde_step(reverse_sde_step)

# %% [markdown]
# ## One thing under five names
#
# ### {{exercise pair_from}}
#
# A network may be asked for x, for ε, for $v = \alpha\varepsilon - \sigma x$, for $u = \varepsilon - x$, or for the score $-\varepsilon/\sigma$ (section 4.4). With
# $x_t = \alpha x + \sigma\varepsilon$, each of them gives the pair (x, ε) back. `kind` is `"x"`, `"eps"`, `"v"`, `"u"` or `"score"`; α and σ
# need not belong to any path that has a name. At α = 0 and at σ = 0 it still works for v and u.

# %%
def pair_from(value, kind, x_t, alpha, sigma):
    """x and ε, each (B, D): value, x_t (B, D), alpha and sigma (B,)."""
    ### BEGIN SOLUTION
    alpha, sigma = alpha[:, None], sigma[:, None]
    if kind == "score":
        kind, value = "eps", -sigma * value
    if kind == "x":
        return value, (x_t - alpha * value) / sigma
    if kind == "eps":
        return (x_t - sigma * value) / alpha, value
    if kind == "v":
        d = alpha**2 + sigma**2
        return (alpha * x_t - sigma * value) / d, (sigma * x_t + alpha * value) / d
    x = (x_t - sigma * value) / (alpha + sigma)
    return x, x + value
    ### END SOLUTION

# %%
check.pair_from(pair_from)

# %% [markdown]
# ### {{exercise denoising_loss}}
#
# What a denoiser is trained with (section 4.4): $w\,|x - \hat x(x_t, t)|^2$, **summed** over all numbers of an example, one value for each. `t` has
# shape (B,), and `levels(t)` returns α and σ, (B,) each. `denoise(x_t, t)` is called once. The `weight` is a number, or (B,).

# %%
def denoising_loss(denoise, x, eps, t, levels, weight=1.0):
    """w |x - x̂(x_t, t)|², (B,): x, eps (B, ...), t (B,)."""
    ### BEGIN SOLUTION
    shape = (-1, *[1] * (x.ndim - 1))
    alpha, sigma = levels(t)
    x_t = alpha.view(shape) * x + sigma.view(shape) * eps
    error = x - denoise(x_t, t)
    return weight * (error**2).flatten(1).sum(1)
    ### END SOLUTION

# %%
check.denoising_loss(denoising_loss)

# %% [markdown]
# A perfect denoiser still has a loss: what it cannot know. For normal data of deviation 1 and $x_t = x + \sigma\varepsilon$ that is σ²/(1 + σ²) for each number.

# %%
if check.denoising_loss.judge(denoising_loss).status == "right":
    x, eps = torch.randn(2, 20_000, 3, generator=seeded(0))
    for sigma in (0.5, 1.0, 2.0):
        loss = denoising_loss(
            lambda x_t, t: x_t / (1 + t**2)[:, None],  # E[x given x_t] for N(0, I)
            x, eps, torch.full((20_000,), sigma), lambda t: (torch.ones_like(t), t))
        print(f"σ = {sigma}: {loss.mean():.3f}, and 3 σ²/(1 + σ²) is "
              f"{3 * sigma**2 / (1 + sigma**2):.3f}")
else:
    print("Once denoising_loss is right, this cell compares it with its floor.")

# %% [markdown]
# ## Samplers
#
# ### {{exercise ddim_step}}
#
# A deterministic step (section 4.5) from the level `start` = (α, σ) to `end` = (α′, σ′), pairs of numbers, as if the estimate x̂ were x: which
# noise would x_t hold then? The same data and the same noise are mixed anew. x̂ is a prediction of the **data**, and is not cut.

# %%
def ddim_step(x_t, x_hat, start, end):
    """x at the level `end`: x_t, x_hat (B, ...)."""
    ### BEGIN SOLUTION
    eps_hat = (x_t - start[0] * x_hat) / start[1]
    return end[0] * x_hat + end[1] * eps_hat
    ### END SOLUTION

# %%
check.ddim_step(ddim_step)

# %% [markdown]
# ### {{exercise ancestral_step}}
#
# DDPM's random step (section 4.5): a draw of x_s given x_t and x = x̂. With $a = \alpha/\alpha'$ and $c^2 = \sigma^2 - a^2\sigma'^2$, the noise that came
# in between, its mean is $(a\,\sigma'^2 x_t + \alpha' c^2 \hat x)/\sigma^2$. Its variance is the **posterior's**, $c^2\sigma'^2/\sigma^2$, which DDPM calls β̃ (c² itself is β, another
# sampler). The result rises with `eps`.

# %%
def ancestral_step(x_t, x_hat, eps, start, end):
    """A draw of x at the level `end`: x_t, x_hat, eps (B, ...)."""
    ### BEGIN SOLUTION
    (alpha, sigma), (alpha_s, sigma_s) = start, end
    a = alpha / alpha_s
    c2 = sigma**2 - a**2 * sigma_s**2
    mean = (a * sigma_s**2 * x_t + alpha_s * c2 * x_hat) / sigma**2
    return mean + math.sqrt(c2) * sigma_s / sigma * eps
    ### END SOLUTION

# %%
check.ancestral_step(ancestral_step)

# %% [markdown]
# ### {{exercise heun_step}}
#
# A step of dx/dt = u(x, t) from time t to s, numbers both (section 4.5). Euler's step predicts; the step itself goes with the mean of the slope at
# (x, t) and of the slope at the predicted point at time s. `velocity(x, t)` is called twice, no more. At **s = 0** the velocity may be infinite:
# make Euler's step then, and ask it once.

# %%
def heun_step(velocity, x, t, s):
    """x at time s, (B, ...)."""
    ### BEGIN SOLUTION
    slope = velocity(x, t)
    predicted = x + (s - t) * slope
    if s == 0:
        return predicted
    return x + 0.5 * (s - t) * (slope + velocity(predicted, s))
    ### END SOLUTION

# %%
check.heun_step(heun_step)

# %% [markdown]
# Does it have order two? Normal data have an exact flow, so the error of a sampler can be measured. With twice the steps it should fall fourfold.

# %%
def error_of(step, n):
    """The largest error after n steps from σ = 10 to 0.01, for data from N(0, ½²)."""
    x = start = torch.linspace(-20, 20, 9, dtype=torch.float64)[:, None]
    levels = torch.logspace(1, -2, n + 1, dtype=torch.float64).tolist()
    for t, s in zip(levels, levels[1:]):
        x = step(lambda x, t: t * x / (0.25 + t**2), x, t, s)
    return (x - m.gaussian_flow_map(start, 0.0, 0.5, (1, 10.0), (1, 0.01))).abs().max()


if check.heun_step.judge(heun_step).status == "right":
    for name, step in (("Euler", lambda u, x, t, s: x + (s - t) * u(x, t)),
                       ("Heun", heun_step)):
        errors = [error_of(step, n).item() for n in (8, 16, 32, 64, 128)]
        ratios = [f"{a / b:.2f}" for a, b in zip(errors, errors[1:])]
        print(f"{name:6} error {errors[0]:.2f} with 8 steps; each time they double "
              f"it is divided by {', '.join(ratios)}")
else:
    print("Once heun_step is right, this cell measures its order.")

# %% [markdown]
# ## Flow matching
#
# ### {{exercise flow_matching_pair}}
#
# Where the network looks and what it should say (section 4.6): the point x_t on the straight line from x, at t = 0, to ε, at t = 1, and its
# velocity dx_t/dt. Each row has a time of its own. Those who have data at t = 1 write both the other way round; here they are at 0.

# %%
def flow_matching_pair(x, eps, t):
    """(x_t, u), each (B, ...): x, eps (B, ...), t (B,) in [0, 1]."""
    ### BEGIN SOLUTION
    t = t.view(-1, *[1] * (x.ndim - 1))
    return (1 - t) * x + t * eps, eps - x
    ### END SOLUTION

# %%
check.flow_matching_pair(flow_matching_pair)

# %% [markdown]
# ### {{exercise velocity_floor}}
#
# The loss of flow matching does not go to zero (sections 4.4 and 4.6): where paths cross, nobody can say the velocity of each. For data from $\mathcal N(m, s^2)$ in
# one dimension and independent noise everything is normal, so the least $\mathbb E\,|u - \hat u(x_t, t)|^2$ that any network can have at time t is a formula. Find it. (In D dimensions the
# summed loss has D times this floor.) No gradients need to pass.

# %%
def velocity_floor(std, t):
    """The least mean squared error of the velocity, like t: std a number, t (n,)."""
    ### BEGIN SOLUTION
    covariance = t - (1 - t) * std**2  # of u = ε - x and x_t = (1 - t) x + t ε
    variance = (1 - t) ** 2 * std**2 + t**2  # of x_t
    return (1 + std**2) - covariance**2 / variance
    ### END SOLUTION

# %%
check.velocity_floor(velocity_floor)

# %% [markdown]
# Over uniform times the floor is πs/2 on average, here by the mean over a fine grid:

# %%
if check.velocity_floor.judge(velocity_floor).status == "right":
    t = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    for std in (0.5, 1.0, 2.0):
        print(f"s = {std}: {velocity_floor(std, t).mean():.4f}, and πs/2 is "
              f"{math.pi * std / 2:.4f}")
else:
    print("Once velocity_floor is right, this cell takes its mean.")

# %% [markdown]
# ## Likelihood
#
# ### {{exercise ode_log_likelihood}}
#
# The exact likelihood of a flow (section 4.7) that runs from the data at t = 0 to N(0, I) at t = 1, in Euler's steps of both:
# $\log p(x) = \log \mathcal N(x_1; 0, I) + \sum h\, \mathrm{div}\, u(x_t, t)$, with u and its divergence at the beginning of each step. `times` (n + 1,) rise from 0
# to 1, and need not be even. `velocity(x, t)` takes (B, D) and a time, a number or (B,), each row from its own row. The divergence is the exact one,
# $\sum_d \partial u_d/\partial x_d$. Return numbers without a graph.

# %%
def ode_log_likelihood(velocity, x, times):
    """log p(x), (B,), nats: x (B, D), times (n + 1,)."""
    ### BEGIN SOLUTION
    total = torch.zeros(len(x), dtype=x.dtype)
    for t, s in zip(times[:-1].tolist(), times[1:].tolist()):
        x = x.detach().clone().requires_grad_()
        u = velocity(x, t)
        for d in range(x.shape[1]):
            column = torch.autograd.grad(u[:, d].sum(), x, retain_graph=True)[0][:, d]
            total = total + (s - t) * column
        x = x + (s - t) * u
    log_prior = -0.5 * (x**2 + math.log(2 * math.pi)).sum(1)
    return (log_prior + total).detach()
    ### END SOLUTION

# %%
check.ode_log_likelihood(ode_log_likelihood)

# %% [markdown]
# ### {{exercise hutchinson}}
#
# In D dimensions the divergence takes D backward passes. Hutchinson's estimate takes one (section 4.7): $v^\top J v$ with $J = \partial u/\partial x$ and the given `probe` v.
# One value for each row, which training can differentiate (`create_graph=True`). `x` comes without gradients.

# %%
def hutchinson(velocity, x, t, probe):
    """vᵀ J v, (B,): x, probe (B, D), t (B,)."""
    ### BEGIN SOLUTION
    x = x.detach().clone().requires_grad_()
    weighed = (velocity(x, t) * probe).sum()
    vjp = torch.autograd.grad(weighed, x, create_graph=True)[0]
    return (vjp * probe).sum(1)
    ### END SOLUTION

# %%
check.hutchinson(hutchinson)

# %% [markdown]
# Which probes are better? For u = A x the trace is known, and so is the variance of the estimate for signs and for normal numbers.

# %%
if check.hutchinson.judge(hutchinson).status == "right":
    A = torch.tensor([[1.0, 2.0], [0.0, -3.0]])
    x, t = torch.zeros(20_000, 2), torch.zeros(20_000)
    normal = torch.randn(20_000, 2, generator=seeded(0))
    for name, probe in (("signs", normal.sign()), ("normal", normal)):
        found = hutchinson(lambda x, t: x @ A.T, x, t, probe).detach()
        print(f"{name:7} mean {found.mean():.2f}, variance {found.var():.1f}")
    print(f"exact   mean {A.trace():.2f}, variance {m.hutchinson_variance(A):.1f} and "
          f"{m.hutchinson_variance(A, 'normal'):.1f}")
else:
    print("Once hutchinson is right, this cell compares two kinds of probes.")

# %% [markdown]
# ## Guidance, editing, copying
#
# ### {{exercise guided}}
#
# Classifier-free guidance (section 4.8), in this chapter's convention: **w = 1 is the conditional** prediction, w = 0 the unconditional one, and above 1 it
# goes beyond. (In the other one, with 1 + w, the conditional one is at w = 0.)

# %%
def guided(cond, uncond, w):
    """The guided prediction, (B, ...): cond, uncond (B, ...), w a number."""
    ### BEGIN SOLUTION
    return uncond + w * (cond - uncond)
    ### END SOLUTION

# %%
check.guided(guided)

# %% [markdown]
# ### {{exercise inpaint_step}}
#
# Inpainting by replacement (section 4.9): a deterministic step as in `ddim_step`; then, where `mask` is 1, what is `known` is put in with the noise `eps`, at
# the level at which the rest is after the step. Where `mask` is 0 the entries of `known` and `eps` do not matter; they are finite numbers.

# %%
def inpaint_step(x_t, x_hat, known, mask, eps, start, end):
    """x at the level `end`, all (B, ...); start and end are pairs (α, σ)."""
    ### BEGIN SOLUTION
    eps_hat = (x_t - start[0] * x_hat) / start[1]
    x = end[0] * x_hat + end[1] * eps_hat
    return torch.where(mask > 0, end[0] * known + end[1] * eps, x)
    ### END SOLUTION

# %%
check.inpaint_step(inpaint_step)

# %% [markdown]
# ### {{exercise optimal_denoiser}}
#
# If the data are the N points of a training set and nothing else, the best denoiser for $x + \sigma\varepsilon$ is known (section 4.10): the mean of the points, each weighed by
# the probability that x came from it. It stays finite for small σ and far away.

# %%
def optimal_denoiser(x, sigma, train):
    """E[training point given x], (B, D): x (B, D), sigma a number, train (N, D)."""
    ### BEGIN SOLUTION
    squared = ((x[:, None] - train) ** 2).sum(2)  # (B, N)
    return (-squared / (2 * sigma**2)).softmax(1) @ train
    ### END SOLUTION

# %%
check.optimal_denoiser(optimal_denoiser)

# %% [markdown]
# What does it draw? A sampler with your denoiser, if both are right, and the distance from each sample to the nearest point of its training set.

# %%
if all(getattr(check, name).judge(globals()[name]).status == "right"
       for name in ("ddim_step", "optimal_denoiser")):
    train = points("ring").sample(40, seed=0)
    x = 10 * torch.randn(300, 2, generator=seeded(1))
    sigmas = [*torch.logspace(1, -2, 40).tolist(), 0.0]
    for t, s in zip(sigmas, sigmas[1:]):
        x = ddim_step(x, optimal_denoiser(x, t, train), (1.0, t), (1.0, s))
    nearest = torch.cdist(x, train).amin(1)
    fresh = torch.cdist(points("ring").sample(300, seed=2), train).amin(1)
    print(f"nearest training point: {nearest.median():.4f} from a sample, "
          f"{fresh.median():.4f} from a fresh draw (medians)")
else:
    print("Once ddim_step and optimal_denoiser are right, this cell draws 300 points.")

# %% [markdown]
# ## With a network
#
# From here on the fields are learned. Everything above holds for them; what is new is how a network is told things, how it is trained, and what a sampler
# does about its errors (the chapter's second half, from section 4.11 on).
#
# ### {{exercise time_embedding}}
#
# A network is told the time as waves: with h = ⌊width/2⌋ frequencies $\omega_i = \text{scale} \cdot 10^{-4 i/h}$, i = 0, ..., h − 1, the numbers
# $\cos \omega_i t$ and $\sin \omega_i t$; of an odd width one column is left over, and 0. The order of the columns is yours. t lies in [0, 1].

# %%
def time_embedding(t, width, scale):
    """An embedding of the times, (B, width): t (B,), width a whole number above 1."""
    ### BEGIN SOLUTION
    h = width // 2
    omega = scale * 10.0 ** (-4 * torch.arange(h, dtype=t.dtype) / h)
    angles = t[:, None] * omega
    waves = torch.cat([angles.cos(), angles.sin()], dim=1)
    return torch.nn.functional.pad(waves, (0, width % 2))
    ### END SOLUTION

# %%
check.time_embedding(time_embedding)

# %% [markdown]
# Is a network told different things at different times? How far apart two embeddings are, of times .01 and .5 apart, with a scale and without:

# %%
if check.time_embedding.judge(time_embedding).status == "right":
    t = torch.tensor([0.3, 0.31, 0.8])
    for scale in (1.0, 30.0, 1000.0):
        now, soon, later = time_embedding(t, 32, scale)
        print(f"scale {scale:6}: .01 apart {(now - soon).norm():.3f}, "
              f".5 apart {(now - later).norm():.3f}")
else:
    print("Once time_embedding is right, this cell measures distances.")

# %% [markdown]
# ### {{exercise training_step}}
#
# One step of flow matching. `model(x_t, t)`, called once with t of shape (B,), says a velocity like x_t; its loss is
# $|u(x_t, t) - (\varepsilon - x)|^2$, **summed** over the numbers of an example, and its mean over the batch is minimised by a step of the `optimizer`.
# Parameters may hold gradients from before. *Then* the `average`, a network like the model, follows: each of its parameters becomes `decay` times itself plus
# 1 − `decay` times the model's, in place and without a graph. Return the mean loss, before the step, as a Python float.

# %%
def training_step(model, average, optimizer, x, eps, t, decay):
    """The mean loss, a float: x, eps (B, ...), t (B,)."""
    ### BEGIN SOLUTION
    time = t.view(-1, *[1] * (x.ndim - 1))
    x_t = (1 - time) * x + time * eps
    loss = ((model(x_t, t) - (eps - x)) ** 2).flatten(1).sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for old, new in zip(average.parameters(), model.parameters()):
            old.lerp_(new, 1 - decay)
    return loss.item()
    ### END SOLUTION

# %%
check.training_step(training_step)

# %% [markdown]
# ### {{exercise hide_labels}}
#
# So that one network learns p(x given y) and p(x), some of its labels are hidden in training: those with u < p. The number `num_classes`, which is no class, stands
# for "no label". `u` is uniform in [0, 1), a number for each example.

# %%
def hide_labels(y, u, p, num_classes):
    """What the network is told, (B,), whole numbers: y (B,) of classes, u (B,)."""
    ### BEGIN SOLUTION
    return torch.where(u < p, num_classes, y)
    ### END SOLUTION

# %%
check.hide_labels(hide_labels)

# %% [markdown]
# ### {{exercise guided_batch}}
#
# A guided prediction costs a network two answers. Get both with **one call**, of 2B rows: `network(x, t, y)` takes any number of rows, each with its time and its
# label, and answers each from itself. Label `num_classes` means none. As everywhere here, w = 1 is the conditional prediction.

# %%
def guided_batch(network, x_t, t, y, w, num_classes):
    """The guided prediction, (B, ...): x_t (B, ...), t and y (B,), w a number."""
    ### BEGIN SOLUTION
    labels = torch.cat([y, torch.full_like(y, num_classes)])
    cond, uncond = network(torch.cat([x_t, x_t]), torch.cat([t, t]), labels).chunk(2)
    return uncond + w * (cond - uncond)
    ### END SOLUTION

# %%
check.guided_batch(guided_batch)

# %% [markdown]
# ### {{exercise clipped_sampler}}
#
# DDIM's steps with a network that says the noise. `alpha` and `sigma` are lists of T + 1 numbers, x stands at level T. For n = T, ..., 1: ask `network(x, n)`, with n as a
# tensor (B,), for ε̂; find x̂; cut it to [−1, 1], where data can be; find the noise that **fits** (x is α x̂ + σ ε again); mix both for level n − 1. Return x at level
# 0, which may have noise left, without a graph. α and σ are above 0 at all levels but the last one reached.

# %%
def clipped_sampler(network, x, alpha, sigma):
    """x at level 0: x (B, ...)."""
    ### BEGIN SOLUTION
    with torch.no_grad():
        for n in range(len(alpha) - 1, 0, -1):
            eps = network(x, torch.full((len(x),), n))
            x_hat = ((x - sigma[n] * eps) / alpha[n]).clamp(-1, 1)
            eps = (x - alpha[n] * x_hat) / sigma[n]
            x = alpha[n - 1] * x_hat + sigma[n - 1] * eps
    return x
    ### END SOLUTION

# %%
check.clipped_sampler(clipped_sampler)

# %% [markdown]
# ### {{exercise code_space}}
#
# A flow on the codes of an autoencoder starts at N(0, I), so codes should have that size. Return two functions, `into` and `back`: `into(z)` gives each
# dimension mean 0 and standard deviation 1, measured on the training `codes` once for all; `back(z)` is its inverse, for what the flow draws. A dimension in which all
# training codes are equal is divided by 1. Whether a variance has N or N − 1 in the denominator is up to you.

# %%
def code_space(codes):
    """(into, back), functions of codes (B, D): codes (N, D)."""
    ### BEGIN SOLUTION
    std, mean = torch.std_mean(codes, dim=0)
    std = torch.where(std > 0, std, 1.0)

    def into(z):
        return (z - mean) / std

    def back(z):
        return z * std + mean

    return into, back
    ### END SOLUTION

# %%
check.code_space(code_space)

# %% [markdown]
# ### {{exercise shifted_times}}
#
# The same noise hides less of a large picture: in averages of k × k pixels σ is k times smaller. So for pictures of side `side`, where times were chosen for side
# `base`, find for each t the time t′ at which **σ/α is side/base times** what it was at t. The path is the straight one, α = 1 − t, σ = t, with data at t = 0;
# both ends stay.

# %%
def shifted_times(t, side, base):
    """t', like t in [0, 1]: side and base whole numbers."""
    ### BEGIN SOLUTION
    k = side / base
    return k * t / (1 + (k - 1) * t)
    ### END SOLUTION

# %%
check.shifted_times(shifted_times)

# %% [markdown]
# ### {{exercise reflow_pairs}}
#
# A flow makes pairs of its own: noise, and where it leads. Trained on such pairs, the next flow is straighter (section 4.6). Take n equal steps of Euler from ε at t = 1 to
# t = 0, each with the velocity at the point and the time where it begins. `velocity(x, t)` takes t as a number or as (B,). Return (x, ε), without a graph.

# %%
def reflow_pairs(velocity, eps, n):
    """(x, ε), each (B, ...): eps (B, ...)."""
    ### BEGIN SOLUTION
    x = eps
    with torch.no_grad():
        for i in range(n):
            t = torch.full((len(x),), 1 - i / n)
            x = x - velocity(x, t) / n
    return x, eps
    ### END SOLUTION

# %%
check.reflow_pairs(reflow_pairs)

# %% [markdown]
# What is gained? The flow between N(0, ½²) and noise, with the exact velocity of independent pairs, and with that of the pairs which it makes: how wide are the samples of one step?

# %%
if check.reflow_pairs.judge(reflow_pairs).status == "right":
    data = m.isotropic_mixture(torch.zeros(1, 1), 0.5)
    first = m.ExactDiffusion(data, m.linear()).velocity  # E[ε - x given x_t]
    x, eps = reflow_pairs(first, torch.randn(20_000, 1, generator=seeded(0)), 100)
    slope = (x / eps).mean()  # they lie on a line: x = slope · ε

    def second(x, t):
        t = torch.as_tensor(t).view(-1, 1)
        return (1 - slope) / ((1 - t) * slope + t) * x


    for name, velocity in (("first", first), ("second", second)):
        print(f"{name:6} flow, one step: {reflow_pairs(velocity, eps, 1)[0].std():.3f}")
    print(f"data: 0.5; the first flow with 100 steps: {x.std():.3f}")
else:
    print("Once reflow_pairs is right, this cell takes one step of two flows.")

# %% [markdown]
# ### {{exercise mean_flow_target}}
#
# A network of few steps says the *mean* velocity $u(x_t, r, t)$ between the times r ≤ t (Geng et al. 2025). What it should say follows from what it says: the derivative of
# $(t - r)\,u = \int_r^t v$ along the path gives
#
# $$u = v - (t - r)\, \frac{d}{dt} u(x_t, r, t) ,$$
#
# where, as t grows, $x_t$ moves with $v = \varepsilon - x$ and r stays. Return the right-hand side, for a `field(x_t, r, t)`, as a target: without a graph.
# `torch.func.jvp(f, arguments, speeds)` returns f and how fast it changes, arguments and speeds being tuples.

# %%
def mean_flow_target(field, x_t, v, r, t):
    """What u(x_t, r, t) should be, (B, ...): x_t, v (B, ...), r and t (B,)."""
    ### BEGIN SOLUTION
    speeds = (v, torch.zeros_like(r), torch.ones_like(t))
    _, change = torch.func.jvp(field, (x_t, r, t), speeds)
    way = (t - r).view(-1, *[1] * (x_t.ndim - 1))
    return (v - way * change).detach()
    ### END SOLUTION

# %%
check.mean_flow_target(mean_flow_target)

# %% [markdown]
# ## The bug hunt
#
# The program below draws points of five classes. Its network is **perfect**: it returns the exact score of whatever data the program shows it, at
# whatever level. Whatever is wrong with the picture is therefore the program's. Nothing crashes, no loss looks odd, for there is none. Still
# several pieces are broken, each by a mistake that stands in published code.
#
# ### The program
#
# Seven small pieces, and a function that puts them together. The comment behind each piece says what it should do; not every piece does that, and one
# or the other may be right however strange it looks.

# %%
def centred(x):  # points of the unit square [0, 1]², to [-1, 1]²
    return x


def levels(T):  # α and σ, (T + 1,) each, of betas evenly spaced from 0.1/T to 20/T
    alpha_bar = m.alpha_bars(torch.linspace(1e-4, 0.02, T))  # 1 in front
    return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()


def start(n, generator):  # n points of the noise at which the schedule ends, N(0, I)
    return torch.rand(n, 2, generator=generator)


def noise_of(score, sigma):  # E[ε given x_t] of the score of p(x_t)
    return -sigma * score

# %%
def steered(cond, uncond, w):  # w = 1 is the conditional one, w = 0 the other
    return (1 + w) * cond - w * uncond


def step_back(x_t, eps, start, end):  # from start = (α, σ) to end: DDIM, no new noise
    x_hat = (x_t - start[1] * eps) / start[0]
    return end[0] * x_hat + start[1] * eps


def steps(T):  # step n goes from level n to n - 1: from pure noise down to the data
    return range(T, 1, -1)


def restored(x):  # back to the unit square; this one is right
    return (x + 1) / 2

# %%
CENTRES = torch.tensor([[0.2, 0.25], [0.8, 0.2], [0.5, 0.55], [0.25, 0.85],
                        [0.85, 0.8]])
WIDTHS = torch.tensor([0.03, 0.06, 0.09, 0.05, 0.04])
LABELS = torch.arange(1000) % 5


def draw(centred, levels, start, noise_of, steered, step_back, steps, T=50):
    """1,000 points of the five classes, with guidance w = 1, which is none."""
    generator = seeded(3)
    means, widths = centred(CENTRES), centred(WIDTHS) - centred(torch.zeros(5))
    alpha, sigma = levels(T)
    x = start(len(LABELS), generator)
    for n in steps(T):
        of_all = m.mixture_score(x, alpha[n].item(), sigma[n].item(), means, widths,
                                 torch.full((5,), 0.2))
        variance = (alpha[n] * widths[LABELS]) ** 2 + sigma[n] ** 2
        of_class = (alpha[n] * means[LABELS] - x) / variance[:, None]
        eps = steered(noise_of(of_class, sigma[n]), noise_of(of_all, sigma[n]), 1.0)
        x = step_back(x, eps, (alpha[n], sigma[n]), (alpha[n - 1], sigma[n - 1]))
    return restored(x)

# %%
def show(x, title, ax):
    figures.point_clouds({f"class {k}": x[LABELS == k] for k in range(5)}, title, ax=ax)
    ax.set(xlim=(-0.4, 1.4), ylim=(-0.4, 1.4))
    ax.legend().remove()


truth = (CENTRES[LABELS]
         + WIDTHS[LABELS][:, None] * torch.randn(1000, 2, generator=seeded(5)))
broken = draw(centred, levels, start, noise_of, steered, step_back, steps)
figure, (left, right) = figures.panels(2, height=3.6)
show(truth, "the data", left)
show(broken, "what the program draws", right)

# %% [markdown]
# *Left: 1,000 points of five classes, each with a colour and a marker. Right: what the program draws of them. With so many mistakes at once, nothing can be read off.*
#
# ### The instruments
#
# Each instrument puts known numbers into one piece, given as its argument, and measures something that must hold. Where `measured` and `should be` differ, the
# piece is broken.

# %%
def measure_centred(centred):
    ends = centred(torch.tensor([0.0, 1.0])).tolist()
    print(f"centred    where 0 and 1 go            measured {ends}   "
          "should be [-1.0, 1.0]")


def measure_levels(levels):
    alpha, sigma = levels(50)
    print(f"levels     signal to noise, 50 steps   measured "
          f"{(alpha[-1] / sigma[-1]) ** 2:.6f}   should be 0.000008")


def measure_start(start):
    x = start(10_000, seeded(0))
    print(f"start      mean and spread             measured {x.mean():.2f}, "
          f"{x.std():.2f}   should be about 0, 1")

# %%
def measure_noise_of(noise_of):  # data at the origin: x_t is noise alone
    x_t, sigma = torch.tensor([0.6, -0.3]), 0.5
    eps = noise_of(-x_t / sigma**2, sigma)
    print(f"noise_of   of [0.6, -0.3], σ = 0.5     measured "
          f"[{eps[0]:.1f}, {eps[1]:.1f}]   should be [1.2, -0.6]")


def measure_steered(steered):
    at_one = steered(torch.tensor(5.0), torch.tensor(2.0), 1.0)
    print(f"steered    at w = 1, of 5 and 2        measured {at_one:.1f}   "
          "should be 5.0")

# %%
def measure_step_back(step_back):  # x = 1 and ε = -2, from (0.6, 0.8) to (0.8, 0.6)
    x_t = torch.tensor(0.6 * 1 - 0.8 * 2)
    x_s = step_back(x_t, torch.tensor(-2.0), (0.6, 0.8), (0.8, 0.6))
    print(f"step_back  of x = 1 and ε = -2         measured {x_s:.2f}   "
          "should be -0.40")


def measure_steps(steps):
    found = list(steps(50))
    print(f"steps      how many, first, last       measured {len(found)}, {found[0]}, "
          f"{found[-1]}   should be 50, 50, 1")

# %%
measure_centred(centred)
measure_levels(levels)
measure_start(start)
measure_noise_of(noise_of)
measure_steered(steered)
measure_step_back(step_back)
measure_steps(steps)

# %% [markdown]
# ### {{exercise suspects}}
#
# Name the broken pieces: a set out of `"centred"`, `"levels"`, `"start"`, `"noise_of"`, `"steered"`, `"step_back"`, `"steps"`.

# %%
def suspects():
    """The set of names of the pieces that do not do what they should."""
    ### BEGIN SOLUTION
    return {"centred", "levels", "start", "steered", "step_back", "steps"}
    ### END SOLUTION

# %%
check.suspects(suspects)

# %% [markdown]
# ### {{exercise symptoms}}
#
# Mistakes are first met in pictures. Each of the following pictures was drawn by the program with **one** piece broken and all the others right:
#
# - **A**: five clusters as they should be, but all of them in the upper right quarter, at half the size.
# - **B**: five clusters in their places, each wider than it should be by half or more; they run into one another.
# - **C**: five clusters in their places, each a tiny square, a third as wide as it should be.
# - **D**: five clusters, each narrower than it should be; the outer ones have moved away from the middle one, which is squeezed.
# - **E**: no clusters; points all over the place, far beyond the square.
# - **F**: nearly right; the narrowest cluster is wider than it should be by half, the widest by less than a tenth.
#
# Which piece was broken in each? (Predict first; when all is repaired, the last cell of the hunt draws them.)

# %%
def symptoms():
    """{"A": name of a piece, ..., "F": name of a piece}."""
    ### BEGIN SOLUTION
    return {"A": "centred", "B": "levels", "C": "start", "D": "steered",
            "E": "step_back", "F": "steps"}
    ### END SOLUTION

# %%
check.symptoms(symptoms)

# %% [markdown]
# Now the pieces in the program's order, one by one. Where a piece is right as it is, give it as it is. An instrument takes your piece as well as
# the old one: `measure_centred(repair_1)`.
#
# ### {{exercise repair_1}}
#
# `centred(x)`: from [0, 1] to [−1, 1], any shape; the way back is `restored`. Points may lie a little outside.

# %%
def repair_1(x):
    """x, with 0 taken to -1 and 1 to 1."""
    ### BEGIN SOLUTION
    return 2 * x - 1
    ### END SOLUTION

# %%
check.repair_1(repair_1)

# %% [markdown]
# ### {{exercise repair_2}}
#
# `levels(T)`: α and σ after 0, 1, ..., T steps, of betas that are evenly spaced from 0.1/T to 20/T, for T above 20. These are DDPM's at T = 1000, and for any other
# T they come to the same sum.

# %%
def repair_2(T):
    """alpha and sigma, each (T + 1,)."""
    ### BEGIN SOLUTION
    alpha_bar = m.alpha_bars(torch.linspace(0.1, 20, T, dtype=torch.float64) / T)
    return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
    ### END SOLUTION

# %%
check.repair_2(repair_2)

# %% [markdown]
# ### {{exercise repair_3}}
#
# `start(n, generator)`: n points of N(0, I), drawn with the `generator`.

# %%
def repair_3(n, generator):
    """Noise (n, 2)."""
    ### BEGIN SOLUTION
    return torch.randn(n, 2, generator=generator)
    ### END SOLUTION

# %%
check.repair_3(repair_3)

# %% [markdown]
# ### {{exercise repair_4}}
#
# `noise_of(score, sigma)`: the mean of ε given x_t, of the score of p(x_t).

# %%
def repair_4(score, sigma):
    """E[ε given x_t], like score."""
    ### BEGIN SOLUTION
    return -sigma * score
    ### END SOLUTION

# %%
check.repair_4(repair_4)

# %% [markdown]
# ### {{exercise repair_5}}
#
# `steered(cond, uncond, w)`: w = 1 is the conditional one.

# %%
def repair_5(cond, uncond, w):
    """The guided prediction, like cond and uncond."""
    ### BEGIN SOLUTION
    return uncond + w * (cond - uncond)
    ### END SOLUTION

# %%
check.repair_5(repair_5)

# %% [markdown]
# ### {{exercise repair_6}}
#
# `step_back(x_t, eps, start, end)`: a DDIM step between two levels, pairs (α, σ).

# %%
def repair_6(x_t, eps, start, end):
    """x at the level `end`, (B, D)."""
    ### BEGIN SOLUTION
    x_hat = (x_t - start[1] * eps) / start[0]
    return end[0] * x_hat + end[1] * eps
    ### END SOLUTION

# %%
check.repair_6(repair_6)

# %% [markdown]
# ### {{exercise repair_7}}
#
# `steps(T)`: the numbers of the T steps in the order in which a sampler takes them.

# %%
def repair_7(T):
    """Numbers, in a list or a range."""
    ### BEGIN SOLUTION
    return range(T, 0, -1)
    ### END SOLUTION

# %%
check.repair_7(repair_7)

# %% [markdown]
# ### One mistake at a time
#
# If all pieces are right, the cells below run the instruments on them, and draw: all repaired, and each of the six mistakes alone.

# %%
repairs = [repair_1, repair_2, repair_3, repair_4, repair_5, repair_6, repair_7]
repaired = all(getattr(check, f"repair_{i}").judge(piece).status == "right"
               for i, piece in enumerate(repairs, 1))
if repaired:
    for measure, piece in zip(
            (measure_centred, measure_levels, measure_start, measure_noise_of,
             measure_steered, measure_step_back, measure_steps), repairs):
        measure(piece)
else:
    print("Repair all seven pieces first; then these cells show what that changes.")

# %%
if repaired:
    planted = [centred, levels, start, noise_of, steered, step_back, steps]
    pictures = {"all repaired": repairs}
    for i, name in enumerate(("centred", "levels", "start", "", "steered", "step_back",
                              "steps")):
        if name:
            pictures[f"{name} broken"] = [*repairs[:i], planted[i], *repairs[i + 1:]]
    figure, axes = figures.panels(4, height=4.2, rows=2)
    show(truth, "the data", axes[0, 0])
    for ax, (title, pieces) in zip(axes.flatten()[1:], pictures.items()):
        x = draw(*pieces)
        show(x, title, ax)
        spread = " ".join(f"{x[LABELS == k].std(0).mean():.3f}" for k in range(5))
        print(f"{title:18} deviation of each class: {spread}")

# %% [markdown]
# *The data; what the repaired program draws; and what it draws with a single piece broken, in the program's order: the pictures A to F. The network is perfect in all of them.*
#
# ## Score
#
# All answers are judged afresh, whatever was run before.

# %%
report(check, globals())
