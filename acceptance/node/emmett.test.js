// An application written with Emmett, on the older client it brings: commands are decided on what a stream says, and stand or fall by its revision.
"use strict";

const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");
const { after, before, test } = require("node:test");
const { pathToFileURL } = require("node:url");
const { EventStoreDBClient } = require("@eventstore/db-client");
const { launch } = require("./program.js");

/** Of this library only the modules of the new kind can be loaded, which are not looked for in NODE_PATH. */
const load = (library) => import(pathToFileURL(require.resolve(library).replace(/cjs$/, "js")));

let server, client, store, CommandHandler, DeciderCommandHandler, IllegalStateError;
before(async () => {
  ({ CommandHandler, DeciderCommandHandler, IllegalStateError } = await load("@event-driven-io/emmett"));
  const { getEventStoreDBEventStore } = await load("@event-driven-io/emmett-esdb");
  server = await launch();
  client = EventStoreDBClient.connectionString(server.url.replace(/^\w+:/, "esdb:"));
  store = getEventStoreDBEventStore(client);
});
after(async () => {
  await client.dispose();
  assert.equal(await server.stop(), 0);
});

const initialState = () => ({ open: false, cents: 0 });

function evolve(state, { type, data }) {
  if (type === "AccountOpened") return { ...state, open: true };
  if (type === "MoneyDeposited") return { ...state, cents: state.cents + data.cents };
  return state;
}

function decide({ type, data }, state) {
  if (type === "OpenAccount") {
    if (state.open) throw new IllegalStateError("the account is open already");
    return { type: "AccountOpened", data: {} };
  }
  if (!state.open) throw new IllegalStateError("the account is not open");
  return [{ type: "MoneyDeposited", data }];
}

// The store's errors are of classes of its own, which the library does not give away.
const conflict = /Expected version .* does not match current/;

const account = () => `account-${randomUUID()}`;

test("commands are decided on what the stream says", async () => {
  const [id, handle] = [account(), DeciderCommandHandler({ decide, evolve, initialState })];
  const opened = await handle(store, id, { type: "OpenAccount", data: {} });
  assert.equal(opened.nextExpectedStreamVersion, 0n);
  await handle(store, id, { type: "Deposit", data: { cents: 5 } });
  const { newState } = await handle(store, id, { type: "Deposit", data: { cents: 7 } });
  assert.deepEqual(newState, { open: true, cents: 12 });
  await assert.rejects(handle(store, id, { type: "OpenAccount", data: {} }), IllegalStateError);
  await assert.rejects(handle(store, account(), { type: "Deposit", data: { cents: 1 } }), IllegalStateError);
});

test("a stream is read and folded", async () => {
  const id = account();
  const none = await store.readStream(id);
  assert.deepEqual([none.streamExists, none.events], [false, []]);
  await store.appendToStream(id, [{ type: "AccountOpened", data: {} }, { type: "MoneyDeposited", data: { cents: 3 } }]);
  const { events, currentStreamVersion } = await store.readStream(id);
  assert.deepEqual([events.map(({ type }) => type), currentStreamVersion], [["AccountOpened", "MoneyDeposited"], 1n]);
  const folded = await store.aggregateStream(id, { evolve, initialState });
  assert.deepEqual([folded.state, folded.currentStreamVersion], [{ open: true, cents: 3 }, 1n]);
});

test("of two who decide on the same state one is refused", async () => {
  const id = account();
  const opened = { type: "AccountOpened", data: {} };
  await store.appendToStream(id, [opened], { expectedStreamVersion: "STREAM_DOES_NOT_EXIST" });
  const again = store.appendToStream(id, [opened], { expectedStreamVersion: "STREAM_DOES_NOT_EXIST" });
  await assert.rejects(again, conflict);
  await store.appendToStream(id, [opened], { expectedStreamVersion: 0n });
  await assert.rejects(store.appendToStream(id, [opened], { expectedStreamVersion: 0n }), conflict);
});

test("of commands at once those stand that were decided on what there is", async () => {
  const id = account();
  const handle = CommandHandler({ evolve, initialState });
  await handle(store, id, () => ({ type: "AccountOpened", data: {} }));
  const deposit = () => handle(store, id, () => [{ type: "MoneyDeposited", data: { cents: 1 } }]);
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, deposit));
  const stood = outcomes.filter(({ status }) => status === "fulfilled").length;
  const { state } = await store.aggregateStream(id, { evolve, initialState });
  assert.ok(stood >= 1);
  assert.equal(state.cents, stood);
});
