// Says while someone types what the server would say later: how much room is
// left, whether an address has the right shape. It never blocks: the server decides.
const loopback = (host) => host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);

function parse(text) {
  try { return new URL(text); } catch { return null; }
}

const checks = {
  "text": () => "",
  "web-url": (text, url) => !url ? "Write the whole address, such as https://example.com/privacy."
    : !/^https?:$/.test(url.protocol) ? "Use an address that begins with https:// or http://."
    : url.username || url.password ? "Leave out the user name and password." : "",
  "https-url": (text, url) => checks["web-url"](text, url) || (url.protocol !== "https:" ? "Use https://." : ""),
  "return-url": (text, url) => checks["web-url"](text, url)
    || (url.protocol === "http:" && !loopback(url.hostname) ? "Use https://; http:// works for localhost only." : "")
    || (text.includes("#") ? "Leave out the part from # on." : "")
    || (text.includes("*") ? "Wildcards do not work: write each address in full." : ""),
  // A native app may have a scheme of its own, which has a dot in it.
  "native-return-url": (text, url) => !url || !url.protocol.includes(".") ? checks["return-url"](text, url)
    : !/^[^:]+:\/(?!\/)/.test(text) ? `Write exactly one “/” after “${url.protocol}”.`
    : text.includes("#") ? "Leave out the part from # on." : "",
  "origin": (text, url) => checks["web-url"](text, url)
    || (url.protocol === "http:" && !loopback(url.hostname) ? "Use https://; http:// works for localhost only." : "")
    || (text.replace(/\/$/, "") !== text || url.pathname !== "/" || url.search || url.hash
      ? `Only scheme, host and port: ${url.origin}` : ""),
};

const hintOf = (input) => input.parentElement.querySelector(".hint");

// Nothing moves on the page unless there is something to say.
function say(input, text) {
  let hint = hintOf(input);
  if (!hint) {
    if (!text) return;
    hint = document.createElement("p");
    hint.className = "hint";
    hint.setAttribute("role", "status");
    input.after(hint);
  }
  hint.textContent = text;
}

function check(input) {
  const text = input.value.trim();
  const rule = checks[input.dataset.check];
  say(input, text && rule ? rule(text, parse(text)) : "");
}

function count(input) {
  const counter = document.querySelector(`[data-counter-for="${input.id}"]`);
  if (!counter) return;
  const used = [...input.value.trim()].length, max = Number(input.dataset.max);
  counter.hidden = false;
  counter.textContent = `${used} of ${max}`;
  counter.classList.toggle("over", used > max);
}

document.addEventListener("input", ({ target }) => {
  if (target.dataset?.max) count(target);
  // A complaint is taken back at once; a new one waits until the field is left.
  if (target.dataset?.check && hintOf(target)?.textContent) check(target);
  if (target.dataset?.maxBytes && target.files) {
    const file = target.files[0], max = Number(target.dataset.maxBytes);
    say(target, file && file.size > max
      ? `${file.name} has ${(file.size / 1048576).toFixed(1)} MB; the limit is ${(max / 1048576).toFixed(0)} MB. Choose a smaller one.` : "");
  }
});

// Pressing the mouse on a button leaves the field before the button is let go. A
// hint that came in between would move the button from under the pointer, and the
// press would be lost: it waits until the press is over.
let pressing = false, waiting = [];
document.addEventListener("pointerdown", () => { pressing = true; }, true);
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, () => {
    pressing = false;
    setTimeout(() => { waiting.splice(0).forEach(check); });
  }, true);
}
document.addEventListener("focusout", ({ target }) => {
  if (!target.dataset?.check) return;
  if (pressing) waiting.push(target);
  else check(target);
});
document.querySelectorAll("[data-max]").forEach(count);

// "Use this instead" fills the field in place; without JavaScript it posts.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-suggest]");
  const input = button && document.getElementById(button.dataset.suggest);
  if (!input) return;
  event.preventDefault();
  input.value = button.value;
  input.removeAttribute("aria-invalid");
  for (const note of [button.parentElement, document.getElementById(`${input.id}-error`)]) note?.remove();
  input.dispatchEvent(new Event("input", { bubbles: true }));
  input.focus();
});
