// OpenID Connect as applications do it with openid-client, a certified relying party. Signatures are checked against the JWKS even where TLS would do.
import assert from "node:assert/strict";
import test from "node:test";
import * as client from "openid-client";
import { issuer, register, returnURL, signUp } from "./court.mjs";

const [web, es256, page, native, service] = await Promise.all([
  register(),
  register({ settings: { id_token_alg: "ES256" } }),
  register({ kind: "single-page" }),
  register({ kind: "native", return_urls: ["http://127.0.0.1/callback"] }),
  register({ kind: "service" }),
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
async function start(config, parameters = {}) {
  const checks = {
    pkceCodeVerifier: client.randomPKCECodeVerifier(), expectedState: client.randomState(), expectedNonce: client.randomNonce(),
  };
  const address = client.buildAuthorizationUrl(config, {
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
