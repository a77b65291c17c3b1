// Every text of the page, in English and in Simplified Chinese, and the switch between them.

import { ACCOUNT } from "./account_texts.js";

const TEXTS = {
  ...ACCOUNT,
  skip: ["Skip to the phone", "跳到手机"],
  tagline: ["Sign in with WeChat, without a phone at hand", "微信登录，手边没有手机也能开发"],
  browser: ["In a browser", "浏览器登录"],
  readme: ["README", "说明文档"],
  admin: ["Admin", "管理后台"],
  language: ["中文", "English"],
  cast: ["The cast", "角色"],
  person: ["Who holds the phone", "谁拿着手机"],
  "person.alice": ["Alice", "爱丽丝"],
  "person.bob": ["Bob", "鲍勃"],
  "person.chen": ["Chen", "小陈"],
  "person.own": ["Someone else: type a name", "其他人：输入名字"],
  "person.placeholder": ["Your name…", "你的名字…"],
  app: ["Which mini program is open", "打开了哪个小程序"],
  "app.mall": ["Tea Mall", "茶叶商城"],
  "app.cafe": ["Corner Café", "街角咖啡"],
  trouble: ["WeChat has trouble", "微信出问题"],
  "trouble.none": ["None, all is well", "没有，一切正常"],
  "trouble.timeout": ["Next call: takes too long", "下一次调用：超时"],
  "trouble.busy": ["Next call: system busy (-1)", "下一次调用：系统繁忙（-1）"],
  "trouble.used": ["Next call: the code was used already", "下一次调用：code 已被使用"],
  "trouble.blocked": ["Next call: refuses this person", "下一次调用：拒绝此用户"],
  "trouble.limit": ["Next call: too many calls this minute", "下一次调用：本分钟调用过多"],
  "trouble.html": ["Next call: answers a page of HTML", "下一次调用：返回 HTML 页面"],
  "trouble.hint": [
    "It strikes when your server next asks WeChat: at a sign-in or a phone number.",
    "在你的服务器下一次请求微信时出现：登录或获取手机号。",
  ],
  wire: ["On the wire", "请求与应答"],
  "lane.wechat": ["phone → WeChat", "手机 → 微信"],
  "lane.site": ["phone → your server", "手机 → 你的服务器"],
  "lane.upstream": ["your server → WeChat", "你的服务器 → 微信"],
  clear: ["Clear", "清空"],
  empty: [
    "Press a button on the phone: each request and its answer appears here. A sign-in is three of them.",
    "按一下手机上的按钮，请求和应答就会出现在这里。一次登录有三个请求。",
  ],
  "empty.wechat": ["The phone asks WeChat for a code, good for one use.", "手机向微信要一个 code，只能用一次。"],
  "empty.site": ["It sends the code to your server, which wants to know whose it is.", "手机把 code 发给你的服务器，服务器想知道这是谁。"],
  "empty.upstream": ["Your server spends it at WeChat, with the app's secret, and gets the openid.", "你的服务器带上小程序密钥去微信兑换，得到 openid。"],
  "step.login": ["Sign in", "登录"],
  "step.register": ["Register", "注册"],
  "step.phone": ["Bind phone", "绑定手机"],
  "step.use": ["Use it", "使用"],
  "step.logout": ["Sign out", "退出"],
  "step.done": ["done", "已完成"],
  "out.title": ["Welcome to {app}", "欢迎来到{app}"],
  "out.text": ["You are signed out.", "你还没有登录。"],
  "out.login": ["Sign in with WeChat", "微信登录"],
  "out.authorize": ["Sign in silently", "静默登录"],
  "out.authorize.hint": ["registers by itself when needed", "需要时自动注册"],
  "unknown.title": ["Nice to meet you", "很高兴认识你"],
  "unknown.text": [
    "WeChat has confirmed who you are, and {app} does not know you yet.",
    "微信已确认你的身份，但{app}还不认识你。",
  ],
  "unknown.ticket": ["Ticket", "凭据"],
  "unknown.referrer": ["Invited by (uid or invite code, optional)", "邀请人（uid 或邀请码，可不填）"],
  "unknown.complex": ["Register with WeChat profile", "用微信资料注册"],
  "unknown.simple": ["Register without a profile", "不带资料注册"],
  "unknown.back": ["Not now", "以后再说"],
  "in.unnamed": ["No nickname yet", "还没有昵称"],
  "in.rename": ["Change nickname", "修改昵称"],
  "in.nickname": ["Nickname", "昵称"],
  "in.save": ["Save", "保存"],
  "in.cancel": ["Cancel", "取消"],
  "in.phone": ["Phone", "手机号"],
  "in.nophone": ["not bound", "未绑定"],
  "in.uid": ["uid", "uid"],
  "in.referrer": ["Invited by", "邀请人"],
  "in.noreferrer": ["nobody", "无"],
  "in.apps": ["Signed in from", "登录来源"],
  "in.bind": ["Bind phone number", "绑定手机号"],
  "in.rebind": ["Phone again", "换绑手机"],
  "in.orders": ["My orders", "我的订单"],
  "in.check": ["Check token", "检查令牌"],
  "in.refresh": ["Refresh token", "刷新令牌"],
  "in.me": ["Reload profile", "刷新资料"],
  "in.logout": ["Sign out", "退出登录"],
  "in.logoutall": ["Sign out everywhere", "退出所有设备"],
  "in.conflict": [
    "This WeChat account and another user here are the same person; they can be merged.",
    "该微信账号与本站另一用户是同一人，可以合并。",
  ],
  "said.in": ["Signed in.", "已登录。"],
  "said.registered": ["Registered and signed in.", "已注册并登录。"],
  "said.unknown": ["Not registered yet: 404 with a ticket.", "尚未注册：404，附带凭据。"],
  "said.bound": ["Phone number bound.", "手机号已绑定。"],
  "said.check": ["The token is good for another {seconds} s.", "令牌还有 {seconds} 秒有效。"],
  "said.refresh": ["A new pair of tokens.", "已换发新的一对令牌。"],
  "said.me": ["Profile reloaded.", "资料已刷新。"],
  "said.renamed": ["Nickname changed.", "昵称已修改。"],
  "said.orders": ["{count} orders.", "{count} 个订单。"],
  "said.out": ["Signed out.", "已退出。"],
  "said.outall": ["Signed out on every device.", "已在所有设备退出。"],
  working: ["One moment…", "请稍候…"],
  noanswer: ["No answer", "无应答"],
  "noanswer.wechat": [
    "The simulator does not answer. Is `manage.py demo` still running?",
    "模拟器没有应答。`manage.py demo` 还在运行吗？",
  ],
  "noanswer.site": [
    "The site does not answer. Is it still running?",
    "网站没有应答。它还在运行吗？",
  ],
  "notice.simulator": [
    "This page needs the simulator: it plays the part of WeChat on the phone. WXAUTH_API_BASE_URL of this site leads elsewhere, or the simulator does not run. Start `manage.py demo` without that variable.",
    "本页需要模拟器：它扮演手机上的微信。本站的 WXAUTH_API_BASE_URL 指向别处，或模拟器没有运行。请不设该变量，运行 `manage.py demo`。",
  ],
  request: ["Request", "请求"],
  answer: ["Answer", "应答"],
  nobody: ["no body", "无内容"],
  todo: ["what to do", "建议操作"],
  waitfor: ["Retry after {seconds} s", "{seconds} 秒后重试"],
  foot: [
    "People, numbers and secrets on this page are made up. WeChat is played by the simulator that comes with wxauth. The admin's user and password are printed in the terminal where the demo runs.",
    "本页的人物、号码和密钥都是虚构的。微信由 wxauth 自带的模拟器扮演。管理后台的用户名和密码显示在运行演示的终端里。",
  ],
};

let column = 0;

/** Choose "en" or "zh", and fill what carries `data-text`. */
export function speak(language) {
  column = language === "zh" ? 1 : 0;
  document.documentElement.lang = column ? "zh-Hans" : "en";
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = text(element.dataset.text);
  }
}

export const language = () => (column ? "zh" : "en");

/** Return a text, its {places} filled; for a key nobody wrote, the fallback. */
export function text(key, places = {}, fallback = key) {
  const found = TEXTS[key]?.[column] ?? fallback;
  return found.replace(/\{(\w+)\}/g, (_, name) => places[name] ?? "");
}

/** Return a day that the server names, and the time of it, as people here write them. */
export const date = (moment) =>
  new Intl.DateTimeFormat(column ? "zh-CN" : "en-GB", { dateStyle: "long", timeStyle: "short" }).format(new Date(moment));

/** The same for lists, which are of the last weeks. */
export const shortDate = (moment) =>
  new Intl.DateTimeFormat(column ? "zh-CN" : "en-GB", { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" }).format(new Date(moment));
