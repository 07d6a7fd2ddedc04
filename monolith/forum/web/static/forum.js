// On every page: times that stay true, the switch of the theme, and drafts that may go.

const STEPS = [
  [365 * 24 * 3600, "year"], [30 * 24 * 3600, "month"], [24 * 3600, "day"], [3600, "hour"], [60, "minute"],
];

// As the server says it; a test compares the two.
export function ago(seconds) {
  for (const [size, unit] of STEPS) {
    const number = Math.floor(seconds / size);
    if (number > 0) return `${number} ${unit}${number === 1 ? "" : "s"} ago`;
  }
  return "just now";
}

// At first the page is as the server wrote it, which is true whatever the visitor's clock says, and
// nothing on it moves. A page from the browser's history may be old.
const [opened] = performance.getEntriesByType("navigation");
let written = opened?.type !== "back_forward";

function keepTimes() {
  for (const time of document.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    const text = ago((Date.now() - at) / 1000);
    if (!written && time.textContent !== text) time.textContent = text;
    time.title = at.toLocaleString();
  }
  written = false;
}

keepTimes();
setInterval(() => { if (!document.hidden) keepTimes(); }, 20_000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) keepTimes(); });

document.querySelector("form.theme")?.addEventListener("submit", (event) => {
  const theme = event.submitter?.value;
  if (!theme) return;
  event.preventDefault();
  const chosen = theme === "system" ? "" : theme;
  const age = chosen ? 365 * 24 * 3600 : 0;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${event.target.dataset.cookie}=${chosen}; Path=/; Max-Age=${age}; SameSite=Lax${secure}`;
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  document.querySelector("meta[name=color-scheme]").content = chosen || "light dark";
  for (const button of event.target.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.value === theme));
  }
});

// A question that is open closes with Escape, and a text is sent with Ctrl and Enter.
document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (event.key === "Escape") {
    const question = target.closest("details.confirm[open]") ?? document.querySelector("details.confirm[open]");
    if (!question) return;
    question.open = false;
    question.querySelector("summary").focus();
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && target.localName === "textarea") {
    event.preventDefault();
    target.form?.requestSubmit();
  }
});

// The page says once that a form was taken. Then its draft goes, and so does the word of it, lest
// the same address takes a later draft away.
const here = new URL(location.href);
const done = here.searchParams.get("done");
if (done) {
  const path = {
    posted: here.pathname,
    started: "/threads/new",
    rewritten: `/posts/${here.searchParams.get("at")}/edit`,
  }[done];
  for (const [key, draft] of drafts()) {
    if (draft.sent && path && key.endsWith(` ${path}`)) localStorage.removeItem(key);
  }
  here.searchParams.delete("done");
  history.replaceState(history.state, "", here);
}
// Who signs out leaves nothing of theirs in this browser.
document.querySelector("form[action='/sign-out']")?.addEventListener("submit", () => {
  for (const [key] of drafts()) localStorage.removeItem(key);
});

export function drafts() {
  const found = [];
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith("draft ")) found.push([key, JSON.parse(localStorage[key])]);
    }
  } catch { /* Without storage there are no drafts. */ }
  return found;
}

// Code and tables that scroll can be reached with the keyboard, also in browsers that need an
// attribute for it; others are no stop on the way.
const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) for (const block of target.querySelectorAll("pre, table")) {
    if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
    else block.removeAttribute("tabindex");
  }
});
for (const text of document.querySelectorAll(".prose")) sizes.observe(text);
