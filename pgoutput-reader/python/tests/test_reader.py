"""Tests on a real server, which PGHOST and other variables name. See the README."""

import datetime
import json
import os
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

from pgoutput_reader import ConfigError, Error, LogicalReplicationReader

EXAMPLE = Path(__file__).parents[1] / "examples" / "print_changes.py"
LIMIT = 60


class ReaderTest(unittest.TestCase):
    def setUp(self):
        self.connection = psycopg2.connect("")
        self.connection.autocommit = True
        self.addCleanup(self.connection.close)
        self.addCleanup(self.drop)
        self.run_sql(
            "CREATE TABLE public.readme (id int PRIMARY KEY, created_at timestamptz DEFAULT now())",
            "CREATE PUBLICATION test_pub FOR ALL TABLES",
            "SELECT pg_create_logical_replication_slot('test_slot', 'pgoutput')",
        )

    def drop(self):
        deadline = time.monotonic() + LIMIT
        while self.query("SELECT 1 FROM pg_replication_slots WHERE active"):
            self.assertLess(time.monotonic(), deadline, "the slot is still in use")
            time.sleep(0.05)
        self.run_sql(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots",
            "DROP PUBLICATION test_pub",
            "DROP SCHEMA public CASCADE",
            "CREATE SCHEMA public",
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
        with self.assertRaisesRegex(Error, "no_such_slot"):
            LogicalReplicationReader("test_pub", "no_such_slot")
        with self.assertRaises(ConfigError):
            LogicalReplicationReader("test_pub", "test_slot", "nonsense")
        with self.assertRaisesRegex(Error, "position"):
            self.reader(resume="nonsense")
        with self.assertRaises(TypeError):
            LogicalReplicationReader("test_pub", "test_slot", database="a", dbname="b")
        reader = self.reader()
        self.run_sql("INSERT INTO readme (id) VALUES (1)")
        next(reader)
        self.run_sql("DROP PUBLICATION test_pub", "INSERT INTO readme (id) VALUES (2)")
        with self.assertRaisesRegex(Error, "test_pub"):
            list(reader)
        self.assertEqual(list(reader), [])
        self.run_sql("CREATE PUBLICATION test_pub FOR ALL TABLES")

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
