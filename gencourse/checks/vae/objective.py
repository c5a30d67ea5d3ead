"""Exercises on the loss, the network's heads, sampling, and one step of training."""

import math

import torch
from torch import Tensor

from gencourse.checks._exercise import exercise
from gencourse.checks.vae.densities import draw
from gencourse.models import vae

# --- elbo_terms ------------------------------------------------------------------------------------------------


def elbo_terms_reference(log_likelihood, kl, beta):
    """{"loss", "elbo"} from log p(x given z) and KL, each (B,): the loss carries β, the bound does not."""
    return {"loss": vae.negative_elbo(-log_likelihood, kl, beta), "elbo": log_likelihood - kl}


@exercise(
    reference=elbo_terms_reference,
    difficulty=2,
    minutes=8,
    points=3,
    hints=(
        "Write log p(x) ≥ ... first. Which of the two terms is a reward, which a price?",
        "The loss is minimised, the bound is maximised. β belongs to the training, not to the bound that you report.",
    ),
    insight="In the linear-Gaussian model your bound meets log p(x) exactly, as it must at the exact posterior.",
)
def elbo_terms(ask, seed):
    log_likelihood, kl = -10 + draw(seed, 5), draw(seed + 1, 5).abs() + 0.5
    call = "elbo_terms(log_likelihood, kl, beta)"
    yield "five examples at beta = 1", ask(call, log_likelihood=log_likelihood, kl=kl, beta=1.0)
    yield "five examples at beta = 4", ask(call, log_likelihood=log_likelihood, kl=kl, beta=4.0)
    # p(z) = N(0, 1), p(x given z) = N(wz, s²): posterior N(m, v); E_q[log p(x given z)] has a closed form
    w, s2, x = 1.5, 0.5, draw(seed, 4)
    v = 1 / (1 + w**2 / s2)
    m = v * w / s2 * x
    expected = -0.5 * (math.log(2 * math.pi * s2) + ((x - w * m) ** 2 + w**2 * v) / s2)
    divergence = vae.kl_to_standard_normal(m[:, None], torch.full((4, 1), math.log(v)))
    bound = ask(f'{call}["elbo"]', log_likelihood=expected, kl=divergence, beta=2.0)
    yield "the bound at the exact posterior of a linear-Gaussian model, where it equals log p(x)", bound


@elbo_terms.mistake("Your loss rewards a large KL. Which way should training push q?", "With the minus sign training drives q away from the prior without bound.")
def kl_subtracted_from_the_loss(log_likelihood, kl, beta):
    return {"loss": -log_likelihood - beta * kl, "elbo": log_likelihood - kl}


@elbo_terms.mistake("β weighs one of the two terms. Which one did you give it to?")
def beta_on_the_reconstruction(log_likelihood, kl, beta):
    return {"loss": -beta * log_likelihood + kl, "elbo": log_likelihood - kl}


@elbo_terms.mistake("Should a bound on log p(x) depend on how you chose to train? Look at where β ended up.")
def beta_in_the_bound(log_likelihood, kl, beta):
    return {"loss": -log_likelihood + beta * kl, "elbo": log_likelihood - beta * kl}


@elbo_terms.mistake("β seems to change nothing. Where should it enter?")
def beta_ignored(log_likelihood, kl, beta):
    return {"loss": -log_likelihood + kl, "elbo": log_likelihood - kl}


@elbo_terms.mistake("One of the two is to be minimised and one maximised. Which sign does your loss have?")
def loss_is_the_bound(log_likelihood, kl, beta):
    return {"loss": log_likelihood - beta * kl, "elbo": log_likelihood - kl}


@elbo_terms.mistake("A lower bound of a log-probability of binary images: can it be positive, as yours is?")
def elbo_is_a_loss(log_likelihood, kl, beta):
    return {"loss": -log_likelihood + beta * kl, "elbo": -log_likelihood + kl}


@elbo_terms.mistake("The bound should be lower than log p(x given z) by the KL. Is yours higher?")
def kl_added_to_the_bound(log_likelihood, kl, beta):
    return {"loss": -log_likelihood + beta * kl, "elbo": log_likelihood + kl}


@elbo_terms.mistake("One value per example is asked for; the loop takes the mean. Where did the batch axis go?")
def averaged_over_the_batch(log_likelihood, kl, beta):
    return {"loss": (-log_likelihood + beta * kl).mean(), "elbo": (log_likelihood - kl).mean()}


@elbo_terms.also_right
def bound_first(log_likelihood, kl, beta):
    elbo = log_likelihood - kl
    return dict(elbo=elbo, loss=(beta - 1) * kl - elbo)


# --- split_heads -----------------------------------------------------------------------------------------------


