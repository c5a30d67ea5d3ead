"""Exercise on a divergence by one backward pass."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.diffusion.fields import trace_gradient, traced


def hutchinson_reference(velocity, x, t, probe):
    """vᵀ J v, (B,), with J = ∂u/∂x at each row and v = probe (B, D)."""
    x = x.detach().clone().requires_grad_()
    vjp = torch.autograd.grad((velocity(x, t) * probe).sum(), x, create_graph=True)[0]
    return (vjp * probe).sum(1)


@exercise(
    reference=hutchinson_reference,
    difficulty=2,
    minutes=10,
    points=3,
    hints=(
        "The derivative of (u · v) summed, for x, is vᵀ J in every row: one backward pass.",
        "A row of D numbers is not yet one number. What makes vᵀ J into vᵀ J v?",
        "If E[v vᵀ] = I, what is the mean of vᵀ J v? The trace, and nothing else of J.",
    ),
    on_success="One backward pass for any number of dimensions, right on average.",
)
def hutchinson(answer, seed):
    t = torch.linspace(0.2, 0.9, 4)
    x, probe = draw(seed, 2, 4, 3)
    yield "estimates with a normal probe", answer.run(traced, x, t, probe)
    signs = draw(seed + 1, 4, 3).sign()
    yield "estimates with a probe of signs", answer.run(traced, x, t, signs)
    line, other = draw(seed + 2, 2, 4, 1)
    yield "estimates on the line", answer.run(traced, line, t, other)
    once = torch.eye(3)[[0, 1, 2, 1]]
    yield "estimates with a probe along one axis", answer.run(traced, x, t, once)
    yield "what training teaches the velocity", answer.run(trace_gradient, x, t, probe)


@hutchinson.alternative
def by_two_backward_passes(velocity, x, t, probe):
    x = x.detach().clone().requires_grad_()
    dummy = torch.zeros_like(x).requires_grad_()
    vjp = torch.autograd.grad(velocity(x, t), x, dummy, create_graph=True)[0]
    jvp = torch.autograd.grad(vjp, dummy, probe, create_graph=True)[0]
    return torch.einsum("bd,bd->b", jvp, probe)


@hutchinson.alternative
def by_matrices(velocity, x, t, probe):
    x = x.detach().clone().requires_grad_()
    rows = velocity(x, t).sum(0)
    J = [torch.autograd.grad(row, x, create_graph=True)[0] for row in rows]
    return torch.einsum("bi,bij,bj->b", probe, torch.stack(J, 1), probe)


def jacobian(velocity, x, t, create_graph=True):
    """∂u/∂x at each row, (B, D, D)."""
    x = x.detach().clone().requires_grad_()
    u = velocity(x, t)
    rows = [
        torch.autograd.grad(u[:, d].sum(), x, create_graph=create_graph, retain_graph=True)[0]
        for d in range(x.shape[1])
    ]
    return torch.stack(rows, 1)


def form(left, J, right):
    """leftᵀ J right of each row."""
    return torch.einsum("bi,bij,bj->b", left, J, right)


@hutchinson.mistake(
    "Your vᵀ J was summed as it is. In a quadratic form v stands on both sides: where is the "
    "second?"
)
def probe_on_one_side(velocity, x, t, probe):
    return form(probe, jacobian(velocity, x, t), torch.ones_like(probe))


@hutchinson.mistake(
    "You summed u first, without v. The second v is there: where does the first belong?"
)
def probe_on_the_other_side(velocity, x, t, probe):
    return form(torch.ones_like(probe), jacobian(velocity, x, t), probe)


@hutchinson.mistake("v is not in it. This is the sum of all entries of J. Is that its trace?")
def without_a_probe(velocity, x, t, probe):
    one = torch.ones_like(probe)
    return form(one, jacobian(velocity, x, t), one)


@hutchinson.mistake(
    "This is the exact trace, D backward passes' worth. A fine thing; here an estimate with the "
    "given probe is asked for, by one."
)
def exact_trace(velocity, x, t, probe):
    return jacobian(velocity, x, t).diagonal(dim1=1, dim2=2).sum(1)


@hutchinson.mistake(
    "You weighed the diagonal with v². Does vᵀ J v know no other entries? On average they vanish, "
    "in one estimate they do not; and computing the diagonal costs D passes."
)
def diagonal_alone(velocity, x, t, probe):
    J = jacobian(velocity, x, t)
    return (J.diagonal(dim1=1, dim2=2) * probe.square()).sum(1)


@hutchinson.mistake("This is vᵀ J, a row for each point. Which product makes it one number?")
def one_product_too_few(velocity, x, t, probe):
    return torch.einsum("bi,bij->bj", probe, jacobian(velocity, x, t))


@hutchinson.mistake("You took the mean over the dimensions. Is a trace a mean?")
def mean_over_the_dimensions(velocity, x, t, probe):
    return form(probe, jacobian(velocity, x, t), probe) / x.shape[1]


@hutchinson.mistake("One estimate for each point is asked for. Where did the points go?")
def summed_over_the_points(velocity, x, t, probe):
    return form(probe, jacobian(velocity, x, t), probe).sum()


@hutchinson.mistake(
    "You multiplied v with u itself. The divergence is about how u changes: which derivative is "
    "missing?"
)
def without_a_derivative(velocity, x, t, probe):
    return (velocity(x, t) * probe).sum(1)


@hutchinson.mistake(
    "You divided by |v|². It makes each estimate look tame. Is the mean the trace still, if v is "
    "normal?"
)
def divided_by_the_length(velocity, x, t, probe):
    return form(probe, jacobian(velocity, x, t), probe) / probe.square().sum(1)


@hutchinson.mistake(
    "Every value is right, but nothing can be learned from it. What does a derivative need so that "
    "it can be differentiated again?"
)
def without_a_graph(velocity, x, t, probe):
    return form(probe, jacobian(velocity, x, t, create_graph=False), probe).detach()


@hutchinson.mistake("The probe is given to you. If you draw your own, can anyone repeat it?")
def own_probe(velocity, x, t, probe):
    v = torch.randn_like(x)
    return form(v, jacobian(velocity, x, t), v)
