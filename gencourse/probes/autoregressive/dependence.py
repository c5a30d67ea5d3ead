"""Toy models in which some output may depend on a later input, for a function that should find out.

They are exact for any number of rows: products and running sums of columns, no matrix product.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gencourse.probes.autoregressive.arguments import uncopied

LEAKS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "sum": lambda x, b: x[:, b],
    "product": lambda x, b: x[:, b] * x[:, 0],
    "gated": lambda x, b: x[:, b].relu() * x[:, 0].relu(),
    "band": lambda x, b: (x[:, b] * (1.4 - x[:, b])).relu() * x[:, 0].relu(),
    "rare": lambda x, b: ((x[:, b] > 0) & (x[:, 0] > 2)).to(x.dtype),
}


def causal(x: Tensor, weights: Tensor, outputs: int) -> Tensor:
    """Outputs 0 to `outputs` - 1, each depending on the inputs before it."""
    terms = weights.to(x.dtype) * (x + 0.3 * x * x)
    return 10.0 + nn.functional.pad(terms, (1, 1)).cumsum(1)[:, :outputs]


class Noisy(nn.Module):
    """A causal model that adds noise in training mode; as torch's layers it has one dtype."""

    def __init__(self, weights: Tensor, outputs: int) -> None:
        super().__init__()
        self.inner = nn.Dropout(0.5)
        self.weights, self.outputs = weights, outputs

    def forward(self, x: Tensor) -> Tensor:
        """The outputs for x (B, n), with noise in training mode: (B, outputs)."""
        if x.dtype != self.weights.dtype:
            raise RuntimeError(
                f"input and weights should have the same dtype, got {x.dtype} and "
                f"{self.weights.dtype}"
            )
        noise = torch.rand(len(x), self.outputs) if self.inner.training else 0.0
        return causal(x, self.weights, self.outputs) + noise


def found(
    depends_on: Callable,
    x: Tensor,
    weights: Tensor,
    outputs: int,
    leak: str = "",
    a: int = 0,
    b: int = 0,
    size: float = 1.0,
) -> Tensor:
    """The answer for a causal model; with a leak, output a depends on input b, too."""
    place = torch.arange(outputs) == a

    def f(x: Tensor) -> Tensor:
        leaking = LEAKS[leak](x, b).unsqueeze(1) * size * place if leak else 0.0
        return causal(x, weights, outputs) + leaking

    return depends_on(f, x)


def found_beside_infinity(depends_on: Callable, x: Tensor, weights: Tensor) -> Tensor:
    """The answer for a causal model with outputs of -∞, as for tokens that are cut.

    Output 1 is always -∞, those after it where input 0 is negative.
    """
    place = torch.arange(5)

    def f(x: Tensor) -> Tensor:
        cut = (place == 1) | (place > 1) & (x[:, :1] < 0)
        return causal(x, weights, 5).masked_fill(cut, -torch.inf)

    return depends_on(f, x)


def found_in_steps(depends_on: Callable, x: Tensor, outputs: int) -> Tensor:
    """The answer for a model that knows of the inputs before only whether they are positive."""

    def steps(x: Tensor) -> Tensor:
        return torch.cat([torch.ones_like(x[:, :1]), (x > 0).to(x.dtype)], 1).cumsum(1)[:, :outputs]

    return depends_on(steps, x)


def found_in_tokens(depends_on: Callable, x: Tensor) -> Tensor:
    """The answer for a model of tokens whose output 0 looks ahead at token 1.

    It refuses tokens that no example has at that position, and as an embedding all that are no
    whole numbers.
    """
    numbers = torch.arange(float(x.max()) + 1).double()
    embedding = nn.Embedding.from_pretrained(numbers.square()[:, None])

    def lookup(tokens: Tensor) -> Tensor:
        for j in range(x.shape[1]):
            if not torch.isin(tokens[:, j], x[:, j]).all():
                raise ValueError(
                    "f got a token that no example has at that position. "
                    "Give an input the values that it has in other examples."
                )
        return embedding(torch.cat([tokens[:, 1:2], tokens[:, :-1]], 1))[..., 0]

    return depends_on(lookup, x)


def found_in_module(
    depends_on: Callable, x: Tensor, weights: Tensor, outputs: int, training: bool
) -> dict[str, object]:
    """The answer for a module that adds noise in training mode, and its mode afterwards."""
    model = Noisy(weights.to(x.dtype), outputs).train(training)
    answer = depends_on(model, uncopied(x))  # so no stress changes its dtype
    return {
        "the answer": answer,
        "whether the answer holds booleans": getattr(answer, "dtype", None) == torch.bool,
        "whether the module is in training mode afterwards": model.training,
        "whether its dropout is in training mode afterwards": model.inner.training,
    }