def split_heads_reference(h: Tensor) -> tuple[Tensor, Tensor]:
    """mu and logvar from the encoder's last layer: h (B, 2D) -> the first D columns, the last D columns."""
    mu, logvar = h.chunk(2, dim=1)
    return mu, logvar


def split_trial(name: str):
    """The trial of split_heads, also for the same function under another name (the bug hunt)."""

    def trial(ask, seed):
        h = draw(seed, 6, 4)
        yield "mu and logvar of six rows with two dimensions", ask(f"{name}(h)", h=h)
        yield "a row where mu is 3 and logvar is -1", ask(f"{name}(h)", h=torch.tensor([[3.0, 3.0, 3.0, -1.0, -1.0, -1.0]]))

    trial.__name__ = name
    return trial


split_heads = exercise(
    reference=split_heads_reference,
    difficulty=1,
    minutes=4,
    points=1,
    hints=("h has one row per example. Which axis holds both heads?", "What range must μ have, and what range log σ²?"),
    insight="Both heads may take any sign: that is why the network gives log σ² and not σ.",
)(split_trial("split_heads"))


@split_heads.mistake("You cut the batch in two. Along which axis do the two heads lie side by side?")
def cut_along_the_batch(h):
    return h.chunk(2, dim=0)


@split_heads.mistake("The two came back in the other order. Which one does the docstring name first?")
def heads_swapped(h):
    mu, logvar = h.chunk(2, dim=1)
    return logvar, mu


@split_heads.mistake("log σ² is negative whenever σ < 1. Can it still be, after what you do to it?")
def relu_on_logvar(h):
    mu, logvar = h.chunk(2, dim=1)
    return mu, logvar.relu()


@split_heads.mistake("Neither μ nor log σ² is a hidden activation. Which values can they no longer take in your version?")
def relu_on_both(h):
    return h.relu().chunk(2, dim=1)


@split_heads.mistake("logvar should stay a logarithm. What have you done to it that a later exp would do again?")
def variance_returned(h):
    mu, logvar = h.chunk(2, dim=1)
    return mu, logvar.exp()


@split_heads.mistake("A softplus makes a positive number. Is a logarithm of a variance always positive?")
def softplus_on_logvar(h):
    mu, logvar = h.chunk(2, dim=1)
    return mu, torch.nn.functional.softplus(logvar)


@split_heads.mistake("You took every other column. Does the docstring interleave the heads, or set them side by side?")
def interleaved(h):
    return h[:, ::2], h[:, 1::2]


@split_heads.also_right
def by_slicing(h):
    D = h.shape[1] // 2
    return [h[:, :D], h[:, D:]]


@split_heads.also_right
def by_unflatten(h):
    return tuple(h.reshape(len(h), 2, -1).unbind(1))


# --- sample_prior ----------------------------------------------------------------------------------------------


@torch.no_grad()
def sample_prior_reference(decoder, n, latent_dim, generator):
    """Images sigmoid(decoder(z)) at n draws z ~ N(0, I), with the decoder in evaluation mode, without gradients."""
    decoder.eval()
    return decoder(torch.randn(n, latent_dim, generator=generator)).sigmoid()


def sampling_trial(name: str):
    """The trial of sample_prior, also for the same function under another name (the bug hunt)."""

    def trial(ask, seed):
        n, D = 4000, 3
        call = f"{name}(decoder, n, latent_dim, generator)"
        generator = f"generator = torch.Generator().manual_seed({seed})\n"
        through = f"decoder = nn.Identity()\n{generator}{call}"
        images = ask(through, n=n, latent_dim=D)
        if not isinstance(images, Tensor) or images.shape != (n, D):
            yield f"the shape of {n} samples through a decoder that changes nothing", images if images is None else getattr(images, "shape", 0)
            return
        yield "whether all samples are images in [0, 1]", bool(((images >= 0) & (images <= 1)).all())
        z = images.double().clamp(1e-6, 1 - 1e-6).logit()
        yield "whether the codes have mean 0", bool((z.mean(0).abs() < 5 / math.sqrt(n)).all())
        yield "whether the codes have standard deviation 1", bool(((z.std(0) - 1).abs() < 5 / math.sqrt(2 * n)).all())
        beyond = float((z.abs() > 2).double().mean())  # 0.0455 for a standard normal
        yield "whether the codes leave [-2, 2] as often as a normal does", abs(beyond - 0.0455) < 0.01
        again = f"""
            decoder = nn.Identity()
            first = {name}(decoder, 5, latent_dim, torch.Generator().manual_seed({seed}))
            second = {name}(decoder, 5, latent_dim, torch.Generator().manual_seed({seed}))
            bool((first == second).all())
        """
        yield "whether two generators in the same state give the same samples", ask(again, latent_dim=D)
        moving = f"""
            decoder = nn.Identity()
            generator = torch.Generator().manual_seed({seed})
            first = {name}(decoder, 5, latent_dim, generator)
            bool((first == {name}(decoder, 5, latent_dim, generator)).all())
        """
        yield "whether a second call with the same generator repeats the first", ask(moving, latent_dim=D)
        graph = f"{generator}bool({name}(nn.Linear(latent_dim, 4), 5, latent_dim, generator).requires_grad)"
        yield "whether the samples still hold a graph", ask(graph, latent_dim=D)
        dropout = f"{generator}decoder = nn.Dropout(0.5).train()\nbool(({name}(decoder, 50, latent_dim, generator) == 0.5).any())"
        yield "whether dropout was active while sampling", ask(dropout, latent_dim=D)

    trial.__name__ = name
    return trial


