// The requests one by one with oauth4webapi, which checks each answer to the letter:
// statuses, content types, the types of members, challenges.
import assert from "node:assert/strict";
import test from "node:test";
import * as oauth from "oauth4webapi";
import { allowDevice, arrived, issuer, makeAPI, newKey, register, returnURL, signUp } from "./court.mjs";

const http = { [oauth.allowInsecureRequests]: true };

const key = await newKey("ES256");
const audience = "https://oauth4webapi.api.example";
const home = "https://app.example/signed-out";

const [web, es256, page, service, television, keyed, proving, leaving] = await Promise.all([
  register(),
  register({ settings: { id_token_alg: "ES256" } }),
  register({ kind: "single-page" }),
  register({ kind: "service" }),
  register({ kind: "device" }),
  register({ flags: ["--auth", "key", "--require-dpop", "--require-par"], jwks: { keys: [key.jwk] } }),
  register({ kind: "service", flags: ["--require-dpop"] }),
  register({ flags: ["--post-logout-url", home] }),
  makeAPI(audience, "oauth4webapi:read", { format: "jwt" }),
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

test("the device grant", async () => {
  const client = application(television);
  const user = await signUp();
  const show = async () => oauth.processDeviceAuthorizationResponse(server, client,
    await oauth.deviceAuthorizationRequest(server, client, oauth.None(), { scope: "openid profile" }, http));
  const poll = async (codes) => oauth.processDeviceCodeResponse(server, client,
    await oauth.deviceCodeGrantRequest(server, client, oauth.None(), codes.device_code, http));
  const codes = await show();
  assert.equal(codes.interval, 5);
  assert.equal(codes.verification_uri_complete, `${codes.verification_uri}?user_code=${codes.user_code}`);
  await assert.rejects(poll(codes), { error: "authorization_pending", status: 400 });
  await assert.rejects(poll(codes), { error: "slow_down", status: 400 });
  await allowDevice(user, codes);
  const tokens = await poll(codes);
  assert.equal(oauth.getValidatedIdTokenClaims(tokens).aud, client.client_id);
  await assert.rejects(poll(codes), { error: "invalid_grant" });

  const unwanted = await show();
  await allowDevice(user, unwanted, "cancel");
  await assert.rejects(poll(unwanted), { error: "access_denied" });
  await assert.rejects(poll({ device_code: "made-up" }), { error: "invalid_grant" });
});

// withNonce does a request that proves a key, once more when a nonce is asked for. It
// tells how often that was.
async function withNonce(request) {
  try {
    return [await request(), 1];
  } catch (e) {
    assert.ok(oauth.isDPoPNonceError(e), e);
    return [await request(), 2];
  }
}

test("a key for the application, a key for its tokens, a pushed request", async () => {
  const client = application(keyed);
  const proved = oauth.PrivateKeyJwt(key.key);
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
  const bound = { DPoP, ...http };
  const user = await signUp();
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const push = async (parameters) => oauth.processPushedAuthorizationResponse(server, client,
    await oauth.pushedAuthorizationRequest(server, client, proved, {
      redirect_uri: returnURL, response_type: "code", scope: "openid profile", state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", ...parameters,
    }, bound));
  await assert.rejects(withNonce(() => push({ redirect_uri: "https://elsewhere.example" })), { error: "invalid_request", status: 400 });
  const [pushed] = await withNonce(() => push());
  assert.match(pushed.request_uri, /^urn:ietf:params:oauth:request_uri:/);
  const address = new URL(server.authorization_endpoint);
  address.search = new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri });
  const answer = oauth.validateAuthResponse(server, client, new URL((await user.visit(address)).url), state);

  const redeemed = async (options) => oauth.processAuthorizationCodeResponse(server, client,
    await oauth.authorizationCodeGrantRequest(server, client, proved, answer, returnURL, verifier, options));
  await assert.rejects(redeemed(http), { error: "invalid_dpop_proof" });
  const [tokens] = await withNonce(() => redeemed(bound));
  assert.equal(tokens.token_type, "dpop");
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  const [info] = await withNonce(async () => oauth.processUserInfoResponse(server, client, sub,
    await oauth.userInfoRequest(server, client, tokens.access_token, bound)));
  assert.equal(info.name, "Brook Taylor");
  const known = await introspect(client, proved, tokens.access_token);
  assert.equal(known.cnf.jkt, await DPoP.calculateThumbprint());
  assert.equal(known.token_type, "DPoP");
  const [refreshed] = await withNonce(async () => oauth.processRefreshTokenResponse(server, client,
    await oauth.refreshTokenGrantRequest(server, client, proved, tokens.refresh_token, bound)));
  assert.equal(refreshed.token_type, "dpop");
});

test("a nonce is asked for once, and the next one comes along", async () => {
  const client = application(proving);
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
  const get = () => withNonce(async () => oauth.processClientCredentialsResponse(server, client,
    await oauth.clientCredentialsGrantRequest(server, client, oauth.ClientSecretBasic(proving.client_secret), {}, { DPoP, ...http })));
  const times = [];
  for (let i = 0; i < 3; i++) {
    const [tokens, asked] = await get();
    assert.equal(tokens.token_type, "dpop");
    times.push(asked);
  }
  assert.deepEqual(times, [2, 1, 1]);
});

