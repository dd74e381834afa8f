// Amazon's hosts, as clients see them that have their names written in: behind each
// is the server that is judged.
import http from "node:http";
import https from "node:https";
import { syncBuiltinESMExports } from "node:module";
import { issuer } from "./court.mjs";

// pointed gives an address at Amazon as one of the server.
export function pointed(address) {
  const url = new URL(address);
  if (!/^(www|api)\.amazon\.com$/.test(url.hostname)) {
    throw new Error(`${url.hostname} is none of Amazon's`);
  }
  return new URL(url.pathname + url.search, issuer);
}

https.request = (options, callback) => {
  const { hostname, host } = options;
  const { port } = pointed(`https://${hostname ?? host}/`);
  return http.request(
    {
      ...options, protocol: "http:", hostname: issuer.hostname, host: issuer.hostname, port, agent: undefined,
      headers: { ...options.headers, Host: issuer.host },
    },
    callback,
  );
};
syncBuiltinESMExports();
