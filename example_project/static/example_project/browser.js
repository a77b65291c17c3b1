// The two flows that end in tokens: a ticket in this page's address, and a mobile app.

const { api, simulator, native } = document.body.dataset;
const answer = document.getElementById("answer");

async function post(route, body) {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(`${api}/${route}`, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() };
}

function show({ status, body }) {
  answer.textContent = status < 300 ? `${status} uid ${body.uid}` : `${status} ${body.code}`;
}

// Only the ticket that this tab has asked for: anybody can send around a link with one of their own.
const way = document.getElementById("ticket");
way.addEventListener("click", () => {
  const asked = crypto.getRandomValues(new Uint32Array(4)).join("-");
  sessionStorage.setItem("asked", asked);
  const there = new URL(way.href);
  there.searchParams.set("next", `${location.pathname}?asked=${asked}`);
  way.href = there;
});

const address = new URL(location.href);
const ticket = address.searchParams.get("wxauth_ticket");
if (ticket) {
  const asked = sessionStorage.getItem("asked");
  sessionStorage.removeItem("asked");
  const is_ours = asked !== null && address.searchParams.get("asked") === asked;
  history.replaceState(null, "", address.pathname);
  if (is_ours) show(await post("oauth/ticket", { ticket }));
  else answer.textContent = answer.dataset.foreign;
}

document.getElementById("native").addEventListener("click", async () => {
  const begun = await post("oauth/start", { app: "native" });
  const { state, verifier } = begun.body;
  // What WeChat's SDK does on a phone.
  const sdk = await fetch(`${simulator}/_sim/oauth?user=alice&appid=${native}`);
  const { code } = await sdk.json();
  show(await post("oauth/login", { app: "native", code, state, verifier }));
});
