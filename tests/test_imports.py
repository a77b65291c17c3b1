"""
The floors: imports go down only.

The contracts of ``setup.cfg`` are run by import-linter; what it cannot say is read from the source
here. Each rule lists who may, so that a new module may not until it is named.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import wxauth

pytestmark = pytest.mark.static

PACKAGE = Path(wxauth.__file__).parent
SOURCES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
DOORS = (
    "wxauth.api",
    "wxauth.apifactory",
    "wxauth.web",
    "wxauth.push",
    "wxauth.admin",
    "wxauth.management",
)
VAGUE = {"utils", "util", "helpers", "common", "misc", "tools", "lib"}

# What is imported: the packages and modules that may import it.
MAY_IMPORT = {
    "rest_framework": (*DOORS, "wxauth.authentication", "wxauth.rest"),
    "rest_framework_simplejwt": (*DOORS, "wxauth.authentication", "wxauth.tokens"),
    "requests": ("wxauth.wechat.http", "wxauth.downloads"),
    "urllib3": ("wxauth.wechat.http", "wxauth.downloads"),
    "django.conf": ("wxauth.conf", "wxauth.migrations"),
    "importlib": (),
    "django.utils.module_loading": ("wxauth.conf",),
    "segno": ("wxauth.web.scanning",),
    "PIL": ("wxauth.images",),
    "alibabacloud_dysmsapi20170525": ("wxauth.sms.aliyun",),
    "alibabacloud_tea_openapi": ("wxauth.sms.aliyun",),
    "tencentcloud": ("wxauth.sms.tencent",),
    "wxauth.sms.aliyun": (),  # by WXAUTH_SMS_BACKEND only
    "wxauth.sms.tencent": (),
    "wxauth.simulator": ("wxauth.simulator", "wxauth.management.commands.wxauth_simulator"),
}

# What the simulator may know of the rest of the package; only its plugin reads the settings.
SIMULATOR_MAY_IMPORT = ("wxauth.simulator", "wxauth.crypto", "wxauth.exceptions")
SIMULATOR_MAY_IMPORT_MORE = {"wxauth.simulator.pytest_plugin": ("wxauth.conf",)}


def is_inside(name: str, packages: tuple[str, ...]) -> bool:
    """Say whether ``name`` is one of the packages, or something in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def imported_names(tree: ast.AST, module: str, *, is_package: bool = False) -> Iterator[str]:
    """Yield the dotted path of each thing that is imported, at any depth of the source."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parts = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parts, *([base] if base else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def lazy_imports(tree: ast.AST, *, inside: str = "") -> Iterator[tuple[int, str]]:
    """Yield line and function of each import that only runs when a function is called."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and inside:
            yield node.lineno, inside
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from lazy_imports(node, inside=getattr(node, "name", "lambda"))
        else:
            yield from lazy_imports(node, inside=inside)


def names_in(module: str) -> list[str]:
    """Return what one of our modules imports."""
    path = SOURCES[module]
    tree = ast.parse(path.read_text("utf-8"))
    return list(imported_names(tree, module, is_package=path.name == "__init__.py"))


def offenders(imported: str, allowed: tuple[str, ...]) -> list[str]:
    """Return the modules that import something and are not among those who may."""
    return [
        f"{module} imports {name}"
        for module in SOURCES
        if not is_inside(module, allowed)
        for name in names_in(module)
        if is_inside(name, (imported,))
    ]


def test_contracts_of_setup_cfg_are_kept():
    command = "from importlinter.cli import lint_imports_command as run; run()"
    done = subprocess.run(
        [sys.executable, "-c", command, "--config", "setup.cfg", "--no-cache", "--no-logo"],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("imported", "allowed"), MAY_IMPORT.items(), ids=MAY_IMPORT)
def test_only_the_named_modules_import_it(imported, allowed):
    assert offenders(imported, allowed) == []


@pytest.mark.parametrize("module", SOURCES)
def test_no_import_hides_in_a_function(module):
    found = list(lazy_imports(ast.parse(SOURCES[module].read_text("utf-8"))))

    assert [one for one in found if (module, one[1]) != ("wxauth.apps", "ready")] == []


@pytest.mark.parametrize("module", [name for name in SOURCES if "wxauth.simulator" in name])
def test_simulator_knows_little_of_the_package(module):
    allowed = (*SIMULATOR_MAY_IMPORT, *SIMULATOR_MAY_IMPORT_MORE.get(module, ()))

    assert [
        n for n in names_in(module) if is_inside(n, ("wxauth",)) and not is_inside(n, allowed)
    ] == []


@pytest.mark.parametrize("module", SOURCES)
def test_file_name_says_what_is_in_it(module):
    assert not VAGUE & set(module.split("."))


def test_imports_are_seen_wherever_they_hide():
    source = (
        "import a.b\n"
        "from c import d\n"
        "from . import e\n"
        "from ..f import g\n"
        "def one():\n"
        "    import h\n"
        "class Two:\n"
        "    async def three(self):\n"
        "        if self:\n"
        "            from i import j\n"
    )
    tree = ast.parse(source)

    assert list(imported_names(tree, "p.q.r")) == [
        "a.b", "c.d", "p.q.e", "p.f.g", "h", "i.j",
    ]  # fmt: skip
    assert list(lazy_imports(tree)) == [(6, "one"), (10, "three")]
    assert list(imported_names(ast.parse("from .s import t"), "p.q", is_package=True)) == [
        "p.q.s.t"
    ]
