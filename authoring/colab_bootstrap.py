# The course's package. Colab installs it from the repository that this was opened from.
import sys

EDITION, ADDRESS = "<EDITION>", "<ADDRESS>"
try:
    from gencourse.editions import greeting
except ImportError:
    if "google.colab" in sys.modules:
        import json, os, re, urllib.parse, urllib.request

        ip = os.getenv("COLAB_JUPYTER_IP", "172.28.0.12")
        sessions = f"http://{ip}:{os.getenv('KMP_TARGET_PORT', '9000')}/api/sessions"
        github = r"=https://github\.com/([\w.-]+/[\w.-]+)/blob/([\w./-]+)/\w+/\w+.ipynb"
        try:
            path = json.load(urllib.request.urlopen(sessions, timeout=5))[0]["path"]
            repo, branch = re.search(github, urllib.parse.unquote(path)).groups()
            %pip install -q --no-input --no-deps git+https://github.com/{repo}@{branch}
            from gencourse.editions import greeting
        except Exception:  # opened from Drive, or from a repository without the package
            %pip install -q --no-input --no-deps git+{ADDRESS}
try:
    from gencourse.editions import greeting
except ImportError:
    raise ImportError(
        "gencourse is missing here, or older than this notebook. Choose the kernel of "
        "the course's .venv, or open the course with the command of its README; on "
        "Colab, type: %pip install git+https://github.com/OWNER/REPOSITORY"
    ) from None
print(greeting(EDITION))
