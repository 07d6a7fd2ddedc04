// Looks again until the erasure is finished.

const place = document.querySelector("[data-erasure]");
let pause = 1000; // milliseconds

async function look() {
  try {
    const answer = await fetch(place.dataset.erasure);
    if (answer.ok && (await answer.json()).status === "erased") return location.reload();
  } catch { /* Later, then. */ }
  pause = Math.min(pause * 1.5, 15_000);
  setTimeout(look, pause);
}

setTimeout(look, pause);
