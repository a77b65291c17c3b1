// The page: its choices, its buttons, and what is drawn when.

import { byId, h } from "./dom.js";
import { showPhone } from "./phone.js";
import { apps, choice, keep, people, seat } from "./seats.js";
import * as story from "./story.js";
import { findSimulator } from "./talk.js";
import { language, speak, text } from "./texts.js";
import * as timeline from "./timeline.js";
import { TROUBLES, trouble } from "./upstream.js";

const STEPS = ["login", "register", "phone", "use", "logout"];
let busy = false;

/** A button on the phone was pressed. */
async function press(name, ...values) {
  if (busy) return;
  busy = true;
  say({ text: text("working"), busy: true });
  draw();
  let said;
  try {
    said = await story[name](...values);
  } catch (error) {
    console.error(error);
    said = { bad: true, text: String(error) };
  }
  busy = false;
  say(said);
  draw();
  keep();
}

/** The line at the phone's lower edge: what has just happened, until the next thing does. */
function say(said) {
  const toast = byId("toast");
  toast.className = `toast ${said?.bad ? "bad" : ""} ${said?.busy ? "busy" : ""}`;
  toast.textContent = said?.text ?? "";
}

function draw() {
  showPhone({ press, busy });
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
