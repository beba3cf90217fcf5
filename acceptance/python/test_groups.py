"""Persistent subscriptions: groups whose consumers share events, on streams and on the whole log."""

import contextlib
import itertools
import json
import tempfile
import threading
import uuid

from kurrentdbclient import KurrentDBClient, StreamState
from kurrentdbclient.exceptions import (
    AlreadyExistsError,
    CancelledError,
    KurrentDBClientError,
    MaximumSubscriptionsReachedError,
    NotFoundError,
)
from kurrentdbclient.protos.v1 import persistent_pb2_grpc, shared_pb2

from server import BoundedCase, Server, ServerCase, event, events, numbers


# The settings of a group that writes its progress whenever there is some.
WRITTEN_AT_ONCE = {"min_checkpoint_count": 1, "max_checkpoint_count": 1}


def work_off(subscription, count):
    """Takes so many messages, acknowledging each; answers with their numbers."""
    taken = []
    for one in itertools.islice(subscription, count):
        subscription.ack(one)
        taken.append(one)
    return numbers(taken)


@contextlib.contextmanager
def running(directory):
    """A client of a server on this directory; both end with the block."""
    server = Server(directory)
    client = KurrentDBClient(server.url)
    try:
        yield client
    finally:
        client.close()
        code = server.stop()
    assert code == 0, f"the server ended with code {code}"


def consume_together(subscriptions, count):
    """Consumers work off so many messages side by side; answers with which of them had which, in the order they came."""
    seen, done, lock = [], threading.Event(), threading.Lock()

    def consume(name, subscription):
        try:
            for message in subscription:
                with lock:
                    seen.append((name, message))
                    if len(seen) == count:
                        done.set()
                subscription.ack(message)
        except KurrentDBClientError:
            pass  # its call was given up

    for name, subscription in subscriptions.items():
        threading.Thread(target=consume, args=(name, subscription), daemon=True).start()
    if not done.wait(timeout=20):
        raise AssertionError(f"only {len(seen)} of {count} messages came")
    return seen


class GroupCase(ServerCase):
    def stream_of(self, count, category="case"):
        """A stream of so many events, and a name for a group on it."""
        stream = self.name(category)
        if count:
            self.client.append_to_stream(stream, current_version=StreamState.ANY, events=events(count))
        return stream, f"group-{uuid.uuid4()}"

    def group_on(self, count, **how):
        """A stream of so many events with a group that begins at its beginning."""
        stream, group = self.stream_of(count)
        self.client.create_subscription_to_stream(group, stream, from_end=False, **how)
        return stream, group

    def await_progress(self, group, stream, position):
        """Waits until the group has written that everything up to this position is settled.

        While the consumer is connected: one that leaves says what it has worked off, but gives that no more than a moment to be sent. Where it came
        too late, on a machine with other things to do, the messages went back to the group, and nobody was there to work them off again.
        """
        progress = f"$persistentsubscription-{stream}::{group}-checkpoint"
        with self.client.subscribe_to_stream(progress) as written:
            next(one for one in written if json.loads(one.data)["checkpoint"] > position)

    def await_none_parked(self, group, stream):
        """Waits, likewise, until nothing is parked any more: replays are not in the progress."""
        while self.client.get_subscription_info(group, stream).parked_message_count:
            pass

    def read(self, group, stream, **how):
        how.setdefault("max_ack_delay", 0.01)
        how.setdefault("stopping_grace", 0.05)
        return self.client.read_subscription_to_stream(group, stream, **how)


