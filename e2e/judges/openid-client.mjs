// OpenID Connect as applications do it with openid-client, a certified relying party. Signatures are checked against the JWKS even where TLS would do.
import assert from "node:assert/strict";
import test from "node:test";
import * as client from "openid-client";
import { allowDevice, arrived, issuer, makeAPI, newKey, register, returnURL, signUp } from "./court.mjs";

const keys = await Promise.all(["ES256", "RS256", "PS256"].map(newKey));
const audience = "https://openid-client.api.example";
const home = "https://app.example/signed-out";

const [web, es256, page, native, service, television, pushing, keyed, proving, leaving, api] = await Promise.all([
  register(),
  register({ settings: { id_token_alg: "ES256" } }),
  register({ kind: "single-page" }),
  register({ kind: "native", return_urls: ["http://127.0.0.1/callback"] }),
  register({ kind: "service" }),
  register({ kind: "device" }),
  register({ flags: ["--require-par"] }),
  register({ flags: ["--auth", "key"], jwks: { keys: keys.map(({ jwk }) => jwk) } }),
  register({ flags: ["--require-dpop"] }),
  register({ flags: ["--post-logout-url", home] }),
  makeAPI(audience, "openid-client:read"),
]);

// configure reads the server's metadata for a profile.
async function configure(profile, authentication, { metadata, algorithm } = {}) {
  const config = await client.discovery(issuer, profile.client_id, metadata, authentication, {
    algorithm, execute: [client.allowInsecureRequests],
  });
  client.enableNonRepudiationChecks(config);
  return config;
}

// start makes an authorization request, and what its answer has to match.
async function start(config, parameters = {}, build = client.buildAuthorizationUrl) {
  const checks = {
    pkceCodeVerifier: client.randomPKCECodeVerifier(), expectedState: client.randomState(), expectedNonce: client.randomNonce(),
  };
  const address = await build(config, {
    redirect_uri: returnURL, scope: "openid profile email", code_challenge_method: "S256",
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    state: checks.expectedState, nonce: checks.expectedNonce, ...parameters,
  });
  return { address, checks };
}

// signIn has somebody sign in to the application.
async function signIn(config, user, parameters = {}) {
  const { address, checks } = await start(config, parameters);
  const { url, asked } = await user.visit(address);
  const tokens = await client.authorizationCodeGrant(config, new URL(url), { ...checks, idTokenExpected: true });
  return { tokens, claims: tokens.claims(), asked };
}

const methods = [
  ["client_secret_basic", client.ClientSecretBasic],
  ["client_secret_post", client.ClientSecretPost],
];

test("both well-known addresses say the same", async () => {
  const [oidc, oauth2] = await Promise.all(["oidc", "oauth2"].map((algorithm) => configure(web, client.None(), { algorithm })));
  assert.deepEqual(oidc.serverMetadata(), oauth2.serverMetadata());
  assert.ok(oidc.serverMetadata().supportsPKCE());
});

for (const [method, authentication] of methods) {
  for (const [alg, profile] of [["RS256", web], ["ES256", es256]]) {
    test(`a web application, ${method}, ${alg}`, async () => {
      const user = await signUp();
      const config = await configure(profile, authentication(profile.client_secret), { metadata: { id_token_signed_response_alg: alg } });
      const { tokens, claims, asked } = await signIn(config, user);
      assert.deepEqual(asked, ["/consent"]);
      assert.equal(JSON.parse(Buffer.from(tokens.id_token.split(".")[0], "base64url")).alg, alg);

      const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
      assert.equal(info.name, "Brook Taylor");
      assert.equal(info.email, user.email);

      const known = await client.tokenIntrospection(config, tokens.access_token);
      assert.equal(known.active, true);
      assert.equal(known.client_id, profile.client_id);
      assert.equal(known.sub, claims.sub);
      assert.deepEqual(known.scope.split(" ").sort(), ["email", "openid", "profile"]);

      const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
      assert.equal(refreshed.refresh_token, tokens.refresh_token, "a confidential client keeps its refresh token");
      assert.notEqual(refreshed.access_token, tokens.access_token);
      assert.equal(refreshed.claims().sub, claims.sub);
      assert.equal(refreshed.claims().auth_time, claims.auth_time);

      await client.tokenRevocation(config, tokens.refresh_token, { token_type_hint: "refresh_token" });
      await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: "invalid_grant", status: 400 });
      assert.deepEqual(await client.tokenIntrospection(config, refreshed.access_token), { active: false });
      await assert.rejects(client.fetchUserInfo(config, refreshed.access_token, claims.sub), (e) => {
        assert.ok(e instanceof client.WWWAuthenticateChallengeError, e);
        assert.equal(e.cause[0].scheme, "bearer");
        assert.equal(e.cause[0].parameters.error, "invalid_token");
        return true;
      });
    });
  }
}

