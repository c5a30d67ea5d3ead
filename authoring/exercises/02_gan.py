# %% [markdown]
# # Exercises 2 · Generative adversarial networks
#
# Each exercise is one function. Replace `raise NotImplementedError()` by your answer, run the cell, then run the check
# below it. A check knows the mistakes that people make here and says which one it recognises; `check.NAME.hint()` says
# more, one step at a time. Nothing is sent anywhere, and you may try as often as you like. Cells in between use what
# you wrote: they wait until it is right.
#
# The chapter is [`notebooks/02_gan.ipynb`](../notebooks/02_gan.ipynb), the worked answers are in
# [`solutions/02_gan.ipynb`](../solutions/02_gan.ipynb). Symbols: `x` data, `z` noise, G the generator, D the
# discriminator, `real_logits` and `fake_logits` what D's network returns for data and for samples, before the sigmoid;
# $p_g$ is the density of G's samples. Rows are examples, logarithms are natural. Unless the text says otherwise answers are
# torch tensors, and what is handed to your function is left as it was. Sections are the chapter's.

# %%
import copy
import math

import matplotlib.pyplot as plt
import torch
from torch import nn
from tqdm.auto import tqdm

from gencourse import figures
from gencourse.checks import gan as check
from gencourse.checks import report
from gencourse.data import images, minibatches, points
from gencourse.evaluation import feature_network
from gencourse.models import gan as m
from gencourse.runtime import scaled, seeded
from gencourse.gan_lab import unnamed_runs

ring, digits = points("ring"), images("mnist")

# %%
def solved(*names):  # whether your functions of these names pass their checks
    return all(getattr(check, name).judge(globals()[name]).status == "right"
               for name in names)

# %% [markdown]
# ## Noise in, samples out
#
# ### {{exercise sample_noise}}
#
# What a generator starts from (section 2.1): `n` codes of `dim` numbers each, all independent, from $\mathcal N(0, 1)$. The numbers
# come from the `generator` that is handed in (a `torch.Generator`) and from nowhere else. Return a tensor in float32, the
# precision of the networks below.

# %%
def sample_noise(n, dim, generator):
    """z ~ N(0, I): (n, dim)."""
    ### BEGIN SOLUTION
    return torch.randn(n, dim, generator=generator)
    ### END SOLUTION

# %%
check.sample_noise(sample_noise)

# %% [markdown]
# A generator is any function of the noise. Here is one that nobody trained: it bends the plane so that most of the
# noise ends up near a circle.

# %%
if solved("sample_noise"):
    z = sample_noise(1500, 2, seeded(0))
    x = 2 * z / z.norm(dim=1, keepdim=True) + 0.15 * z
    _, axes = plt.subplots(1, 2, figsize=(7, 3.5), sharex=True, sharey=True,
                           layout="constrained")
    for ax, cloud, title in zip(axes, (z, x), ("noise z", "samples x = G(z)")):
        ax.scatter(*cloud.T, s=4, c=torch.atan2(z[:, 1], z[:, 0]), cmap="twilight")
        ax.set(title=title, xlabel="first coordinate", ylabel="second coordinate",
               aspect="equal")
else:
    print("Solve sample_noise first; then this cell bends your noise into a ring.")

# %% [markdown]
# *Left: noise. Right: where a fixed function takes it; a point and its image have one colour. Sampling is easy; the function
# does not tell you the density of its samples.*
#
# ## Two densities and a judge
#
# When both densities are known, the best discriminator can be written down (section 2.2).
#
# ### {{exercise optimal_discriminator}}
#
# The D that maximises $\mathbb E_{x\sim p_{\text{data}}}[\log D(x)] + \mathbb E_{x\sim p_g}[\log(1 - D(x))]$, at
# points where the two densities are given. It depends on their ratio only, so it should be exact for tiny densities,
# too, and in the dtype of the densities. Where both densities are zero any D would do: return ½ there.

# %%
def optimal_discriminator(p_data, p_g):
    """D*(x) in [0, 1] from densities of one shape."""
    ### BEGIN SOLUTION
    total = p_data + p_g
    return torch.where(total > 0, p_data / total, 0.5)
    ### END SOLUTION

# %%
check.optimal_discriminator(optimal_discriminator)

# %% [markdown]
# ### {{exercise value_from_grid}}
#
# The value of the game, $V = \mathbb E_{x\sim p_{\text{data}}}[\log D(x)] + \mathbb E_{x\sim p_g}[\log(1 - D(x))]$, as a sum over a
# grid. `cell` is the length of a cell, or its area if the grid lies in the plane. Where a density is zero its term
# counts zero, whatever probability D gives there. Where D excludes what occurs (exactly 0 at data, 1 at samples), however rare that is,
# V is −∞: any value far below zero may stand for it, or a refusal of log 0.

# %%
def value_from_grid(p_data, p_g, D, cell):
    """V in nats, one number, from densities and D on a grid, all of one shape."""
    ### BEGIN SOLUTION
    return cell * (torch.xlogy(p_data, D) + torch.xlogy(p_g, 1 - D)).sum()
    ### END SOLUTION

# %%
check.value_from_grid(value_from_grid)

# %% [markdown]
# With both you can see what D tells the generator: its best value measures how far apart the densities are.

