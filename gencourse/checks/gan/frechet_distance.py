"""Exercise on the Fréchet distance of two sets of features."""

import torch

from gencourse.checks import draw, exercise
from gencourse.evaluation import frechet_distance as reference
from gencourse.evaluation.samples import matrix_root


@exercise(
    reference=reference,
    difficulty=3,
    minutes=15,
    points=4,
    hints=(
        "`torch.cov` takes variables as rows. How do your features lie?",
        (
            "A symmetric matrix is V diag(λ) Vᵀ; `torch.linalg.eigh` finds both. What is its root, "
            "and what is the trace of its root in terms of λ?"
        ),
        (
            "A covariance has no negative eigenvalue, but its rounding errors have a sign. What "
            "is the root of −1e-17, and what should it be?"
        ),
    ),
    on_success=(
        "Right for covariances that do not commute, and for six examples of forty numbers, whose "
        "covariance has rank five."
    ),
    rtol=1e-5,
    atol=1e-4,  # the roots of rounding errors, once for each dimension without data
    exempt={"one column": "two numbers or more are promised: torch.cov of one row is no matrix"},
)
def frechet_distance(answer, seed):
    mix, x, y = draw(seed, 2, 3, 3), draw(seed + 1, 50, 3), draw(seed + 2, 70, 3)
    a, b = x @ mix[0] + 0.5, y @ mix[1] - draw(seed + 3, 3)
    yield "two clouds of different means, spreads and directions", answer(a, b)
    yield "a cloud and the same moved, squared length of the move", answer(a, a + draw(seed, 3))
    yield "a cloud and the same enlarged", answer(a, 2 * a)
    still = b - b.mean(0) + a.mean(0)
    yield "two clouds of one mean", answer(a, still)
    yield "a cloud and itself", answer(a, a.clone())
    far = 100 * draw(seed + 4, 3)
    yield "the two clouds, far from the origin", answer(a + far, b + far)
    few, fewer = draw(seed + 5, 9, 40) + 0.2, 0.7 * draw(seed + 6, 6, 40)
    yield (
        "9 and 6 examples of 40 numbers, so that both covariances are singular",
        answer(few, fewer),
    )
    yield "6 examples of 40 numbers, and 90", answer(fewer, draw(seed + 7, 90, 40))
    yield "a cloud, and one example five times", answer(a, b[:1].repeat(5, 1))


@frechet_distance.alternative
def by_singular_values(x, y):
    a, b = ((t - t.mean(0)).double() / (len(t) - 1) ** 0.5 for t in (x, y))
    mean = (x.double().mean(0) - y.double().mean(0)).pow(2).sum()
    return mean + a.pow(2).sum() + b.pow(2).sum() - 2 * torch.linalg.svdvals(a @ b.T).sum()


@frechet_distance.alternative
def with_both_roots(x, y):
    x, y = x.double(), y.double()
    a, b = torch.cov(x.T), torch.cov(y.T)
    cross = torch.linalg.matrix_norm(matrix_root(a) @ matrix_root(b), "nuc")
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + torch.trace(a + b) - 2 * cross)


def moments(x, correction=1):
    """Mean (D,) and covariance (D, D) of features (N, D), in float64."""
    return x.double().mean(0), torch.cov(x.double().T, correction=correction)


def crossed(a, b):
    """The trace of the root of the product of two covariances."""
    root = matrix_root(a)
    return torch.linalg.eigvalsh(root @ b @ root).clamp_min(0).sqrt().sum()


def distance(x, y, correction=1, cross=crossed, means=lambda d: d.square().sum(), times=2.0):
    """The distance, with knobs for what goes wrong."""
    (m, a), (n, b) = (moments(t, correction) for t in (x, y))
    return means(m - n) + a.trace() + b.trace() - times * cross(a, b)


@frechet_distance.mistake(
    "The means count by the length of their difference in your version. What does the formula do "
    "with that length?"
)
def means_not_squared(x, y):
    return distance(x, y, means=lambda d: d.norm())


@frechet_distance.mistake(
    "The squares of the means' differences are averaged. In the formula they are added up."
)
def means_averaged(x, y):
    return distance(x, y, means=lambda d: d.square().mean())


@frechet_distance.mistake(
    "You compare means alone: a single image of the right mean would be perfect. What of the "
    "spread?"
)
def means_alone(x, y):
    return (moments(x)[0] - moments(y)[0]).square().sum()


