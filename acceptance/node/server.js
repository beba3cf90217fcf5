// A server under test: the real program, on a directory of its own and a free port.
"use strict";

const { spawn } = require("node:child_process");
const { once } = require("node:events");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");
const { KurrentDBClient, jsonEvent } = require("@kurrent/kurrentdb-client");

/** Starts `gesta serve` and connects to it; `stop` ends both. */
async function serve() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "gesta-"));
  const command = ["serve", "--dir", directory, "--listen", "127.0.0.1:0", "-o", "ndjson"];
  const program = spawn(process.env.GESTA, command, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(readline.createInterface({ input: program.stdout }), "line");
  const { url } = JSON.parse(line);
  const client = KurrentDBClient.connectionString(url);
  const stop = async () => {
    await client.dispose();
    program.kill("SIGTERM");
    const [code] = await once(program, "exit");
    fs.rmSync(directory, { recursive: true });
    return code;
  };
  return { url, client, stop };
}

/** So many events, told apart by their data. */
function events(count, type = "Noted") {
  return Array.from({ length: count }, (_, n) => jsonEvent({ type, data: { n } }));
}

/** Everything a read delivers, up to `count`. */
async function collect(delivered, count = Infinity) {
  const collected = [];
  for await (const one of delivered) {
    collected.push(one);
    if (collected.length >= count) break;
  }
  return collected;
}

const numbers = (resolved) => resolved.map(({ event }) => event.data.n);

module.exports = { serve, events, collect, numbers };
