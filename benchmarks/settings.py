"""The example project, with the floors beside it and a database that goes away afterwards."""

import tempfile
from pathlib import Path

from example_project.settings import *  # noqa: F403
from example_project.settings import DATABASES

ROOT_URLCONF = "benchmarks.urls"
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {
        "NAME": str(Path(tempfile.gettempdir(), "wxauth-benchmark.sqlite3"))
    }
else:
    DATABASES["default"]["TEST"] = {"NAME": "wxauth_benchmark"}
