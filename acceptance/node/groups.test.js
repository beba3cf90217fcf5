// What the stock Node client does with persistent subscriptions: groups on streams and on the whole log, and what becomes of their messages.
"use strict";

const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");
const { once } = require("node:events");
const { after, before, test } = require("node:test");
const {
  DISPATCH_TO_SINGLE,
  END,
  PersistentSubscriptionMaximumSubscribersReachedError,
  PARK,
  PINNED,
  PINNED_BY_CORRELATION,
  PersistentSubscriptionDoesNotExistError,
  PersistentSubscriptionDroppedError,
  PersistentSubscriptionExistsError,
  RETRY,
  ROUND_ROBIN,
  SKIP,
  START,
  UNBOUNDED,
  eventTypeFilter,
  persistentSubscriptionToAllSettingsFromDefaults,
  persistentSubscriptionToStreamSettingsFromDefaults,
  streamNameFilter,
} = require("@kurrent/kurrentdb-client");
const { serve, events } = require("./server.js");

let server, client;
before(async () => ({ client } = server = await serve()));
after(async () => assert.equal(await server.stop(), 0));

const name = (category = "case") => `${category}-${randomUUID()}`;

/** A stream of so many events with a group on it that begins at its beginning. */
async function groupOn(count, settings = {}) {
  const [stream, group] = [name(), name("group")];
  if (count) await client.appendToStream(stream, events(count));
  await client.createPersistentSubscriptionToStream(
    stream,
    group,
    persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START, ...settings }),
  );
  return { stream, group };
}

const connect = ({ stream, group }, options) => client.subscribeToPersistentSubscriptionToStream(stream, group, options);

/** The next messages, unanswered. */
async function take(subscription, count) {
  const taken = [];
  while (taken.length < count) {
    const message = subscription.read();
    if (message) taken.push(message);
    else await once(subscription, "readable");
  }
  return taken;
}

async function workOff(subscription, count) {
  const taken = [];
  while (taken.length < count) {
    const [message] = await take(subscription, 1);
    await subscription.ack(message);
    taken.push(message.event.data.n);
  }
  return taken;
}

/** Waits until so many messages of a group are parked. */
async function awaitParked({ stream, group }, count) {
  const parked = client.subscribeToStream(`$persistentsubscription-${stream}::${group}-parked`);
  await take(parked, count);
  await parked.unsubscribe();
}

const failure = (subscription) => once(subscription, "error").then(([error]) => error);

test("a group catches up and goes on", async () => {
  const on = await groupOn(100);
  const subscription = connect(on);
  assert.deepEqual(await workOff(subscription, 100), Array.from({ length: 100 }, (_, n) => n));
  await client.appendToStream(on.stream, events(2));
  assert.deepEqual(await workOff(subscription, 2), [0, 1]);
  await subscription.unsubscribe();
});

test("messages of a client that goes come to others at once", async () => {
  const on = await groupOn(3, { messageTimeout: 300_000 });
  const first = connect(on);
  await take(first, 3);
  await first.unsubscribe();
  const second = connect(on);
  assert.deepEqual((await workOff(second, 3)).toSorted(), [0, 1, 2]);
  await second.unsubscribe();
});

test("answers are what they say", async () => {
  const on = await groupOn(4);
  const subscription = connect(on);
  const [acked, parked, skipped, again] = await take(subscription, 4);
  await subscription.ack(acked);
  await subscription.nack(PARK, "no such account", parked);
  await subscription.nack(SKIP, "not ours", skipped);
  await subscription.nack(RETRY, "later", again);
  const [message] = await take(subscription, 1);
  assert.deepEqual([message.event.data.n, message.retryCount], [3, 1]);
  await subscription.ack(message);
  await client.replayParkedMessagesToStream(on.stream, on.group);
  assert.deepEqual(await workOff(subscription, 1), [1]);
  await subscription.unsubscribe();
});

