"""Reports: nothing from a submission is live, a student sees the own page only, and the numbers about the class are right."""

import base64
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest

from gencourse.checks._verdict import BADGES
from gencourse.grading.gradebook.book import Gradebook
from gencourse.grading.gradebook.class_statistics import STYLE, summarise
from gencourse.grading.gradebook.report import ALL_MARKS, TEMPLATES, page_name, write_reports
from tests.grading.test_gradebook import HOSTILE_NAMES, enrol, result, task
from tests.lanes import mostly_slow

TAGS = set(
    [
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "h2",
        "h3",
        "p",
        "b",
        "bdi",
        "br",
        "small",
        "a",
        "div",
        "span",
        "section",
        "article",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "dl",
        "dt",
        "dd",
        "img",
        "details",
        "summary",
        "pre",
        "code",
    ]
)
VOID = {"meta", "br", "img"}
ATTRIBUTES = set(
    [
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "class",
        "id",
        "href",
        "src",
        "alt",
        "scope",
        "tabindex",
        "role",
        "aria-label",
        "aria-hidden",
    ]
)
PAYLOADS = [
    *HOSTILE_NAMES,
    "</code></pre></details><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "<svg onload=alert(1)>",
    "javascript:alert(1)",
    "`<b onclick=alert(1)>`",
    "]]>--><!--",
    "$\\frac{1}{0}$ $x^$",
    "a" * 3_000_000,
    "\n" * 100_000,
    "`" * 10_001,
]