# %%
if solved("optimal_discriminator", "value_from_grid"):
    x = torch.linspace(-4, 9, 1301, dtype=torch.float64)
    means = torch.linspace(0, 4.5, 46)
    p, qs = ((-0.5 * (x - mean) ** 2).exp() / math.sqrt(2 * math.pi)
             for mean in (torch.zeros(1, 1), means[:, None]))
    value = torch.tensor([value_from_grid(p[0], q, optimal_discriminator(p[0], q), 0.01)
                          for q in qs])
    _, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    shown = {"p_data": p[0], "p_g": qs[20],
             "the best D": optimal_discriminator(p[0], qs[20])}
    figures.curves(x, shown, "x", "density, probability", "Two bells and the best D",
                   ax=axes[0])
    limits = {"−log 4": torch.full((46,), -math.log(4)), "0": torch.zeros(46)}
    figures.curves(means, {"V at the best D": value, **limits},
                   "mean of p_g; that of p_data is 0", "nats", "Value of the game",
                   ax=axes[1])
else:
    print(
        "Solve optimal_discriminator and value_from_grid first; then this cell draws "
        "them.")

# %% [markdown]
# *Left: two bells and the best D, which is ½ where they cross. Right: the value that the best D reaches as the model's bell
# moves away from the data. It starts at −log 4 where the two agree, and it flattens towards 0 where they hardly overlap:
# from there a generator gets little news of which way to go.*
#
# ## The losses
#
# ### {{exercise discriminator_loss}}
#
# What D minimises (section 2.3): the mean of −log D over the data *plus* the mean of −log(1 − D) over the samples, from logits. The two
# batches may differ in size, and logits of ±200 do occur.

# %%
def discriminator_loss(real_logits, fake_logits):
    """real_logits (N,), fake_logits (M,) -> one number, nats; differentiable."""
    ### BEGIN SOLUTION
    # -log sigmoid(l) = softplus(-l)
    real_term = nn.functional.softplus(-real_logits).mean()
    # -log(1 - sigmoid(l)) = softplus(l)
    fake_term = nn.functional.softplus(fake_logits).mean()
    return real_term + fake_term
    ### END SOLUTION

# %%
check.discriminator_loss(discriminator_loss)

# %% [markdown]
# ### {{exercise generator_loss}}
#
# What G minimises in the *non-saturating* game: the mean of −log D over its samples.

# %%
def generator_loss(fake_logits):
    """fake_logits (M,) -> one number, nats; differentiable."""
    ### BEGIN SOLUTION
    return nn.functional.softplus(-fake_logits).mean()
    ### END SOLUTION

# %%
check.generator_loss(generator_loss)

# %% [markdown]
# ### {{exercise logit_gradients}}
#
# Why not the other one (section 2.4)? The minimax game would have G minimise log(1 − D). Find the derivative of each loss *with respect to
# the logit*, in closed form: `"saturating"` for log(1 − D), `"non_saturating"` for −log D. Logits of ±100 should do no harm.

# %%
def logit_gradients(logits):
    """{"saturating": (B,), "non_saturating": (B,)}: derivatives of log(1 - D) and of
    -log D, D = sigmoid(logit).
    """
    ### BEGIN SOLUTION
    D = logits.sigmoid()
    return {"saturating": -D, "non_saturating": -(-logits).sigmoid()}
    ### END SOLUTION

# %%
check.logit_gradients(logit_gradients)

# %%
if solved("logit_gradients"):
    logits = torch.linspace(-8, 8, 201)
    slopes = logit_gradients(logits)
    named = {"log(1 − D), saturating": slopes["saturating"],
             "−log D, non-saturating": slopes["non_saturating"]}
    figures.curves(logits, named, "logit of a sample", "slope of the loss",
                   "What G is told about a sample")
else:
    print("Solve logit_gradients first; then this cell draws both slopes.")

# %% [markdown]
# *Both losses ask G to raise the logit, with a slope below zero. Early in training D is sure of every sample, so all
# logits lie far to the left. There the saturating loss says nothing.*
#
# ## The game
#
# ### {{exercise discriminator_step}}
#
# D's turn (sections 2.5 and 2.6): one step of `optimizer`, which holds D's parameters, on the loss of `discriminator_loss` at the batch `real` and at
# the samples that G makes of `z`. Return the loss before the step as a Python float.
#
# - G is asked for samples once, nothing else: it does not move, and it should hold no gradients from this step. If the
#   graph were not cut, D's update would be the same. But a backward pass through G would be paid for nothing, and
#   gradients that belong to nobody's loss would lie in G until somebody clears them. (Gradients that G held before may
#   stay or be cleared, as you like.)
# - D may hold gradients when its turn begins, left there by G's turn. They must not count.
# - D judges each batch once and whole, both together or one after the other: its batch norms would count a further pass.
# - Neither network changes its mode (training or evaluation), nor does a layer of it, not even for a while: G would make
#   other samples.
# - Parameters that are frozen (`requires_grad` is False) stay so, in both networks, and do not move, even if they hold a
#   gradient from before.

# %%
def discriminator_step(generator, discriminator, optimizer, real, z):
    """One step for D; real (N, ...), z (M, latent_dim).

    Returns the loss, a float, in nats.
    """
    ### BEGIN SOLUTION
    fake = generator(z).detach()
    real_logits, fake_logits = discriminator(real), discriminator(fake)
    loss = nn.functional.softplus(-real_logits).mean()
    loss = loss + nn.functional.softplus(fake_logits).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION

