// Login with Amazon by @sp-api-sdk/auth, which posts JSON to the token endpoint.
import assert from "node:assert/strict";
import test from "node:test";
import "./amazon_hosts.mjs";
import { AuthorizationScope, SellingPartnerApiAuth } from "@sp-api-sdk/auth";
import { issuer, makeScope, register, returnURL, signUp } from "./court.mjs";

const [profile] = await Promise.all([register(), makeScope(AuthorizationScope.NOTIFICATIONS)]);

// authorize gives the credentials and a refresh token of somebody who allowed it.
async function authorize() {
  const user = await signUp();
  const { url } = await user.visit(new URL("/ap/oa?" + new URLSearchParams({
    client_id: profile.client_id, redirect_uri: returnURL, response_type: "code", scope: "profile",
  }), issuer));
  const answer = await fetch(new URL("/auth/o2/token", issuer), {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code", code: new URL(url).searchParams.get("code"), redirect_uri: returnURL,
      client_id: profile.client_id, client_secret: profile.client_secret,
    }),
  });
  const { refresh_token: refreshToken } = await answer.json();
  return { user, clientId: profile.client_id, clientSecret: profile.client_secret, refreshToken };
}

test("refresh", async () => {
  const { user, ...credentials } = await authorize();
  const auth = new SellingPartnerApiAuth(credentials);
  const token = await auth.getAccessToken();
  assert.match(token, /^Atza\|/);
  const left = auth.accessTokenExpiration - Date.now();
  assert.ok(left > 3_500_000 && left <= 3_600_000, `${left} ms to go`);
  assert.equal(await auth.getAccessToken(), token, "a token that lives is asked for again");
  const answer = await fetch(new URL("/user/profile", issuer), { headers: { "x-amz-access-token": token } });
  const profile = await answer.json();
  assert.equal(profile.email, user.email);
});

test("errors", async () => {
  const { user, ...credentials } = await authorize();
  for (const [change, status, error] of [
    [{ clientSecret: "amzn1.oa2-cs.v1." + "0".repeat(64) }, 401, "invalid_client"],
    [{ refreshToken: "Atzr|made-up" }, 400, "invalid_grant"],
  ]) {
    await assert.rejects(new SellingPartnerApiAuth({ ...credentials, ...change }).getAccessToken(), (e) => {
      assert.equal(e.response?.status, status);
      assert.equal(e.response.data.error, error);
      assert.match(e.response.headers["x-amzn-requestid"], /^[0-9a-f-]{36}$/);
      return true;
    });
  }
});

test("a token without a user", async () => {
  const credentials = { clientId: profile.client_id, clientSecret: profile.client_secret };
  const token = await new SellingPartnerApiAuth({ ...credentials, scopes: [AuthorizationScope.NOTIFICATIONS] }).getAccessToken();
  assert.match(token, /^Atc\|/);
  const answer = await fetch(new URL("/auth/o2/tokeninfo?" + new URLSearchParams({ access_token: token }), issuer));
  const info = await answer.json();
  assert.deepEqual([answer.status, info.aud, info.user_id], [200, profile.client_id, undefined]);
  for (const scope of [AuthorizationScope.CLIENT_CREDENTIAL_ROTATION, "profile"]) {
    await assert.rejects(new SellingPartnerApiAuth({ ...credentials, scopes: [scope] }).getAccessToken(), (e) => {
      assert.deepEqual([e.response?.status, e.response.data.error], [400, "invalid_scope"]);
      return true;
    });
  }
});
