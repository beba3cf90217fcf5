"""Deleting streams: until somebody appends again, and for ever."""

from kurrentdbclient import StreamState
from kurrentdbclient.exceptions import (
    FailedPreconditionError,
    NotFoundError,
    StreamIsDeletedError,
    WrongCurrentVersionError,
)

from server import ServerCase, event, events, numbers


class Deleting(ServerCase):
    def stream(self, count=3):
        stream = self.name()
        self.client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=events(count))
        return stream

    def test_a_deleted_stream_is_not_found_and_goes_on_where_it_was(self):
        stream = self.stream()
        self.client.delete_stream(stream, current_version=2)
        with self.assertRaises(NotFoundError):
            self.client.get_stream(stream)
        self.client.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=event(data=b'{"n":9}'))
        (only,) = self.client.get_stream(stream)
        self.assertEqual((numbers([only]), only.stream_position), ([9], 3))

    def test_the_metadata_says_so(self):
        stream = self.stream()
        self.client.delete_stream(stream, current_version=StreamState.ANY)
        metadata, _ = self.client.get_stream_metadata(stream)
        self.assertEqual(metadata["$tb"], 9223372036854775807)

    def test_a_document_shows_nothing_that_was_deleted(self):
        stream = self.stream()
        self.client.delete_stream(stream, current_version=StreamState.ANY)
        self.client.set_stream_metadata(stream, metadata={"owner": "ada"}, current_version=StreamState.ANY)
        metadata, _ = self.client.get_stream_metadata(stream)
        self.assertEqual(metadata, {"owner": "ada", "$tb": 3})
        self.assertEqual(self.client.get_stream(stream), ())
        self.client.append_to_stream(stream, current_version=2, events=event(data=b'{"n":9}'))
        (only,) = self.client.get_stream(stream)
        self.assertEqual((numbers([only]), only.stream_position), ([9], 3))

    def test_deleting_again_changes_nothing(self):
        stream = self.stream()
        self.client.delete_stream(stream, current_version=StreamState.ANY)
        self.client.delete_stream(stream, current_version=StreamState.ANY)

    def test_expectations(self):
        stream = self.stream()
        for end in (self.client.delete_stream, self.client.tombstone_stream):
            with self.assertRaises(WrongCurrentVersionError) as caught:
                end(stream, current_version=7)
            self.assertEqual(caught.exception.actual_version, 2)
            with self.assertRaises(WrongCurrentVersionError):
                end(stream, current_version=StreamState.NO_STREAM)
        self.client.delete_stream(stream, current_version=StreamState.EXISTS)

    def test_what_never_was_cannot_be_deleted(self):
        with self.assertRaises(NotFoundError):
            self.client.delete_stream(self.name(), current_version=StreamState.ANY)
        with self.assertRaises(NotFoundError):
            self.client.delete_stream(self.name(), current_version=1)

    def test_a_tombstone_is_for_ever(self):
        stream = self.stream()
        self.client.tombstone_stream(stream, current_version=2)
        with self.assertRaises(StreamIsDeletedError):
            self.client.get_stream(stream)
        with self.assertRaises(StreamIsDeletedError):
            self.client.append_to_stream(stream, current_version=StreamState.ANY, events=events(2))
        with self.assertRaises((StreamIsDeletedError, FailedPreconditionError)):
            self.client.append_to_stream(stream, current_version=StreamState.ANY, events=event())
        for end in (self.client.delete_stream, self.client.tombstone_stream):
            with self.assertRaises(StreamIsDeletedError):
                end(stream, current_version=StreamState.ANY)

    def test_a_tombstone_on_a_stream_nobody_wrote(self):
        stream = self.name()
        self.client.tombstone_stream(stream, current_version=StreamState.ANY)
        with self.assertRaises(StreamIsDeletedError):
            self.client.get_stream(stream)

    def test_the_log_keeps_what_was_deleted(self):
        stream = self.stream()
        self.client.tombstone_stream(stream, current_version=StreamState.ANY)
        how = {"filter_include": [stream], "filter_by_stream_name": True, "filter_exclude": ()}
        recorded = list(self.client.read_all(**how))
        self.assertEqual([one.type for one in recorded], ["Noted"] * 3 + ["$streamDeleted"])
        self.assertEqual(recorded[-1].stream_position, 9223372036854775807)
