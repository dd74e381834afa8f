// What scripts have beside the library that judges: profiles, people, and what both
// are asked. It is served by court_test.go.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";

// Node 18, which is Debian 12's, has what libraries expect, but not as globals.
globalThis.crypto ??= webcrypto;
globalThis.CryptoKey ??= webcrypto.CryptoKey;

export const issuer = new URL(process.env.GATELODGE_ISSUER);

async function ask(path, body) {
  const answer = await fetch(process.env.GATELODGE_COURT + path, { method: "POST", body: JSON.stringify(body) });
  const text = await answer.text();
  assert.equal(answer.status, 200, `${path}: ${text}`);
  return JSON.parse(text);
}

// returnURL is where ordinary profiles wait. Nobody listens there: people tell
// where they were sent.
export const returnURL = "https://app.example/callback";

// register makes a security profile: its kind, return URLs, and fields of its
// Settings page. It gives client_id and client_secret.
export const register = ({ kind = "web", return_urls = kind === "service" ? [] : [returnURL], settings = {} } = {}) =>
  ask("/profiles", { kind, return_urls, settings });

// signUp gives somebody who has just made an account and is signed in.
export const signUp = async () => person(await ask("/people", {}));

function person({ browser, email }) {
  return {
    email,
    // visit opens an address and answers what is asked: signs in and allows, if
    // nothing else is said ({"/consent": {decision: ["cancel"]}}). It gives {url,
    // asked, status, text}: where it ended, and the paths of the forms on the way.
    visit: (url, answers = {}) => ask("/visits", { browser, url: String(url), answers }),
    // elsewhere is the same person in a browser in which nobody is signed in.
    elsewhere: async () => person(await ask("/browsers", { browser })),
  };
}
