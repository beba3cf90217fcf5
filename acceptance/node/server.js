// A server under test and a client of it.
"use strict";

const { KurrentDBClient, jsonEvent } = require("@kurrent/kurrentdb-client");
const { launch } = require("./program.js");

/** Starts the program and connects to it; `stop` ends both. */
async function serve() {
  const program = await launch();
  const client = KurrentDBClient.connectionString(program.url);
  const stop = async () => {
    await client.dispose();
    return program.stop();
  };
  return { url: program.url, client, stop };
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