test("a single page has refresh tokens that change", async () => {
  const user = await signUp();
  const config = await configure(page, client.None());
  const { tokens } = await signIn(config, user);
  const second = await client.refreshTokenGrant(config, tokens.refresh_token);
  assert.notEqual(second.refresh_token, tokens.refresh_token);
  const third = await client.refreshTokenGrant(config, second.refresh_token);
  assert.notEqual(third.refresh_token, second.refresh_token);
  assert.equal(third.claims().auth_time, tokens.claims().auth_time);
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: "invalid_grant" });
  await assert.rejects(client.refreshTokenGrant(config, third.refresh_token), { error: "invalid_grant" }, "a replay ends the family");
});

test("a single page needs PKCE", async () => {
  const user = await signUp();
  const config = await configure(page, client.None());
  const { address, checks } = await start(config);
  address.searchParams.delete("code_challenge");
  address.searchParams.delete("code_challenge_method");
  const { url } = await user.visit(address);
  await assert.rejects(client.authorizationCodeGrant(config, new URL(url), { ...checks, pkceCodeVerifier: undefined }), { error: "invalid_request" });
});

test("a native app comes back to the port that it was given", async () => {
  const user = await signUp();
  const config = await configure(native, client.None());
  for (const port of [51004, 51005]) {
    const { tokens, claims, asked } = await signIn(config, user, { redirect_uri: `http://127.0.0.1:${port}/callback` });
    assert.deepEqual(asked, ["/consent"], "RFC 8252 section 8.6: asked each time");
    await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  }
});

for (const [method, authentication] of methods) {
  test(`a service, ${method}`, async () => {
    const config = await configure(service, authentication(service.client_secret));
    const tokens = await client.clientCredentialsGrant(config);
    assert.equal(tokens.refresh_token, undefined);
    const known = await client.tokenIntrospection(config, tokens.access_token);
    assert.equal(known.active, true);
    assert.equal(known.client_id, service.client_id);
  });

  test(`a wrong secret, ${method}`, async () => {
    const config = await configure(service, authentication(service.client_secret.replace(/.$/, (c) => (c === "0" ? "1" : "0"))));
    await assert.rejects(client.clientCredentialsGrant(config), (e) => {
      assert.equal(e.status, 401);
      if (method === "client_secret_basic") {
        assert.ok(e instanceof client.WWWAuthenticateChallengeError, e);
        assert.equal(e.cause[0].scheme, "basic");
        assert.ok(e.cause[0].parameters.realm);
      } else {
        assert.equal(e.error, "invalid_client");
      }
      return true;
    });
  });
}

test("max_age", async () => {
  const user = await signUp();
  const config = await configure(web, client.ClientSecretBasic(web.client_secret));
  const first = await signIn(config, user);
  const unhurried = await signIn(config, user, { max_age: "3600" });
  assert.deepEqual(unhurried.asked, []);
  assert.equal(unhurried.claims.auth_time, first.claims.auth_time);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const { address, checks } = await start(config, { max_age: "0" });
  const { url, asked } = await user.visit(address);
  assert.deepEqual(asked, ["/sign-in"]);
  const tokens = await client.authorizationCodeGrant(config, new URL(url), { ...checks, maxAge: 0, idTokenExpected: true });
  assert.ok(tokens.claims().auth_time > first.claims.auth_time);
});