test("so many parked messages are replayed as are asked for", async () => {
  const on = await groupOn(3);
  const subscription = connect(on);
  await subscription.nack(PARK, "all", ...(await take(subscription, 3)));
  await awaitParked(on, 3);
  await client.replayParkedMessagesToStream(on.stream, on.group, { stopAt: 2 });
  assert.deepEqual(await workOff(subscription, 2), [0, 1]);
  await subscription.unsubscribe();
  const { stats } = await client.getPersistentSubscriptionToStreamInfo(on.stream, on.group);
  assert.ok(stats.parkedMessageCount >= 1n, `${stats.parkedMessageCount}`);
});

test("a client has no more than its buffer", async () => {
  const on = await groupOn(30);
  const subscription = connect(on, { bufferSize: 5 });
  const held = await take(subscription, 5);
  const { stats, connections } = await client.getPersistentSubscriptionToStreamInfo(on.stream, on.group);
  assert.deepEqual([stats.totalInFlightMessages, connections[0].availableSlots], [5, 0]);
  await subscription.ack(...held);
  assert.deepEqual(await workOff(subscription, 25), Array.from({ length: 25 }, (_, n) => n + 5));
  await subscription.unsubscribe();
});

test("settings come back", async () => {
  const settings = persistentSubscriptionToStreamSettingsFromDefaults({
    startFrom: 3n,
    resolveLinkTos: true,
    messageTimeout: 7_500,
    maxRetryCount: 3,
    checkPointAfter: 1_500,
    checkPointLowerBound: 11,
    checkPointUpperBound: 90,
    maxSubscriberCount: UNBOUNDED,
    liveBufferSize: 300,
    readBatchSize: 100,
    historyBufferSize: 200,
  });
  const stream = name();
  await client.appendToStream(stream, events(5));
  for (const consumerStrategyName of [DISPATCH_TO_SINGLE, ROUND_ROBIN, PINNED, PINNED_BY_CORRELATION]) {
    const wanted = { ...settings, consumerStrategyName };
    await client.createPersistentSubscriptionToStream(stream, consumerStrategyName, wanted);
    const info = await client.getPersistentSubscriptionToStreamInfo(stream, consumerStrategyName);
    assert.deepEqual(info.settings, wanted);
    assert.equal(info.stats.lastKnownEventRevision, 4n);
  }
  const changed = { ...settings, consumerStrategyName: PINNED, maxRetryCount: 8, startFrom: END };
  await client.updatePersistentSubscriptionToStream(stream, ROUND_ROBIN, changed);
  assert.deepEqual((await client.getPersistentSubscriptionToStreamInfo(stream, ROUND_ROBIN)).settings, changed);
  assert.equal((await client.listPersistentSubscriptionsToStream(stream)).length, 4);
  assert.ok((await client.listAllPersistentSubscriptions()).length >= 4);
});

test("refusals are known by their names", async () => {
  const on = await groupOn(0, { maxSubscriberCount: 1 });
  const settings = persistentSubscriptionToStreamSettingsFromDefaults();
  const again = client.createPersistentSubscriptionToStream(on.stream, on.group, settings);
  await assert.rejects(again, PersistentSubscriptionExistsError);
  const first = connect(on);
  await once(first, "confirmation");
  assert.ok((await failure(connect(on))) instanceof PersistentSubscriptionMaximumSubscribersReachedError);
  const missing = await failure(connect({ ...on, group: "missing" }));
  assert.ok(missing instanceof PersistentSubscriptionDoesNotExistError, missing);
  await assert.rejects(
    client.deletePersistentSubscriptionToStream(on.stream, "missing"),
    PersistentSubscriptionDoesNotExistError,
  );
  await first.unsubscribe();
});

test("deletion ends the consumers", async () => {
  const on = await groupOn(1);
  const subscription = connect(on);
  await take(subscription, 1);
  const ended = failure(subscription);
  await client.deletePersistentSubscriptionToStream(on.stream, on.group);
  assert.ok((await ended) instanceof PersistentSubscriptionDroppedError);
});

