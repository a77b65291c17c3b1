// What the mini program does when it has scanned a code. Who has no account says so with the ticket
// of their sign-in; where the computer wants to be signed in, they register first.

const { api, simulator, app, scan } = document.body.dataset;
const part = (id) => document.getElementById(id);
let proof = {}; // the ticket, or nothing beside the token
let access = "";

async function post(route, body) {
  const headers = { "Content-Type": "application/json" };
  if (access) headers.Authorization = `Bearer ${access}`;
  const response = await fetch(`${api}/${route}`, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  return { ok: response.ok, status: response.status, body: text ? JSON.parse(text) : {} };
}

async function login(name) {
  const query = new URLSearchParams({ user: name, appid: app });
  const { code } = await (await fetch(`${simulator}/_sim/login?${query}`)).json();
  const answer = await post("login", { code });
  if (answer.ok) access = answer.body.access;
  else proof = { ticket: answer.body.ticket };
}

async function look() {
  const answer = await post("scan/look", { scan, ...proof });
  if (answer.body.code !== "not_registered") return answer;
  const registered = await post("register_simple", { ticket: answer.body.ticket });
  access = registered.body.access;
  proof = {};
  return post("scan/look", { scan });
}

const say = ({ status, body }) => {
  part("answer").textContent = body.detail ? `${status} ${body.detail}` : String(status);
};

part("look").addEventListener("submit", async (event) => {
  event.preventDefault();
  part("look").hidden = true;
  await login(event.target.elements.name.value);
  const answer = await look();
  say(answer);
  if (!answer.ok) return;
  part("browser").textContent = answer.body.browser;
  part("ip").textContent = answer.body.ip_address;
  part("account").textContent = answer.body.account ?? "";
  part("account-name").hidden = !answer.body.account;
  part("asked").hidden = part("choice").hidden = false;
  part("yes").focus();
});

for (const [id, step] of [["yes", "confirm"], ["no", "refuse"]]) {
  part(id).addEventListener("click", async () => {
    part("choice").hidden = true;
    say(await post(`scan/${step}`, { scan, ...proof }));
  });
}
