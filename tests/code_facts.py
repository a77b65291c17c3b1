"""What the code says of itself, for comparison with what the documents say."""

import ast
import re
from pathlib import Path

from tests.documents import ROOT
from wxauth import checks
from wxauth import conf as conf_module
from wxauth.api.urls import urlpatterns
from wxauth.exceptions import WxauthError
from wxauth.rest import failures
from wxauth.wechat.errcodes import CODE_TO_SESSION, MEANINGS, meaning

CONF_SOURCE = "\n".join(
    file.read_text("utf-8") for file in sorted(Path(conf_module.__file__).parent.glob("*.py"))
)


def read_settings() -> set[str]:
    """Return the names of our settings that the source of ``conf`` asks for."""
    return {
        node.value
        for node in ast.walk(ast.parse(CONF_SOURCE))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"WXAUTH_\w+", node.value)
    }


def read_jwt_keys() -> set[str]:
    """Return the keys of ``SIMPLE_JWT`` that the source of ``conf`` asks for."""
    return set(re.findall(r'\.get\("([A-Z_]+)"', CONF_SOURCE)) - {"BACKEND"}


def all_errors() -> set[tuple[str, int, str]]:
    """Return code, status and action of every error body that we can send."""
    classes, found = [WxauthError], set()
    while classes:
        kind = classes.pop()
        classes += kind.__subclasses__()
        if kind.__module__.startswith("wxauth."):
            found.add((kind.code, kind.status, kind.action))
    rows = [*(row for _, row in failures.FOREIGN), failures.TOO_LARGE]
    return found | {(code, status, action) for code, status, _, action in rows}


def routes() -> dict[str, set[str]]:
    """Return the routes and their methods."""
    verbs = ("get", "post", "put", "patch", "delete")
    return {
        str(pattern.pattern).removeprefix("^").removesuffix("/?$"): {
            verb.upper() for verb in verbs if hasattr(pattern.callback.view_class, verb)
        }
        for pattern in urlpatterns
    }


def errcodes() -> dict[int, str]:
    """Return our code for each errcode that has one of its own at code2Session."""
    found = {number: meaning(CODE_TO_SESSION, number).error.code for number in MEANINGS}
    return {n: code for n, code in found.items() if code != "wechat_error"}


def example_variables() -> set[str]:
    """Return the variables that only the example project and the tests read."""
    sources = [*ROOT.glob("example_project/*.py"), ROOT / "tests" / "run.py"]
    text = "".join(path.read_text("utf-8") for path in sources)
    return set(re.findall(r"\bWXAUTH_[A-Z_]+\b", text))


def check_ids() -> set[str]:
    """Return the ids of the system checks that the source of ``checks`` makes."""
    files = Path(checks.__file__).parent.glob("*.py")
    source = "\n".join(file.read_text("utf-8") for file in files)
    return {
        f"wxauth.{kind[0].upper()}{int(number):03}"
        for kind, number in re.findall(r"\b(error|warning)\((\d+),", source)
    }
