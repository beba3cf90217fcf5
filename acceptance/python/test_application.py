"""An application written with pyeventsourcing's KurrentDB module: aggregates, snapshots, notifications, and two writers at once."""

import itertools
from uuid import UUID, uuid4

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import IntegrityError

from server import ServerCase


class Account(Aggregate):
    INITIAL_VERSION = 0  # as streams count

    @event("Opened")
    def __init__(self, owner: str):
        self.owner = owner
        self.cents = 0

    @event("Deposited")
    def deposit(self, cents: int):
        self.cents += cents


class Bank(Application[UUID]):
    is_snapshotting_enabled = True

    def open(self, owner):
        account = Account(owner)
        self.save(account)
        return account.id

    def deposit(self, account_id, cents):
        account = self.repository.get(account_id)
        account.deposit(cents)
        return self.save(account)[-1].notification.id

    def balance(self, account_id, version=None):
        return self.repository.get(account_id, version=version).cents


class Applications(ServerCase):
    def setUp(self):
        self.bank = Bank(env={"PERSISTENCE_MODULE": "eventsourcing_kurrentdb", "KURRENTDB_URI": self.server.url})
        self.addCleanup(self.bank.close)

    def test_aggregates_come_back_as_they_were_and_are(self):
        ada = self.bank.open("ada")
        for cents in (100, 20, 3):
            self.bank.deposit(ada, cents)
        self.assertEqual(self.bank.balance(ada), 123)
        self.assertEqual(self.bank.balance(ada, version=1), 100)
        with self.assertRaises(AggregateNotFoundError):
            self.bank.balance(uuid4())

    def test_a_snapshot_is_used(self):
        ada = self.bank.open("ada")
        self.bank.deposit(ada, 7)
        self.bank.take_snapshot(ada)
        self.bank.deposit(ada, 1)
        self.assertEqual(self.bank.balance(ada), 8)
        snapshots = list(self.bank.snapshots.get(ada))
        self.assertEqual([one.originator_version for one in snapshots], [1])

    def test_of_two_who_decide_on_the_same_state_one_is_refused(self):
        ada = self.bank.open("ada")
        one, two = (self.bank.repository.get(ada) for _ in range(2))
        one.deposit(1)
        two.deposit(2)
        self.bank.save(one)
        with self.assertRaises(IntegrityError):
            self.bank.save(two)
        self.assertEqual(self.bank.balance(ada), 1)

    def test_notifications_are_read_and_followed(self):
        start = self.bank.recorder.max_notification_id()
        ada = self.bank.open("ada")
        last = self.bank.deposit(ada, 5)
        read = self.bank.notification_log.select(start=start, limit=10, inclusive_of_start=False)
        self.assertEqual([str(one.originator_id) for one in read], [str(ada)] * 2)
        self.assertEqual(self.bank.recorder.max_notification_id(), last)
        with self.bank.recorder.subscribe(gt=start) as subscription:
            seen = list(itertools.islice(subscription, 2))
            self.assertEqual([one.id for one in seen], [one.id for one in read])
            self.bank.deposit(ada, 6)
            self.assertEqual(next(subscription).originator_version, 2)
