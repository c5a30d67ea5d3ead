"""Noise that a learner draws from a generator: its law, its shape, and whose numbers it takes."""

import math
import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Generator, Tensor

FAR = 0.0455  # the share of a normal distribution that lies beyond two standard deviations


def codes(answer: Callable, generator: Generator, n: int, dim: int) -> dict[str, object]:
    """n codes of `dim` numbers, and how they spread; every tolerance is five standard errors."""
    z = answer(n, dim, generator)
    found = kind(z)
    if tuple(z.shape) != (n, dim):
        return found
    z = z.detach().double()
    return found | extremes(z) | law(z) | dependence(z)


def kind(z: Tensor) -> dict[str, object]:
    """The shape of codes and their dtype."""
    return {
        "the shape": str(tuple(z.shape)),
        "the dtype": str(z.dtype).removeprefix("torch."),
        "whether they ask for gradients": z.requires_grad,
    }


def few_codes(answer: Callable, generator: Generator, n: int, dim: int) -> dict[str, object]:
    """The shape and the dtype of a small batch."""
    return kind(answer(n, dim, generator))


def large_batch(answer: Callable, generator: Generator, n: int, dim: int) -> dict[str, object]:
    """How many numbers lie together: every tolerance is five standard errors."""
    z = answer(n, dim, generator)
    if tuple(z.shape) != (n, dim):
        return kind(z)
    z = z.detach().double().flatten()
    count, largest = z.numel(), z.abs().max()
    off = (z - z.mean()) / z.std()
    fourth = float(off.square().square().mean())
    return {
        "whether their mean is 0": bool(z.mean().abs() < 5 / math.sqrt(count)),
        "whether their standard deviation is 1": bool(
            (z.std() - 1).abs() < 5 / math.sqrt(2 * count)
        ),
        "whether their tails are those of a normal": abs(fourth - 3) < 5 * math.sqrt(24 / count),
        "whether several of them share the largest size": int((z.abs() == largest).sum()) > 1,
        "whether nearly all of them differ": len(z.unique()) > 0.95 * count,
    }


def many_calls(answer: Callable, generator: Generator, calls: int) -> dict[str, object]:
    """How many different batches of two codes come from one generator, and whether the two agree.

    In half of the places their signs should, within five standard errors.
    """
    batches = torch.stack([answer(2, 2, generator).detach() for _ in range(calls)])
    agreeing = float((batches[:, 0] * batches[:, 1] > 0).double().mean())
    return {
        "how many differ": len(batches.flatten(1).unique(dim=0)),
        "whether the two codes of a batch are independent": abs(agreeing - 0.5)
        < 5 * 0.5 / math.sqrt(2 * calls),
    }


def extremes(z: Tensor) -> dict[str, bool]:
    """Whether codes, or their numbers, are the same or bounded: z (n, dim)."""
    length, off = z.norm(dim=1), (z - z.mean()).abs()
    return {
        "whether all codes are the same": bool((z == z[0]).all()),
        "whether all numbers of a code are equal": bool((z == z[:, :1]).all()),
        "whether all codes have the same length": bool(length.std() < 1e-3 * length.mean()),
        "whether any number is negative": bool((z < 0).any()),
        "whether any number is larger than 3.2": bool((z.abs() > 3.2).any()),
        "whether the numbers fill an interval evenly": abs(evenness(off) - 0.5) < 0.05,
    }


def evenness(off: Tensor) -> float:
    """The share of numbers within half of the largest distance to the middle: ½ if uniform."""
    return float((off < off.max() / 2).double().mean())


def law(z: Tensor) -> dict[str, bool]:
    """Whether mean, standard deviation and tails are those of N(0, 1): z (n, dim)."""
    n, off = len(z), z - z.mean(0)
    far = float((off.abs() > 2 * off.std(0)).double().mean())
    error = math.sqrt(FAR / z.numel())
    tails = float((off / off.std(0)).pow(4).mean())
    return {
        "whether the numbers have mean 0": bool((z.mean(0).abs() < 5 / math.sqrt(n)).all()),
        "whether the numbers have standard deviation 1": bool(
            ((z.std(0) - 1).abs() < 5 / math.sqrt(2 * n)).all()
        ),
        "whether as many of them are far out, for their spread, as in a normal": bool(
            abs(far - FAR) < 5 * error and abs(tails - 3) < 5 * math.sqrt(96 / z.numel())
        ),
    }


