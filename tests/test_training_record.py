"""The record of `gencourse train` at full scale: table, settings, and what more time gave."""

import pytest

from benchmarks import readme, training
from gencourse.experiments import names
from gencourse.experiments.recipe import recipe

(RESULTS,) = readme.stored(training.OUT).values()
ROWS = RESULTS["rows"]


def of(name):
    """The rows of a model by their seconds, short trainings first."""
    return {row["seconds"]: row for row in ROWS if row["name"] == name}


def test_table_in_the_manual_is_the_one_of_the_record():
    assert training.table(RESULTS) in training.PAGE.read_text("utf-8")


def test_every_model_was_trained_for_a_minute_and_for_ten():
    assert all({60, 600} <= of(name).keys() for name in names())


@pytest.mark.parametrize("name", names())
def test_recorded_settings_are_the_recipes(name):
    """Else the record is stale: measure the model anew by the command in benchmarks/training.py."""
    how, sizes = recipe(name).training["full"], recipe(name).sizes["full"]
    now = {"batch_size": how.batch_size, "lr": how.lr, **sizes}
    stale = [row["seconds"] for row in of(name).values() if row["settings"] != now]
    assert not stale, (
        f"measure again: python -m benchmarks.training --only {name} --seconds {stale}"
    )


@pytest.mark.parametrize("name", names())
def test_more_time_was_not_worse(name):
    score, high, _ = training.JUDGED[name]
    values = [row["scores"][score] * (1 if high else -1) for row in of(name).values()]
    assert values == sorted(values)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['name']}-{row['seconds']:g}")
def test_a_row_is_one_whole_training_on_whole_data(row):
    """Its curve ends with its steps, and its best weights are those with the lowest measure."""
    curve = row["held_out"]
    first = list(curve[0])[2]
    assert curve[-1]["step"] == row["steps"]
    assert min(curve, key=lambda look: look[first])["step"] == row["best_step"]
    assert row["scores"].keys() == recipe(row["name"]).meanings.keys()
    assert f"--seconds {row['seconds']:g}" in row["command"] and row["threads"] == 2
    assert row["cpu_seconds"] <= 1.05 * row["threads"] * row["real_seconds"]


def test_rows_of_one_training_replace_each_other():
    rows = [{"name": "vae", "seconds": 600, "x": 1}, {"name": "vae", "seconds": 60, "x": 2}]
    new = [{"name": "vae", "seconds": 600, "x": 3}, {"name": "gpt", "seconds": 60, "x": 4}]
    assert [row["x"] for row in training.merged(rows, new)] == [2, 3, 4]
