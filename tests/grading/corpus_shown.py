"""Submissions that put something live into what is shown: markup, formulas, codes for a terminal.

Where a function has to misbehave its task is lost, all other answers are right and keep their points.
"""

import nbformat

from tests.grading.corpus_kind import Sheet, kind

SHOWN = {
    "markup_in_a_message": (
        "Markup in an exception's message is text.",
        "reparameterize",
        "def reparameterize(mu, logvar, eps):\n    raise ValueError(MARKUP)",
    ),
    "markup_in_the_name_of_an_error": (
        "Markup in the name of a class is text.",
        "reparameterize",
        "def reparameterize(mu, logvar, eps):\n    raise type(MARKUP, (Exception,), {})('x')",
    ),
    "markup_in_a_name": (
        "Markup in a function's name and docstring is text; the answer is right.",
        "",
        "{right}\n\n\nreparameterize.__doc__ = reparameterize.__name__ = reparameterize.__qualname__ = MARKUP",
    ),
    "markup_returned": (
        "Markup in a returned text is text.",
        "reparameterize",
        "def reparameterize(mu, logvar, eps):\n    return MARKUP",
    ),
    "markup_as_keys": (
        "Markup in the keys of a returned dict is text.",
        "reparameterize",
        "def reparameterize(mu, logvar, eps):\n    return {{MARKUP: 1}}",
    ),
}


def markup(s: Sheet) -> str:
    """Markup that would be live in a browser, with the kind's name in it; none of it may be shown as it is."""
    script, handler, frame = (
        f"<script>alert('{s.name}')</script>",
        "<img src=x onerror=alert(1)>",
        "<iframe src=javascript:alert(1)>",
    )
    s.canary.html += [
        f"<script>alert('{s.name}')",
        "<img src=x onerror",
        "<iframe src=javascript",
        "<svg onload",
        "<svg/onload",
    ]
    return f"{script}{handler}{frame}<svg/onload=alert(1)>\"'></td></pre><script>alert('{s.name}')</script>"


@kind(
    "leaking",
    lost="reparameterize",
    each={k: (why, source) for k, (why, task, source) in SHOWN.items() if task},
)
def shown_and_lost(s: Sheet, source):
    s.answer(
        "reparameterize",
        f"MARKUP = {markup(s)!r}\n\n\n" + source.replace("{{", "{").replace("}}", "}"),
    )


@kind("leaking", each={k: (why, source) for k, (why, task, source) in SHOWN.items() if not task})
def shown_and_right(s: Sheet, source):
    s.answer(
        "reparameterize",
        f"MARKUP = {markup(s)!r}\n\n\n" + source.format(right=s.right("reparameterize")),
    )


@kind("leaking")
def markup_printed(s: Sheet):
    """Markup that is printed, or displayed as HTML, SVG, JavaScript, Markdown or a link."""
    s.scratch(f"""
from IPython.display import display

MARKUP = {markup(s)!r}
print(MARKUP)
for kind in ("text/plain", "text/html", "text/markdown", "text/latex", "image/svg+xml", "application/javascript"):
    display({{kind: MARKUP}}, raw=True)
display({{"text/html": "<a href='javascript:alert(1)'>your grade</a><form action='http://127.0.0.1:1'><input name=password></form>"}}, raw=True)
""")
    s.canary.html += ["href='javascript:", 'href="javascript:', "<form action"]


@kind("leaking")
def markup_in_text_cells(s: Sheet):
    """Markup in the learner's text, in the written answer, in titles and in saved outputs."""
    live = markup(s)
    s.insert(0, f"# Title {live}", nbformat.v4.new_markdown_cell)
    s.cell("why_eps").source += f"\n\n{live}\n\n[grade](javascript:alert(1))"
    s.nb.metadata |= {"title": live, "authors": [{"name": live}]}
    s.nb.metadata["kernelspec"]["display_name"] = live
    s.imports.outputs = [
        nbformat.v4.new_output("display_data", data={"text/html": live, "image/svg+xml": live})
    ]
    s.canary.html += ['href="javascript:']


@kind("leaking")
def image_of_a_local_file(s: Sheet):
    """Pictures whose addresses are files of the machine are not put into the feedback."""
    links = (
        "/etc/passwd",
        "file:///etc/passwd",
        "../expected.json",
        "/proc/self/environ",
        "http://127.0.0.1:{port}/picture.png",
    )
    text = "\n\n".join(f"![x]({link}) <img src='{link}'>" for link in links).replace(
        "{port}", str(s.place.port)
    )
    s.insert(0, text, nbformat.v4.new_markdown_cell)
    s.cell("why_eps").source += "\n\n" + text
    s.canary.html += ["cm9vdDp4OjA6MD"]  # how /etc/passwd begins in base64


MESSAGES = {
    "formula_in_a_message": (
        "A message that a spreadsheet would take for a formula.",
        '=HYPERLINK("http://127.0.0.1/"; "your grade")',
    ),
    "command_in_a_message": ("A message that a spreadsheet would run.", "=cmd|' /C calc'!A0"),
    "formula_after_a_tab": ("A formula behind white space.", "\t=1+1"),
    "formula_with_at": ("A formula that begins with @.", "@SUM(1+1)*cmd|' /C calc'!A0"),
    "formula_with_minus": ("A formula that begins with -.", "-2+3+cmd|' /C calc'!A0"),
}


@kind("leaking", lost="reparameterize", each=MESSAGES)
def message(s: Sheet, text):
    s.canary.csv.append(text)
    s.answer(
        "reparameterize", f"def reparameterize(mu, logvar, eps):\n    raise ValueError({text!r})"
    )


@kind("leaking", lost="reparameterize")
def rows_in_a_message(s: Sheet):
    """Line breaks and quotes in a message make no rows of a table and no records of a file."""
    text = '"\r\nmallory,small,graded,9\r\n{"student": "mallory", "score": 9}\r\n\u2028\x0b\x00"'
    s.canary.csv.append("mallory")
    s.answer(
        "reparameterize", f"def reparameterize(mu, logvar, eps):\n    raise ValueError({text!r})"
    )


@kind("leaking", lost="reparameterize")
def terminal_codes_in_a_message(s: Sheet):
    """Codes that would write to the instructor's terminal are not sent to it."""
    text = f"\x1b]0;{s.name}\x07\x1b[2J\x1b[1A\x1b[2K9 of 9 points\x9b31m\r"
    s.canary.shown += [f"\x1b]0;{s.name}", "\x1b[2J"]
    s.answer(
        "reparameterize", f"def reparameterize(mu, logvar, eps):\n    raise ValueError({text!r})"
    )


@kind("leaking", lost="reparameterize")
def text_that_cannot_be_stored(s: Sheet):
    """Half characters, null bytes and marks of direction in a message."""
    s.answer(
        "reparameterize",
        "def reparameterize(mu, logvar, eps):\n    raise ValueError('\\ud800\\x00\\u202e\\ufeff\\x85 message')",
    )