class Lives(GroupCase):
    def test_created_once(self):
        stream, group = self.group_on(0)
        with self.assertRaises(AlreadyExistsError):
            self.client.create_subscription_to_stream(group, stream)

    def test_what_does_not_exist_is_not_found(self):
        stream, group = self.stream_of(1)
        for call in (
            lambda: self.client.get_subscription_info(group, stream),
            lambda: self.client.delete_subscription(group, stream),
            lambda: self.client.update_subscription_to_stream(group, stream, from_end=False),
            lambda: self.client.replay_parked_events(group, stream),
            lambda: self.read(group, stream),
        ):
            with self.assertRaises(NotFoundError):
                call()
        self.assertEqual(self.client.list_subscriptions_to_stream(stream), [])

    def test_settings_that_cannot_be_are_refused(self):
        stream, group = self.stream_of(0)
        with self.assertRaisesRegex(KurrentDBClientError, "failed: '.*read_batch"):
            self.client.create_subscription_to_stream(group, stream, read_batch_size=500, history_buffer_size=500)
        with self.assertRaisesRegex(KurrentDBClientError, "failed: 'no such consumer strategy"):
            self.client.create_subscription_to_stream(group, stream, consumer_strategy="Whoever")

    def test_settings_come_back(self):
        stream, group = self.stream_of(7)
        settings = {
            "resolve_links": True,
            "consumer_strategy": "Pinned",
            "message_timeout": 7.5,
            "max_retry_count": 3,
            "min_checkpoint_count": 11,
            "max_checkpoint_count": 90,
            "checkpoint_after": 1.5,
            "max_subscriber_count": 2,
            "live_buffer_size": 300,
            "read_batch_size": 100,
            "history_buffer_size": 200,
            "extra_statistics": True,
        }
        self.client.create_subscription_to_stream(group, stream, stream_position=5, **settings)
        info = self.client.get_subscription_info(group, stream)
        self.assertEqual({name: getattr(info, name) for name in settings}, settings)
        self.assertEqual((info.event_source, info.group_name, info.start_from), (stream, group, "5"))
        self.assertEqual(info.connections, [])
        self.client.update_subscription_to_stream(group, stream, consumer_strategy="RoundRobin", max_retry_count=4)
        info = self.client.get_subscription_info(group, stream)
        changed = {**settings, "consumer_strategy": "RoundRobin", "max_retry_count": 4}
        self.assertEqual({name: getattr(info, name) for name in settings}, changed)

    def test_groups_are_listed_by_stream(self):
        stream, first = self.group_on(0)
        second = f"{first}-second"
        self.client.create_subscription_to_stream(second, stream)
        other, third = self.group_on(0)
        names = lambda infos: {info.group_name for info in infos}
        self.assertEqual(names(self.client.list_subscriptions_to_stream(stream)), {first, second})
        self.assertLessEqual({first, second, third}, names(self.client.list_subscriptions()))
        self.client.delete_subscription(first, stream)
        self.assertEqual(names(self.client.list_subscriptions_to_stream(stream)), {second})

    def test_a_group_that_is_made_anew_begins_anew(self):
        stream, group = self.group_on(3)
        with self.read(group, stream) as subscription:
            self.assertEqual(work_off(subscription, 3), [0, 1, 2])
        self.client.delete_subscription(group, stream)
        self.client.create_subscription_to_stream(group, stream, from_end=False)
        with self.read(group, stream) as subscription:
            self.assertEqual(work_off(subscription, 3), [0, 1, 2])