test("prompt", async () => {
  const user = await signUp();
  const config = await configure(web, client.ClientSecretBasic(web.client_secret));
  const silently = async (browser) => {
    const { address, checks } = await start(config, { prompt: "none" });
    const { url, asked } = await browser.visit(address);
    assert.deepEqual(asked, []);
    return client.authorizationCodeGrant(config, new URL(url), checks);
  };
  const elsewhere = await user.elsewhere();
  await assert.rejects(silently(elsewhere), { error: "login_required" });
  await assert.rejects(silently(user), { error: "consent_required" });
  const { claims } = await signIn(config, user);
  assert.equal((await silently(user)).claims().sub, claims.sub);
  await assert.rejects(silently(elsewhere), { error: "login_required" });

  assert.deepEqual((await signIn(config, user, { prompt: "consent" })).asked, ["/consent"]);
  assert.deepEqual((await signIn(config, user, { prompt: "login" })).asked, ["/sign-in"]);
  assert.deepEqual((await signIn(config, elsewhere)).asked, ["/sign-in"]);
});

test("somebody cancels", async () => {
  const user = await signUp();
  const config = await configure(web, client.ClientSecretBasic(web.client_secret));
  const { address, checks } = await start(config);
  const { url } = await user.visit(address, { "/consent": { decision: ["cancel"] } });
  await assert.rejects(client.authorizationCodeGrant(config, new URL(url), checks), (e) => {
    assert.ok(e instanceof client.AuthorizationResponseError, e);
    assert.equal(e.error, "access_denied");
    return true;
  });
});

test("an answer without the issuer is refused, because metadata promises it", async () => {
  const user = await signUp();
  const config = await configure(web, client.ClientSecretBasic(web.client_secret));
  const { address, checks } = await start(config);
  const url = new URL((await user.visit(address)).url);
  assert.equal(url.searchParams.get("iss"), issuer.href.replace(/\/$/, ""));
  url.searchParams.delete("iss");
  await assert.rejects(client.authorizationCodeGrant(config, url, checks), (e) => /iss/.test(e.cause?.message));
});

test("one ID for two applications of a developer", async () => {
  const user = await signUp();
  const subjects = [];
  for (const [alg, profile] of [["RS256", web], ["ES256", es256]]) {
    const config = await configure(profile, client.ClientSecretBasic(profile.client_secret), { metadata: { id_token_signed_response_alg: alg } });
    subjects.push((await signIn(config, user)).claims.sub);
  }
  assert.equal(subjects[0], subjects[1]);
});

test("a television, and another one that nobody wants", async () => {
  const config = await configure(television, client.None());
  const show = () => client.initiateDeviceAuthorization(config, { scope: "openid profile email" });
  const user = await signUp();
  const letIn = async () => {
    const codes = await show();
    const polled = client.pollDeviceAuthorizationGrant(config, codes);
    assert.deepEqual((await allowDevice(user, codes)).asked, ["/device", "/device"]);
    const tokens = await polled;
    const { sub } = tokens.claims();
    assert.equal((await client.fetchUserInfo(config, tokens.access_token, sub)).email, user.email);
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
    assert.equal(refreshed.claims().sub, sub);
  };
  const keepOut = async () => {
    const codes = await show();
    const polled = assert.rejects(client.pollDeviceAuthorizationGrant(config, codes), { error: "access_denied" });
    await allowDevice(user, codes, "cancel");
    await polled;
  };
  await Promise.all([letIn(), keepOut()]);
});