@frechet_distance.mistake(
    "You compare the spreads alone, and a cloud that is moved stays as near as it was. Where are "
    "the means?"
)
def covariances_alone(x, y):
    return distance(x, y, means=lambda d: 0 * d.sum())


@frechet_distance.mistake(
    "A little off, the more the fewer examples there are. By what does the text divide in a "
    "covariance: N or N − 1?"
)
def divided_by_n(x, y):
    return distance(x, y, correction=0)


@frechet_distance.mistake(
    "A cloud is not at distance 0 from itself: how often is the last term taken away?"
)
def cross_term_once(x, y):
    return distance(x, y, times=1.0)


@frechet_distance.mistake(
    "You take the root of every entry of a matrix. The root of a matrix is the matrix whose "
    "product with itself it is: which function of torch brings eigenvalues?"
)
def root_of_each_entry(x, y):
    return distance(x, y, cross=lambda a, b: (a @ b).sqrt().trace())


@frechet_distance.mistake(
    "You compare each number's own variance. Two clouds that lean different ways have the same "
    "ones: what do the other entries of a covariance tell?"
)
def variances_alone(x, y):
    return distance(x, y, cross=lambda a, b: (a.diagonal() * b.diagonal()).sqrt().sum())


@frechet_distance.mistake(
    "Right for a cloud that is moved or enlarged. Is the root of a product the product of the "
    "roots? For matrices that do not commute it is not."
)
def product_of_the_roots(x, y):
    return distance(x, y, cross=lambda a, b: (matrix_root(a) @ matrix_root(b)).trace())


@frechet_distance.mistake(
    "Right, until there are fewer examples than numbers: NaN. Eigenvalues that should be 0 come "
    "out a little below it. What should become of them before the root?"
)
def roots_of_rounding_errors(x, y):
    def cross(a, b):
        root = matrix_root(a)
        return torch.linalg.eigvalsh(root @ b @ root).sqrt().sum()

    return distance(x, y, cross=cross)


@frechet_distance.mistake(
    "Right while covariances can be inverted. With six examples of forty numbers they cannot, and "
    "a decomposition raises an error: Cholesky's refuses such a matrix, and `eigh` one that holds "
    "NaN, the root of an eigenvalue a little below 0. What should become of that before the root?"
)
def refuses_a_singular_covariance(x, y):
    def cross(a, b):
        values, vectors = torch.linalg.eigh(a)
        root = (vectors * values.sqrt()) @ vectors.T
        return torch.linalg.eigvalsh(root @ b @ root).clamp_min(0).sqrt().sum()

    return distance(x, y, cross=cross)


@frechet_distance.mistake(
    "Nearly right, and off where there are fewer examples than numbers: in float32 what should be "
    "0 is about 1e-7, and its root 3e-4, once for each dimension. Which precision does the text "
    "ask for?"
)
def in_float32(x, y):
    a, b = torch.cov(x.T), torch.cov(y.T)
    return (x.mean(0) - y.mean(0)).square().sum() + a.trace() + b.trace() - 2 * crossed(a, b)


@frechet_distance.mistake(
    "A small constant on the diagonal keeps the root alive, and is counted: where one set has no "
    "spread and the other has, the root of a millionth is a thousandth. What does it without a "
    "constant?"
)
def with_a_constant_on_the_diagonal(x, y):
    def cross(a, b):
        small = 1e-6 * torch.eye(len(a), dtype=a.dtype)
        return crossed(a + small, b + small)

    return distance(x, y, cross=cross)


@frechet_distance.mistake(
    "These are products of the features as they are. A covariance is taken around the mean."
)
def without_centring(x, y):
    second = [t.double().T @ t.double() / (len(t) - 1) for t in (x, y)]
    difference = (x.double().mean(0) - y.double().mean(0)).square().sum()
    return difference + sum(s.trace() for s in second) - 2 * crossed(*second)


@frechet_distance.mistake(
    "You took the covariance of examples. Which of the two axes holds what varies together?"
)
def covariance_of_the_examples(x, y):
    a, b = torch.cov(x.double()), torch.cov(y.double())
    difference = (x.double().mean(0) - y.double().mean(0)).square().sum()
    return difference + a.trace() + b.trace() - 2 * crossed(a, b)


@frechet_distance.mistake("This is the root of the distance. The formula gives a squared length.")
def root_of_it_all(x, y):
    return distance(x, y).clamp_min(0).sqrt()


@frechet_distance.mistake("It grows with how alike the two are. Which sign has the last term?")
def cross_term_added(x, y):
    return distance(x, y, times=-2.0)
