"""Reads: streams and the whole log, both ways, with limits, filters and links."""

from kurrentdbclient import StreamState
from kurrentdbclient.exceptions import NotFoundError

from server import SECURED, ServerCase, event, events, numbers


class Streams(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client.append_to_stream("order-1", current_version=StreamState.NO_STREAM, events=events(1500))

    def read(self, **how):
        return numbers(self.client.get_stream("order-1", **how))

    def test_forwards(self):
        self.assertEqual(self.read(), list(range(1500)))
        self.assertEqual(self.read(limit=3), [0, 1, 2])
        self.assertEqual(self.read(stream_position=1490), list(range(1490, 1500)))
        self.assertEqual(self.read(stream_position=700, limit=2), [700, 701])

    def test_backwards(self):
        self.assertEqual(self.read(backwards=True), list(range(1499, -1, -1)))
        self.assertEqual(self.read(backwards=True, limit=2), [1499, 1498])
        self.assertEqual(self.read(backwards=True, stream_position=2), [2, 1, 0])

    def test_behind_the_end_there_is_nothing(self):
        self.assertEqual(self.read(stream_position=1500), [])

    def test_a_missing_stream(self):
        with self.assertRaises(NotFoundError):
            self.client.get_stream("order-missing")
        self.assertEqual(self.client.get_current_version("order-missing"), StreamState.NO_STREAM)

    def test_the_current_version(self):
        self.assertEqual(self.client.get_current_version("order-1"), 1499)

    def test_a_read_can_be_given_up(self):
        with self.client.read_stream("order-1") as response:
            self.assertEqual(next(response).stream_position, 0)


class Metadata(ServerCase):
    def test_what_is_set_comes_back(self):
        stream = self.name()
        self.assertEqual(self.client.get_stream_metadata(stream), ({}, StreamState.NO_STREAM))
        self.client.set_stream_metadata(stream, metadata={"owner": "ada"}, current_version=StreamState.NO_STREAM)
        self.assertEqual(self.client.get_stream_metadata(stream), ({"owner": "ada"}, 0))

    def test_a_count_hides_older_events(self):
        stream = self.name()
        self.client.append_to_stream(stream, current_version=StreamState.ANY, events=events(10))
        self.client.set_stream_metadata(stream, metadata={"$maxCount": 3})
        self.assertEqual(numbers(self.client.get_stream(stream)), [7, 8, 9])

    def test_truncation_hides_older_events(self):
        stream = self.name()
        self.client.append_to_stream(stream, current_version=StreamState.ANY, events=events(10))
        self.client.set_stream_metadata(stream, metadata={"$tb": 8})
        self.assertEqual(numbers(self.client.get_stream(stream)), [8, 9])
        self.assertEqual(numbers(self.client.get_stream(stream, backwards=True)), [9, 8])


class All(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for n in range(50):
            cls.client.append_to_stream(f"order-{n}", current_version=StreamState.ANY, events=event("OrderPlaced"))
            cls.client.append_to_stream(f"user-{n}", current_version=StreamState.ANY, events=event("UserSeen"))
        cls.client.set_stream_metadata("order-0", metadata={"owner": "ada"})

    def read(self, **how):
        return list(self.client.read_all(**how))

    def test_the_order_is_that_of_the_appends(self):
        positions = [one.commit_position for one in self.read()]
        self.assertEqual(len(positions), 100)
        self.assertEqual(positions, sorted(set(positions)))
        backwards = [one.commit_position for one in self.read(backwards=True)]
        self.assertEqual(backwards, positions[::-1])

    def test_from_a_position(self):
        everything = self.read()
        middle = everything[40].commit_position
        forward = self.read(commit_position=middle, limit=3)
        self.assertEqual([one.id for one in forward], [one.id for one in everything[40:43]])
        backward = self.read(commit_position=middle, backwards=True, limit=3)
        self.assertEqual([one.id for one in backward], [one.id for one in everything[39:36:-1]])

    def test_system_events_are_there_for_who_asks(self):
        self.assertIn("$metadata", [one.type for one in self.read(filter_exclude=())])
        self.assertNotIn("$metadata", [one.type for one in self.read()])

    def test_filters_by_type(self):
        self.assertEqual({one.type for one in self.read(filter_include=["Order.*"])}, {"OrderPlaced"})
        by_prefix = self.read(filter_include=["User"], filter_by_prefix=True)
        self.assertEqual([one.type for one in by_prefix], ["UserSeen"] * 50)
        self.assertEqual({one.type for one in self.read(filter_exclude=["Order.*", r"\$.+"])}, {"UserSeen"})

    def test_filters_by_stream(self):
        one = self.read(filter_include=["order-7"], filter_by_stream_name=True)
        self.assertEqual([one.stream_name for one in one], ["order-7"])
        some = self.read(filter_include=["order-1", "user-2"], filter_by_stream_name=True, filter_by_prefix=True)
        self.assertEqual(len(some), 22)

    def test_filters_with_limits_and_backwards(self):
        last = self.read(filter_include=["user-.*"], filter_by_stream_name=True, backwards=True, limit=3)
        self.assertEqual([one.stream_name for one in last], ["user-49", "user-48", "user-47"])
        first = self.read(filter_include=["UserSeen"], filter_by_prefix=True, limit=2)
        self.assertEqual([one.stream_name for one in first], ["user-0", "user-1"])

    def test_secondary_indexes_need_not_be_made(self):
        self.assertEqual(len(list(self.client.read_index("$idx-ce-order"))), 50)
        self.assertEqual(len(list(self.client.read_index("$idx-et-UserSeen"))), 50)


class Links(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for stream in ("order-1", "order-2", "order-1"):
            cls.client.append_to_stream(stream, current_version=StreamState.ANY, events=event("Placed"))

    def test_categories_types_and_streams_are_there_without_projections(self):
        for stream, expected in (("$ce-order", 3), ("$et-Placed", 3), ("$streams", 2)):
            resolved = self.client.get_stream(stream, resolve_links=True)
            if stream == "$streams" and SECURED:
                users = ("$user-admin", "$users")
                self.assertEqual(tuple(one.stream_name for one in resolved[:2]), users)
                self.assertEqual([one.stream_name for one in resolved[2:]], ["order-1", "order-2"])
                continue
            self.assertEqual(len(resolved), expected, stream)
            self.assertEqual({one.type for one in resolved}, {"Placed"})
            self.assertEqual([one.link.stream_position for one in resolved], list(range(expected)))
            self.assertEqual({one.link.stream_name for one in resolved}, {stream})

    def test_unresolved_they_are_links(self):
        links = self.client.get_stream("$ce-order")
        self.assertEqual([one.data for one in links], [b"0@order-1", b"0@order-2", b"1@order-1"])
        self.assertEqual({one.type for one in links}, {"$>"})
        again = self.client.get_stream("$ce-order")
        self.assertEqual([one.id for one in links], [one.id for one in again])

    def test_a_category_nobody_wrote_to_is_missing(self):
        with self.assertRaises(NotFoundError):
            self.client.get_stream("$ce-nothing", resolve_links=True)

    def test_links_that_a_client_wrote_are_followed(self):
        stream = self.name("mine")
        link = event("$>", b"1@order-1", content_type="application/octet-stream")
        self.client.append_to_stream(stream, current_version=StreamState.ANY, events=link)
        (resolved,) = self.client.get_stream(stream, resolve_links=True)
        self.assertEqual((resolved.stream_name, resolved.stream_position), ("order-1", 1))
        self.assertEqual((resolved.link.stream_name, resolved.link.stream_position), (stream, 0))
        (unresolved,) = self.client.get_stream(stream)
        self.assertEqual(unresolved.type, "$>")

    def test_correlations(self):
        told = event("Told", metadata=b'{"$correlationId":"c-17"}')
        self.client.append_to_stream(self.name(), current_version=StreamState.ANY, events=told)
        (found,) = self.client.get_stream("$bc-c-17", resolve_links=True)
        self.assertEqual(found.id, told.id)
