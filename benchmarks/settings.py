"""The example project, with the floors beside it and a database that goes away afterwards."""

import os
import tempfile
from pathlib import Path

from example_project.settings import *  # noqa: F403
from example_project.settings import DATABASES

ROOT_URLCONF = "benchmarks.urls"
NAME = f"wxauth_benchmark_{os.getpid()}"
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    NAME = str(Path(tempfile.gettempdir(), f"{NAME}.sqlite3"))
DATABASES["default"]["TEST"] = {"NAME": NAME}
