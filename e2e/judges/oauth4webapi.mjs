// The requests one by one with oauth4webapi, which checks each answer to the letter:
// statuses, content types, the types of members, challenges.
import assert from "node:assert/strict";
import test from "node:test";
import * as oauth from "oauth4webapi";
import { issuer, register, returnURL, signUp } from "./court.mjs";

const http = { [oauth.allowInsecureRequests]: true };

const [web, es256, page, service] = await Promise.all([
  register(),
  register({ settings: { id_token_alg: "ES256" } }),
  register({ kind: "single-page" }),
  register({ kind: "service" }),
]);

const server = await discover("oidc");

async function discover(algorithm) {
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm, ...http }));
}

// application is a profile as its developer configures the library.
const application = (profile, metadata = {}) => ({ client_id: profile.client_id, ...metadata });

// authorize has somebody allow the application, and gives the answer, checked.
async function authorize(client, user, parameters) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const address = new URL(server.authorization_endpoint);
  address.search = new URLSearchParams({
    client_id: client.client_id, redirect_uri: returnURL, response_type: "code", state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", ...parameters,
  });
  const { url } = await user.visit(address);
  return { answer: oauth.validateAuthResponse(server, client, new URL(url), state), verifier };
}

const redeem = (client, authentication, { answer, verifier }) =>
  oauth.authorizationCodeGrantRequest(server, client, authentication, answer, returnURL, verifier, http);

async function introspect(client, authentication, token) {
  return oauth.processIntrospectionResponse(server, client, await oauth.introspectionRequest(server, client, authentication, token, http));
}

const methods = [["client_secret_basic", oauth.ClientSecretBasic], ["client_secret_post", oauth.ClientSecretPost]];

test("metadata", async () => {
  assert.deepEqual(await discover("oauth2"), server);
  for (const [method] of methods) {
    assert.ok(server.token_endpoint_auth_methods_supported.includes(method));
  }
  assert.deepEqual(server.code_challenge_methods_supported, ["S256"]);
  assert.equal(server.authorization_response_iss_parameter_supported, true);
});

for (const [method, authenticate] of methods) {
  test(`OAuth without OpenID Connect, ${method}`, async () => {
    const client = application(web);
    const secret = authenticate(web.client_secret);
    const user = await signUp();
    const allowed = await authorize(client, user, { scope: "profile postal_code" });
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, await redeem(client, secret, allowed));
    assert.equal(tokens.id_token, undefined);
    assert.equal(tokens.token_type, "bearer");
    assert.equal(tokens.expires_in, 3600);
    for (const token of [tokens.access_token, tokens.refresh_token]) {
      assert.match(token, /^gl_[ar]t_[\w-]+$/);
      const known = await introspect(client, secret, token);
      assert.equal(known.active, true);
      assert.equal(known.client_id, client.client_id);
      assert.equal(known.iss, server.issuer);
      assert.equal(known.scope, "profile postal_code");
    }
    assert.deepEqual(await introspect(application(service), authenticate(service.client_secret), tokens.access_token), { active: false });

    const refreshed = await oauth.processRefreshTokenResponse(server, client,
      await oauth.refreshTokenGrantRequest(server, client, secret, tokens.refresh_token, { additionalParameters: { scope: "profile" }, ...http }));
    assert.equal(refreshed.refresh_token, tokens.refresh_token);
    assert.equal((await introspect(client, secret, refreshed.access_token)).scope, "profile");

    await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, secret, tokens.access_token, http));
    for (const token of [tokens.access_token, tokens.refresh_token, refreshed.access_token]) {
      assert.deepEqual(await introspect(client, secret, token), { active: false });
    }
    await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, secret, "gl_at_made-up", http));
  });

  test(`a service, ${method}`, async () => {
    const client = application(service);
    const answer = await oauth.clientCredentialsGrantRequest(server, client, authenticate(service.client_secret), {}, http);
    const tokens = await oauth.processClientCredentialsResponse(server, client, answer);
    assert.match(tokens.access_token, /^gl_at_/);
    assert.equal(tokens.refresh_token, undefined);
  });
}

