"""Where the course lives: one address in all files, set without editing one; one version; links."""

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

import gencourse
from authoring import address, build

ROOT = Path(__file__).parents[1]
FORMS = {
    "https://github.com/ada/course": "https://github.com/ada/course",
    "https://github.com/ada/course.git\n": "https://github.com/ada/course",
    "https://github.com/ada/course/": "https://github.com/ada/course",
    "https://ada:secret@github.com/ada/course.git": "https://github.com/ada/course",
    "http://github.com/ada/my.course": "https://github.com/ada/my.course",
    "github.com/ada/course": "https://github.com/ada/course",
    "git@github.com:ada/course.git": "https://github.com/ada/course",
    "ssh://git@github.com:22/ada/course.git": "https://github.com/ada/course",
    "git://github.com/ada/course": "https://github.com/ada/course",
    "https://gitlab.com/group/sub/course.git": "https://gitlab.com/group/sub/course",
    "git@codeberg.org:ada/course.git": "https://codeberg.org/ada/course",
    "": "",
    "/srv/git/course.git": "",
    "../course": "",
    "file:///srv/git/course": "",
    "C:\\course": "",
    "https://localhost/ada/course": "",
    "http://127.0.0.1:3000/ada/course.git": "",
    "https://github.com/ada": "",
    "https://github.com/ada/course/tree/main": "",
    "https://github.com/ada/course; rm": "",
}


@pytest.mark.parametrize("form", FORMS)
def test_an_address_is_read_in_all_its_forms(form):
    assert address.normal(form) == FORMS[form]


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A repository with the files that name the address."""
    for path in address.texts():
        copied = tmp_path / path.relative_to(ROOT)
        copied.parent.mkdir(exist_ok=True)
        text = path.read_text("utf-8")
        copied.write_text(text.replace(address.repository(), address.PLACEHOLDER), "utf-8")
    with (tmp_path / "README.md").open("a", encoding="utf-8") as readme:
        readme.write(f"\ngit clone {address.PLACEHOLDER}.git\n({address.PLACEHOLDER}-extra)\n")
    monkeypatch.setattr(address, "ROOT", tmp_path)
    if shutil.which("git"):
        subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def origin(clone: Path, url: str) -> None:
    if shutil.which("git") is None:
        pytest.skip("needs git")
    subprocess.run(["git", "config", "remote.origin.url", url], cwd=clone, check=True)


@pytest.mark.parametrize("form", FORMS)
def test_the_build_takes_an_origin_on_github_and_no_other(form, clone):
    origin(clone, form.strip())
    on_github = FORMS[form] if "//github.com/" in FORMS[form] else ""
    assert address.chosen(None) == (on_github or address.PLACEHOLDER)


def test_an_address_that_was_set_stays_in_a_fork(clone):
    """Else the next contribution would move the course to the contributor."""
    address.settle("https://github.com/ada/course")
    origin(clone, "https://github.com/contributor/course")
    assert address.chosen(None) == address.repository() == "https://github.com/ada/course"
    assert address.chosen("git@github.com:bob/mine.git") == "https://github.com/bob/mine"
    with pytest.raises(SystemExit, match="public repository, got '/srv/x'"):
        address.chosen("/srv/x")


def test_without_git_there_is_no_origin(clone, monkeypatch):
    (clone / ".git").exists() or (clone / ".git").mkdir()
    monkeypatch.setenv("PATH", "")
    assert address.of_origin() == ""


def test_settling_reaches_every_file_and_every_form(clone):
    changed = address.settle("https://github.com/ada/models")
    assert {"pyproject.toml", "README.md", "docs/teaching.md"} <= set(changed)
    assert address.repository() == "https://github.com/ada/models"
    readme = (clone / "README.md").read_text("utf-8")
    assert "git clone https://github.com/ada/models.git\n" in readme
    assert f"({address.PLACEHOLDER}-extra)" in readme  # another repository
    for path in address.texts():
        text = path.read_text("utf-8").replace(f"{address.PLACEHOLDER}-extra", "")
        if path.name != "CONTRIBUTING.md":
            assert "OWNER_TO_BE_NAMED" not in text, path
    assert "urlpath=lab%2Ftree%2Fmodels%2F" in (clone / "docs/teaching.md").read_text("utf-8")
    assert "/github/ada/models/blob/" in address.badge("notebooks", "01_vae")
    assert not address.settle("https://github.com/ada/models")
    address.settle("https://gitlab.com/group/sub/models")
    assert address.badge("notebooks", "01_vae") == ""  # Colab opens GitHub alone
    assert f'"https://gitlab.com/group/sub/models@{address.ref()}"' in build.first_cell()
    address.settle(address.PLACEHOLDER)
    assert address.repository() == address.PLACEHOLDER


def test_the_checks_do_not_look_at_origin(monkeypatch):
    """A clone in CI, or a fork, is as good as any."""
    monkeypatch.setattr(address, "of_origin", lambda: pytest.fail("origin was asked for"))
    monkeypatch.setattr("sys.argv", ["build", "--check", "01_vae"])
    build.main()


def test_one_version_in_all_places():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert gencourse.__version__ == address.version() == str(citation["version"])
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?", address.version())
    log = (ROOT / "CHANGELOG.md").read_text("utf-8")
    newest = re.findall(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$", log, re.M)
    if address.ref().startswith("v"):  # a released edition
        assert newest[0] == (address.version(), str(citation["date-released"]))
    else:
        assert newest[0] == ("Unreleased", "") and "date-released" not in citation
        assert f"In the package: {address.version()}." in log
    dated = [(tuple(map(int, version.split("."))), day) for version, day in newest if day]
    assert dated == sorted(dated, reverse=True)


@pytest.mark.parametrize(
    ("version", "ref"), [("0.2.0", "v0.2.0"), ("0.2.0.dev0", "main"), ("1.0.0rc1", "main")]
)
def test_links_open_a_released_edition_at_its_tag(version, ref, monkeypatch):
    monkeypatch.setattr(address, "version", lambda: version)
    assert f"/blob/{ref}/exercises/01_vae.ipynb" in address.badge("exercises", "01_vae")
    assert f'@{ref}"' in build.first_cell()


def test_nbgitpullers_link_follows_its_rules_and_stands_in_the_manual():
    """Its link generator: HUB/hub/user-redirect/git-pull, with repo, branch, and the path behind
    lab/tree, which begins with the name of the repository.
    """
    link = urlsplit(address.puller("https://hub.example.org/", "https://github.com/a/b", "main"))
    assert (link.netloc, link.path) == ("hub.example.org", "/hub/user-redirect/git-pull")
    assert parse_qs(link.query, strict_parsing=True) == {
        "repo": ["https://github.com/a/b"],
        "branch": ["main"],
        "urlpath": ["lab/tree/b/exercises/01_vae.ipynb"],
    }
    ours = address.puller_of(address.repository())
    assert ours in (ROOT / "docs/teaching.md").read_text("utf-8")
    assert (ROOT / parse_qs(urlsplit(ours).query)["urlpath"][0].split("/", 3)[3]).exists()
