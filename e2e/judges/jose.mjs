// What the server signs, as jose checks it: logout tokens, which no OAuth library reads,
// and that no token passes for another.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import test, { after } from "node:test";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { issuer, makeAPI, register, returnURL, signUp } from "./court.mjs";

const audience = "https://jose.api.example";

// told are the bodies that came to the application's address for logouts.
const told = [];
let tell;
const application = createServer(async (request, answer) => {
  let body = "";
  for await (const part of request) {
    body += part;
  }
  told.push({ method: request.method, type: request.headers["content-type"], body: new URLSearchParams(body) });
  answer.end();
  tell?.();
});
await new Promise((resolve) => application.listen(0, "127.0.0.1", resolve));
after(() => {
  application.close();
  application.closeAllConnections();
});
const logoutURI = `http://127.0.0.1:${application.address().port}/logout`;

const [profile] = await Promise.all([
  register({ settings: { id_token_alg: "ES256" }, flags: ["--backchannel-logout-uri", logoutURI] }),
  makeAPI(audience, "jose:read", { format: "jwt" }),
]);
const metadata = await (await fetch(new URL("/.well-known/openid-configuration", issuer))).json();
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));

async function authorize(user, parameters) {
  const { url } = await user.visit(new URL("?" + new URLSearchParams({
    client_id: profile.client_id, redirect_uri: returnURL, response_type: "code", ...parameters,
  }), metadata.authorization_endpoint));
  const answer = await fetch(metadata.token_endpoint, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code", code: new URL(url).searchParams.get("code"), redirect_uri: returnURL,
      client_id: profile.client_id, client_secret: profile.client_secret,
    }),
  });
  return answer.json();
}

const id = (token, options) => jwtVerify(token, keys, { issuer: metadata.issuer, audience: profile.client_id, algorithms: ["ES256"], ...options });

test("the application is told of a logout", { timeout: 30_000 }, async () => {
  const user = await signUp();
  const { id_token } = await authorize(user, { scope: "openid profile" });
  const { payload } = await id(id_token);
  const came = new Promise((resolve) => (tell = resolve));
  await user.visit(new URL("?" + new URLSearchParams({ id_token_hint: id_token }), metadata.end_session_endpoint));
  await came;
  const [{ method, type, body }] = told;
  assert.deepEqual([method, type, [...body.keys()]], ["POST", "application/x-www-form-urlencoded", ["logout_token"]]);
  const logout = await id(body.get("logout_token"), { typ: "logout+jwt", maxTokenAge: 120, requiredClaims: ["iat", "exp", "jti", "events"] });
  assert.deepEqual(logout.payload.events, { "http://schemas.openid.net/event/backchannel-logout": {} });
  assert.deepEqual([logout.payload.sub, logout.payload.sid], [payload.sub, payload.sid]);
  assert.ok(payload.sid, "the ID token names the session");
  assert.equal(logout.payload.nonce, undefined);
});

test("an access token is no ID token", async () => {
  const tokens = await authorize(await signUp(), { scope: "openid jose:read", resource: audience });
  const { payload } = await jwtVerify(tokens.access_token, keys, { issuer: metadata.issuer, audience, typ: "at+jwt", requiredClaims: ["exp", "iat", "jti", "sub", "client_id"] });
  assert.equal(payload.client_id, profile.client_id);
  await assert.rejects(jwtVerify(tokens.access_token, keys, { audience: profile.client_id }), { code: "ERR_JWT_CLAIM_VALIDATION_FAILED", claim: "aud" });
  await assert.rejects(id(tokens.id_token, { typ: "at+jwt" }), { code: "ERR_JWT_CLAIM_VALIDATION_FAILED", claim: "typ" });
});
