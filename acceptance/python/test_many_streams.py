"""The second protocol: appends to many streams at once, all or nothing."""

import json

from kurrentdbclient import NewEvents, NewRecord, StreamState, StreamStateCheck
from kurrentdbclient.exceptions import (
    ConsistencyChecksFailedError,
    KurrentDBClientError,
    MultiAppendToSameStreamError,
    NotFoundError,
    RecordMaxSizeExceededError,
    StreamTombstonedError,
    TransactionMaxSizeExceededError,
    WrongCurrentVersionError,
)

from server import ServerCase, event, events, numbers

MIB = 1 << 20


class Sessions(ServerCase):
    def append(self, *parts):
        return self.client.multi_append_to_stream(
            [NewEvents(stream_name=stream, events=made, current_version=version) for stream, version, made in parts]
        )

    def test_all_streams_are_written(self):
        one, two = self.name(), self.name()
        position = self.append((one, StreamState.NO_STREAM, events(2)), (two, StreamState.ANY, events(3)))
        self.assertEqual(numbers(self.client.get_stream(one)), [0, 1])
        self.assertEqual(numbers(self.client.get_stream(two)), [0, 1, 2])
        self.assertEqual(self.client.get_stream(two)[-1].commit_position, position)

    def test_or_none(self):
        one, two = self.name(), self.name()
        with self.assertRaises(WrongCurrentVersionError) as caught:
            self.append((one, StreamState.NO_STREAM, events(1)), (two, 5, events(1)))
        self.assertEqual((caught.exception.stream_name, caught.exception.expected_version), (two, 5))
        self.assertEqual(caught.exception.actual_version, StreamState.NO_STREAM)
        with self.assertRaises(NotFoundError):
            self.client.get_stream(one)

    def test_a_retry(self):
        one, two = self.name(), self.name()
        parts = ((one, StreamState.NO_STREAM, events(2)), (two, StreamState.NO_STREAM, events(1)))
        self.assertEqual(self.append(*parts), self.append(*parts))

    def test_a_stream_is_named_once(self):
        stream = self.name()
        with self.assertRaises(MultiAppendToSameStreamError) as caught:
            self.append((stream, StreamState.ANY, events(1)), (stream, StreamState.ANY, events(1)))
        self.assertEqual(caught.exception.stream_name, stream)

    def test_a_tombstone(self):
        stream = self.name()
        self.client.tombstone_stream(stream, current_version=StreamState.ANY)
        with self.assertRaises(StreamTombstonedError):
            self.append((self.name(), StreamState.ANY, events(1)), (stream, StreamState.ANY, events(1)))

    def test_sizes(self):
        with self.assertRaises(RecordMaxSizeExceededError):
            self.append((self.name(), StreamState.ANY, [event(data=bytes(17 * MIB))]))
        with self.assertRaises(TransactionMaxSizeExceededError):
            self.append(*((self.name(), StreamState.ANY, [event(data=bytes(11 * MIB))]) for _ in range(3)))

    def test_metadata_come_back_beside_the_schema(self):
        stream = self.name()
        self.append((stream, StreamState.ANY, [event("Told.v1", metadata=b'{"who":"ada"}')]))
        (got,) = self.client.get_stream(stream)
        expected = {"who": "ada", "$schema.name": "Told.v1", "$schema.format": "Json"}
        self.assertEqual(json.loads(got.metadata), expected)
        self.assertEqual((got.type, got.content_type), ("Told.v1", "application/json"))

    def test_nothing_is_no_session(self):
        with self.assertRaises(KurrentDBClientError):
            self.append()


class Records(ServerCase):
    def append(self, streams, *checks):
        records = [NewRecord(stream_name=stream, type="Noted", data=b"{}") for stream in streams]
        checks = [StreamStateCheck(stream_name=stream, expected_state=state) for stream, state in checks]
        return self.client.append_records(records, checks)

    def test_records_keep_their_order(self):
        one, two = self.name(), self.name()
        result = self.append([one, two, one])
        self.assertEqual([(r.stream_name, r.stream_position) for r in result.stream_positions], [(one, 1), (two, 0)])
        written = [e for e in self.client.read_all() if e.stream_name in (one, two)]
        self.assertEqual([e.stream_name for e in written], [one, two, one])
        self.assertEqual(written[-1].commit_position, result.commit_position)

    def violated(self, streams, *checks):
        with self.assertRaises(ConsistencyChecksFailedError) as caught:
            self.append(streams, *checks)
        (failure,) = caught.exception.failures
        state = failure.stream_state_failure
        return failure.check_index, state.stream_name, state.expected_state, state.actual_state

    def test_streams_that_are_not_written_can_be_checked(self):
        other, stream = self.name(), self.name()
        self.append([other, other])
        self.append([stream], (other, 1))
        self.append([stream], (other, StreamState.EXISTS), (stream, 0))
        self.assertEqual(self.violated([stream], (stream, 1), (other, 0)), (1, other, 0, 1))
        self.assertEqual(self.violated([stream], (stream, StreamState.NO_STREAM)), (0, stream, -1, 1))
        self.assertEqual(len(self.client.get_stream(stream)), 2)

    def test_states_of_streams_without_events(self):
        missing, deleted, ended = self.name(), self.name(), self.name()
        self.append([deleted, ended])
        self.client.delete_stream(deleted, current_version=StreamState.ANY)
        self.client.tombstone_stream(ended, current_version=StreamState.ANY)
        for stream, actual in ((missing, -1), (deleted, -5), (ended, -6)):
            check = (stream, StreamState.EXISTS)
            self.assertEqual(self.violated([self.name()], check), (0, stream, -4, actual), stream)