class Deliveries(GroupCase):
    def test_from_the_beginning_from_a_revision_and_from_the_end(self):
        stream, group = self.stream_of(5)
        for how, expected in (
            ({"from_end": False}, [0, 1, 2, 3, 4]),
            ({"stream_position": 3}, [3, 4]),
            ({"from_end": True}, []),
        ):
            name = f"{group}-{len(expected)}"
            self.client.create_subscription_to_stream(name, stream, **how)
            with self.read(name, stream) as subscription:
                self.assertEqual(work_off(subscription, len(expected)), expected)

    def test_catches_up_and_goes_on(self):
        stream, group = self.group_on(1000)
        with self.read(group, stream) as subscription:
            self.assertEqual(work_off(subscription, 1000), list(range(1000)))
            for n in range(3):
                self.client.append_to_stream(stream, current_version=StreamState.ANY, events=event(data=b'{"n":%d}' % n))
                self.assertEqual(work_off(subscription, 1), [n])

    def test_what_was_acked_does_not_come_again(self):
        stream, group = self.group_on(10, **WRITTEN_AT_ONCE)
        with self.read(group, stream) as subscription:
            self.assertEqual(work_off(subscription, 4), [0, 1, 2, 3])
            self.await_progress(group, stream, self.client.get_stream(stream)[3].commit_position)
        with self.read(group, stream) as subscription:
            self.assertEqual(work_off(subscription, 6), [4, 5, 6, 7, 8, 9])

    def test_what_a_client_that_goes_had_comes_at_once(self):
        stream, group = self.group_on(5, message_timeout=300.0)
        with self.read(group, stream) as subscription:
            self.assertEqual(numbers(itertools.islice(subscription, 5)), [0, 1, 2, 3, 4])
        with self.read(group, stream) as subscription:
            taken = list(itertools.islice(subscription, 5))
            self.assertEqual(sorted(numbers(taken)), [0, 1, 2, 3, 4])
            self.assertEqual({one.retry_count for one in taken}, {0})

    def test_a_client_has_no_more_than_its_buffer(self):
        stream, group = self.group_on(50)
        with self.read(group, stream, event_buffer_size=7) as subscription:
            held = list(itertools.islice(subscription, 7))
            info = self.client.get_subscription_info(group, stream)
            self.assertEqual(info.total_in_flight_messages, 7)
            (connection,) = info.connections
            self.assertEqual((connection.in_flight_messages, connection.available_slots), (7, 0))
            self.assertRegex(connection.from_, r"^127\.0\.0\.1:\d+$")
            for one in held:
                subscription.ack(one)
            self.assertEqual(work_off(subscription, 43), list(range(7, 50)))

    def test_how_long_answers_take_is_told_where_it_is_asked_for(self):
        stream, group = self.group_on(3, extra_statistics=True)
        with self.read(group, stream) as subscription:
            work_off(subscription, 2)
            subscription.nack(next(subscription), "retry")
            next(subscription)  # the answers before have arrived
            (connection,) = self.client.get_subscription_info(group, stream).connections
        measured = {one.key: one.value for one in connection.observed_measurements}
        self.assertLessEqual({"Mean", "Median", "Highest", "Fastest", "90%", "99.9%"}, set(measured))

    def test_consumers_share(self):
        stream, group = self.group_on(100, consumer_strategy="RoundRobin", max_subscriber_count=2)
        one, two = (self.read(group, stream, event_buffer_size=50) for _ in range(2))
        with one, two:
            with self.assertRaises(MaximumSubscriptionsReachedError):
                self.read(group, stream)
            seen = consume_together({"one": one, "two": two}, 100)
        self.assertEqual(sorted(numbers(message for _, message in seen)), list(range(100)))

    def test_the_id_of_a_link_is_what_is_acknowledged(self):
        category = f"ship{uuid.uuid4().hex}"
        for n in range(3):
            self.client.append_to_stream(f"{category}-{n}", current_version=StreamState.ANY, events=event(data=b'{"n":%d}' % n))
        group, stream = "billing", f"$ce-{category}"
        how = {"from_end": False, "resolve_links": True}
        # Written when that is due, though nothing happens then.
        self.client.create_subscription_to_stream(group, stream, min_checkpoint_count=1, checkpoint_after=0.5, **how)
        with self.read(group, stream) as subscription:
            taken = list(itertools.islice(subscription, 3))
            for one in taken:
                self.assertNotEqual(one.ack_id, one.id)
                subscription.ack(one)
            self.await_progress(group, stream, taken[-1].commit_position)
        self.assertEqual([one.stream_name for one in taken], [f"{category}-{n}" for n in range(3)])
        info = self.client.get_subscription_info(group, stream)
        self.assertEqual((info.last_checkpointed_event_position, info.last_known_event_position), ("2", "2"))

    def test_a_stream_to_come(self):
        stream, group = self.group_on(0)
        with self.read(group, stream) as subscription:
            self.client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=events(2))
            self.assertEqual(work_off(subscription, 2), [0, 1])


