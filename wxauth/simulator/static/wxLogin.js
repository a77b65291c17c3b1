// What https://res.wx.qq.com/connect/zh_CN/htmledition/js/wxLogin.js is to WeChat, for the simulator.
//
// The texts go into the address as they are, as WeChat's own script puts them there: redirect_uri has
// to be percent-encoded by whoever calls.

(() => {
  const home = new URL(document.currentScript.src).origin;

  function addressOf(options) {
    const { appid, scope, redirect_uri, state = "", self_redirect: stays } = options;
    const fields = { appid, scope, redirect_uri, state, login_type: "jssdk" };
    fields.self_redirect = typeof stays === "boolean" ? stays : "default";
    for (const name of ["styletype", "sizetype", "bgcolor", "rst"]) fields[name] = options[name] || "";
    for (const name of ["style", "href"]) if (options[name]) fields[name] = options[name];
    if (options.lang === "en") fields.lang = "en";
    if (Number(options.stylelite) === 1) fields.stylelite = 1;
    if (String(options.fast_login) === "0") fields.fast_login = 0;
    if (["light", "dark", "auto"].includes(options.color_scheme)) fields.color_scheme = options.color_scheme;
    const query = Object.entries(fields).map(([name, value]) => `${name}=${value}`).join("&");
    return `${home}/connect/qrconnect?${query}`;
  }

  function statusOf(data) {
    try {
      const { type, status } = JSON.parse(data);
      return type === "status" ? status : null;
    } catch {
      return null; // a message of somebody else
    }
  }

  window.WxLogin = function WxLogin(options) {
    const frame = document.createElement("iframe");
    Object.assign(frame, { width: "300px", height: "400px", scrolling: "no", allow: "local-network-access" });
    frame.style.border = "0";
    addEventListener("message", (event) => {
      if (event.source !== frame.contentWindow || event.origin !== home) return;
      if (statusOf(event.data) !== "wxReady") return;
      options.onReady?.(true);
      options.onQRcodeReady?.();
    });
    frame.src = addressOf(options);
    document.getElementById(options.id).replaceChildren(frame);
  };
})();
