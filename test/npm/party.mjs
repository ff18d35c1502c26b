// @ts-check

// A relying party on loopback by @simplewebauthn/server, for tests. It prints its address,
// answers the same four questions as internal/demo/site, and ends with its standard input.

import { createServer } from "node:http";
import {
  generateAuthenticationOptions, generateRegistrationOptions, verifyAuthenticationResponse, verifyRegistrationResponse,
} from "@simplewebauthn/server";

const rpID = "localhost";
/** @typedef {{ id: string, publicKey: any, counter: number, transports?: any }} Passkey */
/** @type {Map<string, { handle: Uint8Array<ArrayBuffer>, passkeys: Passkey[] }>} */
const accounts = new Map();
/** What was begun, by challenge. @type {Map<string, { account: string, verification: any }>} */
const pending = new Map();

/** @param {string} name */
function accountOf(name) {
  const found = accounts.get(name) ?? { handle: crypto.getRandomValues(new Uint8Array(32)), passkeys: [] };
  accounts.set(name, found);
  return found;
}

/** @param {any} response */
function taken(response) {
  const { challenge } = JSON.parse(Buffer.from(response.response.clientDataJSON, "base64url").toString());
  const found = pending.get(challenge);
  pending.delete(challenge);
  if (!found) throw new Error("nothing was begun with this challenge");
  return { challenge, ...found };
}

/** @param {Uint8Array} data authenticator data */
const flagsOf = (data) => ({ up: !!(data[32] & 1), uv: !!(data[32] & 4), be: !!(data[32] & 8), bs: !!(data[32] & 16) });

/** @type {Record<string, (query: URLSearchParams, body: any, origin: string) => Promise<object>>} */
const answers = {
  async "/register/begin"(query) {
    const account = query.get("account") ?? "alice", { handle, passkeys } = accountOf(account);
    const verification = query.get("verification") ?? "required";
    const options = await generateRegistrationOptions({
      rpName: "Party", rpID, userName: account, userID: handle, attestationType: /** @type {any} */ (query.get("attestation") ?? "none"),
      excludeCredentials: passkeys.map(({ id }) => ({ id })),
      authenticatorSelection: { residentKey: "required", userVerification: /** @type {any} */ (verification) },
    });
    pending.set(options.challenge, { account, verification });
    return { publicKey: options };
  },
  async "/register/finish"(_, body, origin) {
    const { challenge, account, verification } = taken(body);
    const { verified, registrationInfo: info } = await verifyRegistrationResponse({
      response: body, expectedChallenge: challenge, expectedOrigin: origin, expectedRPID: rpID, requireUserVerification: verification === "required",
    });
    if (!verified) throw new Error("not verified");
    accountOf(account).passkeys.push({ ...info.credential, transports: body.response.transports });
    return { account, aaguid: info.aaguid, format: info.fmt, ...flagsOf(Buffer.from(body.response.authenticatorData, "base64url")) };
  },
  async "/signin/begin"(query) {
    const account = query.get("account") ?? "alice", verification = query.get("verification") ?? "required";
    const options = await generateAuthenticationOptions({
      rpID, userVerification: /** @type {any} */ (verification),
      allowCredentials: query.has("discoverable") ? [] : accountOf(account).passkeys.map(({ id, transports }) => ({ id, transports })),
    });
    pending.set(options.challenge, { account, verification });
    return { publicKey: options };
  },
  async "/signin/finish"(_, body, origin) {
    const { challenge, verification } = taken(body);
    for (const [account, { passkeys }] of accounts) {
      const credential = passkeys.find(({ id }) => id === body.id);
      if (!credential) continue;
      const { verified, authenticationInfo: info } = await verifyAuthenticationResponse({
        response: body, expectedChallenge: challenge, expectedOrigin: origin, expectedRPID: rpID, credential, requireUserVerification: verification === "required",
      });
      if (!verified) throw new Error("not verified");
      credential.counter = info.newCounter;
      return { account, counter: info.newCounter, ...flagsOf(Buffer.from(body.response.authenticatorData, "base64url")) };
    }
    throw new Error("nobody here has this passkey");
  },
};

/** @param {import("node:http").IncomingMessage} request */
async function bodyOf(request) {
  let text = "";
  for await (const part of request) text += part;
  return text === "" ? null : JSON.parse(text);
}

const server = createServer(async (request, response) => {
  const { pathname, searchParams, origin } = new URL(request.url ?? "/", `http://${request.headers.host}`);
  const answer = answers[pathname];
  if (!answer) {
    response.setHeader("Content-Type", "text/html");
    response.end("<!doctype html><html lang=en><title>Party</title>");
    return;
  }
  response.setHeader("Content-Type", "application/json");
  try {
    response.end(JSON.stringify(await answer(searchParams, await bodyOf(request), origin)));
  } catch (error) {
    response.statusCode = 400;
    response.end(JSON.stringify({ error: String(error) }));
  }
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  console.log(`http://localhost:${typeof address === "object" ? address?.port : ""}`);
});
process.stdin.resume().on("end", () => process.exit());