# %%
check.discriminator_step(discriminator_step)

# %% [markdown]
# ### {{exercise generator_step}}
#
# G's turn: one step of `optimizer`, which holds G's parameters, on the loss of `generator_loss` at the samples that G makes
# of `z`. Return the loss before the step as a Python float.
#
# - The gradient reaches G *through* D (D itself, not a copy). D lends its slope and does not move.
# - On the way gradients arrive in D's parameters as well. They may stay there or be cleared, as you like:
#   `discriminator_step` does not count them. D must be able to learn afterwards.
# - G may hold gradients when its turn begins. They must not count. Here too G is asked once, and so is D; neither
#   network, nor a layer of it, changes its mode; and parameters that are frozen stay so, in both networks, and do not move.

# %%
def generator_step(generator, discriminator, optimizer, z):
    """One step for G; z (M, latent_dim). Returns the loss, a float, in nats."""
    ### BEGIN SOLUTION
    fake_logits = discriminator(generator(z))
    loss = nn.functional.softplus(-fake_logits).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION

# %%
check.generator_step(generator_step)

# %% [markdown]
# Now everything is there for a game. The data are eight small bells on a ring, both players are networks with two
# hidden layers, and D learns twice as fast as G.

# %%
def play(generator, discriminator, batches, steps, lr, d_lr_ratio,
         after=lambda step: None):
    """Both players in turns, by your own steps; `after(step)` is called at the end of
    each round.
    """
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=lr, betas=(0.5, 0.99))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=d_lr_ratio * lr,
                                   betas=(0.5, 0.99))
    noise = seeded(1)
    for step, x in zip(tqdm(range(1, steps + 1), leave=False), batches):
        z = sample_noise(len(x), generator.latent_dim, noise)
        discriminator_step(generator, discriminator, d_optimizer, x, z)
        generator_step(generator, discriminator, g_optimizer,
                       sample_noise(len(x), generator.latent_dim, noise))
        after(step)

# %%
film = {}  # step -> 1000 samples
if solved("sample_noise", "discriminator_step", "generator_step"):
    torch.manual_seed(0)
    steps = scaled(default=800, smoke=10, full=8000)
    G, D = m.PointGenerator(), m.PointDiscriminator()
    z = sample_noise(1000, 2, seeded(5))
    film[0] = G(z).detach()

    def keep(step):
        if step * 4 % steps < 4:
            film[step] = G(z).detach()

    play(G, D, minibatches(ring.sample(20_000, seed=0), batch_size=256, seed=0), steps,
         lr=2e-3, d_lr_ratio=2.0, after=keep)
else:
    print("Solve sample_noise, discriminator_step and generator_step first; "
          "then this cell plays them.")

# %%
if film:
    figure, axes = plt.subplots(1, len(film), figsize=(11, 2.9), sharex=True,
                                sharey=True, layout="constrained")
    for ax, (step, x) in zip(axes, film.items()):
        ax.scatter(*ring.sample(300, seed=1).T, s=8, facecolors="none",
                   edgecolors=figures.PALETTE[0], label="data")
        ax.scatter(*x[:300].T, s=8, marker="^", color=figures.PALETTE[1],
                   label="samples")
        ax.set(title=f"after {step} rounds", xlabel="x₁", ylabel="x₂", aspect="equal",
               xlim=(-3, 3), ylim=(-3, 3))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center",
                  ncols=2)

# %% [markdown]
# *Data (circles) and samples (triangles) of the same codes, from the start to the end of the game. Your own two steps made
# the cloud open to a ring and the ring gather at the eight bells.*
#
# ## What a run is worth
#
# ### {{exercise mode_coverage}}
#
# How many of the K modes do samples reach (section 2.6)? A mode is *covered* if at least one fifth of its fair share N/K of the N
# samples lie at most `k` · `std` away from its centre. (The centres lie so far apart that no sample is near two of them.)

# %%
def mode_coverage(x, centres, std, k):
    """How many modes are covered: x (N, 2), centres (K, 2), std and k numbers -> an
    integer.
    """
    ### BEGIN SOLUTION
    near = torch.cdist(x, centres) <= k * std  # (N, K)
    fair_share = len(x) / len(centres)
    return int((near.sum(0) >= 0.2 * fair_share).sum())
    ### END SOLUTION

# %%
check.mode_coverage(mode_coverage)

# %%
if film and solved("mode_coverage"):
    covered = {step: mode_coverage(x, ring.centres, 0.1, k=3.0)
               for step, x in film.items()}
    print("modes covered by your game:",
          ", ".join(f"{n} after {step} rounds" for step, n in covered.items()))
    fog = 6 * torch.rand(1000, 2, generator=seeded(3)) - 3
    print("modes covered by fog, spread evenly over the picture:",
          mode_coverage(fog, ring.centres, 0.1, k=3.0))
else:
    print(
        "Solve mode_coverage, and what the game needs; then this cell counts the modes "
        "of your game.")

