# Colab only: install the companion package (torch and numpy are already there and are left as they are).
import importlib.util
import os
import sys

if importlib.util.find_spec("gencourse") is None and "google.colab" in sys.modules:
    spec = os.environ.get("GENCOURSE_SPEC", "{SPEC}")
    %pip install -q --no-deps {spec}
import gencourse

print("gencourse", gencourse.__version__)
