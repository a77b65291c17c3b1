// Building the page's elements without markup in strings.

/** Make an element. `on…` properties listen, `class` and all others become attributes. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

const SECRETS = new Set([
  "access", "refresh", "token", "other_token", "ticket", "code", "js_code", "phone_code", "secret", "access_token",
  "appsecret", "session_key", "encryptedData", "iv", "signature", "openid", "unionid",
]);
const LONG = 120; // characters of any text that are shown

/** Shorten what is secret, or long: the middle is not shown. */
export function shorten(name, value) {
  if (name === "password") return "•".repeat(8);
  if (name === "code" && /^[a-z_]+$/.test(value)) return value; // an error's: those are for reading
  if (SECRETS.has(name) && value.length > 16) return `${value.slice(0, 6)}…${value.slice(-4)}`;
  return value.length > LONG ? `${value.slice(0, LONG)}…` : value;
}

/** Show a JSON value with colours. */
export function json(value, name = "", indent = "") {
  if (typeof value === "string") return h("span", { class: "j-text" }, JSON.stringify(shorten(name, value)));
  if (value === null || typeof value !== "object") return h("span", { class: "j-plain" }, String(value));
  const list = Array.isArray(value);
  const entries = list ? value.map((item) => ["", item]) : Object.entries(value);
  if (!entries.length) return h("span", {}, list ? "[]" : "{}");
  const inner = `${indent}  `;
  const parts = entries.map(([key, item], index) => [
    `\n${inner}`,
    list ? null : h("span", { class: "j-key" }, JSON.stringify(key)),
    list ? null : ": ",
    json(item, key || name, inner),
    index < entries.length - 1 ? "," : null,
  ]);
  return h("span", {}, list ? "[" : "{", ...parts.flat(), `\n${indent}`, list ? "]" : "}");
}
