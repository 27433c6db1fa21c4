"""Prints changes as JSON. PGHOST, PGPORT, PGDATABASE, PGUSER and PGPASSWORD name the server.

It is written for the package pypgoutput; only the import differs.
"""

import os

import pgoutput_reader as pypgoutput

cdc_reader = pypgoutput.LogicalReplicationReader(
    publication_name="test_pub",
    slot_name="test_slot",
    host=os.environ.get("PGHOST"),
    database=os.environ.get("PGDATABASE"),
    port=os.environ.get("PGPORT"),
    user=os.environ.get("PGUSER"),
    password=os.environ.get("PGPASSWORD"),
)
for message in cdc_reader:
    print(message.json(indent=2), flush=True)

cdc_reader.stop()