// atAPI is the request that an application makes to its API, as the API gets it.
async function atAPI(token, options = {}) {
  let got;
  await oauth.protectedResourceRequest(token, "GET", new URL(audience), undefined, undefined, {
    ...options,
    [oauth.customFetch]: async (address, request) => {
      got = new Request(address, request);
      return new Response();
    },
  });
  return got;
}

test("access tokens that an API checks by itself", async () => {
  const client = application(web);
  const secret = oauth.ClientSecretBasic(web.client_secret);
  const parameters = { scope: "profile oauth4webapi:read", resource: audience };
  const allowed = await authorize(client, await signUp(), parameters);
  const forUser = await oauth.processAuthorizationCodeResponse(server, client, await redeem(client, secret, allowed));
  const claims = await oauth.validateJwtAccessToken(server, await atAPI(forUser.access_token), audience, http);
  assert.deepEqual([claims.client_id, claims.scope], [client.client_id, "oauth4webapi:read"]);
  assert.notEqual(claims.sub, client.client_id);

  const forItself = async (options) => oauth.processClientCredentialsResponse(server, client,
    await oauth.clientCredentialsGrantRequest(server, client, secret, { ...parameters, scope: "oauth4webapi:read" }, options));
  const plain = await forItself(http);
  const own = await oauth.validateJwtAccessToken(server, await atAPI(plain.access_token), audience, http);
  assert.deepEqual([own.sub, own.client_id], [client.client_id, client.client_id]);
  await assert.rejects(oauth.validateJwtAccessToken(server, await atAPI(plain.access_token), "https://another.example", http));

  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
  const [bound] = await withNonce(() => forItself({ DPoP, ...http }));
  const request = await atAPI(bound.access_token, { DPoP });
  const proved = await oauth.validateJwtAccessToken(server, request, audience, { requireDPoP: true, ...http });
  assert.equal(proved.cnf.jkt, await DPoP.calculateThumbprint());
  await assert.rejects(async () => oauth.validateJwtAccessToken(server, await atAPI(bound.access_token), audience, http));
});

test("errors of resource", async () => {
  const client = application(web);
  const user = await signUp();
  for (const parameters of [
    { scope: "profile", resource: audience },
    { scope: "oauth4webapi:read", resource: "https://nowhere.example" },
    { scope: "oauth4webapi:read", resource: `${audience}#part` },
  ]) {
    await assert.rejects(authorize(client, user, parameters), (e) => {
      assert.equal(e.error, "invalid_target", JSON.stringify(parameters));
      return true;
    });
  }
});

test("an answer in a form", async () => {
  const client = application(web);
  const state = oauth.generateRandomState();
  const address = new URL(server.authorization_endpoint);
  const verifier = oauth.generateRandomCodeVerifier();
  address.search = new URLSearchParams({
    client_id: client.client_id, redirect_uri: returnURL, response_type: "code", scope: "profile", state, response_mode: "form_post",
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  });
  const posted = arrived(await (await signUp()).visit(address));
  const answer = oauth.validateAuthResponse(server, client, new URLSearchParams(await posted.text()), state);
  await oauth.processAuthorizationCodeResponse(server, client, await redeem(client, oauth.ClientSecretPost(web.client_secret), { answer, verifier }));
});

test("signing out without a hint is asked for", async () => {
  const client = application(leaving);
  const user = await signUp();
  const { answer } = await authorize(client, user, { scope: "openid" });
  assert.ok(answer.get("code"));
  const address = new URL(server.end_session_endpoint);
  address.search = new URLSearchParams({ client_id: client.client_id, post_logout_redirect_uri: home, state: "bye" });
  const { url, asked } = await user.visit(address, { "/oauth2/logout": { client_id: [client.client_id] } });
  assert.deepEqual([url, asked], [`${home}?state=bye`, ["/oauth2/logout"]]);
  await assert.rejects(authorize(client, user, { scope: "openid", prompt: "none" }), (e) => e.error === "login_required");
});

test("an application that registers itself", async () => {
  const registerWith = async (metadata) => oauth.processDynamicClientRegistrationResponse(
    await oauth.dynamicClientRegistrationRequest(server, metadata, http));
  const made = await registerWith({ client_name: "Registered", redirect_uris: [returnURL], token_endpoint_auth_method: "client_secret_basic" });
  const allowed = await authorize(made, await signUp(), { scope: "profile" });
  await oauth.processAuthorizationCodeResponse(server, made, await redeem(made, oauth.ClientSecretBasic(made.client_secret), allowed));
  for (const [metadata, error] of [
    [{ redirect_uris: ["javascript:alert(1)"] }, "invalid_redirect_uri"],
    [{ redirect_uris: [returnURL], jwks: { keys: [] }, token_endpoint_auth_method: "private_key_jwt" }, "invalid_client_metadata"],
  ]) {
    await assert.rejects(registerWith(metadata), { error, status: 400 });
  }
});