class Strategies(GroupCase):
    def share(self, strategy, streams, **how):
        """Two consumers of a group on a category work everything off; which of them had which stream's events, in which order."""
        category = f"s{uuid.uuid4().hex}"
        stream, group = f"$ce-{category}", f"group-{strategy}"
        self.client.create_subscription_to_stream(
            group, stream, from_end=False, resolve_links=True, consumer_strategy=strategy, **how
        )
        with self.read(group, stream) as one, self.read(group, stream) as two:
            for n in range(30):
                metadata = json.dumps({"$correlationId": f"c{n % 2}"}).encode()
                noted = event(data=b'{"n":%d}' % n, metadata=metadata)
                self.client.append_to_stream(f"{category}-{n % streams}", current_version=StreamState.ANY, events=noted)
            seen = consume_together({"one": one, "two": two}, 30)
        self.assertEqual(sorted(numbers(message for _, message in seen)), list(range(30)))
        return [(who, message.stream_name, message.metadata, *numbers([message])) for who, message in seen]

    def test_round_robin_uses_everybody(self):
        self.assertEqual({who for who, *_ in self.share("RoundRobin", 5)}, {"one", "two"})

    def test_dispatch_to_single_uses_one_that_keeps_up(self):
        self.assertEqual(len({who for who, *_ in self.share("DispatchToSingle", 5)}), 1)

    def test_pinned_keeps_a_stream_with_one(self):
        owners = {}
        for who, stream, *_ in self.share("Pinned", 5):
            owners.setdefault(stream, set()).add(who)
        self.assertEqual({len(who) for who in owners.values()}, {1})

    def test_pinned_by_correlation_keeps_a_correlation_with_one(self):
        owners = {}
        for who, _, metadata, _ in self.share("PinnedByCorrelation", 5):
            owners.setdefault(metadata, set()).add(who)
        self.assertEqual({len(who) for who in owners.values()}, {1})

    def test_key_ordered_keeps_the_order_of_a_stream(self):
        by_stream = {}
        for _, stream, _, number in self.share("KeyOrdered", 3):
            by_stream.setdefault(stream, []).append(number)
        for seen in by_stream.values():
            self.assertEqual(seen, sorted(seen))

    def test_a_name_of_our_own_comes_back(self):
        stream, group = self.stream_of(0)
        name = "KeyOrderedHold:field:/customer/id"
        self.client.create_subscription_to_stream(group, stream, consumer_strategy=name)
        self.assertEqual(self.client.get_subscription_info(group, stream).consumer_strategy, name)


