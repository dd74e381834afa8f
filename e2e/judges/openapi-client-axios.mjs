// openapi-client-axios makes a client out of Slate's OpenAPI document alone, and reads
// everything that the user of an access token may see, as the document says it.
import assert from "node:assert/strict";
import test from "node:test";
import { OpenAPIClientAxios } from "openapi-client-axios";

const slate = process.env.SLATE_URL;
const api = new OpenAPIClientAxios({
  definition: `${slate}/apis/v1/openapi.json`,
  axiosConfigDefaults: { headers: { Authorization: `Bearer ${process.env.ACCESS_TOKEN}` }, validateStatus: () => true },
});
const client = await api.init();

// all reads a list to its end, one item a page, as `next` says.
async function all(list, params) {
  const items = [];
  for (let offset = 0; ; offset++) {
    const { status, data } = await list({ ...params, limit: 1, offset });
    assert.equal(status, 200, JSON.stringify(data));
    assert.ok(data.data.length <= 1);
    items.push(...data.data);
    assert.equal(data.next === null, items.length >= data.total);
    if (data.next === null) return items;
    assert.match(data.next, new RegExp(`^${slate}/apis/v1/.*\\?offset=${offset + 1}&limit=1`));
  }
}

test("from the accounts to the files", async () => {
  let files = 0;
  for (const { id: account } of await all(client.listAccounts)) {
    for (const { id: group } of await all(client.listGroups, { account })) {
      if (group === "financialStatement") continue;
      for (const { id: channel } of await all(client.listChannels, { account, group })) {
        for (const { id: type, cadence } of await all(client.listReportTypes, { account, group, channel })) {
          assert.match(cadence, /^(Daily|Weekly|Monthly)$/);
          for (const report of await all(client.listReports, { account, group, channel, type })) {
            assert.match(report.modifiedDate, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
            const since = (modifiedDateGte) => client.listReports({ account, group, channel, type, modifiedDateGte });
            assert.ok((await since(report.modifiedDate)).data.data.some((r) => r.id === report.id));
            assert.equal((await since("2999-01-01T00:00:00.000Z")).data.total, 0);
            const whole = await fetch(report.downloadUrl); // without the token
            assert.equal(whole.status, 200);
            const bytes = Buffer.from(await whole.arrayBuffer());
            assert.equal(bytes.length, report.bytes);
            const end = await fetch(report.downloadUrl, { headers: { Range: "bytes=-4" } });
            assert.equal(end.status, 206);
            assert.deepEqual(Buffer.from(await end.arrayBuffer()), bytes.subarray(-4));
            files++;
          }
        }
      }
    }
  }
  assert.ok(files > 0);
});

test("financial statements, by the identifiers of the partner", async () => {
  const [{ id: account }] = await all(client.listAccounts);
  const [{ reportIdentifier }] = await all(client.listReportIdentifiers, { account });
  const [{ id: type }] = await all(client.listStatementTypes, { account, reportIdentifier });
  assert.equal((await all(client.listStatements, { account, reportIdentifier, type })).length, 1);
});

test("what has not changed is not sent again", async () => {
  const first = await client.listAccounts();
  const again = await client.listAccounts(null, null, { headers: { "If-None-Match": first.headers.etag } });
  assert.equal(again.status, 304);
});

test("refusals are in words", async () => {
  for (const [status, answer] of [
    [400, await client.listAccounts({ limit: 0 })],
    [401, await client.listAccounts(null, null, { headers: { Authorization: "Bearer nonsense" } })],
    [404, await client.listGroups({ account: "77" })],
    [405, await client.post(`${slate}/apis/v1/accounts`, {})],
  ]) {
    assert.equal(answer.status, status);
    assert.ok(answer.data.error && answer.data.error_description && answer.data.request_id, JSON.stringify(answer.data));
  }
});
