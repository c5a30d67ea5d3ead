"""The README's tables are those that the files of results give."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import data as data_benchmark  # noqa: E402
import readme  # noqa: E402
import vae as vae_benchmark  # noqa: E402


@pytest.mark.parametrize(("module", "name"), [(vae_benchmark, "vae"), (vae_benchmark, "vae_shipped"), (data_benchmark, "data")])
def test_table_in_the_readme_is_the_one_of_the_results(module, name):
    path = readme.RESULTS / f"{name}.json"
    (results,) = readme.stored(path).values()
    assert module.table(results) in (ROOT / "README.md").read_text("utf-8")


def test_full_mnist_result_holds_the_bar():
    (results,) = readme.stored(readme.RESULTS / "vae.json").values()
    ours = next(row for row in results["rows"] if row["name"] == "gencourse")
    assert max(ours["train_seconds"]) <= results["settings"]["seconds"] == 60
    assert ours["iwae"]["min"] >= -90 and results["settings"]["k"] == 500
    assert all(row["iwae"]["max"] < ours["iwae"]["min"] for row in results["rows"] if row["name"] != "gencourse" and "iwae" in row)
