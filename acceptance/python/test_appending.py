"""Appends: every expectation, on one event (the unary call) and on several (the batch call), retries, sizes."""

import unittest
import uuid

from kurrentdbclient import StreamState
from kurrentdbclient.exceptions import (
    KurrentDBClientError,
    NotFoundError,
    WrongCurrentVersionError,
)

from server import ServerCase, event, events, numbers

MIB = 1 << 20


class Expectations(ServerCase):
    def append(self, stream, version, count=1):
        """One event goes by Append, several by BatchAppend."""
        proposed = event() if count == 1 else events(count)
        return self.client.append_to_stream(stream, current_version=version, events=proposed)

    def refused(self, stream, version, actual):
        for count in (1, 2):
            with self.assertRaises(WrongCurrentVersionError) as caught:
                self.append(stream, version, count)
            self.assertEqual(caught.exception.actual_version, actual)
            self.assertEqual(caught.exception.stream_name, stream)

    def test_no_stream_holds_once(self):
        for count in (1, 3):
            stream = self.name()
            self.append(stream, StreamState.NO_STREAM, count)
            self.refused(stream, StreamState.NO_STREAM, count - 1)

    def test_exact_holds_at_the_last_revision_only(self):
        stream = self.name()
        self.append(stream, StreamState.NO_STREAM, 3)
        self.append(stream, 2)
        self.append(stream, 3, 2)
        self.assertEqual(self.client.get_current_version(stream), 5)
        self.refused(stream, 2, 5)
        self.refused(stream, 9, 5)

    def test_exact_on_a_missing_stream_says_it_is_missing(self):
        for count in (1, 2):
            with self.assertRaises((NotFoundError, WrongCurrentVersionError)):
                self.append(self.name(), 4, count)

    def test_any_always_holds(self):
        stream = self.name()
        for count in (1, 2, 1):
            self.append(stream, StreamState.ANY, count)
        self.assertEqual(self.client.get_current_version(stream), 3)

    def test_stream_exists(self):
        stream = self.name()
        for count in (1, 2):
            with self.assertRaises((NotFoundError, WrongCurrentVersionError)):
                self.append(stream, StreamState.EXISTS, count)
        self.append(stream, StreamState.NO_STREAM)
        self.append(stream, StreamState.EXISTS)
        self.append(stream, StreamState.EXISTS, 2)

    def test_positions_grow(self):
        stream = self.name()
        first = self.append(stream, StreamState.ANY)
        second = self.append(stream, StreamState.ANY, 5)
        self.assertEqual(second, first + 5)
        self.assertEqual(self.client.get_commit_position(), second)


class Retries(ServerCase):
    def test_the_same_events_again_are_recorded_once(self):
        for version in (StreamState.NO_STREAM, StreamState.ANY):
            for count in (1, 4):
                stream = self.name()
                proposed = events(count)
                proposed = proposed[0] if count == 1 else proposed
                first = self.client.append_to_stream(stream, current_version=version, events=proposed)
                again = self.client.append_to_stream(stream, current_version=version, events=proposed)
                self.assertEqual(first, again)
                self.assertEqual(len(self.client.get_stream(stream)), count)

    def test_a_retry_from_the_middle(self):
        stream = self.name()
        proposed = events(6)
        self.client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=proposed)
        self.client.append_to_stream(stream, current_version=1, events=proposed[2:4])
        self.assertEqual(numbers(self.client.get_stream(stream)), list(range(6)))

    def test_known_ids_beside_new_ones_are_refused(self):
        stream = self.name()
        proposed = events(3)
        self.client.append_to_stream(stream, current_version=StreamState.ANY, events=proposed[:2])
        with self.assertRaises(WrongCurrentVersionError):
            self.client.append_to_stream(stream, current_version=StreamState.ANY, events=proposed)


class Contents(ServerCase):
    def test_everything_comes_back(self):
        stream = self.name("käse")
        sent = event("Größe", b"\x00\xff", metadata=b'{"who":"ada"}', content_type="application/octet-stream", id=uuid.uuid4())
        self.client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=sent)
        (got,) = self.client.get_stream(stream)
        self.assertEqual((got.id, got.type, got.data, got.metadata), (sent.id, sent.type, sent.data, sent.metadata))
        self.assertEqual(got.content_type, "application/octet-stream")
        self.assertEqual((got.stream_name, got.stream_position), (stream, 0))
        self.assertIsNotNone(got.recorded_at)
        self.assertEqual(got.commit_position, got.prepare_position)

    def test_large_events(self):
        stream = self.name()
        data = bytes(range(256)) * (4 * 1024 * 15)  # 15 MiB: what the client is able to receive
        self.client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=event(data=data))
        (got,) = self.client.get_stream(stream)
        self.assertEqual(got.data, data)

    def test_an_event_over_the_limit_is_refused(self):
        for proposed in (event(data=bytes(17 * MIB)), [event(), event(data=bytes(17 * MIB))]):
            with self.assertRaises(KurrentDBClientError) as caught:
                self.client.append_to_stream(self.name(), current_version=StreamState.ANY, events=proposed)
            self.assertRegex(str(caught.exception), "(?i)maximum|exceed|MaximumAppend")

    def test_many_events_in_one_append(self):
        stream = self.name()
        self.client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=events(10_000))
        self.assertEqual(numbers(self.client.get_stream(stream)), list(range(10_000)))

    def test_an_append_over_the_limit_records_nothing(self):
        stream = self.name()
        with self.assertRaises(KurrentDBClientError):
            self.client.append_to_stream(
                stream, current_version=StreamState.ANY, events=[event(data=bytes(11 * MIB)) for _ in range(3)]
            )
        with self.assertRaises(NotFoundError):
            self.client.get_stream(stream)

    def test_names_the_store_refuses(self):
        for stream in ("", "a\nb", "x" * 2000, "$ce-order", "$streams"):
            with self.assertRaises(KurrentDBClientError, msg=repr(stream[:10])):
                self.client.append_to_stream(stream, current_version=StreamState.ANY, events=event())


if __name__ == "__main__":
    unittest.main()
