"""A new project that has followed the README to the letter, tried as its owner would."""

import json
import shutil
from pathlib import Path

import pytest
import requests

from tests.documents import ROOT, assert_promises_kept, block, blocks, paste
from tests.integration.project import APP_ID, INTEGRATION, README, Project, run_step

# One group, so that one worker makes the project once.
pytestmark = [pytest.mark.once, pytest.mark.xdist_group("new_project")]

SUPERUSER = {"username": "boss", "password": "a password for one test"}


def test_steps_install_the_package_and_not_the_checkout(project: Project) -> None:
    where = project.run("-c", "import wxauth; print(wxauth.__file__)").strip()
    assert Path(where).is_relative_to(project.python.parent.parent)


def test_steps_lead_to_a_working_sign_in(project: Project, tmp_path: Path) -> None:
    code = block(README, "sh curl")
    variables = {"API": f"{project.site}/api", "WECHAT": project.wechat, "APP_ID": APP_ID}
    answers = paste(code, tmp_path / "records", variables=variables, folder=tmp_path)
    assert_promises_kept(code, answers)


def test_app_id_of_the_steps_is_the_one_to_paste() -> None:
    assert f"WXAUTH_APP_ID={APP_ID}" in block(README, "sh run")
    assert f"APP_ID={APP_ID}" in (ROOT / README).read_text("utf-8")


def test_new_project_has_nothing_to_complain_about(project: Project) -> None:
    assert "no issues" in project.run("manage.py", "check")
    assert "No changes" in project.run("manage.py", "makemigrations", "--check", "--dry-run")


def test_own_views_take_our_token(project: Project) -> None:
    tokens = project.post("/api/authorize", code=project.code("viewer")).json()
    assert project.get("/basket").status_code == 401
    assert project.get("/basket", "nonsense").status_code == 401
    answer = project.get("/basket", tokens["access"])
    assert (answer.status_code, answer.json()) == (200, {"owner": tokens["uid"], "app": "default"})


