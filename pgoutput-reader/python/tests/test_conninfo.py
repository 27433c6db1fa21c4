"""Connection strings from keyword arguments. No server is needed."""

import unittest
from pathlib import Path

from pgoutput_reader._conninfo import conninfo


class ConninfoTest(unittest.TestCase):
    def test_keywords_are_quoted(self):
        parameters = {"host": "h", "port": 5432, "password": "a'b\\c d"}
        self.assertEqual(conninfo(None, parameters), r"host='h' port='5432' password='a\'b\\c d'")

    def test_none_leaves_a_keyword_out(self):
        self.assertEqual(conninfo(None, {"host": None, "database": "d"}), "dbname='d'")
        self.assertEqual(conninfo(None, {}), "")

    def test_keywords_are_added_to_a_string_and_a_uri(self):
        self.assertEqual(conninfo("host=h", {"user": "u"}), "host=h user='u'")
        uri = "postgresql://h/d"
        self.assertEqual(conninfo(uri, {}), uri)
        self.assertEqual(conninfo(uri, {"password": "a&b"}), f"{uri}?password=a%26b")
        self.assertEqual(conninfo(f"{uri}?user=u", {"port": 1}), f"{uri}?user=u&port=1")
        self.assertEqual(conninfo("postgresql:///?", {"user": "u"}), "postgresql:///?user=u")

    def test_a_value_is_text_a_number_or_a_path(self):
        self.assertEqual(conninfo(None, {"sslrootcert": Path("/a b")}), "sslrootcert='/a b'")
        for value in (b"h", ["h"], 1.5):
            with self.assertRaisesRegex(TypeError, "^host must be"):
                conninfo(None, {"host": value})
        with self.assertRaisesRegex(TypeError, "^dsn must be a str, not int"):
            conninfo(5, {})


if __name__ == "__main__":
    unittest.main()