class Failures(GroupCase):
    def test_a_retry_comes_again_and_is_counted(self):
        stream, group = self.group_on(1)
        with self.read(group, stream) as subscription:
            for action, retries in (("retry", 0), ("unknown", 1)):
                one = next(subscription)
                self.assertEqual(one.retry_count, retries)
                subscription.nack(one, action)
            one = next(subscription)
            self.assertEqual(one.retry_count, 2)
            subscription.ack(one)

    def test_one_retry_too_many_and_it_is_parked(self):
        stream, group = self.group_on(2, max_retry_count=1, **WRITTEN_AT_ONCE)
        with self.read(group, stream) as subscription:
            seen = []
            while len(seen) < 3:
                one = next(subscription)
                seen.append((*numbers([one]), one.retry_count))
                if numbers([one]) == [0]:
                    subscription.nack(one, "retry")
                else:
                    subscription.ack(one)
            self.await_progress(group, stream, self.client.get_stream(stream)[-1].commit_position)
        self.assertEqual(sorted(seen), [(0, 0), (0, 1), (1, 0)])
        self.assertEqual(self.client.get_subscription_info(group, stream).parked_message_count, 1)

    def test_parked_messages_are_kept_aside_and_replayed(self):
        stream, group = self.group_on(4, **WRITTEN_AT_ONCE)
        with self.read(group, stream) as subscription:
            for one in itertools.islice(subscription, 4):
                if numbers([one])[0] % 2:
                    subscription.nack(one, "park")
                else:
                    subscription.ack(one)
            self.await_progress(group, stream, self.client.get_stream(stream)[-1].commit_position)
        self.assertEqual(self.client.get_subscription_info(group, stream).parked_message_count, 2)
        parked = self.client.get_stream(f"$persistentsubscription-{stream}::{group}-parked", resolve_links=True)
        self.assertEqual(numbers(parked), [1, 3])
        with self.read(group, stream) as subscription:
            self.client.replay_parked_events(group, stream)
            self.assertEqual(work_off(subscription, 2), [1, 3])
            self.await_none_parked(group, stream)

    def test_a_skipped_message_does_not_come_again(self):
        stream, group = self.group_on(3, **WRITTEN_AT_ONCE)
        with self.read(group, stream) as subscription:
            for one in itertools.islice(subscription, 2):
                subscription.nack(one, "skip")
            self.assertEqual(work_off(subscription, 1), [2])
            self.await_progress(group, stream, self.client.get_stream(stream)[-1].commit_position)
        info = self.client.get_subscription_info(group, stream)
        self.assertEqual((info.parked_message_count, info.last_checkpointed_event_position), (0, "2"))

    def test_whoever_stops_himself_leaves_the_message_to_others(self):
        stream, group = self.group_on(1)
        with self.read(group, stream) as subscription:
            subscription.nack(next(subscription), "stop")
            with self.assertRaises(CancelledError):
                next(subscription)
        with self.read(group, stream) as subscription:
            self.assertEqual(work_off(subscription, 1), [0])

    def test_what_takes_too_long_comes_again(self):
        stream, group = self.group_on(1, message_timeout=0.2)
        with self.read(group, stream) as subscription:
            self.assertEqual([next(subscription).retry_count for _ in range(2)], [0, 1])

    def test_an_ack_of_something_else_is_passed_over(self):
        stream, group = self.group_on(2)
        with self.read(group, stream) as subscription:
            subscription.ack(uuid.uuid4())
            self.assertEqual(work_off(subscription, 2), [0, 1])


class Ends(GroupCase):
    def assert_dropped(self, subscription):
        with self.assertRaisesRegex(CancelledError, "was dropped"):
            next(subscription)

    def test_deletion_ends_the_consumers(self):
        stream, group = self.group_on(1)
        with self.read(group, stream) as subscription:
            next(subscription)
            self.client.delete_subscription(group, stream)
            self.assert_dropped(subscription)

    def test_a_change_ends_the_consumers_and_keeps_the_progress(self):
        stream, group = self.group_on(3)
        with self.read(group, stream) as subscription:
            self.assertEqual(work_off(subscription, 2), [0, 1])
            subscription.nack(next(subscription), "retry")
            next(subscription)  # the answers before have arrived
            self.client.update_subscription_to_stream(group, stream, max_retry_count=4)
            self.assert_dropped(subscription)
        with self.read(group, stream) as subscription:
            self.assertEqual(work_off(subscription, 1), [2])

    def test_a_restart_of_the_subsystem_ends_the_consumers(self):
        stream, group = self.group_on(1)
        with self.read(group, stream) as subscription:
            next(subscription)
            # This client has no call for it.
            channel, who = self.server.channel()
            with channel:
                restart = persistent_pb2_grpc.PersistentSubscriptionsStub(channel).RestartSubsystem
                restart(shared_pb2.Empty(), metadata=who)
            self.assert_dropped(subscription)
        with self.read(group, stream) as subscription:
            self.assertEqual(work_off(subscription, 1), [0])