class Page(HTMLParser):
    """What is live on a page, and whether its tags are in balance."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.open, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def handle_comment(self, data):
        raise AssertionError(data)

    @property
    def text(self):
        return "".join(self.words)


def pages(folder):
    return {path.name: Page(path.read_text("utf-8")) for path in folder.rglob("*.html")}


@pytest.fixture
def book(tmp_path):
    return Gradebook(tmp_path / "book")


def check_inert(page):
    assert set(page.tags) <= TAGS, set(page.tags) - TAGS
    for tag, name, value in page.attributes:
        assert name in ATTRIBUTES, (tag, name, value[:80])
        if name == "href":
            assert re.fullmatch(r"#[\w.-]+|students/[a-z0-9-]+\.html", value), value
        if name == "src":
            assert value.startswith("data:image/svg+xml;base64,")
    assert ("html", "lang", "en") in page.attributes
    policy = next(
        value
        for tag, name, value in page.attributes
        if tag == "meta" and name == "content" and "src" in value
    )
    assert (
        policy.startswith("default-src 'none'; style-src 'sha256-")
        and "unsafe" not in policy
        and "http" not in policy
    )


@pytest.mark.parametrize(
    "payload", mostly_slow(PAYLOADS, every=4), ids=lambda text: ascii(text[:24])
)
def test_nothing_from_a_submission_is_live(book, tmp_path, payload):
    tasks = [
        task(source=payload, message=payload, mistake=payload, status="wrong", title=payload),
        task("why", "waiting", kind="manual"),
    ]
    hostile = result(
        payload[:300], reason=payload, tasks=tasks, flags=[payload[:1000]], sandbox="none"
    )
    enrol(book, "01_vae", hostile, result("ben", status="unreadable", reason=payload, tasks=[]))
    book.grade_by_hand(payload[:300], "01_vae", "why", 1, payload)
    book.grade_by_hand(payload[:300], "01_vae", "", comment=payload)
    write_reports(book, tmp_path / "out")
    for page in pages(tmp_path / "out").values():
        check_inert(page)
        assert not re.search(
            "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page.text
        )
        assert "49" not in page.text or "{{" not in payload
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*")) < 600_000
    assert {path.parent for path in tmp_path.rglob("*.html")} == {
        tmp_path / "out",
        tmp_path / "out/students",
    }


def test_the_test_for_inert_pages_has_power():
    for live in (
        "<script>1</script>",
        "<p onclick=x></p>",
        '<a href="javascript:x">x</a>',
        '<img src="http://x">',
        '<p style="x"></p>',
    ):
        with pytest.raises((AssertionError, StopIteration)):
            check_inert(Page(f'<html lang="en">{live}</html>'))


def test_page_names_are_safe_and_differ(book, tmp_path):
    names = {page_name(name) for name in HOSTILE_NAMES}
    assert len(names) == len(HOSTILE_NAMES)
    assert all(re.fullmatch(r"[a-z0-9-]{1,40}-[0-9a-f]{10}\.html", name) for name in names)
    assert (
        page_name("a b")[:4] == page_name("A_B")[:4] == "a-b-"
        and page_name("Jürgen").startswith("jurgen-")
        and page_name("数").startswith("student-")
    )
    enrol(book, "01_vae", *(result(name) for name in HOSTILE_NAMES))
    write_reports(book, tmp_path / "out")
    links = {
        value.removeprefix("students/")
        for _, name, value in Page((tmp_path / "out/index.html").read_text("utf-8")).attributes
        if name == "href"
    }
    assert (
        names
        == {path.name for path in (tmp_path / "out/students").iterdir()}
        == links - {"#01_vae"}
    )


def test_a_student_reads_verdicts_points_hints_comments_and_own_code(book, tmp_path):
    tasks = [
        task("kl", kind="kernel", title="The divergence"),
        task(
            "elbo",
            "wrong",
            0,
            3,
            message="Look at `exp`.",
            mistake="variance_as_std",
            source="if a < b:\n    pass",
        ),
        task("fit", "not attempted", 0, 1),
        task("why", "waiting", 0, 4, kind="manual", source="Because."),
    ]
    enrol(
        book,
        "01_vae",
        result(
            "anna",
            tasks=tasks,
            flags=["check-cell-edited"],
            sandbox="none",
            reason="One cell was too slow.",
        ),
    )
    enrol(
        book,
        "02_gan",
        result(
            "anna",
            assignment="02_gan",
            status="infrastructure_error",
            reason="bwrap: no such file",
            tasks=[],
        ),
    )
    enrol(book, "01_vae", result("ben"))
    book.grade_by_hand("anna", "01_vae", "elbo", 1, "Nearly there.")
    write_reports(book, tmp_path)
    text = re.sub(r"\s+", " ", pages(tmp_path)[page_name("anna")].text)
    for said in (
        "Report for anna",
        "3 of 10 points so far",
        "This was graded without a sandbox.",
        "One cell was too slow.",
        "1 answer is still to be graded by hand",
        "✓ right",
        "✗ wrong",
        "points by hand, instead of 0",
        "Look at exp.",
        "Nearly there.",
        "○ not attempted",
        "… waiting",
        "if a < b:",
        "Because.",
        "Not graded yet: grading failed through no fault of yours",
    ):
        assert said in text, said
    for kept_back in (
        "spoofable",
        "check-cell-edited",
        "bwrap",
        "ben",
        "variance_as_std",
        "index.html",
    ):
        assert kept_back not in text, kept_back


def test_what_could_not_be_read_says_why(book, tmp_path):
    tasks = [task(status="not judged", points=0)]
    enrol(
        book,
        "01_vae",
        result("anna", status="unreadable", reason="The file ends in the middle.", tasks=tasks),
        result("ben", status="missing", tasks=tasks),
    )
    write_reports(book, tmp_path)
    anna, ben = (pages(tmp_path)[page_name(name)].text for name in ("anna", "ben"))
    assert (
        "could not be read" in anna
        and "The file ends in the middle." in anna
        and "0 of 2 points" in anna
        and "not judged" not in anna
    )
    assert "No notebook was handed in." in ben


def test_the_teacher_sees_reasons_flags_problems_and_missing_sandboxes(book, tmp_path):
    enrol(
        book,
        "01_vae",
        result("anna", flags=["check-cell-edited"], sandbox="none"),
        result("ben", status="unreadable", reason="Not JSON.", tasks=[]),
    )
    book.save_roster("01_vae", [{"student": "cleo", "student_id": "", "file": "", "key": ""}])
    book.manual.write_text("torn", "utf-8")
    text = Page(write_reports(book, tmp_path).read_text("utf-8")).text
    for said in (
        "1 submission was graded without a sandbox",
        "About check-cell-edited.",
        "Not JSON.",
        "not graded yet",
        "Line 1 of manual.jsonl",
        "no sandbox",
    ):
        assert said in text, said


def test_the_summary_of_nothing_has_no_mean():
    assert summarise("x", []).mean is None and summarise("x", []).median is None


def test_mistakes_are_counted_with_their_share_of_attempts(book):
    def one(student, status, mistake=""):
        return result(
            student,
            tasks=[
                task(
                    "kl",
                    status,
                    2 * (status == "right"),
                    2,
                    message=f"About {mistake}." if mistake else "",
                    mistake=mistake,
                )
            ],
        )

    statuses = [
        ("right", ""),
        ("wrong", "sign"),
        ("wrong", "sign"),
        ("wrong", "mean"),
        ("wrong", ""),
        ("not attempted", ""),
    ]
    enrol(
        book,
        "01_vae",
        *(one(f"s{i}", *status) for i, status in enumerate(statuses)),
        result("u", status="unreadable", tasks=[]),
    )
    summary = summarise("01_vae", book.table())
    assert [(found.name, found.hint, found.count, found.share) for found in summary.mistakes] == [
        ("sign", "About sign.", 2, 2 / 5),
        ("mean", "About mean.", 1, 1 / 5),
    ]
    assert summary.statuses == {"graded": 6, "unreadable": 1}
    assert summary.tasks == {"kl": {"right": 1, "wrong": 4, "not attempted": 1}}
    assert (summary.mean, summary.median, summary.out_of) == (pytest.approx(1 / 3), 0, 2)


def test_pages_depend_on_the_grades_only(book, tmp_path):
    enrol(book, "01_vae", result("anna"), result("ben"))
    write_reports(book, tmp_path / "one")
    write_reports(book, tmp_path / "two")
    assert [p.read_bytes() for p in sorted((tmp_path / "one").rglob("*.html"))] == [
        p.read_bytes() for p in sorted((tmp_path / "two").rglob("*.html"))
    ]


def test_figures_have_title_and_units_and_leave_pyplot_alone(book, tmp_path):
    enrol(
        book,
        "01_vae",
        result("anna"),
        result(
            "ben",
            tasks=[
                task(status=status, name=f"$\\{status}$")
                for status in STYLE
                if status in ALL_MARKS and status != "graded by hand"
            ],
        ),
    )
    before = plt.get_fignums()
    page = Page(write_reports(book, tmp_path).read_text("utf-8"))
    assert plt.get_fignums() == before
    pictures = [
        base64.b64decode(value.split(",")[1])
        for tag, name, value in page.attributes
        if (tag, name) == ("img", "src")
    ]
    assert len(pictures) == 2
    for picture in pictures:
        tags = {element.tag.split("}")[-1] for element in ElementTree.fromstring(picture).iter()}
        assert not tags & {"script", "a", "image", "foreignObject"}
    words = pictures[0].decode() + pictures[1].decode()
    for said in (
        "score (points out of 12)",
        "submissions (count)",
        "Scores of the graded submissions",
        "Verdicts per task",
        "task",
    ):
        assert f"<!-- {said} -->" in words, said
    assert (
        sum(
            tag == "img" and name == "alt" and len(value) > 20
            for tag, name, value in page.attributes
        )
        == 2
    )


def test_every_status_has_a_mark_a_bar_and_a_colour():
    assert set(ALL_MARKS) == set(STYLE)
    style = (TEMPLATES / "style.css").read_text("utf-8")
    assert BADGES["right"] in style and BADGES["wrong"] in style
    for status in ("right", "wrong", "waiting", "graded-by-hand"):
        assert f".{status} .verdict" in style


def test_tables_have_headers_with_scope(book, tmp_path):
    enrol(book, "01_vae", result("anna", flags=["f"]))
    page = Page(write_reports(book, tmp_path).read_text("utf-8"))
    assert (
        page.tags.count("th")
        == sum(tag == "th" and name == "scope" for tag, name, _ in page.attributes)
        > 5
    )


def test_an_empty_gradebook_has_a_page(book, tmp_path):
    check_inert(Page(write_reports(book, tmp_path).read_text("utf-8")))
