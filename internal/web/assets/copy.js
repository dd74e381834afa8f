// <button data-copy="#id"> copies what an element shows, data-copy-text="…" a
// fixed text. It says that it copied, on the button and to screen readers.
const live = document.createElement("div");
live.className = "visually-hidden";
live.setAttribute("role", "status");
document.body.append(live);

function textOf(button) {
  if (button.dataset.copyText !== undefined) return button.dataset.copyText;
  const from = document.querySelector(button.dataset.copy);
  return from ? (from.value ?? from.textContent) : "";
}

// The clipboard interface exists on https and loopback only, and may be refused
// even there; selecting a text and copying it is the older way.
async function put(text) {
  try {
    return await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("copy refused");
  }
}

function say(button, word, done) {
  const label = button.querySelector("span") ?? button;
  button.dataset.word ??= label.textContent;
  label.textContent = word;
  button.classList.toggle("done", done);
  live.textContent = word;
  clearTimeout(Number(button.dataset.timer));
  button.dataset.timer = setTimeout(() => {
    label.textContent = button.dataset.word;
    button.classList.remove("done");
    live.textContent = "";
  }, 2000);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-text]");
  if (!button) return;
  try {
    await put(textOf(button));
    say(button, "Copied", true);
  } catch {
    say(button, "Press Ctrl+C", false);
    const from = button.dataset.copy && document.querySelector(button.dataset.copy);
    if (from?.select) from.select();
    else if (from) getSelection().selectAllChildren(from);
  }
});