def dependence(z: Tensor) -> dict[str, bool]:
    """Whether the numbers of a code, and successive codes, are independent: z (n, dim)."""
    n, dim = z.shape
    apart = [torch.corrcoef(x.T).nan_to_num() - torch.eye(dim) for x in (z, z.square())]
    length = z.norm(dim=1) - z.norm(dim=1).mean()
    next_length = float((length[1:] * length[:-1]).mean() / length.square().mean().clamp_min(1e-9))
    next_code = float((z[1:] * z[:-1]).mean())
    return {
        "whether the coordinates of a code are independent": all(
            bool((x.triu(1).abs() < 6 / math.sqrt(n)).all()) for x in apart
        ),
        "whether a code is independent of the one before it": abs(next_code)
        < 5 / math.sqrt(dim * n)
        and abs(next_length) < 5 / math.sqrt(n),
        "whether a code is independent of those far from it": all(map(unrelated, (z, z.square()))),
        "whether the codes differ in more than their signs": len(z.abs().unique(dim=0)) > 0.9 * n,
        "whether their lengths differ": len(z.norm(dim=1).round(decimals=5).unique()) > 0.9 * n,
    }


def unrelated(x: Tensor) -> bool:
    """Whether rows (n, dim) correlate with no row any distance away, the first after the last.

    All distances at once, as the inverse transform of the spectrum; none is off by more than seven
    standard errors.
    """
    x = (x - x.mean(0)) / x.std(0).clamp_min(1e-9)
    spectrum = torch.fft.rfft(x, dim=0).abs().square().mean(1)
    correlation = torch.fft.irfft(spectrum, len(x)) / len(x)
    return bool(correlation[1:].abs().max() < 7 / math.sqrt(x.numel()))


def batch_of_five(answer: Callable, generator: Generator) -> dict[str, object]:
    """Five codes, and five more from the same generator."""
    first, second = answer(5, 2, generator), answer(5, 2, generator)
    found = kind(first)
    if tuple(first.shape) != (5, 2) or tuple(second.shape) != (5, 2):
        return found
    sums, whole = first.double().mean(0), first.double()
    known = torch.isin(second.abs().flatten(), first.abs().flatten())
    return found | {
        "whether its columns add up to exactly 0": bool((sums.abs() < 1e-6).all()),
        "whether all of its numbers together add up to exactly 0": bool(sums.sum().abs() < 1e-6),
        "whether their standard deviation is exactly 1": any(
            bool((whole.std(correction=k) - 1).abs() < 1e-6) for k in (0, 1)
        ),
        "whether a second call with the same generator repeats numbers of the first": bool(
            known.any()
        ),
    }


def same_state(answer: Callable, generator: Generator) -> bool:
    """Whether a generator in the same state gives the same codes."""
    again = Generator().set_state(generator.get_state())
    return bool((answer(5, 2, generator) == answer(5, 2, again)).all())


def global_numbers(answer: Callable, generator: Generator) -> dict[str, bool]:
    """Whether the global generators of torch, NumPy and Python are left as they were.

    Two calls, each after numbers have been drawn from them: whoever seeds them would otherwise find
    them in just that state. NumPy and Python get theirs back.
    """
    of_numpy, of_python = np.random.get_state(), random.getstate()
    seen = []
    for _ in range(2):
        torch.rand(()), np.random.rand(), random.random()
        before = global_states()
        answer(5, 2, generator)
        after = global_states()
        seen.append({name: before[name] == after[name] for name in before})
    np.random.set_state(of_numpy)
    random.setstate(of_python)
    return {f"whether {name} was left alone": all(one[name] for one in seen) for name in seen[0]}


def global_states() -> dict[str, object]:
    """The states of the generators that a whole program shares."""
    _, keys, *place = np.random.get_state()
    return {
        "torch's": torch.random.get_rng_state().tolist(),
        "NumPy's": [np.asarray(keys).tolist(), *place],
        "Python's": random.getstate(),
    }
