"""The documents say what is so: examples are run, tables are compared with the code."""

import ast
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.utils import timezone
from django.utils.module_loading import import_string

from tests.code_facts import (
    CONF_SOURCE,
    all_errors,
    check_ids,
    errcodes,
    example_variables,
    read_jwt_keys,
    read_settings,
    routes,
)
from tests.documents import (
    CURL_DOCUMENTS,
    READMES,
    ROOT,
    anchors,
    assert_promises_kept,
    block,
    blocks,
    expected,
    links,
    paste,
    plain,
    read,
    table,
)
from tests.phone import Phone
from wxauth import admin, services, signals
from wxauth.conf import Conf, WechatApp, conf
from wxauth.models import DeletionRequest
from wxauth.simulator import WechatSimulator

DOCUMENTS = sorted(
    str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
)
SETTING = {"README.md": "setting", "README.zh-CN.md": "设置项", "docs/settings.md": "setting"}
KEY = {"README.md": "key", "README.zh-CN.md": "键", "docs/settings.md": "key"}
CODE = {"README.md": ("code", "status", "action"), "README.zh-CN.md": ("code", "状态码", "action")}
# Commands for people, not for a scheduler.
TYPED = {"wxauth_simulator", "wxauth_export", "wxauth_import"}
ROUTE = {
    "README.md": ("route", "methods"),
    "README.zh-CN.md": ("路由", "方法"),
    "docs/api.md": ("route", "methods"),
}


@pytest.fixture
def delivered_settings(settings: Any) -> Any:
    """The settings of a project that has set nothing of ours."""
    for name in [name for name in dir(django_settings) if name.startswith("WXAUTH_")]:
        delattr(settings, name)
    return settings


@pytest.fixture
def make_phone(db: None, wechat_simulator: WechatSimulator, app: WechatApp) -> Callable[..., Phone]:
    def make_phone(name: str = "alice", in_app: WechatApp = app) -> Phone:
        return Phone(wechat_simulator, name, in_app)

    return make_phone


# Examples


@pytest.mark.once
@pytest.mark.parametrize("name", CURL_DOCUMENTS)
def test_curl_examples_answer_as_they_say(
    name: str,
    live_server: Any,
    wechat_simulator: WechatSimulator,
    app: WechatApp,
    settings: Any,
    tmp_path: Path,
) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    code = block(name, "sh curl")
    variables = {
        "API": f"{live_server.url}/api",
        "WECHAT": wechat_simulator.base_url,
        "APP_ID": app.app_id,
        "NATIVE": conf.app("native").app_id,
    }
    variables = {name: value for name, value in variables.items() if f"\n{name}=" in f"\n{code}"}
    answers = paste(code, tmp_path / "records", variables=variables, folder=tmp_path)
    assert_promises_kept(code, answers)


@pytest.mark.static
@pytest.mark.parametrize("name", CURL_DOCUMENTS)
def test_each_route_has_an_example(name: str) -> None:
    code = block(name, "sh curl")
    called = set(re.findall(r"\$API/([\w/]+)", code))
    wanted = routes().keys() if name.startswith("docs/") else called & routes().keys()
    assert called == wanted
    assert len(expected(code)) == len(re.findall(r"\$API/", code))


@pytest.mark.static
def test_both_languages_have_the_same_blocks() -> None:
    english, chinese = (re.findall(r"^```.*?^```$", read(name), re.M | re.S) for name in READMES)
    assert english == chinese


@pytest.mark.static
def test_both_languages_have_the_same_sections() -> None:
    english, chinese = (re.findall(r"^(#+) ", read(name), re.M) for name in READMES)
    assert english == chinese