class All(GroupCase):
    def append(self, stream, count=1, event_type="Noted"):
        self.client.append_to_stream(stream, current_version=StreamState.ANY, events=events(count, event_type))

    def read_all(self, group):
        return self.client.read_subscription_to_all(group, max_ack_delay=0.01, stopping_grace=0.05)

    def test_from_a_position_and_from_the_end(self):
        stream = self.name()
        self.append(stream, 3)
        _, second, _ = self.client.get_stream(stream)
        self.client.create_subscription_to_all("from-position", commit_position=second.commit_position)
        self.client.create_subscription_to_all("from-end", from_end=True)
        with self.read_all("from-position") as subscription:
            taken = list(itertools.islice(subscription, 2))
        self.assertEqual(numbers(taken), [1, 2])
        info = self.client.get_subscription_info("from-position")
        position = second.commit_position
        self.assertEqual(info.start_from, f"C:{position}/P:{position}")
        self.assertEqual(self.client.get_subscription_info("from-end").start_from, "C:-1/P:-1")

    def test_filters(self):
        wanted, other = self.name("wanted"), self.name("other")
        for how, expected in (
            ({"filter_include": [f"{wanted}.*"], "filter_by_stream_name": True}, [wanted, wanted]),
            ({"filter_include": [f"Kind{wanted[-5:]}"]}, [other, wanted]),
            ({"filter_exclude": [r"\$.*", f"{other}.*"], "filter_by_stream_name": True}, [wanted, wanted]),
        ):
            group = f"filter-{uuid.uuid4()}"
            self.client.create_subscription_to_all(group, from_end=True, **how)
            self.append(wanted)
            self.append(other, event_type=f"Kind{wanted[-5:]}")
            self.append(wanted, event_type=f"Kind{wanted[-5:]}")
            with self.read_all(group) as subscription:
                taken = []
                for one in itertools.islice(subscription, 2):
                    subscription.ack(one)
                    taken.append(one.stream_name)
            self.assertEqual(taken, expected, how)

    def test_a_filter_outlives_changes_and_restarts(self):
        how = {"filter_include": ["a-.*"], "filter_by_stream_name": True}
        with tempfile.TemporaryDirectory() as directory:
            with running(directory) as client:
                client.create_subscription_to_all("g", from_end=False, **how)
                client.update_subscription_to_all("g", max_retry_count=2)
            with running(directory) as client:
                for stream in ("b-1", "a-1", "b-1", "a-2"):
                    client.append_to_stream(stream, current_version=StreamState.ANY, events=event())
                with client.read_subscription_to_all("g") as subscription:
                    self.assertEqual([one.stream_name for one in itertools.islice(subscription, 2)], ["a-1", "a-2"])

    def test_groups_are_not_fed_by_groups(self):
        group = f"quiet-{uuid.uuid4()}"
        stream = self.name()
        self.client.create_subscription_to_all(group, from_end=True)
        self.append(stream, 20)
        with self.read_all(group) as subscription:
            for one in itertools.islice(subscription, 20):
                self.assertEqual(one.stream_name, stream)
                subscription.ack(one)


class Restarts(BoundedCase):
    def test_the_server_can_end_while_consumers_wait(self):
        with tempfile.TemporaryDirectory() as directory:
            server = Server(directory)
            client = KurrentDBClient(server.url)
            client.create_subscription_to_stream("g", "s", from_end=False)
            client.append_to_stream("s", current_version=StreamState.ANY, events=events(2))
            with client.read_subscription_to_stream("g", "s", max_ack_delay=0.01) as subscription:
                subscription.ack(next(subscription))
                subscription.nack(next(subscription), "retry")
                next(subscription)  # the ack before has arrived
                self.assertEqual(server.stop(), 0)
                with self.assertRaises(KurrentDBClientError):
                    next(subscription)
            client.close()
            with running(directory) as client, client.read_subscription_to_stream("g", "s") as subscription:
                self.assertEqual(numbers([next(subscription)]), [1])