test("a pushed request, where it has to be", async () => {
  const user = await signUp();
  const config = await configure(pushing, client.ClientSecretBasic(pushing.client_secret));
  const { address, checks } = await start(config, {}, client.buildAuthorizationUrlWithPAR);
  assert.deepEqual([...address.searchParams.keys()].sort(), ["client_id", "request_uri"]);
  const { url } = await user.visit(address);
  const tokens = await client.authorizationCodeGrant(config, new URL(url), { ...checks, idTokenExpected: true });
  await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  await assert.rejects(start(config, { scope: "unheard-of" }, client.buildAuthorizationUrlWithPAR), { error: "invalid_scope" });
  const plain = await start(config);
  await assert.rejects(client.authorizationCodeGrant(config, new URL((await user.visit(plain.address)).url), plain.checks), { error: "invalid_request" });
});

for (const { alg, key } of keys) {
  test(`private_key_jwt, ${alg}`, async () => {
    const user = await signUp();
    const config = await configure(keyed, client.PrivateKeyJwt(key));
    const { tokens, claims } = await signIn(config, user);
    const known = await client.tokenIntrospection(config, tokens.access_token);
    assert.equal(known.sub, claims.sub);
    await client.refreshTokenGrant(config, tokens.refresh_token);
    await client.tokenRevocation(config, tokens.refresh_token);
    assert.deepEqual(await client.tokenIntrospection(config, tokens.refresh_token), { active: false });
    await start(config, {}, client.buildAuthorizationUrlWithPAR);
  });
}

test("private_key_jwt takes the place of the secret", async () => {
  const another = await newKey("ES256");
  for (const authentication of [client.ClientSecretPost(keyed.client_secret ?? "made-up"), client.PrivateKeyJwt(another.key)]) {
    await assert.rejects(client.clientCredentialsGrant(await configure(keyed, authentication)), { error: "invalid_client", status: 401 });
  }
});

for (const alg of ["ES256", "RS256", "PS256"]) {
  test(`tokens that are bound to a key, ${alg}`, async () => {
    const user = await signUp();
    const config = await configure(proving, client.ClientSecretBasic(proving.client_secret));
    const answers = [];
    config[client.customFetch] = async (...request) => {
      const answer = await fetch(...request);
      answers.push(answer.status);
      return answer;
    };
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair(alg));
    const { address, checks } = await start(config, { dpop_jkt: await DPoP.calculateThumbprint() });
    const { url } = await user.visit(address);
    const tokens = await client.authorizationCodeGrant(config, new URL(url), { ...checks, idTokenExpected: true }, undefined, { DPoP });
    assert.deepEqual(answers.slice(0, 2), [400, 200], "a nonce is asked for, and the code is good still");
    assert.equal(tokens.token_type, "dpop");
    const { sub } = tokens.claims();
    assert.equal((await client.fetchUserInfo(config, tokens.access_token, sub, { DPoP })).email, user.email);
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
    assert.equal(refreshed.token_type, "dpop");

    await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: "invalid_dpop_proof" });
    const another = client.getDPoPHandle(config, await client.randomDPoPKeyPair());
    for (const options of [undefined, { DPoP: another }]) {
      await assert.rejects(client.fetchUserInfo(config, tokens.access_token, sub, options), (e) => {
        assert.ok(e instanceof client.WWWAuthenticateChallengeError, e);
        assert.ok(e.cause.some(({ scheme }) => scheme === "dpop"), "the challenge names DPoP");
        return true;
      });
    }
  });
}

test("a single page binds its refresh tokens to a key", async () => {
  const user = await signUp();
  const config = await configure(page, client.None());
  const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair());
  const { address, checks } = await start(config, {}, (...of) => client.buildAuthorizationUrlWithPAR(...of, { DPoP }));
  const { url } = await user.visit(address);
  const tokens = await client.authorizationCodeGrant(config, new URL(url), checks, undefined, { DPoP });
  const another = client.getDPoPHandle(config, await client.randomDPoPKeyPair());
  await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP: another }), { error: /^invalid_(grant|dpop_proof)$/ });
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP });
  assert.notEqual(refreshed.refresh_token, tokens.refresh_token);
});

