// What the phone's screens are made of: buttons, fields, avatars; and where on the phone one is.

import { h } from "./dom.js";
import { text } from "./texts.js";

const TONES = 6; // colours of avatars

/**
 * Where on the phone one is: `view` "home" or "account", `sheet` the one that is open, `draft` what
 * was typed into it, `message` a text message that has just come.
 */
export const place = { view: "home", sheet: null, draft: {}, message: null };

export const goHome = () => Object.assign(place, { view: "home", sheet: null, draft: {}, message: null });

/** A button. While a request runs it stays where it is, and does nothing. */
export function button(name, label, { press, busy }, { values = [], id = name, ...properties } = {}) {
  return h(
    "button",
    {
      type: "button",
      "data-do": id,
      "aria-disabled": busy ? "true" : null,
      onclick: () => busy || press(name, ...values),
      ...properties,
    },
    label,
  );
}

/** A button that opens a sheet. */
export const opener = (sheet, label, { open, busy }, properties = {}) =>
  h("button", { type: "button", "data-do": `open-${sheet}`, onclick: () => busy || open(sheet), ...properties }, label);

export function avatar(name, size = "") {
  const tone = [...name].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % TONES;
  return h("span", { class: `avatar tone-${tone} ${size}`, "aria-hidden": "true" }, [...name][0]?.toUpperCase() ?? "?");
}

/** A field of the open sheet, which keeps what is typed. Something may stand beside it. */
export function field(name, properties = {}, beside = null) {
  const input = h("input", {
    id: `field-${name}`, name, "data-do": `field-${name}`, type: "text", autocomplete: "off", required: true,
    value: place.draft[name] ?? "", oninput: (event) => (place.draft[name] = event.target.value), ...properties,
  });
  return h("div", { class: "field" }, h("label", { for: input.id }, text(`field.${name}`)),
    beside ? h("div", { class: "beside" }, input, beside) : input);
}

const PHONE = { type: "tel", inputmode: "tel", autocomplete: "username", maxlength: "32" };
const CODE = { inputmode: "numeric", autocomplete: "one-time-code", maxlength: "16" };
const PASSWORD = { type: "password", maxlength: "128" };

export const phoneField = (beside = null) => field("phone", PHONE, beside);
export const passwordField = (autocomplete) => field("password", { ...PASSWORD, autocomplete });

/** For the browser's own keeping of passwords: whose the new one is. */
export const userNameField = (name) =>
  h("input", { class: "hidden", type: "text", name: "username", autocomplete: "username", value: name, readonly: true, tabindex: "-1", "aria-hidden": "true" });

/** A number with a button that sends it a code, and the field for the code. */
export const codeFields = (purpose, tools) => [
  phoneField(button("askCode", text("code.ask"), tools, {
    class: "plain", onclick: () => tools.busy || tools.press("askCode", purpose, place.draft.phone ?? ""),
  })),
  field("sms_code", CODE),
];

/** A form that does what its main button says. */
export function form(name, label, tools, fields, ...values) {
  const send = (event) => {
    event.preventDefault();
    if (!tools.busy) tools.press(name, { ...place.draft }, ...values);
  };
  return h("form", { class: "form", onsubmit: send }, ...fields,
    h("button", { type: "submit", class: "main", "data-do": name, "aria-disabled": tools.busy ? "true" : null }, label));
}
