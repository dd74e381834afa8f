// Login with Amazon by passport-amazon: body authentication, and the profile with
// the token in the address.
import assert from "node:assert/strict";
import test from "node:test";
import AmazonStrategy from "passport-amazon";
import { pointed } from "./amazon_hosts.mjs";
import { register, returnURL, signUp } from "./court.mjs";

const profile = await register();

// authenticate is what passport does with a strategy: one request of a browser comes
// in, and goes out as a redirect or as somebody signed in.
function authenticate(strategy, request, options) {
  return new Promise((resolve, reject) => {
    const one = Object.create(strategy);
    one.redirect = (address) => resolve({ address });
    one.success = (user) => resolve({ user });
    one.fail = (info, status) => resolve({ failed: info ?? status });
    one.error = reject;
    one.authenticate(request, options);
  });
}

const take = (accessToken, refreshToken, profile, done) => done(null, { accessToken, refreshToken, profile });

const configure = (options) => new AmazonStrategy(
  { clientID: profile.client_id, clientSecret: profile.client_secret, callbackURL: returnURL, ...options }, take);

for (const options of [{ state: true }, { state: true, pkce: "S256" }, { state: true, pkce: "plain" }]) {
  test(`sign in, ${JSON.stringify(options)}`, async () => {
    const user = await signUp();
    const strategy = configure(options);
    const session = {};
    const { address } = await authenticate(strategy, { session, query: {} }, { scope: ["profile", "postal_code"] });
    const { url, asked } = await user.visit(pointed(address));
    assert.deepEqual(asked, ["/consent"]);
    const query = Object.fromEntries(new URL(url).searchParams);
    const { user: got, failed } = await authenticate(strategy, { session, query });
    assert.equal(failed, undefined);
    assert.match(got.accessToken, /^Atza\|/);
    assert.match(got.refreshToken, /^Atzr\|/);
    assert.match(got.profile.id, /^amzn1\.account\.[A-Z2-7]{28}$/);
    assert.equal(got.profile.displayName, "Brook Taylor");
    assert.deepEqual(got.profile.emails, [{ value: user.email }]);
  });
}

test("cancel", async () => {
  const user = await signUp();
  const strategy = configure();
  const { address } = await authenticate(strategy, { query: {} }, { scope: "profile" });
  const { url } = await user.visit(pointed(address), { "/consent": { decision: ["cancel"] } });
  const end = await authenticate(strategy, { query: Object.fromEntries(new URL(url).searchParams) });
  assert.ok(end.failed, "somebody who refused is signed in");
});

test("a code is good once, and its error is read", async () => {
  const user = await signUp();
  const strategy = configure();
  const { address } = await authenticate(strategy, { query: {} }, { scope: "profile" });
  const { url } = await user.visit(pointed(address));
  const query = Object.fromEntries(new URL(url).searchParams);
  assert.ok((await authenticate(strategy, { query })).user);
  await assert.rejects(authenticate(strategy, { query }), { name: "TokenError", code: "invalid_grant" });
});
