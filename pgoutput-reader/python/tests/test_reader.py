"""Tests on a throwaway server of `with_server`. See the README."""

import copy
import datetime
import faulthandler
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import psycopg2

from pgoutput_reader import (
    ChangeEvent,
    ConfigError,
    Error,
    LogicalMessage,
    LogicalReplicationReader,
    Truncate,
)

EXAMPLE = Path(__file__).parents[1] / "examples" / "print_changes.py"
LIMIT = 60


class Interrupted(Exception):
    """The exception of a signal handler."""


class ReaderTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # They create a publication for all tables and drop slots.
        if os.environ.get("PGOUTPUT_THROWAWAY_SERVER") != os.environ.get("PGHOST", ""):
            raise RuntimeError("run these tests with with_server, on a server made for them")

    def setUp(self):
        # Waiting for an event that never comes is a failure.
        faulthandler.dump_traceback_later(2 * LIMIT, exit=True)
        self.addCleanup(faulthandler.cancel_dump_traceback_later)
        self.connection = psycopg2.connect("")
        self.connection.autocommit = True
        self.addCleanup(self.connection.close)
        self.addCleanup(self.drop)
        self.run_sql(
            "CREATE TABLE public.readme (id int PRIMARY KEY, created_at timestamptz DEFAULT now())",
            "CREATE PUBLICATION test_pub FOR ALL TABLES",
            "SELECT pg_create_logical_replication_slot('test_slot', 'pgoutput')",
        )

    def wait_until_free(self):
        deadline = time.monotonic() + LIMIT
        while self.query("SELECT 1 FROM pg_replication_slots WHERE active"):
            self.assertLess(time.monotonic(), deadline, "the slot is still in use")
            time.sleep(0.05)

    def drop(self):
        self.wait_until_free()
        self.run_sql(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE slot_name = 'test_slot'",
            "DROP PUBLICATION test_pub",
            "DROP TABLE IF EXISTS readme, typed, numbers, large",
        )

    def run_sql(self, *statements):
        with self.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def query(self, statement):
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def reader(self, **arguments):
        reader = LogicalReplicationReader("test_pub", "test_slot", **arguments)
        self.addCleanup(reader.stop)
        return reader

    def test_an_event_has_the_documented_attributes(self):
        self.run_sql("INSERT INTO readme (id) SELECT generate_series(1, 3)")
        reader = self.reader()
        events = [next(reader) for _ in range(3)]
        self.assertEqual([event.op for event in events], ["I"] * 3)
        self.assertEqual([event.is_last for event in events], [False, False, True])
        event = events[0]
        self.assertIsInstance(event.message_id, UUID)
        self.assertIsInstance(event.lsn, int)
        self.assertGreater(event.transaction.begin_lsn, event.lsn)
        self.assertIsNotNone(event.transaction.commit_ts.tzinfo)
        schema = event.table_schema
        self.assertEqual((schema.schema_name, schema.table), ("public", "readme"))
        self.assertEqual(schema.db, os.environ["PGDATABASE"])
        key, created = schema.column_definitions
        self.assertEqual((key.name, key.part_of_pkey, key.type_name), ("id", True, "integer"))
        self.assertEqual((created.type_id, created.optional), (1184, True))
        self.assertIsNone(event.before)
        self.assertEqual(event.after["id"], 1)
        self.assertIsInstance(event.after["created_at"], datetime.datetime)
        fields = json.loads(event.json())
        self.assertEqual(event.json(indent=2), json.dumps(fields, indent=2))
        self.assertEqual(list(event.dict()), list(fields))
        self.assertEqual(event.dict()["after"], event.after)
        self.assertEqual(event.dict()["transaction"]["commit_ts"], event.transaction.commit_ts)

    def test_columns_are_python_values(self):
        self.run_sql(
            "CREATE TABLE typed (id int PRIMARY KEY, n numeric, f float8, d date, t time,"
            " ts timestamp, u uuid, b bytea, j jsonb, ns numeric[], flag bool, far date)",
            "INSERT INTO typed VALUES (1, 12345678901234567890.5, 'NaN', '2020-02-03', '04:05:06',"
            " '2020-02-03 04:05:06.5', '00000000-0000-0000-0000-00000000000a', '\\x00ff',"
            """ '{"a": [1, 2.5]}', '{{1.10,NULL}}', true, 'infinity')""",
        )
        for binary in (False, True) if self.connection.server_version >= 140000 else (False,):
            with self.subTest(binary=binary):
                reader = self.reader(binary=binary)
                row = next(reader).after
                reader.stop()
                self.assertNotEqual(row["f"], row["f"])
                del row["f"]
                self.assertEqual(
                    row,
                    {
                        "id": 1,
                        "n": Decimal("12345678901234567890.5"),
                        "d": datetime.date(2020, 2, 3),
                        "t": datetime.time(4, 5, 6),
                        "ts": datetime.datetime(2020, 2, 3, 4, 5, 6, 500000),
                        "u": UUID(int=10),
                        "b": b"\x00\xff",
                        "j": {"a": [1, 2.5]},
                        "ns": [[Decimal("1.10"), None]],
                        "flag": True,
                        "far": "infinity",
                    },
                )

    def test_indented_json_keeps_numbers_and_depth(self):
        document = "[" * 200 + "]" * 200
        self.run_sql(
            "CREATE TABLE numbers (id numeric PRIMARY KEY, j jsonb)",
            "INSERT INTO numbers VALUES (1234567890123456789012.50)",
            f"INSERT INTO numbers VALUES (1, '{document}')",
        )
        reader = self.reader()
        self.assertIn('    "id": 1234567890123456789012.50,\n', next(reader).json(indent=2))
        self.assertIn(document, next(reader).json(indent=2))

    def test_only_requested_events_are_acknowledged(self):
        self.run_sql("INSERT INTO readme (id) VALUES (1)", "INSERT INTO readme (id) VALUES (2)")
        with self.reader() as reader:
            self.assertEqual([next(reader).after["id"] for _ in range(2)], [1, 2])
        self.assertEqual(next(self.reader()).after["id"], 2)

    def test_a_position_resumes_and_acknowledges(self):
        self.run_sql("INSERT INTO readme (id) SELECT generate_series(1, 3)")
        with self.reader(manual=True) as reader:
            first = next(reader)
            next(reader)
        with self.reader(manual=True, resume=first.position) as reader:
            second, third = next(reader), next(reader)
            self.assertEqual([second.after["id"], third.after["id"]], [2, 3])
            for event in (second, third):
                reader.acknowledge(event)
        self.run_sql("INSERT INTO readme (id) VALUES (4)")
        self.assertEqual(next(self.reader()).after["id"], 4)

    def test_a_snapshot_comes_first(self):
        self.run_sql(
            "SELECT pg_drop_replication_slot('test_slot')", "INSERT INTO readme (id) VALUES (1)"
        )
        reader = self.reader(create_slot=True, snapshot=True)
        row, end = next(reader), next(reader)
        self.assertEqual((row.op, row.after["id"], row.transaction), ("R", 1, None))
        self.assertEqual((end.op, end.table_schema, end.after), ("Z", None, None))
        self.run_sql("INSERT INTO readme (id) VALUES (2)")
        self.assertEqual(next(reader).op, "I")

    def test_stop_ends_a_wait_in_another_thread(self):
        reader, seen = self.reader(), []
        thread = threading.Thread(target=lambda: seen.extend(reader))
        thread.start()
        self.run_sql("INSERT INTO readme (id) VALUES (1)")
        deadline = time.monotonic() + LIMIT
        # The interpreter runs this thread meanwhile.
        while not seen:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        reader.stop()
        thread.join(LIMIT)
        self.assertFalse(thread.is_alive())
        self.assertEqual(list(reader), [])
        reader.stop()

    def test_errors_are_exceptions(self):
        with self.assertRaisesRegex(Error, "no_such_slot.*create_slot=True, or SELECT") as caught:
            LogicalReplicationReader("test_pub", "no_such_slot")
        self.assertNotRegex(str(caught.exception), "--|::")
        self.assertEqual((caught.exception.kind, caught.exception.sqlstate), ("slot_missing", None))
        with self.assertRaises(Error) as absent:
            self.reader(dbname="no_such_database")
        self.assertEqual((absent.exception.kind, absent.exception.sqlstate), ("server", "3D000"))
        again = pickle.loads(pickle.dumps(absent.exception))
        self.assertEqual((str(again), again.sqlstate), (str(absent.exception), "3D000"))
        with self.assertRaises(ConfigError):
            LogicalReplicationReader("test_pub", "test_slot", "nonsense")
        reader = self.reader()
        self.run_sql("INSERT INTO readme (id) VALUES (1)")
        next(reader)
        self.run_sql("DROP PUBLICATION test_pub", "INSERT INTO readme (id) VALUES (2)")
        with self.assertRaisesRegex(Error, "test_pub"):
            list(reader)
        self.assertEqual(list(reader), [])
        reader.stop()
        self.run_sql("CREATE PUBLICATION test_pub FOR ALL TABLES")

    def test_wrong_arguments_are_named(self):
        for error, text, arguments in (
            (TypeError, "slot_name must be a str, not int", ("p", 5)),
            (TypeError, "publication_name must be a str or a list of them, not bytes", (b"p", "s")),
            (TypeError, "a publication_name must be a str, not int", ([1], "s")),
            (TypeError, "dsn must be a str, not int", ("p", "s", 5)),
            (ConfigError, "slot_name is empty", ("p", "")),
            (ConfigError, "publication_name has no name", ([], "s")),
        ):
            with self.subTest(text), self.assertRaisesRegex(error, text):
                LogicalReplicationReader(*arguments)
        for error, text, arguments in (
            (TypeError, "snapshot must be a bool, not int", {"snapshot": 1}),
            (TypeError, "create_slots: did you mean create_slot?", {"create_slots": True}),
            (TypeError, "resume must be the position of an event, not int", {"resume": 1}),
            (TypeError, "database or dbname", {"database": "a", "dbname": "b"}),
            (ConfigError, "position", {"resume": "nonsense"}),
            (TypeError, "ssl_mode: unknown.*did you mean sslmode", {"ssl_mode": "disable"}),
            (
                TypeError,
                "create_slots: did you mean create_slot?",
                {"dsn": "postgresql:///", "create_slots": True},
            ),
            (ConfigError, "ssl_mode", {"dsn": "ssl_mode=disable"}),
        ):
            with self.subTest(text), self.assertRaisesRegex(error, text):
                self.reader(**arguments)
        reader = self.reader(manual=True, application_name="app")
        with self.assertRaisesRegex(TypeError, "event must be a ChangeEvent, not NoneType"):
            reader.acknowledge(None)

    def test_an_acknowledgement_without_effect_is_an_error(self):
        self.run_sql("INSERT INTO readme (id) VALUES (1)")
        with self.reader() as reader:
            event = next(reader)
            with self.assertRaisesRegex(Error, "manual=True"):
                reader.acknowledge(event)
        with self.reader(manual=True) as reader:
            event = next(reader)
            with self.assertRaisesRegex(Error, "unpickled"):
                reader.acknowledge(pickle.loads(pickle.dumps(event)))
            other = event
        with self.assertRaisesRegex(Error, "stopped"):
            reader.acknowledge(event)
        with self.reader(manual=True) as reader:
            event = next(reader)
            with self.assertRaisesRegex(Error, "pass a stored one as resume"):
                reader.acknowledge(other)
            reader.acknowledge(copy.copy(event))
        self.run_sql("INSERT INTO readme (id) VALUES (2)")
        self.assertEqual(next(self.reader()).after["id"], 2)

    def test_a_signal_handler_that_raises_loses_no_event(self):
        def interrupt(_signal, _frame):
            raise Interrupted

        before = signal.signal(signal.SIGALRM, interrupt)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        count, stored, interrupted = 3000, [], 0
        rows = "".join(f"INSERT INTO readme (id) VALUES ({row});" for row in range(count))
        self.run_sql(*rows.split(";")[:-1])
        reader, deadline = self.reader(), time.monotonic() + LIMIT

        # A function, since CPython 3.13 leaves the jump of a loop inside `try` unprotected.
        def store():
            for event in reader:
                stored.append(event)
                if len(stored) == count:
                    break

        while len(stored) < count:
            self.assertLess(time.monotonic(), deadline, f"{len(stored)} of {count} events")
            try:
                # Raises once in this block.
                signal.setitimer(signal.ITIMER_REAL, 0.001)
                store()
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupted:
                interrupted += 1
        self.assertGreater(interrupted, 5)
        self.assertEqual([event.after["id"] for event in stored], list(range(count)))

    def test_an_event_that_was_not_handed_over_is_not_acknowledged(self):
        self.run_sql("INSERT INTO readme (id) VALUES (1)", "INSERT INTO readme (id) VALUES (2)")
        with self.reader() as reader:
            self.interrupt_the_next_event(reader)
        with self.reader() as reader:
            self.interrupt_the_next_event(reader)
            self.assertEqual([next(reader).after["id"] for _ in range(2)], [1, 2])
        self.assertEqual(next(self.reader()).after["id"], 2)

    def interrupt_the_next_event(self, reader):
        def interrupt(_signal, _frame):
            raise Interrupted

        before = signal.signal(signal.SIGALRM, interrupt)
        create = ChangeEvent.__init__

        def created(event, native):
            create(event, native)
            signal.raise_signal(signal.SIGALRM)

        ChangeEvent.__init__ = created
        try:
            with self.assertRaises(Interrupted):
                for _ in reader:
                    self.fail("an event arrived")
        finally:
            ChangeEvent.__init__ = create
            signal.signal(signal.SIGALRM, before)

    def test_a_signal_handler_may_stop(self):
        self.run_sql("INSERT INTO readme (id) VALUES (1)")
        reader = self.reader()
        before = signal.signal(signal.SIGALRM, lambda *_: reader.stop())
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        seen = []
        for event in reader:
            seen.append(event.after["id"])
            signal.setitimer(signal.ITIMER_REAL, 0.05)
        self.assertEqual(seen, [1])

    def test_a_fork_cannot_use_the_reader(self):
        self.run_sql("INSERT INTO readme (id) VALUES (1)")
        script = """
import os, pgoutput_reader
reader = pgoutput_reader.LogicalReplicationReader("test_pub", "test_slot", manual=True)
event = next(reader)
child = os.fork()
if child == 0:
    for use in (lambda: next(reader), reader.stop, lambda: reader.acknowledge(event)):
        try:
            use()
        except pgoutput_reader.Error as error:
            assert "another process" in str(error), error
        else:
            os._exit(1)
    del reader, use
    print(event.after["id"], flush=True)
    raise SystemExit(7)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 7, status
reader.acknowledge(event)
reader.stop()
"""
        program = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script],
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        self.assertEqual((program.returncode, program.stdout, program.stderr), (0, "1\n", ""))
        self.run_sql("INSERT INTO readme (id) VALUES (2)")
        self.assertEqual(next(self.reader()).after["id"], 2)

    def test_a_with_block_keeps_its_exception(self):
        self.run_sql("INSERT INTO readme (id) VALUES (1)")
        with self.assertRaises(KeyError), self.reader() as reader:
            next(reader)
            self.disconnect()
            raise KeyError
        with self.assertRaises(Error), self.reader() as reader:
            next(reader)
            self.disconnect()

    def test_stop_does_not_repeat_the_error_of_the_iteration(self):
        self.run_sql("INSERT INTO readme (id) VALUES (1)")
        reader = self.reader()
        next(reader)
        self.disconnect()
        self.run_sql("SELECT pg_drop_replication_slot('test_slot')")
        with self.assertRaisesRegex(Error, "test_slot") as missing:
            next(reader)
        self.assertEqual(missing.exception.kind, "slot_missing")
        reader.stop()

    def disconnect(self):
        """Ends the server's processes for the readers."""
        self.run_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
        self.wait_until_free()

    def test_indentation_is_bounded(self):
        self.run_sql("INSERT INTO readme (id) VALUES (1)")
        event = next(self.reader())
        for indent in (2**60, 2**70, -1, 101):
            with self.assertRaisesRegex(ValueError, "from 0 to 100"):
                event.json(indent)
        with self.assertRaises(TypeError):
            event.json("  ")
        for indent in (0, 100):
            expected = json.dumps(json.loads(event.json()), indent=indent)
            self.assertEqual(event.json(indent), expected)

    def test_additional_fields_are_attributes(self):
        messages = self.connection.server_version >= 140000
        emit = "SELECT pg_logical_emit_message(true, 'p', '\\x00ff'::bytea)"
        self.run_sql(
            "CREATE TABLE large (id int PRIMARY KEY, text text)",
            "ALTER TABLE large ALTER text SET STORAGE EXTERNAL",
            "INSERT INTO large VALUES (1, repeat('x', 10000))",
            "UPDATE large SET id = 2",
            *([emit] if messages else []),
            *(["TRUNCATE large CASCADE"] if self.connection.server_version >= 110000 else []),
        )
        reader = self.reader(messages=messages)
        insert, update = next(reader), next(reader)
        self.assertEqual(insert.unchanged_toast, [])
        self.assertEqual((insert.truncate, insert.message), (None, None))
        self.assertEqual((update.unchanged_toast, update.after), (["text"], {"id": 2}))
        if messages:
            message = next(reader)
            self.assertEqual((message.op, message.table_schema), ("M", None))
            self.assertEqual(message.message, LogicalMessage(True, "p", b"\x00\xff"))
        if self.connection.server_version >= 110000:
            self.assertEqual(next(reader).truncate, Truncate(True, False))

    def test_events_can_be_compared_copied_and_pickled(self):
        self.run_sql("INSERT INTO readme (id) SELECT generate_series(1, 2)")
        first, second = (next(reader) for reader in [self.reader()] for _ in range(2))
        self.assertNotEqual(first, second)
        for same in (copy.copy(first), copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
            self.assertIsNot(same, first)
            self.assertEqual(same, first)
            self.assertEqual({same, first, second}, {first, second})
            self.assertEqual((same.lsn, same.op, same.is_last), (first.lsn, "I", False))
            self.assertEqual((same.dict(), same.json(2)), (first.dict(), first.json(2)))
        self.assertEqual(hash(first.table_schema), hash(second.table_schema))
        with self.assertRaises(AttributeError):
            first.after = {}
        first.dict()["table_schema"]["column_definitions"].clear()
        first.dict()["after"].clear()
        self.assertEqual(len(first.dict()["table_schema"]["column_definitions"]), 2)
        self.assertEqual(first.after["id"], 1)
        self.assertRegex(repr(first), "^<ChangeEvent I of public.readme at [0-9A-F]+/[0-9A-F]+>$")
        with self.assertRaises(TypeError):
            ChangeEvent(None)

    def test_the_example_prints_changes_until_ctrl_c(self):
        self.run_sql("INSERT INTO readme (id) SELECT generate_series(1, 3)")
        program = subprocess.Popen(
            [sys.executable, str(EXAMPLE)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(program.kill)
        decoder, text, events = json.JSONDecoder(), "", []
        while len(events) < 3:
            line = program.stdout.readline()
            self.assertTrue(line, "the program ended")
            text += line
            if line == "}\n":
                event, _ = decoder.raw_decode(text)
                events.append(event)
                text = ""
        self.assertEqual([event["after"]["id"] for event in events], [1, 2, 3])
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=LIMIT)
        self.assertIn("KeyboardInterrupt", errors)

    def test_ctrl_c_ends_connecting(self):
        # A server that accepts and never answers.
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            script = (
                "import pgoutput_reader; print('ready', flush=True);"
                "pgoutput_reader.LogicalReplicationReader('p', 's', host='127.0.0.1',"
                f" port={silent.getsockname()[1]}, sslmode='disable')"
            )
            program = subprocess.Popen(
                [sys.executable, "-c", script],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            self.addCleanup(program.kill)
            self.assertEqual(program.stdout.readline(), "ready\n")
            accepted, _ = silent.accept()
            self.addCleanup(accepted.close)
            program.send_signal(signal.SIGINT)
            _, errors = program.communicate(timeout=LIMIT)
            self.assertIn("KeyboardInterrupt", errors)


if __name__ == "__main__":
    unittest.main()