def test_receiver_of_the_documents_hears_a_registration(
    make_phone: Any,
    django_capture_on_commit_callbacks: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    namespace: dict[str, Any] = {"__name__": "shop.receivers"}
    exec(block("docs/integration.md", "python receivers.py"), namespace)
    phone = make_phone()
    with caplog.at_level("INFO"), django_capture_on_commit_callbacks(execute=True):
        phone.sign_in()
    signals.user_registered.disconnect(namespace["welcome"])
    said = [record.getMessage() for record in caplog.records if record.name == "shop.receivers"]
    assert said == [f"welcome {phone.uid} from default, invited by None"]


# Tables


def evaluate(text: str) -> Any:
    """Return the value that a table writes down, such as ``timedelta(hours=2)``."""
    return eval(
        text,
        {
            "timedelta": timedelta,
            "SECRET_KEY": django_settings.SECRET_KEY,
            "SECRET_KEY_FALLBACKS": django_settings.SECRET_KEY_FALLBACKS,
        },
    )


def property_of(setting: str) -> str:
    """Return the property of ``conf`` whose docstring begins with this setting, or mentions it."""
    for name in dir(Conf):
        value = getattr(Conf, name)
        if isinstance(value, property) and f"``{setting}``" in (value.__doc__ or ""):
            return name
    raise AssertionError(f"no property of conf names {setting}")


@pytest.mark.static
@pytest.mark.parametrize("name", SETTING)
def test_settings_table_is_complete(name: str) -> None:
    rows = [plain(row[SETTING[name]]) for row in table(name, SETTING[name])]
    assert sorted(rows) == sorted(read_settings())


@pytest.mark.static
@pytest.mark.parametrize("name", SETTING)
def test_settings_table_has_the_defaults(name: str, delivered_settings: Any) -> None:
    for row in table(name, SETTING[name]):
        setting = plain(row[SETTING[name]])
        default = evaluate(plain(list(row.values())[1]))
        if setting in ("WXAUTH_APP_ID", "WXAUTH_APP_SECRET"):
            assert default == ""
            assert f'"{setting}", ""' in CONF_SOURCE
            continue
        if setting in ("WXAUTH_CREATE_USER", "WXAUTH_ERASE_USER"):
            default = import_string(default)
        assert getattr(conf, property_of(setting)) == default, setting


@pytest.mark.static
@pytest.mark.parametrize("name", KEY)
def test_jwt_table_is_complete_and_has_the_defaults(name: str, delivered_settings: Any) -> None:
    delivered_settings.SIMPLE_JWT = {}
    rows = {plain(row[KEY[name]]): row for row in table(name, KEY[name])}
    assert rows.keys() == read_jwt_keys()
    properties = {
        "ACCESS_TOKEN_LIFETIME": "access_lifetime",
        "REFRESH_TOKEN_LIFETIME": "refresh_lifetime",
    }
    for key, row in rows.items():
        default = evaluate(plain(list(row.values())[1]))
        if key == "UPDATE_LAST_LOGIN":
            assert conf.update_last_login is default
        else:
            assert getattr(conf.tokens, properties.get(key, key.lower())) == default, key


@pytest.mark.static
@pytest.mark.parametrize("name", CODE)
def test_error_table_is_the_errors(name: str) -> None:
    code, status, action = CODE[name]
    rows = [(plain(row[code]), int(row[status]), plain(row[action])) for row in table(name, code)]
    assert sorted(rows) == sorted(all_errors())


@pytest.mark.static
def test_each_action_is_explained() -> None:
    rows = {plain(row["action"]) for row in table("docs/errors.md", "action")}
    assert rows == {action for _, _, action in all_errors()}


@pytest.mark.static
@pytest.mark.parametrize("name", ROUTE)
def test_routes_table_is_the_urlconf(name: str) -> None:
    route, methods = ROUTE[name]
    rows = {plain(row[route]): set(row[methods].split(", ")) for row in table(name, route)}
    assert rows == routes()


@pytest.mark.static
def test_checks_table_is_the_checks() -> None:
    assert {plain(row["check"]) for row in table("docs/settings.md", "check")} == check_ids()


@pytest.mark.static
def test_crontab_has_each_command_that_nobody_types() -> None:
    folder = ROOT / "wxauth" / "management" / "commands"
    commands = {path.stem for path in folder.glob("wxauth_*.py")}
    crontab = block("docs/deployment.md", "cron").splitlines()
    explained = [plain(row["command"]) for row in table("docs/deployment.md", "command")]
    assert {command.split()[0] for command in explained} == commands - TYPED
    assert len(crontab) == len(explained)
    for line, command in zip(crontab, explained, strict=True):
        assert f"manage.py {command}" in line


@pytest.mark.static
def test_variables_table_is_what_the_example_reads() -> None:
    sources = [ROOT / "example_project" / name for name in ("settings.py", "environment.py")]
    read_by_it = {
        name
        for source in sources
        for name in re.findall(r'read_\w+\(\s*"([A-Z_]+)"', source.read_text("utf-8"))
    }
    rows = table("docs/deployment.md", "variable")
    documented = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row["variable"])}
    assert documented == read_by_it


@pytest.fixture
def heard(db: None) -> Iterator[Callable[[], dict[str, set[str]]]]:
    """Return a function that tells which of our signals were sent, and with which arguments."""
    sent: dict[str, set[str]] = {}
    receivers = []
    for name, signal in vars(signals).items():
        if isinstance(signal, signals.Signal):

            def receive(_name: str = name, **arguments: Any) -> None:
                sent[_name] = set(arguments) - {"signal", "sender"}

            signal.connect(receive)
            receivers.append((signal, receive))
    yield lambda: sent
    for signal, receive in receivers:
        signal.disconnect(receive)


