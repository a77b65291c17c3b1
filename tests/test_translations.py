"""Each sentence that is marked for translation has one, and the compiled catalogue has it too."""

import ast
import gettext
import re
from pathlib import Path

import pytest

import wxauth

PACKAGE = Path(wxauth.__file__).parent
CATALOGUE = PACKAGE / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
MARKS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
TEMPLATE_MARK = re.compile(r"{%\s*(?:trans|translate)\s+([\"'])(.+?)\1")
TEMPLATE_BLOCK = re.compile(r"{%\s*blocktrans(?:late)?\b[^%]*%}(.+?){%\s*endblocktrans", re.DOTALL)
TEMPLATE_FIELD = re.compile(r"{{\s*(\w+)\s*}}")
FIELD = re.compile(r"%(?:\(\w+\))?[sd]|{\w*}")

pytestmark = pytest.mark.static


def read_po(path: Path) -> dict[str, str]:
    """Return the sentences of a catalogue with their translations; "" is its header."""
    found: dict[str, str] = {}
    source = target = ""
    into = None
    for line in [*path.read_text("utf-8").splitlines(), ""]:
        keyword, _, quoted = line.partition(" ")
        if line.startswith('"'):
            keyword, quoted = str(into), line
        elif keyword == "msgid":
            source = target = ""
        if not line.startswith(("msg", '"')):
            if into:
                found[source] = target
            into = None
            continue
        into = keyword
        text = ast.literal_eval(quoted)
        if keyword == "msgid":
            source += text
        elif keyword in {"msgstr", "msgstr[0]"}:
            target += text
    return found


def marked_sentences() -> dict[str, str]:
    """Return each marked sentence of the package with the file it stands in."""
    found: dict[str, str] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                first = node.args[0] if node.args else None
                if name in MARKS and isinstance(first, ast.Constant):
                    found[first.value] = str(path.relative_to(PACKAGE))
    for path in PACKAGE.rglob("*.html"):
        template = path.read_text("utf-8")
        sentences = [sentence for _quote, sentence in TEMPLATE_MARK.findall(template)]
        for block in TEMPLATE_BLOCK.findall(template):
            sentences.append(TEMPLATE_FIELD.sub(r"%(\1)s", block))
        found |= dict.fromkeys(sentences, str(path.relative_to(PACKAGE)))
    return found


def test_each_marked_sentence_is_translated() -> None:
    translations = read_po(CATALOGUE)
    lacking = {
        text: path for text, path in marked_sentences().items() if not translations.get(text)
    }
    assert not lacking, "run makemessages in wxauth/, translate, and run compilemessages"


def test_no_translation_is_a_guess_or_left_over() -> None:
    text = CATALOGUE.read_text("utf-8")
    assert "fuzzy" not in text
    assert "#~" not in text
    assert set(read_po(CATALOGUE)) - {""} <= set(marked_sentences())


def test_compiled_catalogue_says_what_the_source_says() -> None:
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    outdated = {
        text
        for text, translation in read_po(CATALOGUE).items()
        if text
        and compiled.gettext(text) != translation
        and compiled.ngettext(text, "", 2) != translation
    }
    assert not outdated, "run compilemessages in wxauth/"
    known = {key if isinstance(key, str) else key[0] for key in compiled._catalog}
    assert known == set(read_po(CATALOGUE)), "run compilemessages in wxauth/"


def test_translations_are_chinese_and_keep_their_fields() -> None:
    for text, translation in read_po(CATALOGUE).items():
        if text:
            assert FIELD.findall(text) == FIELD.findall(translation), text
            assert text in {"uid", "app id"} or any("一" <= c <= "鿿" for c in translation), text
            assert text.endswith(".") == translation.endswith("。"), text


def test_catalogue_is_plain_about_where_it_comes_from() -> None:
    assert "Language: zh_Hans\n" in read_po(CATALOGUE)[""]
