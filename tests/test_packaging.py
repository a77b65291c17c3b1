"""What is in the wheel, and what is not."""

import configparser
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import wxauth

# One group, so that one worker builds the wheel once.
pytestmark = [pytest.mark.once, pytest.mark.xdist_group("wheel")]

ROOT = Path(__file__).resolve().parent.parent
BUILD_FILES = ["setup.cfg", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md"]
BUILD_FOLDERS = ["wxauth", "tests", "example_project", "docs", "benchmarks"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy of the tree, so that the tree stays as it is."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    litter = shutil.ignore_patterns("__pycache__", "*.egg-info", "node_modules")
    for name in BUILD_FILES:
        shutil.copy(ROOT / name, source)
    for name in BUILD_FOLDERS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=litter)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    command += ["--no-index", "--disable-pip-version-check", "--wheel-dir", str(target)]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = target.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture(scope="module")
def names(wheel):
    """The paths in the wheel."""
    return set(wheel.namelist())


@pytest.fixture(scope="module")
def metadata(wheel, names):
    """The metadata of the wheel, as a mapping."""
    (path,) = (name for name in names if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(path).decode())


def test_each_file_of_the_package_is_in_the_wheel(names):
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "wxauth").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert package - names == set()
    assert "wxauth/py.typed" in names


@pytest.mark.parametrize("suffix", [".mo", ".po"])
def test_translations_are_in_the_wheel(names, suffix):
    assert [name for name in names if name.endswith(suffix)]


def test_migrations_are_in_the_wheel(names):
    assert [name for name in names if name.startswith("wxauth/migrations/0001_")]


def test_nothing_but_the_package_is_in_the_wheel(names):
    assert {n.split("/")[0] for n in names if ".dist-info/" not in n} == {"wxauth"}


def test_no_litter_is_in_the_wheel(names):
    assert not [n for n in names if n.endswith((".pyc", ".orig", ".rej", ".sqlite3"))]


def test_metadata_comes_from_setup_cfg(metadata):
    assert metadata["Name"] == "wxauth"
    assert metadata["Version"] == wxauth.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert "MIT" in (metadata["License"] or metadata["License-Expression"])
    assert metadata.get_payload().startswith("#")


def test_pytest_plugin_is_an_entry_point(wheel, names):
    (path,) = (name for name in names if name.endswith("entry_points.txt"))
    entry_points = configparser.ConfigParser()
    entry_points.read_string(wheel.read(path).decode())

    assert entry_points["pytest11"]["wxauth"] == "wxauth.simulator.pytest_plugin"


def test_jwt_library_without_the_known_hole_is_required(metadata):
    """PyJWT before 2.12 has CVE-2026-32597."""
    assert "PyJWT>=2.12" in metadata.get_all("Requires-Dist")


def test_pyproject_has_build_system_and_ruff_only():
    tables = [
        line for line in (ROOT / "pyproject.toml").read_text().splitlines() if line[:1] == "["
    ]

    assert all(line == "[build-system]" or line.startswith("[tool.ruff") for line in tables)
