// The phone's screen: what the mini program shows its user, and the sheet and the message over it.

import { byId, h } from "./dom.js";
import { avatar, button, opener, place } from "./parts.js";
import { choice, personName, referrers, seat } from "./seats.js";
import { drawAccount, drawSheet } from "./sheets.js";
import { text } from "./texts.js";

let renaming = false;

/** Draw the phone. `press(name, ...arguments)` is called for each button, `open(sheet)`, `close()`. */
export function showPhone({ press, open, close, go, busy }) {
  const app = text(`app.${choice.app}`, {}, choice.app);
  const { state } = seat();
  if (state !== "in") renaming = false;
  const tools = { app, press, open, close, go, busy, redraw: () => showPhone({ press, open, close, go, busy }) };
  const inAccount = state === "in" && place.view === "account";
  byId("phone-title").textContent = inAccount ? text("in.account") : app;
  byId("back").hidden = !inAccount;
  byId("back").setAttribute("aria-label", text("back"));
  const draw = inAccount ? drawAccount : { out: drawOut, unknown: drawUnknown, in: drawIn }[state];
  const screen = byId("screen");
  screen.dataset.state = state;
  screen.dataset.view = inAccount ? "account" : "home";
  screen.setAttribute("aria-busy", String(busy));
  fill(screen, draw(tools));
  const sheet = byId("sheet");
  sheet.hidden = !place.sheet;
  byId("scrim").hidden = !place.sheet;
  screen.inert = byId("back").inert = Boolean(place.sheet);
  fill(sheet, place.sheet ? drawSheet(tools) : []);
  const message = byId("message");
  message.hidden = !place.message;
  message.replaceChildren(...(place.message ? drawMessage(place.message, tools) : []));
}

/** Draw anew. Whoever works with the keyboard goes on from the same button, or from the first. */
function fill(element, children) {
  const active = element.contains(document.activeElement) ? document.activeElement : null;
  const scrolled = element.querySelector(".sheet-body")?.scrollTop ?? 0;
  element.replaceChildren(...children);
  const body = element.querySelector(".sheet-body");
  if (body) body.scrollTop = scrolled;
  if (!active) return;
  const same = active.dataset.do && element.querySelector(`[data-do="${active.dataset.do}"]`);
  (same || element.querySelector(".main") || element).focus({ preventScroll: true });
}

/** A text message has come: it lies over the screen until it is filled in. */
function drawMessage(message, { redraw }) {
  const use = () => {
    Object.assign(place.draft, { sms_code: message.sms_code });
    place.message = null;
    redraw();
    byId("field-sms_code")?.focus();
  };
  return [
    h("p", {}, h("b", {}, text("message.from")), h("small", {}, text("message.now"))),
    h("p", {}, text("message.text", message)),
    h("button", { type: "button", "data-do": "fill", onclick: use }, text("message.fill")),
  ];
}

function drawOut(tools) {
  const { app } = tools;
  return [
    h("div", { class: "hero" }, h("span", { class: `logo logo-${choice.app}`, "aria-hidden": "true" }, [...app][0]),
      h("h3", {}, text("out.title", { app })), h("p", {}, text("out.text"))),
    h("div", { class: "stack" },
      button("login", text("out.login"), tools, { class: "main" }),
      button("phoneLogin", text("out.phone"), tools, { class: "plain" }),
      button("authorize", text("out.authorize"), tools, { class: "plain", "aria-describedby": "silent" }),
      h("p", { class: "hint", id: "silent" }, text("out.authorize.hint")),
      h("div", { class: "pair", role: "group", "aria-label": text("out.other") },
        opener("sms", text("out.sms"), tools, { class: "bare" }),
        opener("password", text("out.password"), tools, { class: "bare" }))),
  ];
}

function drawUnknown(tools) {
  const { app, press, busy } = tools;
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
      h("div", { class: "pair" }, opener("sms", text("unknown.attach"), tools, { class: "bare" }),
        button("notNow", text("unknown.back"), tools, { class: "bare" }))),
  ];
}

function drawIn(tools) {
  const { me = {}, uid, orders, conflict } = seat();
  const bound = Boolean(me.phone);
  return [
    drawCard(me, uid, tools),
    conflict ? h("div", { class: "callout" }, h("p", {}, text(conflict === "phone" ? "merge.callout" : "in.conflict")),
      opener("merge", text("entry.merge"), tools, { class: "plain" })) : null,
    drawFacts(me),
    h("button", { type: "button", class: "entry alone", "data-do": "account", onclick: () => tools.busy || tools.go("account") },
      h("span", {}, text("in.account"))),
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
