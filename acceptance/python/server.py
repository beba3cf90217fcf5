"""A server under test: the real program, on a directory of its own and a free port."""

import json
import os
import signal
import subprocess
import tempfile
import unittest
import uuid

from kurrentdbclient import KurrentDBClient, NewEvent


class Server:
    """`gesta serve`, started and ready."""

    def __init__(self, directory):
        program = os.environ["GESTA"]
        command = [program, "serve", "--dir", directory, "--listen", "127.0.0.1:0", "-o", "ndjson"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server ended before it was ready, code={self.process.wait()}")
        self.ready = json.loads(line)
        self.url = self.ready["url"]

    def stop(self, how=signal.SIGTERM):
        """Asks it to end; answers with its exit code."""
        self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        return code


class ServerCase(unittest.TestCase):
    """Tests that share one server; each takes names of its own."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.server = Server(cls.directory.name)
        cls.client = KurrentDBClient(cls.server.url)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        code = cls.server.stop()
        cls.directory.cleanup()
        assert code == 0, f"the server ended with code {code}"

    def name(self, category="case"):
        """A stream nobody has used."""
        return f"{category}-{uuid.uuid4()}"


def event(event_type="Noted", data=b"{}", **rest):
    """An event with what does not matter filled in."""
    return NewEvent(type=event_type, data=data, **rest)


def events(count, event_type="Noted"):
    """So many events, told apart by their data."""
    return [event(event_type, json.dumps({"n": n}).encode()) for n in range(count)]


def numbers(recorded):
    """The data by which events made by `events` are told apart."""
    return [json.loads(one.data)["n"] for one in recorded]
