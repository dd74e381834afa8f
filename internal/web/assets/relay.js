// The end of a popup: tells the window that opened it what was answered, and closes.
// The server has written the origin into the page; the browser delivers the message
// to a page of that origin or to nobody.
const box = document.querySelector("[data-relay]");
const words = box.querySelector("[data-relay-words]");
const names = ["code", "state", "scope", "access_token", "token_type", "expires_in", "iss", "error", "error_description", "error_uri"];

const response = {};
for (const part of [location.search, location.hash]) {
  const given = new URLSearchParams(part.slice(1));
  for (const name of names) if (given.has(name)) response[name] = given.get(name);
}
// A code or a token has no business in the history of the browser.
history.replaceState(null, "", location.pathname);

function stays(reason) {
  words.textContent = reason;
  box.querySelector("[data-relay-next]").hidden = true;
}

if (!window.opener) {
  stays( "This window has lost the page that opened it, so your answer cannot be brought back. Close it, and start again at the application.");
} else if (!("code" in response || "access_token" in response || "error" in response)) {
  stays("There is no answer in this window’s address. Close it, and start again at the application.");
} else {
  window.opener.postMessage({ type: "gatelodge.authorization", response }, box.dataset.relay);
  window.close();
}
