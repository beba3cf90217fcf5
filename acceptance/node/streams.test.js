// What the stock Node client does with streams: appends, reads, deletions, subscriptions, errors.
"use strict";

const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");
const { after, before, test } = require("node:test");
const {
  BACKWARDS,
  END,
  FORWARDS,
  START,
  StreamDeletedError,
  StreamNotFoundError,
  UnsupportedError,
  WrongExpectedVersionError,
  binaryEvent,
  eventTypeFilter,
  jsonEvent,
  streamNameFilter,
} = require("@kurrent/kurrentdb-client");
const { credentials } = require("./program.js");
const { serve, events, collect, numbers } = require("./server.js");

let server, client;
before(async () => ({ client } = server = await serve()));
after(async () => assert.equal(await server.stop(), 0));

const name = (category = "case") => `${category}-${randomUUID()}`;

test("appends are checked against what is expected", async () => {
  const stream = name();
  const first = await client.appendToStream(stream, events(3), { streamState: "no_stream" });
  assert.deepEqual([first.success, first.nextExpectedRevision], [true, 2n]);
  const second = await client.appendToStream(stream, events(1), { streamState: 2n });
  assert.ok(second.position.commit > first.position.commit);
  await client.appendToStream(stream, events(1), { streamState: "stream_exists" });
  for (const streamState of ["no_stream", 9n]) {
    await assert.rejects(client.appendToStream(stream, events(1), { streamState }), (error) => {
      assert.ok(error instanceof WrongExpectedVersionError, error);
      assert.equal(error.streamName, stream);
      assert.equal(error.actualState, 4n);
      return true;
    });
  }
});

test("the call for one append knows the same", async () => {
  const stream = name();
  // With credentials of its own for a call the client does not use the batch call.
  await client.appendToStream(stream, events(2), { streamState: "no_stream", credentials });
  await assert.rejects(
    client.appendToStream(stream, events(1), { streamState: "no_stream", credentials }),
    WrongExpectedVersionError,
  );
});

test("many appends may be under way at once", async () => {
  const stream = name();
  await Promise.all(events(500).map((event) => client.appendToStream(stream, [event])));
  const read = numbers(await collect(client.readStream(stream)));
  assert.deepEqual(read.toSorted((a, b) => a - b), Array.from({ length: 500 }, (_, n) => n));
});

test("a retry is answered as the first time", async () => {
  const stream = name();
  const proposed = events(3);
  const first = await client.appendToStream(stream, proposed);
  const again = await client.appendToStream(stream, proposed);
  assert.deepEqual(again.position, first.position);
  assert.equal((await collect(client.readStream(stream))).length, 3);
});

test("a large append goes in parts", async () => {
  const stream = name();
  const data = Buffer.alloc(1 << 20, 7);
  const large = Array.from({ length: 28 }, () => binaryEvent({ type: "Large", data }));
  await client.appendToStream(stream, large, { batchAppendSize: 3 << 20 });
  const read = await collect(client.readStream(stream));
  assert.equal(read.length, 28);
  assert.ok(Buffer.from(read[27].event.data).equals(data));
});

test("everything comes back", async () => {
  const stream = name("käse");
  const sent = jsonEvent({ type: "Größe", data: { a: 1 }, metadata: { who: "ada" } });
  await client.appendToStream(stream, [sent]);
  const [{ event }] = await collect(client.readStream(stream));
  assert.deepEqual([event.id, event.type, event.data, event.streamId], [sent.id, "Größe", { a: 1 }, stream]);
  assert.equal(event.metadata.who, "ada");
  assert.equal(event.isJson, true);
  assert.ok(Math.abs(event.created - Date.now()) < 60_000);
});

test("streams are read both ways", async () => {
  const stream = name();
  await client.appendToStream(stream, events(10));
  const read = async (options) => numbers(await collect(client.readStream(stream, options)));
  assert.deepEqual(await read({ direction: FORWARDS, fromRevision: START, maxCount: 2 }), [0, 1]);
  assert.deepEqual(await read({ fromRevision: 8n }), [8, 9]);
  assert.deepEqual(await read({ direction: BACKWARDS, fromRevision: END, maxCount: 2 }), [9, 8]);
  await assert.rejects(collect(client.readStream(name())), StreamNotFoundError);
});

test("the log is read both ways and through filters", async () => {
  const category = `c${randomUUID().slice(0, 8)}`;
  for (let n = 0; n < 5; n += 1) {
    await client.appendToStream(`${category}-${n}`, events(1, n % 2 ? "Odd" : "Even"));
  }
  const filter = streamNameFilter({ prefixes: [`${category}-`] });
  const streams = (read) => read.map(({ event }) => event.streamId.split("-")[1]);
  assert.deepEqual(streams(await collect(client.readAll({ filter }))), ["0", "1", "2", "3", "4"]);
  const backwards = { direction: BACKWARDS, fromPosition: END, filter, maxCount: 2 };
  assert.deepEqual(streams(await collect(client.readAll(backwards))), ["4", "3"]);
  const odd = await collect(client.readAll({ filter: eventTypeFilter({ regex: "^Odd$" }) }));
  assert.ok(odd.length >= 2 && odd.every(({ event }) => event.type === "Odd"));
  const everything = await collect(client.readAll({ maxCount: 3 }));
  assert.equal(everything.length, 3);
});

