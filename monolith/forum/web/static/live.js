// Tells of replies that were written since this page was made, without moving anything on it.

const EVERY = 15_000, AT_MOST = 120_000; // milliseconds
const MANY = 20;

const thread = document.querySelector("[data-live]");
if (thread) watch(thread.dataset.live, thread.dataset.newest, thread.dataset.me);

function watch(id, known, me) {
  const notice = document.querySelector(".live");
  let pause = EVERY, timer, told = "";

  async function newest(limit) {
    const answer = await fetch(`/api/posts/in-thread/${id}?order=desc&limit=${limit}`);
    if (!answer.ok) throw new Error(answer.statusText);
    return (await answer.json()).items;
  }

  async function look() {
    clearTimeout(timer);
    if (document.hidden) return;
    try {
      const [last] = await newest(1);
      if (!known) known = last?.id ?? "";
      else if (last && last.id > known && last.id !== told) {
        // Ids sort by time, so whatever is greater is newer.
        const posts = (await newest(MANY)).filter((post) => post.id > known && !post.deleted && post.author.id !== me);
        told = last.id;
        if (posts.length) say(posts);
      }
      pause = EVERY;
    } catch {
      pause = Math.min(pause * 2, AT_MOST); // The part that keeps posts has enough to do.
    }
    timer = setTimeout(look, pause);
  }

  function say(posts) {
    const first = posts.at(-1).id;
    const link = document.createElement("a");
    link.className = "button primary";
    link.href = `/threads/${id}?at=${first}#post-${first}`;
    const number = posts.length < MANY ? posts.length : `${MANY} or more`;
    link.textContent = posts.length === 1 ? "1 new reply" : `${number} new replies`;
    notice.replaceChildren(link);
  }

  document.addEventListener("visibilitychange", look);
  timer = setTimeout(look, EVERY);
}
