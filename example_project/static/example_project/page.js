// The page: its choices, its buttons, and what is drawn when.

import * as account from "./account.js";
import { byId, h } from "./dom.js";
import { goHome, place } from "./parts.js";
import { showPhone } from "./phone.js";
import { apps, choice, keep, people, seat } from "./seats.js";
import { READS, WANT_NUMBER } from "./sheets.js";
import * as story from "./story.js";
import { findSimulator } from "./talk.js";
import { language, speak, text } from "./texts.js";
import * as timeline from "./timeline.js";
import { TROUBLES, trouble } from "./upstream.js";

const deeds = { ...story, ...account };
const STEPS = ["login", "register", "phone", "use", "logout"];
let busy = false;

/** A button on the phone was pressed. */
async function press(name, ...values) {
  if (busy) return;
  busy = true;
  say({ text: text("working"), busy: true });
  draw();
  const { state } = seat();
  let said;
  try {
    said = await deeds[name](...values);
  } catch (error) {
    console.error(error);
    said = { bad: true, text: String(error) };
  }
  busy = false;
  if (seat().state !== state) goHome(); // signed in or out: what was open is over
  if (said?.draft) Object.assign(place.draft, said.draft);
  if (said?.message) place.message = said.message;
  say(said);
  if (said?.open) await open(said.open);
  else if (said?.close) close();
  else draw();
  keep();
}

/** Open a sheet, and read what it shows. */
async function open(sheet) {
  Object.assign(place, { sheet, draft: {}, message: null });
  draw();
  byId("sheet").focus({ preventScroll: true });
  if (READS[sheet]) await press(READS[sheet]);
  else if (WANT_NUMBER.has(sheet)) await prefill(sheet);
}

/** Begin with the number of the phone in hand, unless somebody was faster. */
async function prefill(sheet) {
  const number = await account.ownNumber();
  if (place.sheet !== sheet || place.draft.phone !== undefined) return;
  place.draft.phone = number;
  const input = byId("field-phone");
  if (input) input.value = number;
}

/** Close the sheet, and go on from the button that opened it. */
function close() {
  const { sheet } = place;
  Object.assign(place, { sheet: null, draft: {}, message: null });
  draw();
  (byId("screen").querySelector(`[data-do="open-${sheet}"]`) ?? byId("screen")).focus({ preventScroll: true });
}

/** Show another screen of the mini program. */
function go(view) {
  goHome();
  place.view = view;
  say(null);
  draw();
  byId("screen").scrollTop = 0;
  (byId("screen").querySelector(view === "account" ? ".entry" : "[data-do=account]") ?? byId("screen")).focus({ preventScroll: true });
}

/** The line at the phone's lower edge: what has just happened, until the next thing does. */
function say(said) {
  const toast = byId("toast");
  toast.className = `toast ${said?.bad ? "bad" : ""} ${said?.busy ? "busy" : ""}`;
  toast.textContent = said?.text ?? "";
}

function draw() {
  showPhone({ press, open, close, go, busy });
  drawSteps();
  byId("trouble").value = trouble.next;
  byId("trouble").classList.toggle("armed", trouble.next !== "none");
}

function drawSteps() {
  const { done } = seat();
  const next = STEPS.find((step) => !done[step]);
  byId("steps").replaceChildren(...STEPS.map((step, index) =>
    h("li", { class: done[step] ? "done" : step === next ? "next" : "", "aria-current": step === next ? "step" : null },
      h("span", { class: "dot", "aria-hidden": "true" }, done[step] ? "✓" : String(index + 1)),
      h("span", {}, text(`step.${step}`)),
      done[step] ? h("span", { class: "hidden" }, ` (${text("step.done")})`) : null)));
}

function radio(name, value, label, checked, ...more) {
  const input = h("input", { type: "radio", name, value, id: `${name}-${value}`, checked });
  input.addEventListener("change", () => choose({ [name]: value }));
  return h("span", { class: "choice" }, input, h("label", { for: input.id }, label), ...more);
}

function drawChoices() {
  const own = h("input", {
    type: "text", id: "own", value: choice.own, maxlength: "32", autocomplete: "off", spellcheck: "false",
    placeholder: text("person.placeholder"), "aria-label": text("person.own"),
    oninput: (event) => {
      byId("person-own").checked = true;
      choose({ person: "own", own: event.target.value });
    },
  });
  byId("persons").replaceChildren(
    ...people.map((name) => radio("person", name, text(`person.${name}`), choice.person === name)),
    h("span", { class: "choice own" },
      h("input", { type: "radio", name: "person", value: "own", id: "person-own", class: "hidden", checked: choice.person === "own", "aria-label": text("person.own"), onchange: () => choose({ person: "own" }) }),
      own),
  );
  byId("apps").replaceChildren(
    ...apps.map(({ alias }) => radio("app", alias, text(`app.${alias}`, {}, alias), choice.app === alias)),
  );
  byId("trouble").replaceChildren(
    ...Object.keys(TROUBLES).map((name) => h("option", { value: name }, text(`trouble.${name}`))),
  );
}

function choose(what) {
  Object.assign(choice, what);
  goHome();
  say(null);
  draw();
  keep();
}

function setLanguage(next) {
  choice.language = next;
  speak(next);
  const button = byId("language");
  button.textContent = text("language");
  button.lang = next === "zh" ? "en" : "zh";
  byId("readme").href = `${byId("readme").pathname}?lang=${next}`;
  say(null);
  drawChoices();
  draw();
  timeline.show();
  if (!byId("notice").hidden) byId("notice").textContent = text("notice.simulator");
  keep();
}

function tick() {
  byId("clock").textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
}

byId("language").addEventListener("click", () => setLanguage(language() === "zh" ? "en" : "zh"));
byId("back").addEventListener("click", () => busy || go("home"));
byId("scrim").addEventListener("click", () => busy || close());
byId("sheet").addEventListener("keydown", (event) => event.key === "Escape" && !busy && close());
byId("clear").addEventListener("click", timeline.clear);
byId("trouble").addEventListener("change", (event) => {
  trouble.next = event.target.value;
  draw();
});
tick();
setInterval(tick, 10000);
setLanguage(choice.language);
if (!(await findSimulator())) {
  byId("notice").textContent = text("notice.simulator");
  byId("notice").hidden = false;
}