test("categories are there without projections", async () => {
  const category = `c${randomUUID().slice(0, 8)}`;
  await client.appendToStream(`${category}-1`, events(2));
  const read = await collect(client.readStream(`$ce-${category}`, { resolveLinkTos: true }));
  assert.deepEqual(numbers(read), [0, 1]);
  assert.deepEqual(read.map(({ link }) => [link.streamId, link.revision]), [[`$ce-${category}`, 0n], [`$ce-${category}`, 1n]]);
});

test("metadata is set and read", async () => {
  const stream = name();
  await client.appendToStream(stream, events(5));
  await client.setStreamMetadata(stream, { maxCount: 2, owner: "ada" });
  const { metadata } = await client.getStreamMetadata(stream);
  assert.deepEqual([metadata.maxCount, metadata.owner], [2, "ada"]);
  assert.deepEqual(numbers(await collect(client.readStream(stream))), [3, 4]);
});

test("streams are deleted for a while and for ever", async () => {
  const stream = name();
  await client.appendToStream(stream, events(2));
  await assert.rejects(client.deleteStream(stream, { expectedRevision: 7n }), WrongExpectedVersionError);
  await client.deleteStream(stream, { expectedRevision: 1n });
  await assert.rejects(collect(client.readStream(stream)), StreamNotFoundError);
  await client.appendToStream(stream, events(1));
  await client.tombstoneStream(stream);
  await assert.rejects(collect(client.readStream(stream)), StreamDeletedError);
  await assert.rejects(client.appendToStream(stream, events(1)), StreamDeletedError);
  await assert.rejects(client.deleteStream(stream), StreamDeletedError);
});

test("a subscription to a stream catches up and goes on", async () => {
  const stream = name();
  await client.appendToStream(stream, events(3));
  const subscription = client.subscribeToStream(stream, { fromRevision: 0n });
  const heard = [];
  subscription.on("confirmation", () => heard.push("confirmed"));
  subscription.on("caughtUp", () => heard.push("caught up"));
  const seen = [];
  for await (const { event } of subscription) {
    seen.push(event.revision);
    if (seen.length === 2) await client.appendToStream(stream, events(2));
    if (seen.length === 4) break;
  }
  await subscription.unsubscribe();
  assert.deepEqual(seen, [1n, 2n, 3n, 4n]);
  assert.deepEqual(heard, ["confirmed", "caught up"]);
});

test("a subscription to the log tells how far it has looked", async () => {
  await client.appendToStream(name(), events(100));
  const checkpoints = [];
  const filter = eventTypeFilter({
    prefixes: ["Wanted"],
    checkpointInterval: 2,
    maxSearchWindow: 10,
    checkpointReached: async (_, position) => checkpoints.push(position.commit),
  });
  const subscription = client.subscribeToAll({ filter });
  const caughtUp = new Promise((resolve) => subscription.once("caughtUp", resolve));
  const first = collect(subscription, 1);
  await caughtUp;
  await client.appendToStream(name(), events(1, "Wanted"));
  assert.equal((await first)[0].event.type, "Wanted");
  await subscription.unsubscribe();
  assert.ok(checkpoints.length >= 1);
  assert.deepEqual(checkpoints, checkpoints.toSorted((a, b) => (a < b ? -1 : 1)));
});

test("what is not offered is told as unsupported", async () => {
  await assert.rejects(client.createProjection("mine", "fromAll()"), (error) => {
    assert.ok(error instanceof UnsupportedError || /not offered|UNIMPLEMENTED/.test(String(error)), error);
    return true;
  });
});

test("many streams are appended to at once, or none", async () => {
  const [one, two] = [name(), name()];
  const session = (state) => client.multiStreamAppend([
    { streamName: one, expectedState: "any", events: [jsonEvent({ type: "Noted", data: { n: 1 }, metadata: { who: "ada" } })] },
    { streamName: two, expectedState: state, events: events(2) },
  ]);
  const { responses } = await session("no_stream");
  assert.deepEqual(responses, [{ streamName: one, revision: 0n }, { streamName: two, revision: 1n }]);
  const [{ event }] = await collect(client.readStream(one));
  assert.deepEqual([event.data, event.metadata.who], [{ n: 1 }, "ada"]);
  await assert.rejects(session("no_stream"), (error) => {
    assert.ok(error instanceof WrongExpectedVersionError, error);
    assert.deepEqual([error.streamName, error.actualState], [two, 1n]);
    return true;
  });
  assert.equal((await collect(client.readStream(one))).length, 1);
});
