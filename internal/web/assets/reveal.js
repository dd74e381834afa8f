// Shows a secret in place and hides it again: after a while, when the page is
// left, when the tab is out of sight. The form beside it is the way without
// JavaScript; with it, the same address answers JSON.
for (const box of document.querySelectorAll("[data-reveal]")) {
  const part = (name) => box.querySelector(`[data-reveal-${name}]`);
  const value = part("value"), form = part("form"), ask = part("password");
  const hide = part("hide"), copy = part("copy"), status = part("status"), error = part("error");
  if (!form || !hide) continue; // already shown by the server
  const dots = value.textContent;
  const seconds = Number(box.dataset.revealSeconds) || 60;
  let timer;

  function conceal(reason) {
    clearTimeout(timer);
    value.textContent = dots;
    copy.hidden = hide.hidden = true;
    form.hidden = false;
    ask.hidden = true;
    ask.reset();
    status.textContent = reason;
  }

  function show(secret) {
    value.textContent = secret;
    form.hidden = ask.hidden = true;
    copy.hidden = hide.hidden = false;
    status.textContent = `Shown. It is hidden again after ${seconds} seconds or when you leave the page.`;
    timer = setTimeout(() => conceal("Hidden again."), seconds * 1000);
    copy.focus();
  }

  function complain(text) {
    error.querySelector("span").textContent = text;
    error.hidden = !text;
  }

  async function fetchSecret(event) {
    event.preventDefault();
    const from = event.currentTarget;
    const button = from.querySelector("button");
    button.disabled = true;
    status.textContent = "";
    try {
      const answer = await fetch(from.action, {
        method: "POST",
        headers: { Accept: "application/json" },
        body: new URLSearchParams(new FormData(from)),
      });
      const body = await answer.json();
      if (answer.ok && body.secret) return show(body.secret);
      if (answer.status !== 401 || !body.reauthenticate) throw new Error(answer.statusText);
      // No password is kept here: it is confirmed elsewhere, and the way leads back.
      if (body.continue) return location.assign(body.continue);
      complain(body.error ?? (from === ask ? "That is not your password. Try again." : ""));
      form.hidden = true;
      ask.hidden = false;
      ask.reset();
      ask.querySelector("input").focus();
    } catch {
      // Signed out, refused or unreachable: the plain form knows what to say.
      from.removeEventListener("submit", fetchSecret);
      button.disabled = false;
      from.requestSubmit();
    } finally {
      button.disabled = false;
      ask.elements.password.value = "";
    }
  }

  form.addEventListener("submit", fetchSecret);
  ask.addEventListener("submit", fetchSecret);
  hide.addEventListener("click", () => { conceal("Hidden again."); form.querySelector("button").focus(); });
  addEventListener("pagehide", () => conceal(""));
  document.addEventListener("visibilitychange", () => { if (document.hidden && !hide.hidden) conceal("Hidden while you were away."); });
}
