"""Honest submissions: right, partly right or wrong, in every form that an answer may take."""

from tests.grading.corpus_kind import WRONG, Sheet, kind


@kind("honest")
def correct(s: Sheet):
    """All four answers are right."""


@kind("honest", lost="all")
def untouched(s: Sheet):
    """Nothing was answered."""
    return s.bytes(s.released)


@kind("honest", lost="all")
def wrong_all(s: Sheet):
    """Four well-known mistakes."""
    s.wrong()


@kind("honest", lost=("kl_to_standard_normal", "bits"))
def half_right(s: Sheet):
    """Two right answers, one mistake and one stub."""
    s.wrong(["kl_to_standard_normal"])
    s.stub(["bits"])


@kind("honest", lost="bits")
def visible_only(s: Sheet):
    """`bits` passes the tests that a learner sees and fails the hidden ones."""
    s.answer("bits", "def bits(nats):\n    return 1.0 if nats else 0.0")


@kind("honest")
def written_differently(s: Sheet):
    """Four right answers by other means than the reference."""
    s.answer(
        "gaussian_log_density",
        "def gaussian_log_density(x, mu, logvar):\n"
        "    normal = torch.distributions.Normal(mu, torch.exp(logvar) ** 0.5)\n"
        "    return torch.distributions.Independent(normal, 1).log_prob(x)",
    )
    s.answer(
        "reparameterize",
        "def reparameterize(mu, logvar, eps):\n    return torch.addcmul(mu, logvar.exp().sqrt(), eps)",
    )
    s.answer(
        "kl_to_standard_normal",
        "def kl_to_standard_normal(mu, logvar):\n    return -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1)",
    )
    s.answer("bits", "def bits(nats):\n    return nats * math.log2(math.e)")


@kind("honest")
def row_by_row(s: Sheet):
    """A right answer with a Python loop over the rows."""
    s.answer(
        "kl_to_standard_normal",
        "def kl_to_standard_normal(mu, logvar):\n"
        "    rows = []\n"
        "    for a, b in zip(mu, logvar):\n"
        "        rows.append(sum(0.5 * (a[i] ** 2 + b[i].exp() - 1 - b[i]) for i in range(len(a))))\n"
        "    return torch.stack(rows)",
    )


@kind("honest")
def in_double_precision(s: Sheet):
    """A right answer that computes and returns float64."""
    s.answer(
        "kl_to_standard_normal",
        "def kl_to_standard_normal(mu, logvar):\n"
        "    mu, logvar = mu.double(), logvar.double()\n"
        "    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)",
    )


@kind("honest")
def answer_as_lambda(s: Sheet):
    """A lambda is a function."""
    s.answer(
        "reparameterize", "reparameterize = lambda mu, logvar, eps: mu + (logvar / 2).exp() * eps"
    )


@kind("honest")
def answer_as_object(s: Sheet):
    """An object that can be called answers the call."""
    s.answer(
        "reparameterize",
        "class Draw:\n    def __call__(self, mu, logvar, eps):\n        return mu + (logvar / 2).exp() * eps\n\n\nreparameterize = Draw()",
    )


@kind("honest")
def answer_as_module(s: Sheet):
    """A torch module can be called too."""
    s.answer(
        "kl_to_standard_normal",
        "class KL(torch.nn.Module):\n"
        "    def forward(self, mu, logvar):\n"
        "        return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)\n\n\n"
        "kl_to_standard_normal = KL()",
    )


@kind("honest")
def answer_as_partial(s: Sheet):
    """A function with an argument filled in is a function."""
    s.answer(
        "kl_to_standard_normal",
        "from functools import partial\n\n\n"
        "def _kl(mu, logvar, axis):\n    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(axis)\n\n\n"
        "kl_to_standard_normal = partial(_kl, axis=1)",
    )


@kind("honest")
def answer_decorated(s: Sheet):
    """A decorator of the learner's own changes nothing in what is returned."""
    s.answer(
        "reparameterize",
        "import functools\n\n\n"
        "def counted(f):\n"
        "    @functools.wraps(f)\n"
        "    def inner(*args, **kwargs):\n"
        "        inner.calls += 1\n"
        "        return f(*args, **kwargs)\n\n"
        "    inner.calls = 0\n"
        "    return inner\n\n\n"
        "@counted\n" + s.right("reparameterize"),
    )


@kind("honest")
def answer_in_another_cell(s: Sheet):
    """The stub was left alone and the answer written in a cell of its own below it."""
    s.insert(s.where("reparameterize") + 1, s.right("reparameterize"))
    s.stub(["reparameterize"])


