"""The documents as their readers take them: blocks of code, tables, links, and what curl says."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
READMES = ["README.md", "README.zh-CN.md"]
CURL_DOCUMENTS = [*READMES, "docs/api.md"]
ANYTHING = "…"  # in the documents: what differs each time

_BLOCK = re.compile(r"^```(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_EXPECTED = re.compile(r"^# (?P<status>[1-5]\d\d)(?: (?P<body>.*))?$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)

# Stands before curl in the reader's PATH: the same answer to the reader, and a record for us.
RECORDING_CURL = """
curl() {
  local body; body=$(mktemp "$RECORDS/body.XXXXXX")
  command curl "$@" -o "$body" -w '%{http_code} %{url_effective} '"$body"'\\n' >> "$RECORDS/calls"
  cat "$body"
}
"""


@dataclass(frozen=True)
class Answer:
    """What one curl was answered."""

    status: int
    url: str
    body: Any


def read(name: str) -> str:
    """Return the text of a document."""
    return (ROOT / name).read_text("utf-8")


def blocks(name: str, info: str) -> list[str]:
    """Return the fenced blocks of a document whose opening line says exactly ``info``."""
    return [match["code"] for match in _BLOCK.finditer(read(name)) if match["info"] == info]


def block(name: str, info: str) -> str:
    """Return all blocks with this ``info`` as one; there must be one at least."""
    found = blocks(name, info)
    assert found, f"{name} has no block {info!r}"
    return "\n".join(found)


def table(name: str, first_column: str) -> list[dict[str, str]]:
    """Return the rows of the table whose first heading this is, each by heading."""
    rows: list[dict[str, str]] = []
    headings: list[str] = []
    for line in read(name).splitlines():
        if not line.startswith("|"):
            headings = []
            continue
        # A bar inside of code is written \|.
        cells = [c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells[0] == first_column:
            headings = cells
        elif headings and not set(cells[0]) <= {"-", ":"}:
            rows.append(dict(zip(headings, cells, strict=True)))
    assert rows, f"{name} has no table that begins with {first_column!r}"
    return rows


def plain(cell: str) -> str:
    """Return what a cell holds between its backquotes."""
    assert cell[0] == cell[-1] == "`", cell
    return cell.strip("`")


def prose(name: str) -> str:
    """Return the document without its blocks of code."""
    return _BLOCK.sub("", read(name))


def links(name: str) -> list[str]:
    """Return where the document's links lead."""
    return [match["target"] for match in _LINK.finditer(prose(name))]


def anchors(name: str) -> set[str]:
    """Return the fragments of the document's headings, as GitHub makes them."""
    found = set()
    for match in _HEADING.finditer(prose(name)):
        text = re.sub(r"[^\w\- ]", "", match["text"].lower())
        found.add(text.replace(" ", "-"))
    return found


def expected(code: str) -> list[tuple[int, Any]]:
    """Return the status and body that a block promises for each of its calls of our API."""
    return [
        (int(match["status"]), json.loads(match["body"]) if match["body"] else None)
        for match in _EXPECTED.finditer(code)
    ]


def paste(code: str, records: Path, *, variables: Mapping[str, str], folder: Path) -> list[Answer]:
    """
    Run a block as a reader who has pasted it into bash, with ``variables`` of their own.

    Return what the calls of our API were answered; the simulator's and those of pages are not
    among them, and must all be answered with 200.
    """
    for name, value in variables.items():
        code, changed = re.subn(rf"^{name}=.*$", f"{name}={value}", code, flags=re.MULTILINE)
        assert changed, f"nothing sets {name}"
    records.mkdir()
    done = subprocess.run(
        ["bash", "-c", RECORDING_CURL + code],
        cwd=folder,
        env={
            **os.environ,
            "RECORDS": str(records),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == "", done.stderr
    answers = []
    for line in (records / "calls").read_text().splitlines():
        status, url, path = line.split(" ")
        text = Path(path).read_text("utf-8")
        if "/_sim/" in url or "/api/" not in url:
            assert status == "200", text
        else:
            answers.append(Answer(int(status), url, json.loads(text) if text else None))
    return answers


def fits(promised: Any, answered: Any) -> bool:
    """Tell whether an answer has exactly the shape that a document shows."""
    if promised == ANYTHING:
        return answered not in (None, "")
    if isinstance(promised, dict):
        return (
            isinstance(answered, dict)
            and promised.keys() == answered.keys()
            and all(fits(promised[name], answered[name]) for name in promised)
        )
    if isinstance(promised, list):
        return (
            isinstance(answered, list)
            and len(promised) == len(answered)
            and all(map(fits, promised, answered))
        )
    return bool(promised == answered and type(promised) is type(answered))


def assert_promises_kept(code: str, answers: list[Answer]) -> None:
    """Fail on the first call whose status or body is not what the block says."""
    promises = expected(code)
    for (status, body), answer in zip(promises, answers, strict=False):
        assert answer.status == status, f"{answer.url} answers {answer}"
        assert fits(body, answer.body), f"{answer.url} answers {answer.body}, not {body}"
    assert len(promises) == len(answers), "not every call has its status in the document"