test("a restart of the subsystem ends the consumers and keeps the group", async () => {
  const on = await groupOn(1);
  const subscription = connect(on);
  await take(subscription, 1);
  const ended = failure(subscription);
  await client.restartPersistentSubscriptionSubsystem();
  assert.ok((await ended) instanceof PersistentSubscriptionDroppedError);
  const next = connect(on);
  assert.deepEqual(await workOff(next, 1), [0]);
  await next.unsubscribe();
});

test("links are resolved, and acknowledged by their own ids", async () => {
  const category = `ship${randomUUID().replaceAll("-", "")}`;
  for (let n = 0; n < 3; n++) await client.appendToStream(`${category}-${n}`, events(1));
  const on = { stream: `$ce-${category}`, group: "billing" };
  const settings = persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START, resolveLinkTos: true });
  await client.createPersistentSubscriptionToStream(on.stream, on.group, settings);
  const subscription = connect(on);
  const taken = await take(subscription, 3);
  assert.deepEqual(taken.map(({ link }) => link.streamId), Array(3).fill(on.stream));
  await subscription.ack(...taken);
  await client.appendToStream(`${category}-3`, events(1));
  const [next] = await take(subscription, 1);
  assert.equal(next.event.streamId, `${category}-3`);
  await subscription.unsubscribe();
});

test("the whole log is shared through filters", async () => {
  const [wanted, other, kind] = [name("wanted"), name("other"), `Kind${randomUUID()}`];
  const [prefix, expression, type] = [name("group"), name("group"), name("group")];
  const settings = persistentSubscriptionToAllSettingsFromDefaults({ startFrom: END });
  await client.createPersistentSubscriptionToAll(prefix, settings, { filter: streamNameFilter({ prefixes: [wanted] }) });
  await client.createPersistentSubscriptionToAll(expression, settings, { filter: streamNameFilter({ regex: `^${wanted}$` }) });
  await client.createPersistentSubscriptionToAll(type, settings, { filter: eventTypeFilter({ prefixes: [kind] }) });
  await client.appendToStream(wanted, events(1));
  await client.appendToStream(other, events(2, kind));
  await client.appendToStream(wanted, events(1, kind));
  for (const [group, streams] of [
    [prefix, [wanted, wanted]],
    [expression, [wanted, wanted]],
    [type, [other, other, wanted]],
  ]) {
    const subscription = client.subscribeToPersistentSubscriptionToAll(group);
    const taken = await take(subscription, streams.length);
    assert.deepEqual(taken.map(({ event }) => event.streamId), streams);
    await subscription.ack(...taken);
    await subscription.unsubscribe();
    await client.updatePersistentSubscriptionToAll(group, { ...settings, maxRetryCount: 2 });
    const info = await client.getPersistentSubscriptionToAllInfo(group);
    assert.deepEqual([info.settings.maxRetryCount, info.settings.startFrom], [2, END]);
    await client.replayParkedMessagesToAll(group);
  }
  assert.ok((await client.listPersistentSubscriptionsToAll()).length >= 3);
  for (const group of [prefix, expression, type]) await client.deletePersistentSubscriptionToAll(group);
});

test("the projections of the system run, and others are not offered", async () => {
  const names = ["$by_category", "$by_correlation_id", "$by_event_type", "$stream_by_category", "$streams"];
  const listed = await client.listProjections();
  assert.deepEqual(listed.map((one) => one.name).toSorted(), names);
  for (const projection of names) {
    await client.enableProjection(projection);
    assert.equal((await client.getProjectionStatus(projection)).projectionStatus, "Running");
  }
  await assert.rejects(client.disableProjection("$by_category"), /always there/);
  await assert.rejects(client.createProjection("mine", "fromAll()"), /not offered/);
});
