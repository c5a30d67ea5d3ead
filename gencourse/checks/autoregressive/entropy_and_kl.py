"""Exercise on the loss of a model of text: the source's entropy, and the divergence from it."""

import torch

from gencourse.checks import draw, exercise
from gencourse.probes.general import gradients


def entropy_and_kl_reference(p, q, pi):
    """Σ_i π_i H(p_i) and Σ_i π_i KL(p_i ‖ q_i), nats per token: p, q (R, V), pi (R,)."""
    joint = pi[:, None] * p  # how often token j follows context i
    entropy = -torch.xlogy(joint, p).sum()
    loss = -torch.xlogy(joint, q).sum()
    return entropy, loss - entropy


@exercise(
    reference=entropy_and_kl_reference,
    difficulty=2,
    minutes=10,
    points=2,
    hints=(
        "The loss -Σ_i π_i Σ_j p_ij log q_ij is their sum. Which q makes it smallest, and what is "
        "left then?",
        "How often does token j follow context i, counted over the whole text?",
        "0 log 0 is 0 here. torch.xlogy(a, b) computes a log b and knows that.",
    ),
    on_success=(
        "Their sum is the loss. Training can lower the second alone; the first belongs to the text."
    ),
)
def entropy_and_kl(answer, seed):
    p, q = (2 * draw(seed + i, 3, 5) for i in (0, 1))
    p, q, pi = p.softmax(1), q.softmax(1), draw(seed + 2, 3).softmax(0)
    yield "H and KL of 3 contexts and 5 tokens", answer(p, q, pi)
    often = torch.tensor([0.9, 0.02, 0.08])
    yield "H and KL where one context comes nine times in ten", answer(p, q, often)
    yield "H and KL of a perfect model", answer(p, p.clone(), pi)
    fair = torch.full((2, 8), 1 / 8)
    half = torch.tensor([0.5, 0.5])
    yield "H and KL of dice with 8 sides, model and source", answer(fair, fair.clone(), half)
    sure = torch.eye(4)[[2, 0, 1]]
    blurred = 0.6 * sure + 0.1
    yield "H and KL where the source is sure, the model not quite", answer(sure, blurred, pi)
    yield "H and KL where both are sure and agree", answer(sure, sure.clone(), pi)
    holes = torch.tensor([[0.25, 0.0, 0.75], [0.5, 0.5, 0.0]])
    missing = torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    yield "H and KL where the model excludes a token that comes", answer(holes, missing, half)
    never = torch.tensor([1.0, 0.0])  # the first comes: a stress looks at it alone
    yield "H and KL where that context never comes", answer(holes, missing, never)
    tiny = torch.tensor([[1 - 1e-6, 1e-6]])
    rare = torch.tensor([[1 - 1e-30, 1e-30]])
    yield (
        "H and KL where the model thinks a token very unlikely",
        answer(tiny, rare, torch.ones(1)),
    )
    yield "the gradients of H + KL for q", answer.run(gradients, p, q, pi, wrt=(1,))


@entropy_and_kl.alternative
def term_by_term(p, q, pi):
    entropies, divergences = [], []
    for p_i, q_i, share in zip(p, q, pi, strict=True):
        if share > 0:
            p_j, q_j = p_i[p_i > 0], q_i[p_i > 0]
            entropies.append(-share * (p_j * p_j.log()).sum())
            divergences.append(share * (p_j * (p_j.log() - q_j.log())).sum())
    return sum(entropies), sum(divergences)


@entropy_and_kl.alternative
def by_torch(p, q, pi):
    rows = torch.special.entr(p).sum(1)
    both = torch.nn.functional.kl_div(q.log(), p, reduction="none").nan_to_num(0.0, torch.inf)
    return (pi * rows).sum(), both.sum(1).where(pi > 0, 0.0) @ torch.where(pi > 0, pi, 0.0)


def parts(p, q, pi):
    """The entropy and the divergence of each context."""
    entropy = -torch.xlogy(p, p).sum(1)
    return entropy, -torch.xlogy(p, q).sum(1) - entropy


@entropy_and_kl.mistake(
    "The divergence runs the wrong way, from the model to the source. Whose draws is the loss "
    "averaged over?"
)
def reversed_kl(p, q, pi):
    joint = pi[:, None] * q
    return entropy_and_kl_reference(p, q, pi)[0], (
        torch.xlogy(joint, q) - torch.xlogy(joint, p)
    ).sum()


@entropy_and_kl.mistake(
    "All contexts count alike. Does each of them occur equally often in a text?"
)
def contexts_alike(p, q, pi):
    entropy, kl = parts(p, q, pi)
    return entropy.mean(), kl.mean()


@entropy_and_kl.mistake("The contexts' numbers are added up. What is done with π?")
def contexts_summed(p, q, pi):
    entropy, kl = parts(p, q, pi)
    return entropy.sum(), kl.sum()


@entropy_and_kl.mistake("These are bits. Which logarithm does the text ask for?")
def in_bits(p, q, pi):
    entropy, kl = entropy_and_kl_reference(p, q, pi)
    return entropy / torch.tensor(2.0).log(), kl / torch.tensor(2.0).log()


@entropy_and_kl.mistake(
    "The entropy is that of the model. Whose uncertainty remains however well one predicts?"
)
def entropy_of_the_model(p, q, pi):
    joint = pi[:, None] * q
    return -torch.xlogy(joint, q).sum(), entropy_and_kl_reference(p, q, pi)[1]


@entropy_and_kl.mistake(
    "In the second place stands the whole loss. What of it does the perfect model pay, too?"
)
def loss_for_kl(p, q, pi):
    entropy, kl = entropy_and_kl_reference(p, q, pi)
    return entropy, entropy + kl


@entropy_and_kl.mistake("The divergence has the wrong sign: can a model pay less than the entropy?")
def negative_kl(p, q, pi):
    entropy, kl = entropy_and_kl_reference(p, q, pi)
    return entropy, -kl


@entropy_and_kl.mistake("Both are right, in the other order. Which does the docstring name first?")
def exchanged(p, q, pi):
    return entropy_and_kl_reference(p, q, pi)[::-1]


@entropy_and_kl.mistake(
    "Where a probability is 0 you get NaN, as 0 times minus infinity. What does such a token "
    "contribute?"
)
def nan_for_zeros(p, q, pi):
    entropy = -(pi[:, None] * p * p.log()).sum()
    return entropy, -(pi[:, None] * p * q.log()).sum() - entropy


@entropy_and_kl.mistake(
    "Something small is added to the probabilities, so an excluded token that comes costs a finite "
    "price, and an unlikely one too little. What is the price of the impossible?"
)
def padded_with_epsilon(p, q, pi):
    joint = pi[:, None] * p
    entropy = -(joint * (p + 1e-10).log()).sum()
    return entropy, -(joint * (q + 1e-10).log()).sum() - entropy


@entropy_and_kl.mistake(
    "Each is a number per context. How are they made into one number per token of the text?"
)
def one_per_context(p, q, pi):
    return parts(p, q, pi)


@entropy_and_kl.mistake(
    "The numbers are right, and no gradient arrives at q. Where was the graph cut?"
)
def detached(p, q, pi):
    entropy, kl = entropy_and_kl_reference(p, q, pi)
    return entropy, kl.detach()