for (const [alg, profile] of [["RS256", web], ["ES256", es256]]) {
  test(`ID token, ${alg}`, async () => {
    const client = application(profile, { id_token_signed_response_alg: alg, default_max_age: 3600, require_auth_time: true });
    const secret = oauth.ClientSecretBasic(profile.client_secret);
    const user = await signUp();
    const nonce = oauth.generateRandomNonce();
    const allowed = await authorize(client, user, { scope: "openid profile email", nonce, max_age: "3600" });
    const answer = await redeem(client, secret, allowed);
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, { expectedNonce: nonce, requireIdToken: true });
    await oauth.validateApplicationLevelSignature(server, answer, http);
    const claims = oauth.getValidatedIdTokenClaims(tokens);

    const info = await oauth.processUserInfoResponse(server, client, claims.sub, await oauth.userInfoRequest(server, client, tokens.access_token, http));
    assert.equal(info.email, user.email);
    assert.equal(info.email_verified, true);

    const again = await oauth.refreshTokenGrantRequest(server, client, secret, tokens.refresh_token, http);
    const refreshed = await oauth.processRefreshTokenResponse(server, client, again);
    await oauth.validateApplicationLevelSignature(server, again, http);
    assert.equal(oauth.getValidatedIdTokenClaims(refreshed).sub, claims.sub);
  });
}

test("a code that is used again ends what it gave", async () => {
  const client = application(page);
  const user = await signUp();
  const allowed = await authorize(client, user, { scope: "openid", nonce: "n" });
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, await redeem(client, oauth.None(), allowed), { expectedNonce: "n" });
  await assert.rejects(async () => oauth.processAuthorizationCodeResponse(server, client, await redeem(client, oauth.None(), allowed)), { error: "invalid_grant" });
  await assert.rejects(async () => oauth.processRefreshTokenResponse(server, client,
    await oauth.refreshTokenGrantRequest(server, client, oauth.None(), tokens.refresh_token, http)), { error: "invalid_grant" });
  await assert.rejects(async () => oauth.processUserInfoResponse(server, client, oauth.skipSubjectCheck,
    await oauth.userInfoRequest(server, client, tokens.access_token, http)), (e) => {
    assert.ok(e instanceof oauth.WWWAuthenticateChallengeError, e);
    assert.deepEqual([e.status, e.cause[0].scheme, e.cause[0].parameters.error], [401, "bearer", "invalid_token"]);
    return true;
  });
});

test("another verifier", async () => {
  const client = application(page);
  const allowed = await authorize(client, await signUp(), { scope: "profile" });
  allowed.verifier = oauth.generateRandomCodeVerifier();
  await assert.rejects(async () => oauth.processAuthorizationCodeResponse(server, client, await redeem(client, oauth.None(), allowed)), { error: "invalid_grant" });
});

test("errors of the authorization endpoint", async () => {
  const client = application(web);
  const user = await signUp();
  for (const [parameters, error] of [
    [{ scope: "unheard-of" }, "invalid_scope"],
    [{ scope: "profile", response_type: "id_token" }, "unsupported_response_type"],
    [{ scope: "openid", request: "e30.e30." }, "request_not_supported"],
    [{ scope: "openid", prompt: "none login" }, "invalid_request"],
    [{ scope: "profile", code_challenge_method: "plain" }, "invalid_request"],
  ]) {
    await assert.rejects(authorize(client, user, parameters), (e) => {
      assert.ok(e instanceof oauth.AuthorizationResponseError, e);
      assert.equal(e.error, error);
      return true;
    });
  }
});

test("UserInfo without the scope openid", async () => {
  const client = application(web);
  const allowed = await authorize(client, await signUp(), { scope: "profile" });
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, await redeem(client, oauth.ClientSecretPost(web.client_secret), allowed));
  await assert.rejects(async () => oauth.processUserInfoResponse(server, client, oauth.skipSubjectCheck,
    await oauth.userInfoRequest(server, client, tokens.access_token, http)), (e) => {
    assert.deepEqual([e.status, e.cause[0].parameters.error], [403, "insufficient_scope"]);
    return true;
  });
});
