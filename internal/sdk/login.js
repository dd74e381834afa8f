/* Gatelodge's JavaScript SDK: window.gatelodge.Login, and the same as window.amazon.Login.
   How to use it: /help/javascript on the server that this file comes from. */
(() => {
  "use strict";
  if (window.gatelodge && window.gatelodge.Login) return; // loaded twice

  const script = document.currentScript || document.querySelector('script[src*="/sdk/login.js"]');
  if (!script) throw new Error("Login: load /sdk/login.js with a script element; the server is where its src points to");
  const server = script.src.replace(/\/sdk\/login\.js(?:[?#].*)?$/, "");
  const serverOrigin = new URL(server).origin;

  const STATE_COOKIE = "amazon_Login_state_cache";
  const TOKEN_COOKIE = "amazon_Login_accessToken";
  const CACHE_SECONDS = 3300;
  const PENDING = "gatelodge_login_pending";
  const MAX_PENDING = 5;

  const settings = { clientId: "", useCookie: false, siteDomain: "", region: "", sandbox: false };
  let cached = null; // {access_token, expiration_date in ms, client_id, scope}

  // ---- small things

  const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
  const words = (scope) => (Array.isArray(scope) ? scope : String(scope || "").split(" ")).map(String).filter(Boolean);

  async function challengeOf(verifier) {
    if (!window.crypto || !crypto.subtle) throw new Error("PKCE needs https, or http on localhost");
    return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
  }

  function failure(error, description) {
    return { error, error_description: description };
  }

  // call runs a function of the page. What it throws is the page's own and reaches its
  // console, without stopping what the SDK still has to do.
  function call(callback, answer) {
    try {
      callback(answer);
    } catch (error) {
      setTimeout(() => { throw error; });
    }
  }

  function withParameters(address, answer) {
    const to = new URL(address, location.href);
    const given = new URLSearchParams();
    for (const [name, value] of Object.entries(answer)) if (value !== undefined) given.set(name, value);
    // A token goes where servers and logs do not see it.
    if (answer.access_token) to.hash = given.toString();
    else for (const [name, value] of given) to.searchParams.set(name, value);
    return to.href;
  }

  // ---- requests that are under way: the verifier of each, by its state

  let pendingInMemory = {}; // where the browser keeps nothing for this page

  function readPending() {
    try {
      return JSON.parse(sessionStorage.getItem(PENDING)) || {};
    } catch {
      return pendingInMemory;
    }
  }

  function writePending(all) {
    for (const state of Object.keys(all).slice(0, -MAX_PENDING)) delete all[state];
    pendingInMemory = all;
    try {
      sessionStorage.setItem(PENDING, JSON.stringify(all));
    } catch { /* the one in memory will do, but for redirects */ }
  }

  function remember(state, request) {
    const all = readPending();
    delete all[state]; // so that it is the newest
    all[state] = request;
    writePending(all);
  }

  // take gives the request that a code answers, once. In redirect mode the code has come
  // with the state in the address of this page.
  function take(code) {
    const all = readPending();
    const arrived = new URLSearchParams(location.search);
    const state = Object.keys(all).find((s) => all[s].code === code) || (arrived.get("code") === code ? arrived.get("state") : null);
    if (state === null || !Object.hasOwn(all, state)) return null;
    const request = all[state];
    delete all[state];
    writePending(all);
    return request;
  }

  // ---- the token that was obtained last

  function cookie(name, value, seconds) {
    let text = name + "=" + encodeURIComponent(value) + "; path=/; max-age=" + seconds + "; samesite=lax";
    if (settings.siteDomain) text += "; domain=" + settings.siteDomain;
    if (location.protocol === "https:") text += "; secure";
    document.cookie = text;
  }

  function readCookie(name) {
    for (const part of document.cookie.split("; ")) {
      if (!part.startsWith(name + "=")) continue;
      try {
        return decodeURIComponent(part.slice(name.length + 1));
      } catch {
        return "";
      }
    }
    return "";
  }

  function keepToken(answer, scope) {
    const seconds = Math.min(CACHE_SECONDS, Number(answer.expires_in) || 0);
    cached = {
      access_token: answer.access_token, max_age: seconds, expiration_date: Date.now() + seconds * 1000,
      client_id: settings.clientId, scope: words(scope).join(" "),
    };
    if (!settings.useCookie) return;
    cookie(STATE_COOKIE, JSON.stringify(cached), seconds);
    cookie(TOKEN_COOKIE, cached.access_token, seconds);
  }

  // usableToken gives the token at hand if it is this client's, not old, and covers the scope.
  function usableToken(scope) {
    let token = cached;
    if (!token && settings.useCookie) {
      try {
        token = JSON.parse(readCookie(STATE_COOKIE));
      } catch { /* none, or somebody else's */ }
    }
    if (!token || typeof token.access_token !== "string" || token.client_id !== settings.clientId) return null;
    if (!(token.expiration_date > Date.now())) return null;
    const has = words(token.scope);
    return words(scope).every((name) => has.includes(name)) ? token : null;
  }

  // ---- authorize

  class AuthorizeRequest {
    constructor() {
      this.status = "queued";
      this.waiting = [];
      Object.defineProperty(this, "waiting", { enumerable: false });
    }

    // onComplete has a function called with this request, or the page sent to an
    // address with the answer in it.
    onComplete(next) {
      if (next === undefined || next === null) return;
      if (this.status === "complete") setTimeout(() => this.tell(next));
      else this.waiting.push(next);
    }

    tell(next) {
      if (typeof next === "function") return call(next, this);
      const { status, ...answer } = this;
      location.assign(withParameters(next, answer));
    }

    complete(answer) {
      if (this.status === "complete") return;
      Object.assign(this, answer);
      this.status = "complete";
      for (const next of this.waiting.splice(0)) this.tell(next);
    }
  }

  function readOptions(options, next) {
    const given = options || {};
    const o = {
      scope: words(given.scope),
      response_type: given.pkce ? "code" : given.response_type || "token",
      popup: given.popup !== false,
      interactive: given.interactive || "auto",
      state: given.state === undefined || given.state === null ? "" : String(given.state),
      scope_data: given.scope_data,
      pkce: Boolean(given.pkce),
    };
    if (!settings.clientId) throw new Error("Login: call setClientId before authorize");
    if (o.scope.length === 0) throw new Error("Login: authorize needs the option scope");
    if (!["token", "code"].includes(o.response_type)) throw new Error('Login: response_type is "code" or "token"');
    if (!["auto", "always", "never"].includes(o.interactive)) throw new Error('Login: interactive is "auto", "always" or "never"');
    if (next !== undefined && next !== null && typeof next !== "function" && typeof next !== "string") {
      throw new Error("Login: next is a function or an address");
    }
    if (!o.popup) {
      if (typeof next !== "string") throw new Error("Login: popup: false needs the address to come back to as the second argument");
      if (o.pkce && new URL(next, location.href).origin !== location.origin) {
        throw new Error("Login: with pkce the address to come back to is on this page's own origin, which keeps the verifier");
      }
    }
    return o;
  }

  function authorize(options, next) {
    const o = readOptions(options, next);
    const request = new AuthorizeRequest();
    if (o.popup || o.interactive === "never") request.onComplete(next);
    const token = o.response_type === "token" && o.interactive !== "always" ? usableToken(o.scope) : null;
    if (token) {
      if (!o.popup && o.interactive !== "never") request.onComplete(next);
      const left = Math.floor((token.expiration_date - Date.now()) / 1000);
      setTimeout(() => request.complete({ access_token: token.access_token, token_type: "bearer", expires_in: left, scope: token.scope }));
      return request;
    }
    if (o.interactive === "never") {
      setTimeout(() => request.complete(failure("invalid_grant", "There is no usable token, and the user was not to be asked")));
      return request;
    }
    request.status = "in_progress";
    // A window can be opened only while the click lasts, so it is opened before anything is computed.
    const popup = o.popup ? openPopup() : null;
    if (o.popup && !popup) {
      setTimeout(() => request.complete(failure("access_denied", "The browser did not open a window. Call authorize when the user clicks")));
      return request;
    }
    const redirectURI = o.popup
      ? server + "/sdk/relay?origin=" + encodeURIComponent(location.origin)
      : /^[a-z][a-z0-9+.-]*:/i.test(next) ? next : new URL(next, location.href).href; // the server compares it byte for byte
    start(o, redirectURI).then(
      ({ address, state }) => {
        if (!popup) return location.assign(address);
        listen(popup, state, o, request);
        popup.location = address;
      },
      (error) => {
        if (popup) popup.close();
        request.complete(failure("invalid_request", error.message));
      },
    );
    return request;
  }

  // start prepares the request and gives its address.
  async function start(o, redirectURI) {
    const state = o.state || random();
    const q = new URLSearchParams({
      client_id: settings.clientId, scope: o.scope.join(" "), response_type: o.response_type, redirect_uri: redirectURI, state,
    });
    if (o.scope_data) q.set("scope_data", JSON.stringify(o.scope_data));
    const kept = { client_id: settings.clientId, redirect_uri: redirectURI, scope: o.scope.join(" ") };
    if (o.pkce) {
      kept.verifier = random();
      q.set("code_challenge", await challengeOf(kept.verifier));
      q.set("code_challenge_method", "S256");
      remember(state, kept);
    }
    return { address: server + "/ap/oa?" + q, state };
  }

  function openPopup() {
    const width = 520, height = 700;
    const left = Math.max(0, Math.round((window.screenX || 0) + (window.outerWidth - width) / 2));
    const top = Math.max(0, Math.round((window.screenY || 0) + (window.outerHeight - height) / 3));
    return window.open("", "", `popup,width=${width},height=${height},left=${left},top=${top}`);
  }

  // listen waits for the relay page, or for the user to close the window.
  function listen(popup, state, o, request) {
    const end = (answer) => {
      window.removeEventListener("message", hear);
      clearInterval(watch);
      request.complete(answer);
    };
    const hear = (event) => {
      if (event.origin !== serverOrigin || event.source !== popup) return;
      const data = event.data;
      if (!data || data.type !== "gatelodge.authorization" || !data.response) return;
      const answer = data.response;
      if (answer.state !== state) return end(failure("invalid_request", "The state of the answer is not the one that was sent"));
      if (!o.state) delete answer.state; // ours, and no matter of the page's
      if (answer.access_token) {
        answer.expires_in = Number(answer.expires_in);
        keepToken(answer, answer.scope || o.scope);
      }
      const all = readPending();
      if (answer.code && Object.hasOwn(all, state)) {
        all[state].code = answer.code;
        all[state].granted = answer.scope;
        writePending(all);
      }
      end(answer);
    };
    let closed = 0;
    const watch = setInterval(() => {
      // The message of a window that closed itself may still be on its way.
      if (popup.closed && ++closed > 2) end(failure("access_denied", "The window was closed before the user had decided"));
    }, 250);
    window.addEventListener("message", hear);
  }

  // ---- talking to the server

  async function ask(path, init) {
    let answer;
    try {
      answer = await fetch(server + path, { credentials: "omit", cache: "no-store", ...init });
    } catch {
      return failure("server_error", "The server's answer could not be read. Is " + location.origin + " one of the Allowed Origins of this client?");
    }
    try {
      const body = await answer.json();
      return answer.ok || body.error ? body : failure("server_error", "The server answered with status " + answer.status);
    } catch {
      return failure("server_error", "The server answered with status " + answer.status);
    }
  }

  const failed = ({ error, error_description }) => ({ success: false, error, error_description });

  async function exchange(code) {
    const request = take(code);
    if (!request) {
      return failed(failure("invalid_grant", "This page did not ask for this code with pkce, or it was used before"));
    }
    const body = await ask("/auth/o2/token", {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "authorization_code", code, client_id: request.client_id, redirect_uri: request.redirect_uri, code_verifier: request.verifier,
      }),
    });
    if (body.error) return failed(body);
    const arrived = new URLSearchParams(location.search);
    const granted = request.granted || (arrived.get("code") === code && arrived.get("scope")) || request.scope;
    if (request.client_id === settings.clientId) keepToken(body, granted);
    return { success: true, access_token: body.access_token, token_type: body.token_type, expires_in: body.expires_in };
  }

  async function profileOf(token) {
    const body = await ask("/ap/user/profile", { headers: { Authorization: "Bearer " + token } });
    return body.error ? failed(body) : { success: true, profile: body.Profile };
  }

  function retrieveToken(code, callback) {
    if (typeof callback !== "function") throw new Error("Login: retrieveToken(code, callback)");
    exchange(String(code)).then((answer) => call(callback, answer));
  }

  // retrieveProfile without a token takes the one at hand, or asks the user for one.
  function retrieveProfile(token, callback) {
    if (typeof token === "function") [token, callback] = [undefined, token];
    if (typeof callback !== "function") throw new Error("Login: retrieveProfile([token,] callback)");
    const read = (t) => profileOf(t).then((answer) => call(callback, answer));
    const known = token || (usableToken("profile") || {}).access_token;
    if (known) return void read(known);
    authorize({ scope: "profile", pkce: true }, (answer) => {
      if (answer.error) return callback(failed(answer));
      retrieveToken(answer.code, (given) => (given.success ? read(given.access_token) : callback(given)));
    });
  }

  function logout() {
    cached = null;
    cookie(STATE_COOKIE, "", 0);
    cookie(TOKEN_COOKIE, "", 0);
  }

  const Login = {
    Region: Object.freeze({ NorthAmerica: "NA", Europe: "EU", AsiaPacific: "APAC" }),
    setClientId(id) { settings.clientId = String(id || ""); },
    getClientId() { return settings.clientId; },
    setUseCookie(use) { settings.useCookie = Boolean(use); },
    setSiteDomain(domain) { settings.siteDomain = String(domain || "").replace(/[^A-Za-z0-9.-]/g, ""); },
    // There is one server and one region: these two are remembered and change nothing.
    setSandboxMode(on) { settings.sandbox = Boolean(on); },
    setRegion(region) { settings.region = String(region || ""); },
    authorize, retrieveToken, retrieveProfile, logout,
  };
  window.gatelodge = Object.assign(window.gatelodge || {}, { Login });
  window.amazon = Object.assign(window.amazon || {}, { Login });

  const ready = [window.onGatelodgeLoginReady, window.onAmazonLoginReady].filter((f, i, all) => typeof f === "function" && all.indexOf(f) === i);
  for (const callback of ready) call(callback);
})();