test("a token for an API", async () => {
  const user = await signUp();
  const config = await configure(web, client.ClientSecretBasic(web.client_secret));
  const { tokens, claims } = await signIn(config, user, { scope: "openid profile openid-client:read", resource: audience });
  const lookUp = await configure(api, client.ClientSecretBasic(api.client_secret));
  for (const { access_token } of [tokens, await client.refreshTokenGrant(config, tokens.refresh_token, { resource: audience })]) {
    const known = await client.tokenIntrospection(lookUp, access_token);
    assert.deepEqual([known.active, known.aud, known.client_id, known.scope], [true, [audience], web.client_id, "openid-client:read"]);
    await assert.rejects(client.fetchUserInfo(config, access_token, claims.sub), (e) => e.cause[0].parameters.error === "invalid_token");
  }
  const itself = await client.clientCredentialsGrant(config, { scope: "openid-client:read", resource: audience });
  assert.equal((await client.tokenIntrospection(lookUp, itself.access_token)).sub, web.client_id);
  const nowhere = await start(config, { resource: "https://nowhere.example" });
  await assert.rejects(client.authorizationCodeGrant(config, new URL((await user.visit(nowhere.address)).url), nowhere.checks), { error: "invalid_target" });
});

test("an answer by form_post", async () => {
  const user = await signUp();
  const config = await configure(web, client.ClientSecretBasic(web.client_secret));
  for (const [parameters, error] of [[{}], [{ prompt: "none", max_age: "0" }, "login_required"]]) {
    const { address, checks } = await start(config, { ...parameters, response_mode: "form_post" });
    const visit = await user.visit(address);
    assert.equal(visit.url, returnURL);
    const redeemed = client.authorizationCodeGrant(config, arrived(visit), { ...checks, idTokenExpected: true });
    await (error ? assert.rejects(redeemed, { error }) : redeemed);
  }
});

test("signing out", async () => {
  const user = await signUp();
  const config = await configure(leaving, client.ClientSecretBasic(leaving.client_secret));
  const { tokens } = await signIn(config, user);
  const state = client.randomState();
  const address = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: home, state });
  const { url, asked } = await user.visit(address);
  assert.deepEqual([url, asked], [`${home}?state=${state}`, []]);
  const silent = await start(config, { prompt: "none" });
  await assert.rejects(client.authorizationCodeGrant(config, new URL((await user.visit(silent.address)).url), silent.checks), { error: "login_required" });
});

for (const [method, metadata, authentication] of [
  ["client_secret_basic", { id_token_signed_response_alg: "ES256" }],
  ["client_secret_post", {}],
  ["private_key_jwt", { jwks: { keys: [keys[0].jwk] } }, client.PrivateKeyJwt(keys[0].key)],
  ["none", { application_type: "native" }, client.None()],
]) {
  test(`an application that registers itself, ${method}`, async () => {
    const user = await signUp();
    const config = await client.dynamicClientRegistration(issuer, {
      redirect_uris: [method === "none" ? "http://127.0.0.1/callback" : returnURL], client_name: "Registered", scope: "openid profile email",
      token_endpoint_auth_method: method, grant_types: ["authorization_code", "refresh_token"], ...metadata,
    }, authentication, { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] });
    const known = config.clientMetadata();
    assert.equal(known.token_endpoint_auth_method, method);
    assert.equal(known.client_name, "Registered");
    const { tokens, claims } = await signIn(config, user, { redirect_uri: method === "none" ? "http://127.0.0.1:51006/callback" : returnURL });
    assert.equal((await client.fetchUserInfo(config, tokens.access_token, claims.sub)).email, user.email);
    await client.refreshTokenGrant(config, tokens.refresh_token);
  });
}