def test_own_view_for_people_with_a_phone_waits_for_the_phone(project: Project) -> None:
    token = project.post("/api/authorize", code=project.code("caller")).json()["access"]
    assert project.get("/orders", token).status_code == 403
    button = requests.get(
        f"{project.wechat}/_sim/phone", params={"user": "caller", "appid": APP_ID}, timeout=30
    ).json()
    bound = requests.post(
        f"{project.site}/api/bind_phone",
        json={"phone_code": button["code"]},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert bound.status_code == 200
    answer = project.get("/orders", token)
    assert answer.status_code == 200
    assert answer.json()["phone"].endswith("****" + button["purePhoneNumber"][-4:])


def test_plain_django_signs_in_who_has_an_account(project: Project) -> None:
    assert project.post("/sign-in", code=project.code("plain")).status_code == 403
    uid = project.post("/api/authorize", code=project.code("plain")).json()["uid"]
    answer = project.post("/sign-in", code=project.code("plain"))
    assert (answer.status_code, answer.json()) == (200, {"uid": uid})
    assert "sessionid" in answer.cookies


def test_user_admin_shows_the_inlines(project: Project) -> None:
    project.run(
        "manage.py",
        "createsuperuser",
        "--noinput",
        "--email=",
        f"--username={SUPERUSER['username']}",
        DJANGO_SUPERUSER_PASSWORD=SUPERUSER["password"],
    )
    tokens = project.post("/api/authorize", code=project.code("shown")).json()
    (identity,) = project.get("/api/me", tokens["access"]).json()["identities"]
    browser = requests.Session()
    login = f"{project.site}/admin/login/"
    browser.get(login, timeout=30)
    form = {**SUPERUSER, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    browser.post(login, data=form, timeout=30)
    page = browser.get(f"{project.site}/admin/auth/user/{tokens['uid']}/change/", timeout=30)
    assert page.status_code == 200
    assert identity["openid"] in page.text


def test_fixture_of_the_package_serves_the_project_s_own_tests(project: Project) -> None:
    (project.folder / "test_sign_in.py").write_text(block(README, "python test_sign_in.py"))
    told = project.run(
        "-m", "pytest", "--ds=shop.settings", "-p", "no:cacheprovider", "test_sign_in.py"
    )
    assert "1 passed" in told


MORE = """
from shop.settings import *

{blocks}
DATABASES["default"]["NAME"] = BASE_DIR / "more.sqlite3"
"""
TRY_MORE = """
import sys, urllib.request, json, django
django.setup()
from django.core.management import call_command
from django.contrib.auth import get_user_model
from shop.services import ban, sign_in_by_your_own_route
from wxauth.exceptions import TokenInvalid
from wxauth.models import AuditEvent, LoginSession
from wxauth import services

call_command("migrate", verbosity=0)
url = sys.argv[1] + "/_sim/login?user=more&appid=wx0123456789abcdef"
code = json.load(urllib.request.urlopen(url))["code"]
pair = sign_in_by_your_own_route(code)
user = services.check_token(access=pair.access).login_session.user
print(user.username)
ban(user)
try:
    services.check_token(access=pair.access)
except TokenInvalid:
    print("banned")
LoginSession.objects.update(expires_at="2020-01-01T00:00Z")
AuditEvent.objects.create(kind=AuditEvent.Kind.EXPORTED, at="2020-01-01T00:00Z")
"""
COUNT_MORE = """
import django
django.setup()
from wxauth.models import AuditEvent, LoginSession
print(AuditEvent.objects.count(), LoginSession.objects.count())
"""


def test_services_own_users_and_own_apps_work_as_documented(project: Project) -> None:
    settings = [
        *blocks(INTEGRATION, "python settings.py apps"),
        *blocks(INTEGRATION, "python settings.py users"),
    ]
    assert len(settings) == 2
    (project.folder / "shop" / "more.py").write_text(MORE.format(blocks="\n".join(settings)))
    for name in ("wechat_apps.py", "customers.py", "services.py"):
        (project.folder / "shop" / name).write_text(block(INTEGRATION, f"python {name}"))
    more = {"DJANGO_SETTINGS_MODULE": "shop.more"}
    name, banned = project.run("-c", TRY_MORE, project.wechat, **more).split()
    assert name.startswith("mall-")
    assert banned == "banned"
    assert project.run("-c", COUNT_MORE, **more).split() == ["1", "1"]
    for line in block("docs/deployment.md", "cron").splitlines():
        command = line.split(maxsplit=5)[5]  # after the five fields that say when
        run_step(["bash", "-ec", command], cwd=project.folder, env=project.environment | more)
    assert project.run("-c", COUNT_MORE, **more).split() == ["0", "0"]


# What a mini program has and Node has not, over HTTP to the site and to the simulator.
PHONE = """
const [WECHAT, APP_ID, SITE] = process.argv.slice(2);
const store = {}, asked = [];
const until = async (condition) => { while (condition && !condition()) await tick(); };
const tick = () => new Promise((done) => setTimeout(done, 5));
globalThis.wx = {
  login: ({ success, fail }) =>
    fetch(`${WECHAT}/_sim/login?user=node&appid=${APP_ID}`)
      .then((answer) => answer.json()).then(success, fail),
  request: ({ url, method = "GET", data, header = {}, success, fail }) => {
    const { hold, ...headers } = { "Content-Type": "application/json", ...header };
    asked.push(new URL(url).pathname.split("/").pop());
    return fetch(url, { method, headers, body: data && JSON.stringify(data) })
      .then((answer) => until(hold).then(() => answer))
      .then(async (answer) => ({ statusCode: answer.status, data: await answer.json() }))
      .then(success, fail);
  },
  setStorageSync: (name, value) => { store[name] = value; },
  getStorageSync: (name) => store[name] ?? "",
};
const { request } = require("./session.js");
const me = (hold) => request({ url: `${SITE}/api/me`, header: { hold } });
const isRenewed = () => store.access !== "expired";
const acts = {
  async first() { return [await me()]; },
  async later() { return [await me()]; },
  async expired() { store.access = "expired"; return Promise.all([me(), me(), me()]); },
  async expiredAndSlow() { store.access = "expired"; return Promise.all([me(), me(isRenewed)]); },
  async signedOut() { store.access = store.refresh = "expired"; return [await me()]; },
};
(async () => {
  const told = {};
  for (const [name, act] of Object.entries(acts)) {
    asked.length = 0;
    const answers = await act();
    told[name] = [answers.map((answer) => answer.statusCode), [...asked].sort()];
    told.uid = [...(told.uid ?? []), ...answers.map((answer) => answer.data.uid)];
  }
  console.log(JSON.stringify(told));
})();
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_mini_program_of_the_readme_signs_in_and_renews(project: Project, tmp_path: Path) -> None:
    session = block(README, "js session.js")
    api = "https://shop.example.com/api"
    assert session.count(api) == 1
    (tmp_path / "session.js").write_text(session.replace(api, f"{project.site}/api"))
    (tmp_path / "phone.js").write_text(PHONE)
    node = str(shutil.which("node"))
    command = [node, "phone.js", project.wechat, APP_ID, project.site]
    told = json.loads(run_step(command, cwd=tmp_path))
    assert told["first"] == [[200], ["login", "me", "register_simple"]]
    assert told["later"] == [[200], ["me"]]
    assert told["expired"] == [[200, 200, 200], ["me"] * 6 + ["refresh_token"]]
    assert told["expiredAndSlow"] == [[200, 200], ["me"] * 4 + ["refresh_token"]]
    assert told["signedOut"] == [[200], ["login", "me", "me", "refresh_token"]]
    assert len(set(told["uid"])) == 1