# %% [markdown]
# ### {{exercise frechet_distance}}
#
# How far are samples from data (section 2.15)? Take two sets of features for two normal distributions, with the means $m$ and the covariances $C$
# of the sets (dividing by N − 1 and M − 1), and compute
#
# $$\lVert m_x - m_y\rVert^2 + \mathrm{Tr}\big(C_x + C_y\big) - 2\,\mathrm{Tr}\big((C_x^{1/2}\, C_y\, C_x^{1/2})^{1/2}\big) .$$
#
# The root of a symmetric matrix with eigenvalues λ ≥ 0 and eigenvectors V is $V \mathrm{diag}(\sqrt\lambda) V^\top$: the formula is written so that
# both roots are of symmetric matrices, which the root of $C_x C_y$ would not be. With fewer examples than numbers a covariance is
# singular; the distance is as well defined as ever. Features come in float32; compute in float64, since a rounding error
# of 1e-7 where an eigenvalue is 0 has a root of 3e-4.

# %%
def frechet_distance(x, y):
    """x (N, D), y (M, D), features, D at least 2 -> one number, 0 for equal means and
    covariances.
    """
    ### BEGIN SOLUTION
    def root(C):
        values, vectors = torch.linalg.eigh(C)
        return vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T

    x, y = x.double(), y.double()
    C_x, C_y = torch.cov(x.T), torch.cov(y.T)
    R = root(C_x)
    cross = torch.linalg.eigvalsh(R @ C_y @ R).clamp_min(0).sqrt().sum()
    means = (x.mean(0) - y.mean(0)).square().sum()
    return (means + C_x.trace() + C_y.trace() - 2 * cross).item()
    ### END SOLUTION

# %%
check.frechet_distance(frechet_distance)

# %% [markdown]
# How far are real digits from other real digits? With enough images on both sides not at all. With few?

# %%
if solved("frechet_distance"):
    features = feature_network("mnist").features(digits.test)
    some, others = features[:1000], features[1000:]
    sizes = torch.tensor([10, 20, 50, 100, 200, 500, 1000])
    apart = torch.tensor([frechet_distance(some[:n], others) for n in sizes.tolist()])
    ax = figures.curves(sizes, {"real digits": apart}, "images in the first set",
                        "Fréchet distance to 1,000 others",
                        "Real digits against other real digits")
    ax.axvline(features.shape[1], color="0.6", ls=":")
    ax.set(xscale="log", yscale="log")
else:
    print("Solve frechet_distance first; then this cell measures its bias.")

# %% [markdown]
# *Each point compares real digits with a thousand other real digits. Both sets come from one distribution, and still the distance falls
# with the number of images: the bias of few. Left of the dotted line there are fewer images than features. So two distances compare
# only if they were measured with as many images.*
#
# ### {{exercise diagnoses}}
#
# Six games were recorded under the letters A to F, on other data and by other rules than those of section 2.8. Name what explains each
# run. A cause may be needed more than once, or not at all, and the check says of all six together whether they are right.
#
# - `"healthy"`: nothing to mend.
# - `"mode collapse"`: G serves some places of the data and (all but) stays there, though D knows better; nothing in its loss asks for variety.
# - `"D is sure"`: D tells everything apart, and G's loss is flat there.
# - `"D is late"`: D learns so slowly that samples have moved on before it has found them out.
# - `"D is flat"`: D is held so flat that it hardly tells data and samples apart, and lends G a faint slope.
# - `"thin noise"`: the noise has fewer dimensions than the data.
# - `"stopped early"`: a sound game, near a draw; the samples were still coming nearer to the data when it ended.

# %%
runs = unnamed_runs()  # letter -> its moments, its symptoms as numbers (section 2.8)
for letter, run in runs.items():
    n = run.numbers
    print(f"{letter}: modes covered {100 * n['covered']:3.0f} %, samples near one "
          f"{100 * n['near']:3.0f} %, JSD {n['divergence']:.2f} nats, leaping "
          f"{100 * n['leaping']:2.0f} %;", end=" ")
    end = run.frames[-1].scores
    print(f"D believes in data {100 * end.real_belief:3.0f} %, in samples "
          f"{100 * end.fake_belief:3.0f} %")

