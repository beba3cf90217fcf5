"""The server itself: who it says it is, how it ends, what it refuses to be."""

import os
import signal
import subprocess
import tempfile
import threading
import urllib.request

from kurrentdbclient import KurrentDBClient, StreamState
from kurrentdbclient.exceptions import GrpcError, KurrentDBClientError

from server import BoundedCase, Server, ServerCase, event, events


class Serving(ServerCase):
    def test_one_member_leads(self):
        (member,) = self.client.read_gossip()
        self.assertEqual(member.state, "NODE_STATE_LEADER")
        self.assertEqual(f"{member.address}:{member.port}", self.server.ready["address"])

    def test_what_is_not_offered_says_what_to_do(self):
        with self.assertRaisesRegex(GrpcError, "not offered"):
            self.client.create_projection(name="mine", query="")

    def test_alive_over_http(self):
        with urllib.request.urlopen(self.server.page("/health/live"), context=self.server.trust) as answer:
            self.assertEqual(answer.status, 204)

    def test_many_clients_at_once(self):
        def write(number):
            with KurrentDBClient(self.server.url) as client:
                for _ in range(20):
                    client.append_to_stream(f"busy-{number}", current_version=StreamState.ANY, events=events(5))

        writers = [threading.Thread(target=write, args=(number,)) for number in range(16)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        self.assertEqual(len(self.client.get_stream("$ce-busy", resolve_links=True)), 16 * 20 * 5)


class Ending(BoundedCase):
    def test_what_was_answered_is_there_after_a_restart(self):
        for how, code in ((signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)):
            with tempfile.TemporaryDirectory() as directory:
                server = Server(directory)
                with KurrentDBClient(server.url) as client:
                    client.append_to_stream("order-1", current_version=StreamState.NO_STREAM, events=events(100))
                self.assertEqual(server.stop(how), code)
                server = Server(directory)
                with KurrentDBClient(server.url) as client:
                    self.assertEqual(len(client.get_stream("order-1")), 100)
                self.assertEqual(server.stop(), 0)

    def test_subscriptions_do_not_keep_it(self):
        with tempfile.TemporaryDirectory() as directory:
            server = Server(directory)
            with KurrentDBClient(server.url) as client:
                client.append_to_stream("order-1", current_version=StreamState.ANY, events=event())
                with client.subscribe_to_all() as subscription:
                    next(subscription)
                    self.assertEqual(server.stop(), 0)
                    with self.assertRaises(KurrentDBClientError):
                        next(subscription)

    def test_another_machine_may_not_come_unless_that_is_said(self):
        with tempfile.TemporaryDirectory() as directory:
            command = [os.environ["GESTA"], "serve", "--dir", f"{directory}/store", "--listen", "0.0.0.0:0"]
            refused = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(refused.returncode, 2)
            self.assertIn("not a loopback address", refused.stderr)
            self.assertEqual(os.listdir(directory), [])

    def test_a_store_is_served_once(self):
        with tempfile.TemporaryDirectory() as directory:
            server = Server(directory)
            command = [os.environ["GESTA"], "serve", "--dir", directory, "--listen", "127.0.0.1:0"]
            refused = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(refused.returncode, 6)
            self.assertEqual(server.stop(), 0)