sample_prior = exercise(
    reference=sample_prior_reference,
    difficulty=1,
    minutes=6,
    points=2,
    hints=(
        "Which distribution was the KL term pulling the codes towards? Draw from that one.",
        "Three things besides: gradients, the decoder's mode, and what turns logits into grey values.",
    ),
    insight="The samples follow the prior, repeat with the generator, and carry no graph.",
)(sampling_trial("sample_prior"))


@sample_prior.mistake("Your codes are not normally distributed. Which function draws from N(0, 1), and which from [0, 1]?")
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


@sample_prior.mistake("Your samples still carry the graph that made them. Who needs gradients here?")
def graph_kept(decoder, n, latent_dim, generator):
    return decoder.eval()(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@sample_prior.mistake("Dropout was active while you sampled. In which mode should the decoder be?")
def left_in_training_mode(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@sample_prior.mistake("Two calls with generators in the same state should give the same images. Did you use the generator?")
def generator_ignored(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(torch.randn(n, latent_dim)).sigmoid()


@sample_prior.mistake("A second call with the same generator gave the same images again. Is something reseeded inside?")
def reseeded_inside(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(torch.randn(n, latent_dim, generator=generator.manual_seed(0))).sigmoid()


@sample_prior.also_right
def one_row_at_a_time(decoder, n, latent_dim, generator):
    decoder.train(False)
    with torch.inference_mode():
        rows = [torch.empty(latent_dim).normal_(generator=generator) for _ in range(n)]
        return 1 / (1 + torch.exp(-decoder(torch.stack(rows))))


# --- vae_train_step --------------------------------------------------------------------------------------------


def vae_train_step_reference(model, optimizer, x, eps, beta):
    """One step on the mean of reconstruction + β kl; returns that mean as a plain number."""
    terms = model(x, eps)
    loss = vae.negative_elbo(terms["reconstruction"], terms["kl"], beta).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


TOY = """
class Toy(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(0.5)), nn.Parameter(torch.tensor(-0.3))
    def forward(self, x, eps):
        z = self.a * x + self.b.exp() * eps
        return {"reconstruction": (x - z).square().sum(1), "kl": 0.5 * (z.square() + self.b.square()).sum(1)}
model = Toy()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
"""


@exercise(
    reference=vae_train_step_reference,
    difficulty=2,
    minutes=10,
    points=3,
    hints=(
        "Four things happen in a step, in one order: forward, clear, backward, move.",
        "Gradients add up until somebody clears them. When is the last moment to do so?",
        "What you return is kept for a plot. Should a plot hold on to the graph?",
    ),
    insight="Two steps moved the parameters exactly as the reference moves them.",
)
def vae_train_step(ask, seed):
    x, eps, second = draw(seed, 3, 4, 2)
    call = "vae_train_step(model, optimizer, x, eps, beta)"
    parameters = "[model.a.item(), model.b.item()]"
    data = dict(x=x, eps=eps, second=second)
    yield "the loss that one step returns at beta = 3", ask(f"{TOY}\nfloat({call})", **data, beta=3.0)
    yield "the parameters after one step", ask(f"{TOY}\n{call}\n{parameters}", **data, beta=3.0)
    twice = f"{TOY}\n{call}\neps = second\n{call}\n{parameters}"
    yield "the parameters after two steps with different noise", ask(twice, **data, beta=3.0)
    yield "the kind of thing that is returned", ask(f"{TOY}\nisinstance({call}, float)", **data, beta=3.0)


@vae_train_step.mistake("The first step is right, the second is not. What is left over from the first when the second begins?")
def gradients_never_cleared(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).mean()
    loss.backward()
    optimizer.step()
    return loss.item()


@vae_train_step.mistake("The parameters do not move at all. In which order do you clear, go backward and step?")
def cleared_after_backward(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).mean()
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


@vae_train_step.mistake("Your first step changes nothing, the later ones lag behind. What does the optimiser see when it moves?")
def step_before_backward(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).mean()
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


@vae_train_step.mistake("The loss at beta = 3 is the one at beta = 1. Where does beta enter?")
def beta_left_out(model, optimizer, x, eps, beta):
    return vae_train_step_reference(model, optimizer, x, eps, 1.0)


@vae_train_step.mistake("Your step grows with the batch. Should the learning rate have to change when the batch does?")
def summed_loss(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@vae_train_step.mistake("The steps are right. What you return still holds the graph of the step: what happens if a thousand are kept?")
def tensor_returned(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


@vae_train_step.mistake("eps is handed to you, but your result does not depend on it. Which noise reached the model?")
def zero_noise(model, optimizer, x, eps, beta):
    return vae_train_step_reference(model, optimizer, x, torch.zeros_like(eps), beta)


@vae_train_step.mistake("The loss is right but nothing moves. Is one of the three calls missing?")
def never_steps(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    return (terms["reconstruction"] + beta * terms["kl"]).mean().item() + 0 * len(optimizer.param_groups)


@vae_train_step.mistake("You go uphill. Is it the loss that you minimise, or its negative?")
def uphill(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).mean()
    optimizer.zero_grad()
    (-loss).backward()
    optimizer.step()
    return loss.item()


@vae_train_step.also_right
def cleared_at_the_end(model, optimizer, x, eps, beta):
    terms = model(x, eps)
    loss = torch.mean(terms["reconstruction"]) + beta * torch.mean(terms["kl"])
    model.zero_grad()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    return float(loss.detach())


# --- kl_weight -------------------------------------------------------------------------------------------------


@exercise(
    reference=vae.kl_weight,
    difficulty=2,
    minutes=6,
    points=2,
    hints=("Draw the curve first: where does it start, where does it end, and what happens after?", "What should no warm-up at all, warmup = 0, give?"),
    insight="It starts at 0, reaches beta_max exactly at the last step of the warm-up, and stays.",
)
def kl_weight(ask, seed):
    warmup, beta_max = 40 + seed, 2.0
    at = ask("[float(kl_weight(s, w, b)) for s in (0, 1, w // 2, w - 1, w, 10 * w)]", w=warmup, b=beta_max)
    yield "the weight at steps 0, 1, warmup // 2, warmup - 1, warmup and 10 · warmup", at
    yield "the weight without warm-up", ask("float(kl_weight(0, 0, b))", b=beta_max)


@kl_weight.mistake("Your weight jumps from nothing to everything. Which of the two divisions of Python did you use?")
def integer_division(step, warmup, beta_max=1.0):
    return beta_max if warmup <= 0 else beta_max * min(1, step // warmup)


@kl_weight.mistake("At step = warmup the weight should be beta_max. Is it, or is it one step short?")
def never_arrives(step, warmup, beta_max=1.0):
    return beta_max * min(1.0, step / (warmup + 1))


@kl_weight.mistake("At step 0 the weight should be 0. Does your count start at one?")
def one_step_ahead(step, warmup, beta_max=1.0):
    return beta_max if warmup <= 0 else beta_max * min(1.0, (step + 1) / warmup)


@kl_weight.mistake("What happens after the warm-up? Yours goes on rising.")
def not_clipped(step, warmup, beta_max=1.0):
    return beta_max if warmup <= 0 else beta_max * step / warmup


@kl_weight.mistake("The ceiling is beta_max. Where did your minimum with 1 stop it?")
def clipped_at_one(step, warmup, beta_max=1.0):
    return min(1.0, beta_max) if warmup <= 0 else min(1.0, beta_max * step / warmup)


@kl_weight.mistake("Your curve ends at 1, whatever beta_max is. What is beta_max for?")
def beta_max_ignored(step, warmup, beta_max=1.0):
    return 1.0 if warmup <= 0 else min(1.0, step / warmup)


@kl_weight.mistake("warmup = 0 means: no warm-up, full weight at once. What does your division make of it?")
def division_by_zero(step, warmup, beta_max=1.0):
    return beta_max * min(1.0, step / warmup)


@kl_weight.mistake("warmup = 0 means: no warm-up, full weight at once. Which weight does your code give there?")
def no_warmup_means_no_weight(step, warmup, beta_max=1.0):
    return beta_max * min(1.0, step / max(warmup, 1))


@kl_weight.also_right
def by_branches(step, warmup, beta_max=1.0):
    if step >= warmup:
        return beta_max
    return beta_max * step / warmup


@kl_weight.also_right
def by_clamp(step, warmup, beta_max=1.0):
    return torch.tensor(step / warmup if warmup else 1.0, dtype=torch.float64).clamp(0, 1) * beta_max