# %%
def show_run(letter):
    frames = runs[letter].frames
    figure, axes = plt.subplots(1, 6, figsize=(13, 3), layout="constrained",
                                width_ratios=[1] * 5 + [1.5])
    for ax, f in zip(axes, [frames[i] for i in (0, len(frames) // 3, -3, -2, -1)]):
        ax.plot(*f.real.T, "o", ms=3, mfc="none", color=figures.PALETTE[0],
                label="data" if ax is axes[0] else None)
        ax.plot(*f.fake.T, "^", ms=3, color=figures.PALETTE[1],
                label="samples" if ax is axes[0] else None)
        ax.set(title=f"after {f.scores.step:.0f} rounds", xlabel="x₁", aspect="equal",
               xlim=(-3, 3), ylim=(-3, 3), xticks=(-2, 0, 2), yticks=(-2, 0, 2))
    axes[0].set_ylabel(f"run {letter}: x₂")
    rounds = torch.tensor([frame.scores.step for frame in frames])
    names = {"loss of the discriminator": "d_loss", "loss of the generator": "g_loss",
             "accuracy of the discriminator": "accuracy"}
    lines = {label: torch.tensor([getattr(frame.scores, name) for frame in frames])
             for label, name in names.items()}
    figures.curves(rounds, lines, "rounds", "nats, share", f"Run {letter}", ax=axes[5])
    axes[5].get_legend().remove()
    figure.legend(loc="outside lower center", ncols=5)

# %%
show_run("A")

# %% [markdown]
# *Run A: data and samples of the same codes at five moments, the last three close together, and three curves over the run.*

# %%
show_run("B")

# %% [markdown]
# *Run B, in the same way. Mind the scale of the curves, which differs from run to run.*

# %%
show_run("C")

# %% [markdown]
# *Run C.*

# %%
show_run("D")

# %% [markdown]
# *Run D.*

# %%
show_run("E")

# %% [markdown]
# *Run E.*

# %%
show_run("F")

# %% [markdown]
# *Run F.*

# %%
def diagnoses():
    """A dict from the letters A to F to seven possible causes, such as "healthy"."""
    ### BEGIN SOLUTION
    return {"A": "D is late", "B": "D is flat", "C": "healthy", "D": "mode collapse",
            "E": "D is sure", "F": "thin noise"}
    ### END SOLUTION

# %%
check.diagnoses(diagnoses)

# %% [markdown]
# ## What makes the game steadier
#
# Two exercises need to know what a network holds. A batch norm divides by a spread and then multiplies by *scales* of its
# own, which are called `weight` and start at 1. Those are parameters: they learn. The statistics that evaluation mode
# uses are *buffers*: nobody learns them, they are written down on the way.

# %%
norm = nn.BatchNorm1d(3)
norm(torch.randn(100, 3, generator=seeded(0)) + 5)  # one batch, in training mode
for kind, held in (("parameters", norm.named_parameters()),
                   ("buffers", norm.named_buffers())):
    for name, t in held:
        numbers = [round(v, 2) for v in t.view(-1).tolist()]
        print(f"{kind:11} {name:20} {t.dtype}  {numbers}")

# %% [markdown]
# ### {{exercise ema_update}}
#
# Samples are drawn from a moving *average* of the generator (section 2.12), which smooths out how the last opponents pulled at it. Move
# `average` in place: each of its parameters, and each floating-point buffer (the running statistics of batch norm),
# becomes `decay` · itself + (1 − `decay`) · the model's. Buffers of integers are copied from the model. What two
# layers share, parameter or buffer, moves once, and a buffer that no `state_dict` holds (`persistent=False`) moves too. The model stays as it is,
# the two share no tensors, and the average records no graph.

# %%
def ema_update(average, model, decay):
    """average ← decay · average + (1 - decay) · model, in place; returns nothing."""
    ### BEGIN SOLUTION
    with torch.no_grad():
        for kept, new in zip(average.parameters(), model.parameters()):
            kept.mul_(decay).add_(new, alpha=1 - decay)
        for kept, new in zip(average.buffers(), model.buffers()):
            if kept.is_floating_point():
                kept.mul_(decay).add_(new, alpha=1 - decay)
            else:
                kept.copy_(new)
    ### END SOLUTION

# %%
check.ema_update(ema_update)

# %% [markdown]
# The smallest game there is: the data are the single number 0, G's only sample is its parameter θ, and D is the line ψ · x
# (Mescheder et al. 2018). Both players are right to rest at 0. Do they? Here they move in turns, by your own steps.

# %%
class Line(nn.Module):
    """One number: as a generator it answers θ to any noise, as a discriminator ψ · x to
    any x.
    """

    def __init__(self, number, slope):
        super().__init__()
        self.number, self.slope = nn.Parameter(torch.tensor(number)), slope

    def forward(self, x):
        return self.number * (x if self.slope else torch.ones_like(x))


def two_lines():  # G, D, and an optimizer for each
    players = Line(0.8, slope=False), Line(0.0, slope=True)
    return *players, *(torch.optim.SGD(one.parameters(), lr=0.2) for one in players)

# %%
if solved("discriminator_step", "generator_step", "ema_update"):
    G, D, g_optimizer, d_optimizer = two_lines()
    average, path = copy.deepcopy(G).requires_grad_(False), []
    for _ in range(600):
        discriminator_step(G, D, d_optimizer, torch.zeros(1), torch.zeros(1))
        generator_step(G, D, g_optimizer, torch.zeros(1))
        ema_update(average, G, decay=0.99)
        path.append([G.number.item(), average.number.item()])
    path = torch.tensor(path)
    named = {"θ": path[:, 0], "moving average of θ": path[:, 1]}
    figures.curves(torch.arange(1, 601), named, "round", "value",
                   "The smallest game: where G should rest at 0")
else:
    print("Solve discriminator_step, generator_step and ema_update first; then this "
          "cell plays the smallest game.")

# %% [markdown]
# *The generator runs past 0 again and again, because whenever it arrives D leans to one side. The swings shrink, but slowly.
# The moving average starts behind and then swings far less.*
#
# This is the last of the four games of section 2.12: in turns, with the non-saturating loss. If both moved at once with the
# minimax loss, the swings would grow. The average hides the swinging, it does not end it. A penalty on D's slope does.
#
# A penalty on a slope is minimised by a step, so the slope itself has to be differentiated. `torch.autograd.grad` forgets how it
# found a derivative unless it is told to keep the graph:

# %%
x = torch.tensor(2.0, requires_grad=True)
for keep in (False, True):
    (slope,) = torch.autograd.grad(x**3, x, create_graph=keep)
    line = f"create_graph={keep}: slope {slope:g}, can be differentiated: "
    print(line + str(slope.requires_grad))
(curvature,) = torch.autograd.grad(slope, x)
print(f"the slope of the slope, 6 x: {curvature:g}")

# %% [markdown]
# ### {{exercise r1_penalty}}
#
# R1 (section 2.12): half the squared length of the slope of D's *logit* $l$ at the data, $\tfrac12\lVert\nabla_x\, l(x)\rVert^2$, for each
# row. `discriminator` judges each row by itself. D learns from this number, so its parameters must get gradients from it, but only
# when the loop goes backward: computing the penalty leaves none behind, and takes none away.

# %%
def r1_penalty(discriminator, real):
    """½ ‖∇ₓ D(x)‖² at real (B, ...), D the logit -> (B,), differentiable."""
    ### BEGIN SOLUTION
    x = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return 0.5 * gradient.flatten(1).square().sum(1)
    ### END SOLUTION

# %%
check.r1_penalty(r1_penalty)

# %% [markdown]
# The same smallest game, now with your penalty in D's turn. The slope of ψ · x is ψ, so the penalty pulls ψ to 0.

# %%
if solved("discriminator_loss", "generator_step", "r1_penalty"):
    paths, zero = {}, torch.zeros(1, 1)  # one row with one number
    for weight in (0.0, 0.3):
        G, D, g_optimizer, d_optimizer = two_lines()
        path = []
        for _ in range(200):
            loss = discriminator_loss(D(zero)[:, 0], D(G(zero).detach())[:, 0])
            loss = loss + weight * r1_penalty(lambda x: D(x)[:, 0], zero).mean()
            d_optimizer.zero_grad()
            loss.backward()
            d_optimizer.step()
            generator_step(G, D, g_optimizer, zero)
            path.append(G.number.item())
        paths[f"R1 with weight {weight:g}"] = torch.tensor(path)
    figures.curves(torch.arange(1, 201), paths, "round", "θ",
                   "The smallest game without and with R1")
else:
    print("Solve discriminator_loss, generator_step and r1_penalty first; then this "
          "cell plays the game with R1.")

# %% [markdown]
# *Without the penalty θ swings; with it θ comes to rest at 0 within some dozens of rounds.*
#
# ### {{exercise dcgan_init}}
#
# How the layers of a DCGAN start (section 2.10). The function is called for every module by `network.apply(dcgan_init)` and works in place,
# on the parameters that are there: weights of `nn.Linear`, `nn.Conv2d` and `nn.ConvTranspose2d` from a normal distribution
# with mean 0 and *standard deviation* 0.02; scales (`weight`) of `nn.BatchNorm1d` and `nn.BatchNorm2d` from one with mean 1
# and standard deviation 0.02; all their biases 0, where there are any. Subclasses of these five count as well. A layer may
# lack biases (`bias=False`), and a batch norm its scales and biases (`affine=False`): then there is nothing to set. Frozen
# parameters start like the others. Running statistics, the `requires_grad` flags and other modules stay as they are.

# %%
def dcgan_init(module):
    """Initialise one module in place, if it is of one of the five kinds; returns
    nothing.
    """
    ### BEGIN SOLUTION
    if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) and module.affine:
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    ### END SOLUTION

# %%
check.dcgan_init(dcgan_init)

# %% [markdown]
# ### {{exercise augmented_logits}}
#
# With few data D learns them by heart (section 2.14). Augmentation helps if *everything* that D sees goes through it, and if the gradient
# finds its way back to the samples. `augment` is a differentiable function of images that draws anew at every call.
# D is asked as it is, all of it in its own mode and whole batches at a time, and keeps the gradients that it holds.

# %%
x = digits.train[:10]
figures.image_rows({"images": x, "augmented": m.augment(x, seeded(0)),
                    "again": m.augment(x, seeded(1))}, title="What D gets to see")

# %% [markdown]
# *Ten digits, and the same ten moved, shaded and cut at random, twice. D should see nothing but such images.*

# %%
def augmented_logits(discriminator, augment, real, fake):
    """D's logits for augmented data and for augmented samples: real (N, C, H, W), fake
    (M, C, H, W) -> (N,), (M,).
    """
    ### BEGIN SOLUTION
    return discriminator(augment(real)), discriminator(augment(fake))
    ### END SOLUTION

# %%
check.augmented_logits(augmented_logits)

# %% [markdown]
# ### {{exercise gradient_penalty}}
#
# A Wasserstein critic has to be smooth (section 2.11): its slope should have length 1 between data and samples. For each pair of rows
# take the point x = eps · real + (1 − eps) · fake, with one eps per example, and return (‖∇ₓ critic(x)‖₂ − 1)² there. The critic
# learns from this number, so its parameters must get gradients from it, also where its slope is 0, but only when the loop
# goes backward: computing the penalty leaves none behind, and takes none away. The critic judges each row by itself, and
# is asked in its own mode.

# %%
def gradient_penalty(critic, real, fake, eps):
    """real, fake (B, ...), eps (B,), critic: (B, ...) -> (B,).

    Returns (B,), differentiable.
    """
    ### BEGIN SOLUTION
    eps = eps.view(-1, *[1] * (real.ndim - 1))
    x = (eps * real + (1 - eps) * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1) ** 2
    ### END SOLUTION

# %%
check.gradient_penalty(gradient_penalty)

# %% [markdown]
# Two clouds in the plane, and a critic that tries to rise from one to the other: once free, once held by your penalty.

# %%
line, learned = torch.linspace(-3, 3, 121), {}
steps = scaled(default=400, smoke=5, full=2000)


def profile(critic):  # along the line from samples to data
    along = critic(torch.stack([line, 0 * line], 1)).detach()
    return along - along[60]


def small_critic():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(),
                         nn.Linear(64, 1), nn.Flatten(0))

# %%
if solved("gradient_penalty"):
    for weight in (0.0, 10.0):
        critic, numbers = small_critic(), seeded(2)
        optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3)
        for step in range(1, steps + 1):
            noise = 0.3 * torch.randn(2, 128, 2, generator=numbers)
            fake, real = noise + torch.tensor([[[-1.5, 0.0]], [[1.5, 0.0]]])
            eps = torch.rand(128, generator=numbers)
            penalty = gradient_penalty(critic, real, fake, eps).mean()
            loss = critic(fake).mean() - critic(real).mean() + weight * penalty
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step in (max(1, steps // 8), steps):
                learned[f"penalty times {weight:g}, step {step}"] = profile(critic)
else:
    print("Solve gradient_penalty first; then this cell trains two critics.")

# %%
if solved("gradient_penalty"):
    ax = figures.curves(line, learned, "x₁, for x₂ = 0", "critic(x) − critic(0)",
                        "Samples lie around x₁ = −1.5, data around 1.5")
    ax.set_yscale("symlog", linthresh=3)  # equal steps up to 3, powers beyond
else:
    print("Solve gradient_penalty first; then this cell draws what they learned.")

# %% [markdown]
# *Two critics at an early and at the last step; above 3 and below −3 the axis goes in powers. The free critic gets steeper for as long
# as it is trained. The held one rises by about 1 per unit between the two clouds, early and late: a sample anywhere on the way is told which way
# to go, and no louder than need be.*
#
# ### {{exercise spectral_norm}}
#
# Another way to hold D (section 2.12): divide each layer's matrix by its largest singular value, the most by which it can stretch a
# vector. Estimate that value by *power iteration*. One round is v ← Wᵀu / ‖Wᵀu‖, then u ← Wv / ‖Wv‖. Return uᵀWv after
# `steps` rounds (at least one). Gradients should reach W; whether they also run through the rounds is up to you.

# %%
def spectral_norm(W, u, steps):
    """The estimate of W's largest singular value, one number: W (m, n), u (m,) a start
    whose length is anything from 1e-7 to 1e7.
    """
    ### BEGIN SOLUTION
    with torch.no_grad():
        for _ in range(steps):
            v = W.T @ u
            v = v / v.norm()
            u = W @ v
            u = u / u.norm()
    return u @ W @ v
    ### END SOLUTION

# %%
check.spectral_norm(spectral_norm)

# %%
if solved("spectral_norm"):
    torch.manual_seed(0)
    W, u = nn.Linear(128, 64).weight.detach(), torch.randn(64)
    rounds = torch.arange(1, 31)
    estimates = torch.tensor([float(spectral_norm(W, u, n)) for n in rounds.tolist()])
    exact = torch.full((30,), torch.linalg.matrix_norm(W, 2).item())
    figures.curves(rounds,
                   {"power iteration": estimates, "by a full decomposition": exact},
                   "rounds", "singular value", "A layer of 64 × 128")
else:
    print("Solve spectral_norm first; then this cell shows how fast it arrives.")

# %% [markdown]
# *The estimate rises to the largest singular value from below. In training one round per step is enough: the matrix moves
# little, and u is kept from one step to the next.*
#
# ## Asking for a class
#
# ### {{exercise projection_logits}}
#
# A D that is told a label should say whether an example is real *and* fits its label (section 2.13). From the features `h` of each
# example it makes one number by *projection*: the inner product with `w`, the same for all labels, plus `b`, plus the inner product with the
# row of `V` that belongs to the label, $l(x, y) = h \cdot w + b + h \cdot V_y$. All of `h`, `w`, `b` and `V` learn from it.

# %%
def projection_logits(h, y, w, b, V):
    """Features h (B, N), labels y (B,) in 0..K-1, w (N,), b (), V (K, N) -> (B,)."""
    ### BEGIN SOLUTION
    return h @ w + b + (h * V[y]).sum(1)
    ### END SOLUTION

# %%
check.projection_logits(projection_logits)

# %% [markdown]
# ### {{exercise conditional_step}}
#
# A whole round of a conditional game. Both networks take labels as a second argument, `G(z, y)` and `D(x, y)`;
# the samples of both turns are asked for with the labels `y` of the batch. First D's turn, with the codes `z_d`, on the loss of
# `discriminator_loss`; then G's turn against the new D, with the codes `z_g`, on that of `generator_loss`. Return both losses, each as it was before
# its step, as Python floats.
#
# - A sample is judged by the label that it was asked for.
# - `D(x)` without labels raises no error: it judges as if there were none.
# - What you promised in `discriminator_step` and `generator_step` holds here, too: either player may hold gradients when the round begins, no
#   gradient goes through G in D's turn, and nobody changes a mode. As there, gradients may stay in D after G's turn.

# %%
def conditional_step(G, D, g_optimizer, d_optimizer, x, y, z_d, z_g):
    """One round; x (B, ...), y (B,), z_d and z_g (B, latent_dim). Returns D's loss and
    G's loss, floats, in nats.
    """
    ### BEGIN SOLUTION
    fake = G(z_d, y).detach()
    real_logits, fake_logits = D(x, y), D(fake, y)
    d_loss = nn.functional.softplus(-real_logits).mean()
    d_loss = d_loss + nn.functional.softplus(fake_logits).mean()
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()
    g_loss = nn.functional.softplus(-D(G(z_g, y), y)).mean()
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    return d_loss.item(), g_loss.item()
    ### END SOLUTION

# %%
check.conditional_step(conditional_step)

# %% [markdown]
# The ring once more, with labels: each of the eight modes is a class. G gets the label beside the noise, D by your projection.

# %%
class LabelledGenerator(nn.Module):
    latent_dim = 2

    def __init__(self):
        super().__init__()
        self.network = m.PointGenerator(latent_dim=2 + 8)

    def forward(self, z, y):
        return self.network(torch.cat([z, nn.functional.one_hot(y, 8).float()], 1))


class LabelledDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        layers = list(m.PointDiscriminator())[:-2]  # up to its last hidden layer
        self.features = nn.Sequential(*layers)
        self.w, self.b = nn.Parameter(torch.zeros(128)), nn.Parameter(torch.zeros(()))
        self.V = nn.Parameter(torch.zeros(8, 128))

    def forward(self, x, y):
        return projection_logits(self.features(x), y, self.w, self.b, self.V)


# %%
def play_rounds(G, D, x, labels, steps, lr, after=lambda step: None):
    optimizers = [torch.optim.Adam(player.parameters(), lr=rate, betas=(0.0, 0.9))
                  for player, rate in ((G, lr), (D, 2 * lr))]
    noise, batches = seeded(1), minibatches(x, labels, batch_size=64, seed=0)
    for step, (x, y) in zip(tqdm(range(1, steps + 1), leave=False), batches):
        codes = [sample_noise(len(x), G.latent_dim, noise) for _ in "DG"]
        conditional_step(G, D, *optimizers, x, y.long(), *codes)
        after(step)

# %%
if solved("sample_noise", "projection_logits", "conditional_step"):
    torch.manual_seed(0)
    G, D = LabelledGenerator(), LabelledDiscriminator()
    x = ring.sample(20_000, seed=0)
    play_rounds(G, D, x, torch.cdist(x, ring.centres).argmin(1),
                scaled(default=1000, smoke=5, full=5000), lr=1e-3)
    asked = torch.arange(8).repeat(60)
    made = G(sample_noise(480, 2, seeded(5)), asked).detach()
    figure, ax = figures.panels(1)
    for k in range(8):
        colour = figures.PALETTE[k % len(figures.PALETTE)]
        ax.plot(*made[asked == k].T, "^", ms=4, color=colour, alpha=0.6)
        ax.text(*(1.25 * ring.centres[k]), str(k), ha="center", va="center")
    ax.set(title="Samples, coloured by the label that was asked for", xlabel="x₁",
           ylabel="x₂", aspect="equal", xlim=(-3, 3), ylim=(-3, 3))
else:
    print("Solve sample_noise, projection_logits and conditional_step first; then this "
          "cell asks for each mode of the ring.")

# %% [markdown]
# *Sixty samples for each label; the number of each class stands outside of its mode. The labels leave G no choice of modes.*
#
# ## All of it together
#
# Your noise, your conditional round, your start of the layers and your moving average make a small DCGAN of digits that can be asked for
# a digit, and your Fréchet distance says how far it got.

# %%
ready = solved("sample_noise", "conditional_step", "dcgan_init", "ema_update",
               "frechet_distance")
if ready:
    torch.manual_seed(0)
    G = m.Generator(latent_dim=32, width=16, num_classes=10).apply(dcgan_init)
    D = m.Discriminator(width=16, num_classes=10)  # starts like that by itself
    average = copy.deepcopy(G).requires_grad_(False)
    play_rounds(G, D, digits.train_bytes, digits.train_labels,
                scaled(default=600, smoke=2, full=8000), lr=4e-3,
                after=lambda n: ema_update(average, G, min(0.99, n / (n + 10))))
    average.eval()
else:
    print("Solve the noise, the round, the start, the average and the distance first; "
          "then this cell trains a DCGAN with them.")

# %%
if ready:
    figures.image_grid(average(sample_noise(40, 32, seeded(4)), torch.arange(40) % 10),
                       columns=10, title="Asked for 0 to 9, four times")
    y = torch.arange(1000) % 10
    made = feature_network("mnist").features(
        average(sample_noise(1000, 32, seeded(6)), y))
    held = feature_network("mnist").features(digits.test)
    print(f"Fréchet distance to test images: {frechet_distance(made, held):.1f}; "
          f"1,000 real ones: {frechet_distance(held[:1000], held[1000:]):.1f}")
else:
    print("Solve what the cell above asks for; then this cell draws your digits.")

# %% [markdown]
# *Each column is one digit, asked for with four codes. In the literature the Fréchet distance is measured in another network's features; compare yours
# with those of section 2.15.*
#
# ## Score
#
# All answers are judged afresh, whatever was run before.

# %%
report(check, globals())
