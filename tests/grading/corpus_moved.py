"""Honest submissions that ran elsewhere: on a GPU, with files and packages, in another order, with names used again later."""

from tests.grading.corpus_kind import Sheet, copied, kind

BEFORE_THE_ANSWER = {
    "gpu_before_the_answer": (
        "On the learner's machine there is a GPU.",
        "device = 'cuda'\nx = torch.zeros(3, device=device)",
    ),
    "own_file_before_the_answer": (
        "The learner's drive is not here.",
        "rows = open('/content/drive/MyDrive/rows.csv').read()",
    ),
    "token_before_the_answer": (
        "The learner's environment is not here.",
        "import os\n\ntoken = os.environ['MY_TOKEN']",
    ),
    "download_before_the_answer": (
        "There is no network.",
        "import urllib.request\n\nurllib.request.urlretrieve('https://example.org/x', 'x')",
    ),
    "old_numpy_before_the_answer": (
        "Another version of a package.",
        "import numpy as np\n\nhalf = np.float_(0.5)",
    ),
    "own_assertion_before_the_answer": (
        "In the box a check says nothing.",
        "assert check.gaussian_log_density(gaussian_log_density).status == 'right'",
    ),
    "subprocess_before_the_answer": (
        "Prints go nowhere, also those of programs.",
        "import subprocess\nimport sys\n\nsubprocess.run(['echo', 'hi'], stdout=sys.stdout)",
    ),
    "form_title_and_magic_before_the_answer": (
        "Colab takes a magic below a title.",
        "#@title My answer\n%%time",
    ),
    "a_long_table_before_the_answer": (
        "Data typed into a cell.",
        "table = [\n" + "    0.123456789, 0.123456789,\n" * 6000 + "]",
    ),
    "a_form_feed_before_the_answer": ("Old editors part pages so.", "\x0c"),
}


@kind("honest", each=BEFORE_THE_ANSWER)
def before_the_answer(s: Sheet, source):
    s.answer("reparameterize", f"{source}\n\n{s.right('reparameterize')}")


AT_THE_TOP = {
    "written_for_a_gpu": (
        "All new tensors on a GPU that is not here.",
        "torch.set_default_device('cuda')",
    ),
    "alarm_left_on": (
        "A time limit of the learner's own that nobody took back.",
        "import signal\n\n\ndef late(*_):\n    raise TimeoutError('too slow')\n\n\n"
        "signal.signal(signal.SIGALRM, late)\nsignal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)",
    ),
    "reset_at_the_top": ("An empty memory is what the notebook begins with anyway.", "%reset -f"),
}


@kind("honest", each=AT_THE_TOP)
def at_the_top(s: Sheet, source):
    s.scratch(source)


USED_AGAIN = {
    "answers_imported_over": (
        "The check above saw the learner's own answer.",
        "from gencourse.models.vae import *",
    ),
    "answer_replaced_by_its_value": (
        "A name that is used again after its check.",
        "reparameterize = reparameterize(torch.zeros(1, 2), torch.zeros(1, 2), torch.ones(1, 2))",
    ),
    "a_function_of_python_replaced": (
        "The answers were right when they were checked.",
        "len = 3\nmath = None",
    ),
}


@kind("honest", each=USED_AGAIN)
def used_again(s: Sheet, source):
    s.ending(source)


@kind("honest")
def helpers_of_one_name(s: Sheet):
    """Two answers with a helper of the same name: each was checked with its own."""
    s.answer(
        "reparameterize", f"half = 0.5\n\n\n{s.right('reparameterize').replace('0.5', 'half')}"
    )
    s.answer("bits", f"half = 'another'\n\n\n{s.right('bits')}")


@kind("honest")
def moved_above_what_it_needs(s: Sheet):
    """The learner moved a cell down; in the order of the hand-out it comes too early."""
    s.answer("gaussian_log_density", f"@plain\n{s.right('gaussian_log_density')}")
    kl = copied(s.cell("kl_to_standard_normal"))
    s.remove("kl_to_standard_normal")
    kl.source = f"def plain(function):\n    return function\n\n\n{kl.source}"
    s.nb.cells.insert(s.where("gaussian_log_density"), kl)


@kind("honest")
def compiled(s: Sheet):
    """`torch.compile` changes the speed of an answer and not what it returns."""
    s.answer("reparameterize", f"@torch.compile\n{s.right('reparameterize')}")


ELSEWHERE = {  # what only the learner's machine and order make right, so that the cells alone do not show it
    *(*BEFORE_THE_ANSWER, *AT_THE_TOP, *USED_AGAIN),
    *("helpers_of_one_name", "moved_above_what_it_needs", "compiled", "asks_for_gpu"),
}


@kind("honest")
def outputs_full_of_numbers(s: Sheet):
    """Plotly writes all its points into the notebook."""
    figure = {
        "application/vnd.plotly.v1+json": {
            "data": [{"y": [round(i / 7, 3) for i in range(600_000)]}]
        }
    }
    s.ending("figure.show()")["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": figure}
    ]
