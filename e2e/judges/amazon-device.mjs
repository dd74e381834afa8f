// A television that does Login with Amazon as Amazon's pages show it, by plain requests:
// no library of npm does.
import assert from "node:assert/strict";
import test from "node:test";
import { pointed } from "./amazon_hosts.mjs";
import { allowDevice, register, signUp } from "./court.mjs";

const television = await register({ kind: "device" });

async function post(path, parameters) {
  const answer = await fetch(pointed("https://api.amazon.com" + path), { method: "POST", body: new URLSearchParams(parameters) });
  return { status: answer.status, ...(await answer.json()) };
}

const show = (scope) => post("/auth/O2/create/codepair", { response_type: "device_code", client_id: television.client_id, scope });

const poll = ({ user_code, device_code }) => post("/auth/O2/token", { grant_type: "device_code", user_code, device_code });

test("sign in", async () => {
  const user = await signUp();
  const codes = await show("profile postal_code");
  assert.equal(codes.status, 200);
  assert.match(codes.user_code, /^[A-Z0-9]{6}$/);
  assert.deepEqual([codes.expires_in, codes.interval], [600, 30]);
  const early = await poll(codes);
  assert.deepEqual([early.status, early.error], [400, "authorization_pending"]);
  const { asked } = await allowDevice(user, codes);
  assert.equal(asked.length, 2);
  const tokens = await poll(codes);
  assert.deepEqual([tokens.status, tokens.token_type, tokens.expires_in], [200, "bearer", 3600]);
  assert.match(tokens.access_token, /^Atza\|/);

  const again = await post("/auth/o2/token", { grant_type: "refresh_token", refresh_token: tokens.refresh_token, client_id: television.client_id });
  assert.deepEqual([again.status, again.refresh_token], [200, tokens.refresh_token]);
  const answer = await fetch(pointed("https://api.amazon.com/user/profile"), { headers: { Authorization: `bearer ${again.access_token}` } });
  assert.equal((await answer.json()).email, user.email);
});

test("cancel", async () => {
  const codes = await show("profile");
  await allowDevice(await signUp(), codes, "cancel");
  const { status, error } = await poll(codes);
  assert.deepEqual([status, error], [400, "access_denied"]);
});

test("codes that do not belong together", async () => {
  const [one, other] = await Promise.all([show("profile"), show("profile")]);
  const { status, error } = await poll({ ...one, user_code: other.user_code });
  assert.deepEqual([status, error], [400, "invalid_code_pair"]);
});

test("another response type", async () => {
  const { status, error } = await post("/auth/O2/create/codepair", { response_type: "code", client_id: television.client_id, scope: "profile" });
  assert.equal(status, 400);
  assert.match(error, /^(invalid_request|unsupported_response_type)$/);
});
