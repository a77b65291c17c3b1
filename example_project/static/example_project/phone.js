// The phone's screen: what the mini program shows its user.

import { byId, h } from "./dom.js";
import { choice, personName, referrers, seat } from "./seats.js";
import { text } from "./texts.js";

const TONES = 6; // colours of avatars
let renaming = false;

/** Draw the screen. `press(name, ...arguments)` is called for each button. */
export function showPhone({ press, busy }) {
  const screen = byId("screen");
  const active = screen.contains(document.activeElement) ? document.activeElement : null;
  const app = text(`app.${choice.app}`, {}, choice.app);
  byId("phone-title").textContent = app;
  const { state } = seat();
  if (state !== "in") renaming = false;
  const draw = { out: drawOut, unknown: drawUnknown, in: drawIn }[state];
  screen.dataset.state = state;
  screen.setAttribute("aria-busy", String(busy));
  screen.replaceChildren(...draw({ app, press, busy, redraw: () => showPhone({ press, busy }) }));
  if (active) refocus(screen, active);
}

/** Whoever works with the keyboard goes on from the same button, or from the screen's first. */
function refocus(screen, active) {
  const same = active.dataset.do && screen.querySelector(`[data-do="${active.dataset.do}"]`);
  (same || screen.querySelector(".main") || screen).focus({ preventScroll: true });
}

/** A button. While a request runs it stays where it is, and does nothing. */
function button(name, label, { press, busy }, properties = {}) {
  return h(
    "button",
    {
      type: "button",
      "data-do": name,
      "aria-disabled": busy ? "true" : null,
      onclick: () => busy || press(name),
      ...properties,
    },
    label,
  );
}

function avatar(name, size = "") {
  const tone = [...name].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % TONES;
  return h("span", { class: `avatar tone-${tone} ${size}`, "aria-hidden": "true" }, [...name][0]?.toUpperCase() ?? "?");
}

function drawOut({ app, press, busy }) {
  const tools = { press, busy };
  return [
    h("div", { class: "hero" }, h("span", { class: `logo logo-${choice.app}`, "aria-hidden": "true" }, [...app][0]),
      h("h3", {}, text("out.title", { app })), h("p", {}, text("out.text"))),
    h("div", { class: "stack" },
      button("login", text("out.login"), tools, { class: "main" }),
      button("authorize", text("out.authorize"), tools, { class: "plain", "aria-describedby": "silent" }),
      h("p", { class: "hint", id: "silent" }, text("out.authorize.hint"))),
  ];
}

function drawUnknown({ app, press, busy }) {
  const tools = { press, busy };
  const known = referrers();
  const input = h("input", {
    id: "referrer", "data-do": "referrer", list: "referrers", autocomplete: "off", maxlength: "64",
    value: known[0]?.uid ?? "",
  });
  const register = (name) => ({ onclick: () => busy || press(name, input.value.trim()) });
  return [
    h("div", { class: "hero" }, avatar(personName(), "large"), h("h3", {}, text("unknown.title")),
      h("p", {}, text("unknown.text", { app }))),
    h("div", { class: "field" },
      h("label", { for: "referrer" }, text("unknown.referrer")), input,
      h("datalist", { id: "referrers" }, known.map(({ name, uid }) => h("option", { value: uid }, name)))),
    h("div", { class: "stack" },
      button("registerComplex", text("unknown.complex"), tools, { class: "main", ...register("registerComplex") }),
      button("registerSimple", text("unknown.simple"), tools, { class: "plain", ...register("registerSimple") }),
      button("notNow", text("unknown.back"), tools, { class: "bare" })),
  ];
}

function drawIn(tools) {
  const { me = {}, uid, orders, conflict } = seat();
  const bound = Boolean(me.phone);
  return [
    drawCard(me, uid, tools),
    conflict ? h("p", { class: "callout" }, text("in.conflict")) : null,
    drawFacts(me),
    h("div", { class: "stack" },
      bound ? null : button("bindPhone", text("in.bind"), tools, { class: "main" }),
      button("orders", text("in.orders"), tools, { class: bound ? "main" : "plain" })),
    orders ? h("ul", { class: "orders" }, orders.map(({ item, number, amount }) =>
      h("li", {}, h("span", {}, item), h("small", {}, number), h("b", {}, `¥ ${amount}`)))) : null,
    h("div", { class: "grid" },
      button("check", text("in.check"), tools),
      button("refresh", text("in.refresh"), tools),
      button("reload", text("in.me"), tools),
      bound ? button("bindPhone", text("in.rebind"), tools) : button("rename", text("in.rename"), tools, { onclick: () => startRenaming(tools) }),
      button("logout", text("in.logout"), tools, { class: "leave" }),
      button("logoutAll", text("in.logoutall"), tools, { class: "leave" })),
  ].filter(Boolean);
}

function drawCard(me, uid, tools) {
  if (renaming) return drawRename(me, tools);
  return h("div", { class: "person" }, avatar(me.nickname || personName()),
    h("div", {}, h("strong", {}, me.nickname || text("in.unnamed")), h("small", {}, `${text("in.uid")} ${uid}`)),
    button("rename", "✎", tools, { class: "edit", title: text("in.rename"), "aria-label": text("in.rename"), onclick: () => startRenaming(tools) }));
}

function startRenaming({ redraw, busy }) {
  if (busy) return;
  renaming = true;
  redraw();
  byId("nickname")?.select();
}

function drawRename(me, { press, redraw }) {
  const input = h("input", { id: "nickname", "data-do": "rename", "aria-label": text("in.nickname"), maxlength: "64", value: me.nickname || "" });
  const stop = () => {
    renaming = false;
    redraw();
  };
  const save = (event) => {
    event.preventDefault();
    renaming = false;
    press("rename", input.value.trim());
  };
  return h("form", { class: "rename", onsubmit: save, onkeydown: (event) => event.key === "Escape" && stop() },
    input, h("button", { type: "submit", class: "save" }, text("in.save")),
    h("button", { type: "button", class: "bare", onclick: stop }, text("in.cancel")));
}

function drawFacts(me) {
  const places = [...new Set((me.identities ?? []).map(({ app }) => app).filter(Boolean))];
  const rows = [
    [text("in.phone"), me.phone || text("in.nophone"), !me.phone],
    [text("in.referrer"), me.referrer ? String(me.referrer) : text("in.noreferrer"), !me.referrer],
    places.length ? [text("in.apps"), places.map((alias) => text(`app.${alias}`, {}, alias)).join(", ")] : null,
  ];
  return h("dl", { class: "facts" }, rows.filter(Boolean).map(([name, value, faint]) =>
    h("div", {}, h("dt", {}, name), h("dd", { class: faint ? "faint" : null }, value))));
}
