//! The meaning of connection strings: the manual's examples and the edge cases of its grammar.

use super::canonical;

#[test]
fn uris_have_the_meaning_of_the_manual() {
    let cases = [
        // Manual, 34.1.1.2.
        ("postgresql://", ""),
        ("postgresql://localhost", "host=localhost"),
        ("postgresql://localhost:5433", "host=localhost port=5433"),
        ("postgresql://localhost/mydb", "host=localhost dbname=mydb"),
        ("postgresql://user@localhost", "host=localhost user=user"),
        ("postgresql://user:secret@localhost", "host=localhost user=user password=secret"),
        (
            "postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp",
            "host=localhost user=other dbname=otherdb application_name=myapp connect_timeout=10",
        ),
        (
            "postgresql://host1:123,host2:456/somedb?target_session_attrs=any&\
             application_name=myapp",
            "host=host1,host2 port=123,456 dbname=somedb application_name=myapp",
        ),
        (
            "postgresql://h?target_session_attrs=read-write",
            "host=h target_session_attrs=read-write",
        ),
        (
            "postgresql://user@localhost:5433/mydb?options=-c%20synchronous_commit%3Doff",
            "host=localhost port=5433 user=user dbname=mydb options='-c synchronous_commit=off'",
        ),
        ("postgresql:///mydb?host=localhost&port=5433", "host=localhost port=5433 dbname=mydb"),
        ("postgresql://[2001:db8::1234]/database", "host=2001:db8::1234 dbname=database"),
        ("postgresql:///dbname?host=/var/lib/postgresql", "host=/var/lib/postgresql dbname=dbname"),
        ("postgresql://%2Fvar%2Flib%2Fpostgresql/dbname", "host=/var/lib/postgresql dbname=dbname"),
        // Edge cases of the grammar.
        ("postgres://h", "host=h"),
        ("postgresql://@h", "host=h"),
        ("postgresql://:pw@h", "host=h password=pw"),
        ("postgresql://u:@h/", "host=h user=u"),
        ("postgresql://u:p:q@h", "host=h user=u password=p:q"),
        ("postgresql://u%40x:p%2F%3F%20%25@h", "host=h user=u@x password='p/? %'"),
        ("postgresql://h1,h2:5433", "host=h1,h2 port=,5433"),
        ("postgresql://h1,h2", "host=h1,h2 port=,"),
        ("postgresql://[::1]:1,[::2]:2/d", "host=::1,::2 port=1,2 dbname=d"),
        ("postgresql://,h2", "host=,h2 port=,"),
        ("postgresql://:5433/d", "port=5433 dbname=d"),
        ("postgresql://h?user=u", "host=h user=u"),
        ("postgresql://h/d?", "host=h dbname=d"),
        ("postgresql://h/d?user=u&", "host=h user=u dbname=d"),
        ("postgresql://h/a/b", "host=h dbname=a/b"),
        ("postgresql://h/d?%75ser=u", "host=h user=u dbname=d"),
        ("postgresql://u@h/d?user=v&user=w", "host=h user=w dbname=d"),
        ("postgresql://h?hostaddr=127.0.0.1", "host=h hostaddr=127.0.0.1"),
        ("postgresql://h/ d ", "host=h dbname=d"),
        ("postgresql://h?sslmode=disable&sslrootcert=x", "host=h sslmode=disable sslrootcert=x"),
    ];
    for (uri, meaning) in cases {
        assert_eq!(canonical(uri), meaning, "{uri}");
    }
}

#[test]
fn pairs_have_the_meaning_of_the_manual() {
    let cases = [
        ("", ""),
        (" \t\n", ""),
        // Manual, 34.1.1.1.
        (
            "host=localhost port=5432 dbname=mydb connect_timeout=10",
            "host=localhost port=5432 dbname=mydb connect_timeout=10",
        ),
        ("host = h\tuser\n=\u{b}u", "host=h user=u"),
        ("host=h user='a b'", "host=h user='a b'"),
        (r"user='it\'s' dbname=a\ b", r"user='it\'s' dbname='a b'"),
        (r"password=a\\b\'c", r"password='a\\b\'c'"),
        ("user='' dbname=d", "dbname=d"),
        ("user= 'x'", "user=x"),
        // After the closing quote no space is needed.
        ("user='x'dbname=d", "user=x dbname=d"),
        ("user=a=b", "user=a=b"),
        (r"user=x\", "user=x"),
        ("user=x user=y", "user=y"),
        ("host=h host=''", ""),
        ("host=a,b hostaddr=,::1 port=5433", "host=a,b hostaddr=,::1 port=5433"),
        ("host=/tmp,localhost", "host=/tmp,localhost"),
        ("connect_timeout=0 keepalives=0 keepalives_idle=-1", "keepalives=0"),
        (
            "connect_timeout=' 5 ' keepalives=2 tcp_user_timeout=1500",
            "connect_timeout=5 tcp_user_timeout=1500",
        ),
        (
            "keepalives_idle=1 keepalives_interval=2 keepalives_count=3",
            "keepalives_idle=1 keepalives_interval=2 keepalives_count=3",
        ),
        // A mode that was chosen differs from the default with the same value.
        ("sslmode=prefer", "sslmode=prefer"),
        ("sslmode=''", ""),
        ("sslmode=allow", "sslmode=allow"),
        ("fallback_application_name=f passfile=/p", "passfile=/p fallback_application_name=f"),
        // Values that match the behaviour of the reader.
        (
            "replication=database gssencmode=prefer channel_binding=prefer client_encoding=utf8 \
             sslcompression=0 sslsni=1 load_balance_hosts=disable target_session_attrs=any \
             krbsrvname=postgres min_protocol_version=3.0 max_protocol_version=latest \
             sslnegotiation=postgres gssdelegation=0 require_auth='' service=''",
            "",
        ),
    ];
    for (pairs, meaning) in cases {
        assert_eq!(canonical(pairs), meaning, "{pairs}");
    }
}
