"""Exercise on an experiment: rate and distortion for several β, with errors, and what follows."""

import itertools
import math
import statistics

import torch

from gencourse.checks import exercise
from gencourse.probes.vae.experiments import STEPS, swept


def standard_error(rates):
    return statistics.stdev(rates) / len(rates) ** 0.5


def table_of(train, betas, seeds, error=standard_error):
    betas = sorted(set(betas))
    runs = [[train(beta, seed) for seed in seeds] for beta in betas]
    return {
        "beta": betas,
        "rate": [statistics.fmean(rate for rate, _ in one) for one in runs],
        "distortion": [statistics.fmean(distortion for _, distortion in one) for one in runs],
        "error": [error([rate for rate, _ in one]) for one in runs],
    }


def trend_of(rates, errors, factor=2.0, combined=math.hypot):
    steps = [b - a for a, b in itertools.pairwise(rates)]
    limits = [factor * combined(a, b) for a, b in itertools.pairwise(errors)]
    if steps and all(step < -limit for step, limit in zip(steps, limits, strict=True)):
        return "falls"
    clear = steps and all(step > limit for step, limit in zip(steps, limits, strict=True))
    return "rises" if clear else "unclear"


def sweep_reference(train, betas, seeds=(0, 1, 2)):
    """{"beta", "rate", "distortion", "error", "trend"} of trainings at each β with each seed."""
    table = table_of(train, betas, seeds)
    return table | {"trend": trend_of(table["rate"], table["error"])}


@exercise(
    reference=sweep_reference,
    difficulty=2,
    minutes=12,
    points=3,
    hints=(
        "One training for each pair of a β and a seed. In which order should the β stand?",
        "The error of a mean is the standard deviation of the values (N - 1) over the root of N.",
        "For the trend look at every step from one β to the next: is it beyond twice its error?",
    ),
    on_success="A sweep that can say falls, rises, and also that nothing can be said yet.",
)
def sweep(answer, seed):
    shift = seed % 20  # a grader's seeds are large
    betas, seeds = [4.0, 0.25 + shift, 1.0, 4.0, 0.5], [shift + 4, 3 * shift + 131, 120, 2]
    for training in ("falling", "rising"):
        yield f"a training whose rate is {training}", answer.run(swept, training, betas)
        yield f"the same with the seeds {seeds}", answer.run(swept, training, betas, seeds)
    yield "a rate that seeds scatter more", answer.run(swept, "scattered", [2.0, 0.5, 1.0])
    ends, whole = [3.0 + shift, 0.0, 1.0], [2.0, 3.0, 1.0]
    for training in ("turning", "flat_at_first", "flat_at_last", "constant"):
        yield f"a rate that is {training.replace('_', ' ')}", answer.run(swept, training, ends)
    for name, training in STEPS.items():
        yield name, answer.run(swept, training, whole, [0, 1])
    yield "a single β, given three times", answer.run(swept, "falling", [0.7, 0.7, 0.7])


@sweep.alternative
def with_tensors(train, betas, seeds=(0, 1, 2)):
    different = torch.tensor(list(betas), dtype=torch.float64).unique()
    runs = torch.tensor([[train(b, s) for s in seeds] for b in different.tolist()]).double()
    rate, distortion = runs.mean(1).unbind(1)
    error = runs[..., 0].std(1) / math.sqrt(len(seeds))
    clear = rate.diff() / (2 * (error[1:] ** 2 + error[:-1] ** 2).sqrt()).clamp(min=1e-9)
    falls, rises = bool((clear < -1).all()), bool((clear > 1).all())
    trend = "unclear" if falls == rises else "falls" if falls else "rises"
    return dict(
        beta=different.tolist(), rate=rate.tolist(), distortion=distortion, error=error, trend=trend
    )


@sweep.alternative
def row_by_row(train, betas, seeds=(0, 1, 2)):
    table, signs = {"beta": [], "rate": [], "distortion": [], "error": []}, []
    for beta in sorted({float(beta) for beta in betas}):
        results = {seed: train(beta, seed) for seed in seeds}
        mean = sum(rates := [results[seed][0] for seed in seeds]) / len(seeds)
        row = (beta, mean, sum(d for _, d in results.values()) / len(rates))
        error = (statistics.variance(rates) / len(rates)) ** 0.5
        if table["beta"]:
            step, before = mean - table["rate"][-1], table["error"][-1]
            signs.append((step > 0) - (step < 0) if step**2 > 4 * (error**2 + before**2) else 0)
        for column, value in zip(table.values(), (*row, error), strict=True):
            column.append(value)
    table["trend"] = {(-1,): "falls", (1,): "rises"}.get(tuple(set(signs)), "unclear")
    return table


def concluded(table, **options):
    """A table with what follows from it, by another rule perhaps."""
    return table | {"trend": trend_of(table["rate"], table["error"], **options)}


@sweep.mistake("The table follows the order in which β was given. What does a reader expect?")
def in_the_given_order(train, betas, seeds=(0, 1, 2)):
    order = list(dict.fromkeys(betas))
    rows = [table_of(train, [beta], seeds) for beta in order]
    columns = ("beta", "rate", "distortion", "error")
    return concluded({key: [row[key][0] for row in rows] for key in columns})


