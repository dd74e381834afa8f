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

// register makes a security profile: its kind, return URLs, fields of its Settings
// page, more flags of the command, and its public keys. It gives client_id and
// client_secret.
export const register = ({ kind = "web", return_urls = ["service", "device"].includes(kind) ? [] : [returnURL], settings = {}, flags = [], jwks } = {}) =>
  ask("/profiles", { kind, return_urls, settings, flags, jwks });

// command is one of the operator's, such as command("profile", "show", id). It gives
// what the command prints.
export const command = (...args) => ask("/commands", args);

// makeAPI makes an API of a scope, which applications may have for themselves too. It
// gives the profile of the API.
export async function makeAPI(audience, scope, { format = "opaque" } = {}) {
  const profile = await register({ kind: "service", flags: ["--token-format", format] });
  await command("profile", "api", profile.client_id, "--audience", audience);
  await makeScope(scope, "--audience", audience);
  return profile;
}

// makeScope makes a scope that applications may have without a user.
export const makeScope = (name, ...flags) =>
  command("scope", "create", "--name", name, "--label", `Use ${name}`, "--detail", `What ${name} allows.`, "--without-user", ...flags);

const algorithms = {
  ES256: { name: "ECDSA", namedCurve: "P-256" },
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
  PS256: { name: "RSA-PSS", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
};

// newKey is a key of an application: the private one as libraries take it, and what
// is published of it.
export async function newKey(alg) {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(algorithms[alg], false, ["sign", "verify"]);
  const kid = `${alg}-${crypto.randomUUID()}`;
  return { alg, key: { key: privateKey, kid }, jwk: { alg, ...(await crypto.subtle.exportKey("jwk", publicKey)), kid } };
}

// signUp gives somebody who has just made an account and is signed in.
export const signUp = async () => person(await ask("/people", {}));

function person({ browser, email }) {
  return {
    email,
    // visit opens an address and answers what is asked: signs in and allows, if
    // nothing else is said ({"/consent": {decision: ["cancel"]}}). It gives {url,
    // asked, posted, status, text}: where it ended, the paths of the forms on the way,
    // and what was posted where it ended.
    visit: (url, answers = {}) => ask("/visits", { browser, url: String(url), answers }),
    // elsewhere is the same person in a browser in which nobody is signed in.
    elsewhere: async () => person(await ask("/browsers", { browser })),
  };
}

// arrived is the request that a browser makes at the end of a visit, as the
// application gets it.
export const arrived = ({ url, posted }) =>
  posted === null ? new Request(url) : new Request(url, { method: "POST", body: new URLSearchParams(Object.entries(posted).flatMap(([name, values]) => values.map((v) => [name, v]))) });

// allowDevice has somebody type in the code that a device shows, and decide.
export const allowDevice = (user, { verification_uri, user_code }, decision = "allow") =>
  user.visit(verification_uri, { [new URL(verification_uri).pathname]: { user_code: [user_code], decision: [decision] } });
