"""Subscriptions: what there is, then what comes, without a gap between them."""

import itertools
import threading

from kurrentdbclient import CaughtUp, Checkpoint, StreamState
from kurrentdbclient.exceptions import KurrentDBClientError, StreamIsDeletedError

from server import ServerCase, event, events, numbers


def kinds(subscription, count):
    """What comes first, by kind."""
    return [type(one).__name__ for one in itertools.islice(subscription, count)]


class Streams(ServerCase):
    def follow(self, stream, count, **how):
        with self.client.subscribe_to_stream(stream, **how) as subscription:
            return numbers(itertools.islice(subscription, count))

    def test_catches_up_and_goes_on(self):
        stream = self.name()
        self.client.append_to_stream(stream, current_version=StreamState.ANY, events=events(3))
        with self.client.subscribe_to_stream(stream) as subscription:
            self.assertEqual(numbers(itertools.islice(subscription, 3)), [0, 1, 2])
            self.client.append_to_stream(stream, current_version=2, events=events(2))
            self.assertEqual(numbers(itertools.islice(subscription, 2)), [0, 1])

    def test_from_a_revision_is_behind_it(self):
        stream = self.name()
        self.client.append_to_stream(stream, current_version=StreamState.ANY, events=events(5))
        self.assertEqual(self.follow(stream, 2, stream_position=2), [3, 4])

    def test_from_the_end_is_what_comes(self):
        stream = self.name()
        self.client.append_to_stream(stream, current_version=StreamState.ANY, events=events(5))
        with self.client.subscribe_to_stream(stream, from_end=True) as subscription:
            self.client.append_to_stream(stream, current_version=4, events=event(data=b'{"n":77}'))
            self.assertEqual(numbers([next(subscription)]), [77])

    def test_a_stream_to_come(self):
        stream = self.name()
        with self.client.subscribe_to_stream(stream) as subscription:
            self.client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=events(1))
            self.assertEqual(numbers([next(subscription)]), [0])

    def test_caught_up_is_told_once(self):
        stream = self.name()
        self.client.append_to_stream(stream, current_version=StreamState.ANY, events=events(2))
        with self.client.subscribe_to_stream(stream, include_caught_up=True) as subscription:
            self.assertEqual(kinds(subscription, 3), ["RecordedEvent", "RecordedEvent", "CaughtUp"])
            self.client.append_to_stream(stream, current_version=1, events=events(1))
            self.client.append_to_stream(stream, current_version=2, events=events(1))
            self.assertEqual(kinds(subscription, 2), ["RecordedEvent", "RecordedEvent"])

    def test_the_end_of_a_stream_ends_its_subscriptions(self):
        stream = self.name()
        self.client.append_to_stream(stream, current_version=StreamState.ANY, events=events(1))
        with self.client.subscribe_to_stream(stream) as subscription:
            next(subscription)
            self.client.tombstone_stream(stream, current_version=StreamState.ANY)
            with self.assertRaises(KurrentDBClientError):
                next(subscription)
        with self.assertRaises(StreamIsDeletedError):
            with self.client.subscribe_to_stream(stream) as subscription:
                next(subscription)

    def test_categories_can_be_followed(self):
        with self.client.subscribe_to_stream("$ce-ship", resolve_links=True) as subscription:
            for n in range(3):
                self.client.append_to_stream(f"ship-{n}", current_version=StreamState.ANY, events=event())
            names = [one.stream_name for one in itertools.islice(subscription, 3)]
            self.assertEqual(names, ["ship-0", "ship-1", "ship-2"])

    def test_many_writers_and_no_gap(self):
        stream = self.name()

        def write():
            for _ in range(100):
                self.client.append_to_stream(stream, current_version=StreamState.ANY, events=event())

        writers = [threading.Thread(target=write) for _ in range(4)]
        with self.client.subscribe_to_stream(stream) as subscription:
            for writer in writers:
                writer.start()
            seen = [one.stream_position for one in itertools.islice(subscription, 400)]
        for writer in writers:
            writer.join()
        self.assertEqual(seen, list(range(400)))


class All(ServerCase):
    def test_from_a_position_is_behind_it(self):
        stream = self.name()
        self.client.append_to_stream(stream, current_version=StreamState.ANY, events=events(3))
        first, *rest = self.client.get_stream(stream)
        with self.client.subscribe_to_all(commit_position=first.commit_position) as subscription:
            seen = [one.id for one in itertools.islice(subscription, 2)]
        self.assertEqual(seen, [one.id for one in rest])

    def test_from_the_end_with_a_filter(self):
        wanted, other = self.name("wanted"), self.name("other")
        how = {"from_end": True, "filter_include": ["wanted-.*"], "filter_by_stream_name": True}
        with self.client.subscribe_to_all(**how) as subscription:
            for stream in (other, wanted, other, wanted):
                self.client.append_to_stream(stream, current_version=StreamState.ANY, events=event())
            seen = [one.stream_name for one in itertools.islice(subscription, 2)]
        self.assertEqual(seen, [wanted, wanted])

    def test_caught_up_and_checkpoints(self):
        self.client.append_to_stream(self.name(), current_version=StreamState.ANY, events=events(200))
        head = self.client.get_commit_position()
        how = {"include_caught_up": True, "include_checkpoints": True, "window_size": 10, "checkpoint_interval_multiplier": 2}
        for by_prefix in (True, False):
            with self.client.subscribe_to_all(
                filter_include=["Nothing"], filter_by_prefix=by_prefix, **how
            ) as subscription:
                seen = list(itertools.takewhile(lambda one: not isinstance(one, CaughtUp), subscription))
            self.assertTrue(all(isinstance(one, Checkpoint) for one in seen))
            positions = [one.commit_position for one in seen]
            self.assertEqual(positions, sorted(set(positions)))
            self.assertEqual(positions[-1], head)

    def test_checkpoints_go_on_when_nothing_matches(self):
        how = {"include_checkpoints": True, "window_size": 5, "checkpoint_interval_multiplier": 1}
        with self.client.subscribe_to_all(from_end=True, filter_include=["Nothing"], **how) as subscription:
            self.client.append_to_stream(self.name(), current_version=StreamState.ANY, events=events(50))
            self.assertIsInstance(next(subscription), Checkpoint)

    def test_a_client_that_does_not_read_holds_nobody_up(self):
        with self.client.subscribe_to_all() as subscription:
            data = bytes(1 << 20)
            for _ in range(40):
                self.client.append_to_stream(self.name("slow"), current_version=StreamState.ANY, events=event(data=data))
            self.assertEqual(len(list(self.client.read_all(filter_include=["slow-.*"], filter_by_stream_name=True))), 40)
            next(subscription)