@sweep.mistake(
    "A β that was given twice is trained twice, and has two rows. How many βs are there?"
)
def repeated_rows(train, betas, seeds=(0, 1, 2)):
    rows = [table_of(train, [beta], seeds) for beta in sorted(betas)]
    columns = ("beta", "rate", "distortion", "error")
    return concluded({key: [row[key][0] for row in rows] for key in columns})


@sweep.mistake("The seeds that you train with are not those that were given. Where do they go?")
def seeds_counted_from_zero(train, betas, seeds=(0, 1, 2)):
    return sweep_reference(train, betas, range(len(seeds)))


@sweep.mistake("There are other seeds than the default ones, and you never use them.")
def default_seeds_always(train, betas, seeds=(0, 1, 2)):
    return sweep_reference(train, betas, (0, 1, 2))


@sweep.mistake("You trained once for each β. What do the other seeds tell about an error?")
def first_seed_alone(train, betas, seeds=(0, 1, 2)):
    return concluded(table_of(train, betas, seeds[:1], error=lambda rates: 0.0))


@sweep.mistake(
    "The table is right but for its errors, which are the spread of single trainings. How much "
    "less does a mean of N scatter?"
)
def spread_of_single_runs(train, betas, seeds=(0, 1, 2)):
    return concluded(table_of(train, betas, seeds, error=statistics.stdev))


@sweep.mistake(
    "The table is right but for its errors, a little too small. Do you divide by N or by N - 1?"
)
def divided_by_n(train, betas, seeds=(0, 1, 2)):
    return concluded(table_of(train, betas, seeds, lambda r: statistics.pstdev(r) / len(r) ** 0.5))


@sweep.mistake(
    "The errors are divided by the number of seeds. By which power of it does a mean scatter less?"
)
def divided_by_n_not_its_root(train, betas, seeds=(0, 1, 2)):
    return concluded(table_of(train, betas, seeds, lambda r: statistics.stdev(r) / len(r)))


@sweep.mistake(
    "Rate and distortion stand in each other's place. Which one does `train` give first?"
)
def columns_exchanged(train, betas, seeds=(0, 1, 2)):
    return sweep_reference(lambda beta, seed: train(beta, seed)[::-1], betas, seeds)


@sweep.mistake("The table is right. For every training you conclude the same: what did you expect?")
def conclusion_typed_in(train, betas, seeds=(0, 1, 2)):
    return table_of(train, betas, seeds) | {"trend": "falls"}


@sweep.mistake("The table is right. From small β to large, does a falling rate become larger?")
def conclusion_reversed(train, betas, seeds=(0, 1, 2)):
    table = sweep_reference(train, betas, seeds)
    other = {"falls": "rises", "rises": "falls", "unclear": "unclear"}
    return table | {"trend": other[table["trend"]]}


@sweep.mistake("The table is right. You compare the ends: what happens on the way?")
def ends_alone(train, betas, seeds=(0, 1, 2)):
    table = table_of(train, betas, seeds)
    ends = [[table[key][0], table[key][-1]] for key in ("rate", "error")]
    return table | {"trend": trend_of(*ends)}


@sweep.mistake(
    "The table is right. A step that is smaller than its own error counts as one in your "
    "conclusion. What is the column of errors for?"
)
def errors_not_asked(train, betas, seeds=(0, 1, 2)):
    return concluded(table_of(train, betas, seeds), factor=0.0)


@sweep.mistake("The table is right. One error is often exceeded by chance: how many are asked for?")
def one_error_is_enough(train, betas, seeds=(0, 1, 2)):
    return concluded(table_of(train, betas, seeds), factor=1.0)


@sweep.mistake(
    "The table is right. A step has to be beyond more than your limit. It has the errors of two "
    "rates: how large is that of their difference?"
)
def larger_error_alone(train, betas, seeds=(0, 1, 2)):
    return concluded(table_of(train, betas, seeds), combined=max)


@sweep.mistake(
    "The table is right. Independent errors add up as squares; did you add them as they are?"
)
def errors_added_up(train, betas, seeds=(0, 1, 2)):
    return concluded(table_of(train, betas, seeds), combined=lambda a, b: a + b)


@sweep.mistake("The table is right. A rate that rises is as clear a result as one that falls.")
def rising_is_unclear(train, betas, seeds=(0, 1, 2)):
    table = sweep_reference(train, betas, seeds)
    return table | {"trend": "falls" if table["trend"] == "falls" else "unclear"}


@sweep.mistake("The conclusion is about another column than the rate. Which one did you take?")
def trend_of_the_distortion(train, betas, seeds=(0, 1, 2)):
    table = table_of(train, betas, seeds)
    return table | {"trend": trend_of(table["distortion"], table["error"])}


@sweep.mistake("The right table, for a list that is another now: `sort` works in place.")
def sorted_in_place(train, betas, seeds=(0, 1, 2)):
    table = sweep_reference(train, betas, seeds)
    betas.sort()
    return table