def test_signals_table_has_the_arguments(
    heard: Any,
    make_phone: Any,
    other_app: WechatApp,
    foreign_app: WechatApp,
    django_capture_on_commit_callbacks: Any,
) -> None:
    alice = make_phone("alice")
    with django_capture_on_commit_callbacks(execute=True):
        alice.simulator.user("alice").unionid_hidden = {alice.app.app_id}
        alice.sign_in()
        assert alice.bind_phone().status_code == 200
        make_phone("alice", other_app).sign_in()  # another user, as the unionid is hidden here
        alice.simulator.user("alice").unionid_hidden = False
        assert alice.sign_in().json()["union_conflict"] is True
        other = make_phone("alice", other_app)
        phone_code = other.phone_button()["code"]
        conflict = other.sign_in("phone_login", code=other.code(), phone_code=phone_code)
        assert conflict.json()["phone_conflict"] is True
        link = {"code": make_phone("alice", foreign_app).code(), "app": foreign_app.alias}
        assert alice.post("bind_wechat", link).status_code == 201
        assert alice.post("unbind_wechat", {"app": foreign_app.alias}).status_code == 200
        assert alice.post("unbind_phone").status_code == 204
        assert alice.post("logout").status_code == 204
        carol = make_phone("carol")
        carol.sign_in()
        bob = make_phone("bob")
        bob.sign_in()
        merge = services.propose_merge(
            winner=get_user_model()._default_manager.get(pk=alice.uid),
            loser=get_user_model()._default_manager.get(pk=bob.uid),
        )
        services.undo_merge(merge=services.run_merge(merge=merge))
        assert alice.sign_in().status_code == 200  # the logout is long past
        assert b"".join(alice.post("export").streaming_content)
        push = alice.simulator.make_push("alice", alice.app.app_id, "user_authorization_revoke")
        told = alice.client.post(
            "/push/", push.body, content_type=push.content_type, query_params=push.query
        )
        assert told.content == b"success"
        shop = {"token": alice.tokens["access"], "uid": carol.uid}
        assert alice.client.post("/mall/tz/user/bindSeller", query_params=shop).json()["code"] == 0
        assert alice.post("delete_account", {"confirm": True}).status_code == 202
        assert alice.sign_in().json()["deletion_cancelled"] is True
        assert alice.post("delete_account", {"confirm": True}).status_code == 202
        DeletionRequest.objects.update(due_at=timezone.now())
        call_command("wxauth_delete_accounts", verbosity=0)
    rows = table("docs/integration.md", "signal")
    documented = {plain(r["signal"]): set(re.findall(r"`(\w+)`", r["arguments"])) for r in rows}
    assert heard() == documented


@pytest.mark.static
def test_errcode_table_is_the_meanings_of_the_errcodes() -> None:
    from_code: dict[str, set[int]] = {}
    for errcode, code in errcodes().items():
        from_code.setdefault(code, set()).add(errcode)
    rows = table("docs/errors.md", "code")
    documented = {
        plain(row["code"]): {int(n) for n in re.findall(r"-?\d+", row["errcodes"])} for row in rows
    }
    assert documented == from_code


# Links and words


@pytest.mark.static
@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    here = (ROOT / name).parent
    for target in links(name):
        if target.startswith(("https://", "http://")):
            continue
        path, _, fragment = target.partition("#")
        file = (here / path).resolve() if path else ROOT / name
        assert file.exists(), f"{name}: {target}"
        if fragment:
            assert fragment in anchors(str(file.relative_to(ROOT))), f"{name}: {target}"


@pytest.mark.static
@pytest.mark.parametrize("name", DOCUMENTS)
def test_settings_and_error_codes_in_the_text_exist(name: str) -> None:
    text = read(name)
    known = read_settings() | example_variables() | set(admin.__all__)
    assert set(re.findall(r"\bWXAUTH_[A-Z_]+\b", text)) - known == set()
    codes = {code for code, _, _ in all_errors()}
    assert set(re.findall(r'"code": "([a-z_]+)"', text)) - codes == set()


@pytest.mark.static
@pytest.mark.parametrize("name", DOCUMENTS)
def test_python_and_json_blocks_parse(name: str) -> None:
    for match in re.finditer(r"^```(\w+)[^\n]*\n(.*?)^```$", read(name), re.M | re.S):
        if match[1] == "python":
            ast.parse(match[2])
        elif match[1] == "json":
            json.loads(match[2])


@pytest.mark.static
@pytest.mark.parametrize("name", CURL_DOCUMENTS)
def test_no_shell_example_is_left_out_of_the_run(name: str) -> None:
    assert blocks(name, "sh") == []
