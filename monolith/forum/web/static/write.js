// Where one writes: drafts that outlive the page, a preview beside the text, quotations in place.

import { drafts } from "./forum.js";

const WEEKS = 4 * 7 * 24 * 3600 * 1000; // milliseconds
const form = document.querySelector("form[data-draft]");
if (form) {
  keep(form);
  preview(form);
  quote(form);
}

function keep(form) {
  const key = `draft ${form.dataset.draft} ${new URL(form.action).pathname}`;
  const typed = [...form.querySelectorAll("textarea[name], input[name=title]")];
  const carried = ["idempotency_key", "etag", "thread_id"];
  const given = typed.map((field) => field.value);

  function write(sent = false) {
    const changed = typed.some((field, index) => field.value !== given[index]);
    if (!changed && !sent) return store(key, null);
    const draft = { at: Date.now(), sent, values: {} };
    for (const field of typed) draft.values[field.name] = field.value;
    for (const name of carried) if (form.elements[name]) draft.values[name] = form.elements[name].value;
    store(key, draft);
  }

  // A form that came back with what was typed knows better than the draft of it.
  const asksToQuote = new URLSearchParams(location.search).has("quote");
  const draft = "sent" in form.dataset ? null : read(key);
  if (draft) restore(draft);

  function restore(draft) {
    const missing = typed.filter((field) => (draft.values[field.name] ?? "") !== field.value);
    if (!missing.length) return;
    for (const field of missing) {
      if (field.readOnly) continue;
      // Nothing below may move because of what comes back.
      if (field.localName === "textarea") field.style.height = `${field.offsetHeight}px`;
      const words = draft.values[field.name] ?? "";
      field.value = asksToQuote ? join(words, field.value) : words;
    }
    // What was sent and not answered may have been taken: the same key makes it one thing.
    if (draft.sent) for (const name of carried) {
      if (form.elements[name] && draft.values[name]) form.elements[name].value = draft.values[name];
    }
    const note = document.createElement("p");
    note.className = "hint draft";
    note.setAttribute("role", "status");
    const drop = document.createElement("button");
    drop.type = "button";
    drop.className = "link";
    drop.textContent = "Discard draft";
    drop.addEventListener("click", () => {
      typed.forEach((field, index) => { field.value = given[index]; });
      store(key, null);
      note.remove();
      typed[0].focus();
    });
    note.append("Draft restored. ", drop);
    form.querySelector(".row").append(note);
  }

  let timer = 0;
  function settle() {
    clearTimeout(timer);
    timer = 0;
  }
  form.addEventListener("input", () => {
    settle();
    timer = setTimeout(() => { settle(); write(); }, 300);
  });
  addEventListener("pagehide", () => { if (timer) write(); });
  form.addEventListener("submit", () => {
    settle();
    write(true);
  });
  document.querySelector("form[action='/sign-out']")?.addEventListener("submit", settle);
  for (const [old, { at }] of drafts()) if (Date.now() - at > WEEKS) store(old, null);
}

function read(key) {
  try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
}

function store(key, draft) {
  try {
    if (draft) localStorage.setItem(key, JSON.stringify(draft));
    else localStorage.removeItem(key);
  } catch { /* A full or forbidden storage keeps nobody from writing. */ }
}

function join(words, more) {
  return words.trim() ? `${words.trimEnd()}\n\n${more}` : more;
}

function preview(form) {
  const button = form.querySelector("button[name=preview]");
  const region = form.querySelector(".preview");
  button.addEventListener("click", async (event) => {
    event.preventDefault();
    const body = new URLSearchParams({ body: form.elements.body.value, csrf_token: form.elements.csrf_token.value });
    try {
      const { status, page } = await load("POST", "/preview", body);
      if (status !== 200 && status !== 400) throw new Error(status);
      const result = [...page.body.childNodes];
      region.replaceChildren(...(result.length ? result : ["Nothing to preview yet."]));
      region.hidden = false;
    } catch {
      region.textContent = "The preview is temporarily unavailable. Your text is still here.";
      region.hidden = false;
    }
    region.focus();
  });
}

function quote(form) {
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a.quote");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    const chosen = selected(link.closest("article"));
    let words;
    try {
      words = await quoted(link.href);
      // The first line says whose words they are.
      if (chosen) words = `${words.split("\n", 1)[0]}\n>\n${chosen.replace(/^/gm, "> ")}\n\n`;
    } catch {
      location.href = link.href;
      return;
    }
    const area = form.elements.body;
    area.value = join(area.value, words);
    area.dispatchEvent(new Event("input", { bubbles: true }));
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
  });
}

function selected(article) {
  const selection = getSelection();
  const inside = selection.anchorNode && article.querySelector(".prose").contains(selection.anchorNode);
  return inside && article.contains(selection.focusNode) ? String(selection).trim() : "";
}

async function quoted(address) {
  const { status, page } = await load("GET", address);
  if (status !== 200) throw new Error(status);
  return page.querySelector("form[data-draft] textarea").value;
}

// A response as a document in which nothing runs. The page's policy allows no other way from text to
// HTML.
function load(method, address, body) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, address);
    request.responseType = "document";
    request.addEventListener("load", () => {
      const page = request.response;
      if (page) resolve({ status: request.status, page });
      else reject(new Error("The response is not HTML."));
    });
    request.addEventListener("error", reject);
    request.send(body);
  });
}