@kind("honest")
def answer_at_the_end(s: Sheet):
    """The stub's cell was deleted and the answer written at the end of the notebook."""
    s.ending(s.right("kl_to_standard_normal"))
    s.remove("kl_to_standard_normal")


@kind("honest")
def helper_in_its_own_cell(s: Sheet):
    """An answer calls a function that stands in a cell above it."""
    s.scratch("def std_of(logvar):\n    return (0.5 * logvar).exp()", before="reparameterize")
    s.answer(
        "reparameterize",
        "def reparameterize(mu, logvar, eps):\n    return mu + std_of(logvar) * eps",
    )


@kind("honest")
def helper_below_the_answer(s: Sheet):
    """A helper is looked up when the answer is called, so it may stand further down."""
    s.answer(
        "reparameterize",
        "def reparameterize(mu, logvar, eps):\n    return mu + std_of(logvar) * eps",
    )
    s.insert(s.where("reparameterize") + 1, "def std_of(logvar):\n    return (0.5 * logvar).exp()")


@kind("honest")
def answers_call_each_other(s: Sheet):
    """One answer uses another one of the same notebook."""
    s.answer(
        "kl_to_standard_normal",
        "def kl_to_standard_normal(mu, logvar):\n"
        "    # E[log q - log p] with the cross terms in closed form\n"
        "    zeros = torch.zeros_like(mu)\n"
        "    at_mean = gaussian_log_density(mu, mu, logvar) - gaussian_log_density(mu, zeros, zeros)\n"
        "    return at_mean - 0.5 * mu.shape[1] + 0.5 * logvar.exp().sum(1)",
    )


@kind("honest")
def import_in_the_import_cell(s: Sheet):
    """A line was added to the cell of imports."""
    s.imports.source += "\nfrom torch.nn import functional as F\nimport numpy as np"
    s.answer("bits", "def bits(nats):\n    return float(nats / np.log(2.0))")


@kind("honest")
def import_in_the_answer_cell(s: Sheet):
    """An import stands above the answer, in its cell."""
    s.answer(
        "bits", "import numpy as np\n\n\ndef bits(nats):\n    return float(nats / np.log(2.0))"
    )


@kind("honest")
def import_in_a_scratch_cell(s: Sheet):
    """An import stands in a cell of its own."""
    s.scratch("import numpy as np")
    s.answer("bits", "def bits(nats):\n    return float(nats / np.log(2.0))")


@kind("honest")
def constants_in_a_scratch_cell(s: Sheet):
    """An answer reads a constant from a cell above it."""
    s.scratch("LOG_2PI = math.log(2 * math.pi)")
    s.answer(
        "gaussian_log_density",
        "def gaussian_log_density(x, mu, logvar):\n    return -0.5 * (LOG_2PI + logvar + (x - mu) ** 2 / logvar.exp()).sum(1)",
    )


@kind("honest")
def unicode_names(s: Sheet):
    """Greek letters are good names, also in NFC and NFKC forms that differ."""
    s.answer(
        "reparameterize",
        "def reparameterize(mu, logvar, eps):\n    σ, μ, ε = (0.5 * logvar).exp(), mu, eps\n    return µ + σ * ϵ",
    )


@kind("honest")
def main_guard(s: Sheet):
    """In a notebook `__name__` is "__main__"."""
    s.answer(
        "bits",
        'if __name__ == "__main__":\n    LN2 = math.log(2)\n\n\ndef bits(nats):\n    return nats / LN2',
    )


@kind("honest")
def top_level_await(s: Sheet):
    """A notebook allows `await` outside of functions."""
    s.answer(
        "reparameterize",
        "import asyncio\n\nawait asyncio.sleep(0.01)\n\n\n" + s.right("reparameterize"),
    )


@kind("honest")
def first_wrong_then_right(s: Sheet):
    """An old attempt was kept above the right answer; the last definition counts."""
    s.answer("reparameterize", WRONG["reparameterize"] + "\n\n\n" + s.right("reparameterize"))


@kind("honest", lost="kl_to_standard_normal")
def changes_its_inputs(s: Sheet):
    """The values are right, but the inputs are changed on the way: a later cell computes with spoiled data."""
    s.answer(
        "kl_to_standard_normal",
        "def kl_to_standard_normal(mu, logvar):\n"
        "    logvar_term = logvar.exp() - 1 - logvar\n"
        "    mu.square_()\n"
        "    return 0.5 * (mu + logvar_term).sum(1)",
    )


@kind("honest")
def markers_in_comments(s: Sheet):
    """The words of the instructor's markers in a comment are no markers."""
    s.answer(
        "reparameterize",
        s.right("reparameterize")
        + "\n\n# ### BEGIN SOLUTION is what the instructor writes, # %% starts a cell",
    )
