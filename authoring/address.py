"""Where the course lives, and the links that are made from it.

The address stands in pyproject.toml, [tool.gencourse]. As long as that is the placeholder, the
build takes the address of the clone's own repository; `python -m authoring.build --repository URL`
sets another one. Checks look at pyproject.toml alone, so a fork, or a clone in CI, is as good as
any.
"""

import re
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import quote, urlencode

import gencourse

ROOT = Path(__file__).parents[1]
PLACEHOLDER = "https://github.com/OWNER_TO_BE_NAMED/gencourse"
GITHUB = "https://github.com/"
HUB = "https://YOUR-HUB"  # in docs, to be replaced by a reader
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
FORMS = (
    re.compile(  # https://HOST/PATH, git@HOST:PATH, ssh://git@HOST:22/PATH, with or without .git
        r"(?:(?:https?|ssh|git)://)?(?:[^@/\s]+@)?((?:[\w-]+\.)+[a-z]{2,})(?::\d+)?[/:]"
        r"([\w.-]+(?:/[\w.-]+)+)"
    )
)


def project() -> dict:
    """What pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def repository() -> str:
    """The address of the course, https://github.com/OWNER/REPOSITORY say."""
    return project()["tool"]["gencourse"]["repository"]


def version() -> str:
    """The edition, as the package's version."""
    return gencourse.__version__


def ref() -> str:
    """What links open, and Colab installs: the tag of a released edition, else the branch."""
    released = re.fullmatch(r"[\d.]+", version())
    return f"v{version()}" if released else project()["tool"]["gencourse"]["branch"]


def normal(url: str) -> str:
    """The https address of a repository, without credentials; "" for what is no public address."""
    found = FORMS.fullmatch(url.strip().removesuffix("/").removesuffix(".git"))
    address = f"https://{found[1]}/{found[2]}" if found else ""
    deep = address.startswith(GITHUB) and address.count("/") != GITHUB.count("/") + 1
    return "" if deep else address


def of_origin() -> str:
    """The address of the remote `origin` if it is on GitHub, "" otherwise."""
    if not (ROOT / ".git").exists():
        return ""
    line = ["git", "config", "--get", "remote.origin.url"]
    try:
        said = subprocess.run(
            line, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False
        ).stdout
    except FileNotFoundError:  # no git
        return ""
    address = normal(said)
    return address if address.startswith(GITHUB) else ""


def chosen(wanted: str | None) -> str:
    """The address that the build is to use: the wanted one, else what is set, else the origin's."""
    if wanted is None:
        return of_origin() or PLACEHOLDER if repository() == PLACEHOLDER else repository()
    if not (address := normal(wanted)):
        raise SystemExit(
            f"--repository should be the https or ssh address of a public repository, got "
            f"{wanted!r}. Copy it from its page."
        )
    return address


def settle(address: str) -> list[str]:
    """Write an address wherever the present one stands; the names of the files that changed."""
    present, changed = repository(), []
    old, new = (one.removeprefix("https://") for one in (present, address))
    if present.startswith(GITHUB) and address.startswith(GITHUB):  # also in badges
        old, new = (one.removeprefix(GITHUB) for one in (present, address))
    for path in texts():
        text = before = path.read_text("utf-8")
        for ours, theirs in ((old, new), (quote(old, safe=""), quote(new, safe=""))):
            text = re.sub(rf"(?<![\w.-]){re.escape(ours)}(?![\w-]|\.(?!git\b)\w)", theirs, text)
        text = re.sub(rf"{HUB}/hub/user-redirect/git-pull\?[^\s)>]+", puller_of(address), text)
        if text != before:
            path.write_text(text, "utf-8", newline="\n")
            changed.append(path.relative_to(ROOT).as_posix())
    return changed


def texts() -> list[Path]:
    """The files beside the notebooks that may name the address."""
    names = ("pyproject.toml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff")
    return [path for name in names if (path := ROOT / name).exists()] + sorted(
        (ROOT / "docs").glob("[!.]*.md")
    )


def badge(folder: str, name: str) -> str:
    """The badge that opens a notebook on Colab; "" where the course is not on GitHub."""
    if not repository().startswith(GITHUB):
        return ""
    place = f"{repository().removeprefix(GITHUB)}/blob/{ref()}/{folder}/{name}.ipynb"
    return f"[![Open in Colab]({BADGE})](https://colab.research.google.com/github/{place})"


def puller(hub: str, address: str, branch: str, path: str = "exercises/01_vae.ipynb") -> str:
    """The link that fetches the course into a learner's folder on a hub, and opens a notebook.

    nbgitpuller clones into a folder named as the repository; it merges later editions by itself,
    and the learner's lines win.
    """
    folder = address.rpartition("/")[2]
    asked = {"repo": address, "branch": branch, "urlpath": f"lab/tree/{folder}/{path}"}
    return f"{hub.rstrip('/')}/hub/user-redirect/git-pull?{urlencode(asked)}"


def puller_of(address: str) -> str:
    """nbgitpuller's link for an address, with a placeholder for the hub.

    It names the branch, since nbgitpuller follows a branch and a tag has no next edition.
    """
    return puller(HUB, address, project()["tool"]["gencourse"]["branch"])
