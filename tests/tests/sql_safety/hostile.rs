//! Functions, operators, casts and types in users' schemas, each of which reports that it ran. No
//! SQL of ours may choose any of them.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::process::Command;
use std::time::Duration;

use pgoutput_decode::Lsn;
use pgoutput_harness::{Database, Server, shared};
use pgoutput_reader::config::TargetSessionAttrs;
use pgoutput_reader::{
    Config, Connection, ErrorKind, Idle, Next, Op, Reader, ReaderBuilder, Reconnect, SetupError,
    SlotCreation, Snapshot, SnapshotTable, StreamOptions,
};
use pgoutput_tests::{InTime as _, eventually};
use postgres::Client;

use crate::literals;

const TABLES: &str = "
    CREATE TYPE public.mood AS ENUM ('ok', 'sad');
    CREATE DOMAIN public.mail AS pg_catalog.text;
    CREATE TYPE public.pair AS (a pg_catalog.int4, m public.mood);
    CREATE TYPE public.span AS RANGE (subtype = pg_catalog.int4);
    CREATE TABLE public.t (id pg_catalog.int4 PRIMARY KEY, v pg_catalog.varchar(20), m public.mood,
                           ms public.mood[], d public.mail, p public.pair,
                           ps public.pair[], s public.span);
    CREATE PUBLICATION p FOR TABLE public.t";

const ROW: &str = "'x', 'ok', '{ok}', 'd', '(1,ok)', '{\"(1,ok)\"}', '[1,2)'";

/// Creates the objects in a schema. `{schema}`, `{names}` and `{operators}` are filled in.
///
/// Functions: a copy of each function of that name in `pg_catalog`, and one for each list of one or
/// two types that literals or polymorphic arguments could take. Operators: the same. Types: a
/// domain with the name of each built-in type, and a type to which everything has an implicit cast.
const HOSTILE: &str = r#"
DO $do$
DECLARE
    names pg_catalog.text[] := '{names}';
    operators pg_catalog.text[] := '{operators}';
    types pg_catalog.text[] := '{oid,int2,int4,int8,text,name,"\"char\"",bool,jsonb,pg_lsn}';
    arrays pg_catalog.text[] := '{text[],name[],oid[],int4[],int2vector}';
    rows pg_catalog.text[] := '{pg_replication_slots,pg_range,pg_type}';
    body CONSTANT pg_catalog.text := $body$LANGUAGE plpgsql AS $f$ BEGIN
        PERFORM pg_catalog.nextval('public.ran'::pg_catalog.regclass);
        RAISE LOG 'hostile: %s'; RETURN %s; END $f$$body$;
    made pg_catalog.int4 := 0;
    r pg_catalog.record;
BEGIN
    PERFORM pg_catalog.set_config('search_path', '', true);
    FOR r IN
        SELECT DISTINCT p.proname AS name,
               pg_catalog.pg_get_function_identity_arguments(p.oid) AS arguments,
               pg_catalog.format_type(p.prorettype, NULL) AS result, p.proretset AS is_set
        FROM pg_catalog.pg_proc AS p
        WHERE p.proname = ANY (names) AND p.pronamespace = 11 AND p.prokind = 'f'
          AND NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proallargtypes) AS a
                          WHERE p.proallargtypes IS NOT NULL)
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_type AS t
                          WHERE t.typtype = 'p' AND t.oid = ANY (p.proargtypes || p.prorettype))
        UNION
        SELECT n, x, 'text', false FROM pg_catalog.unnest(names) AS n,
            pg_catalog.unnest(types || arrays || rows) AS x
        UNION
        SELECT n, pg_catalog.concat(x, ', ', y), 'text', false FROM pg_catalog.unnest(names) AS n,
            pg_catalog.unnest(types) AS x,
            pg_catalog.unnest('{oid,int4,text,name,bool}'::pg_catalog.text[]) AS y
    LOOP
        BEGIN
            EXECUTE pg_catalog.format('CREATE FUNCTION {schema}.%I(%s) RETURNS %s %s ',
                r.name, r.arguments,
                CASE WHEN r.is_set THEN 'SETOF' ELSE '' END, r.result)
                || pg_catalog.format(body, r.name, CASE WHEN r.is_set THEN '' ELSE 'NULL' END);
            made := made + 1;
        EXCEPTION WHEN duplicate_function OR invalid_function_definition OR syntax_error THEN
        END;
    END LOOP;
    RAISE NOTICE 'functions: %', made;
    made := 0;
    FOR r IN
        SELECT o.oprname AS name, pg_catalog.format_type(o.oprleft, NULL) AS x,
               pg_catalog.format_type(o.oprright, NULL) AS y,
               pg_catalog.format_type(o.oprresult, NULL) AS result
        FROM pg_catalog.pg_operator AS o
        WHERE o.oprname = ANY (operators) AND o.oprnamespace = 11 AND o.oprleft <> 0
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_type AS t
                          WHERE t.typtype = 'p' AND t.oid IN (o.oprleft, o.oprright, o.oprresult))
        UNION
        SELECT o, x, y, CASE WHEN o IN ('->', '->>', '||') THEN 'text' ELSE 'boolean' END
        FROM pg_catalog.unnest(operators) AS o, pg_catalog.unnest(types) AS x,
            pg_catalog.unnest(types) AS y
    LOOP
        BEGIN
            made := made + 1;
            EXECUTE pg_catalog.format('CREATE FUNCTION {schema}.operator_%s(%s, %s) RETURNS %s ',
                made, r.x, r.y, r.result)
                || pg_catalog.format(body, pg_catalog.concat(r.x, ' ', r.name, ' ', r.y), 'NULL');
            EXECUTE pg_catalog.format('CREATE OPERATOR {schema}.%s
                (LEFTARG = %s, RIGHTARG = %s, PROCEDURE = {schema}.operator_%s)',
                r.name, r.x, r.y, made);
        EXCEPTION WHEN duplicate_function OR invalid_function_definition THEN
        END;
    END LOOP;
    RAISE NOTICE 'operators: %', made;
    CREATE TYPE {schema}.anything AS (v pg_catalog.text);
    FOR r IN SELECT x FROM pg_catalog.unnest(types) AS x LOOP
        EXECUTE pg_catalog.format(
            'CREATE FUNCTION {schema}.anything_of(%s) RETURNS {schema}.anything ', r.x)
            || pg_catalog.format(body, pg_catalog.concat('cast of ', r.x), 'NULL');
        EXECUTE pg_catalog.format('CREATE CAST (%s AS {schema}.anything)
            WITH FUNCTION {schema}.anything_of(%s) AS IMPLICIT', r.x, r.x);
    END LOOP;
    FOR r IN SELECT n FROM pg_catalog.unnest(names) AS n LOOP
        EXECUTE pg_catalog.format(
            'CREATE FUNCTION {schema}.%I({schema}.anything) RETURNS pg_catalog.text ', r.n)
            || pg_catalog.format(body, r.n, 'NULL');
    END LOOP;
    FOR r IN SELECT x FROM pg_catalog.unnest(
        types || '{regclass,regtype,bytea,json}'::pg_catalog.text[]) AS x LOOP
        EXECUTE pg_catalog.format('CREATE FUNCTION {schema}.%I() RETURNS boolean ',
            pg_catalog.concat('check_', r.x))
            || pg_catalog.format(body, pg_catalog.concat('type ', r.x), 'true');
        EXECUTE pg_catalog.format(
            'CREATE DOMAIN {schema}.%s AS pg_catalog.%s CHECK ({schema}.%I())',
            r.x, r.x, pg_catalog.concat('check_', r.x));
    END LOOP;
    FOR r IN SELECT c.relname,
                    pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ') AS columns
             FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
             WHERE c.relnamespace = 11 AND c.relkind IN ('r', 'v') AND c.relname LIKE 'pg\_%'
               AND c.relname = ANY (names) AND a.attnum > 0
               AND a.atttypid <> 'anyarray'::pg_catalog.regtype
             GROUP BY c.relname LOOP
        EXECUTE pg_catalog.format('CREATE VIEW {schema}.%I AS
            SELECT %s FROM pg_catalog.%I WHERE {schema}.check_bool()',
            r.relname, r.columns, r.relname);
    END LOOP;
END $do$"#;

/// Returns every word in a literal of the library, which includes the names of functions and
/// relations.
fn words() -> BTreeSet<String> {
    let folders = ["pgoutput-reader/src", "tests/harness/src", "tests/src"];
    let literals = literals::of_workspace(&[]);
    let is_ours = |literal: &&literals::Literal| {
        folders.iter().any(|folder| literal.file.starts_with(folder))
    };
    let texts = literals.iter().filter(is_ours).map(|literal| literal.text.to_ascii_lowercase());
    texts
        .flat_map(|text| {
            let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
            text.split(word).map(str::to_owned).collect::<Vec<_>>()
        })
        .filter(|word| !word.is_empty())
        .collect()
}

struct Hostile<'s> {
    server: &'s Server,
    database: Database<'s>,
    role: String,
    slot: String,
    log_before: usize,
}

impl<'s> Hostile<'s> {
    fn new(server: &'s Server) -> Self {
        let database = server.database("hostile");
        let (role, slot) = (database.slot_name("reader"), database.slot_name("slot"));
        let mut client = database.client();
        let mut of_words = |query: &str| -> String {
            let words: Vec<_> = words().into_iter().collect();
            let rows = client.query(query, &[&words]).unwrap();
            let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            assert!(names.len() > 10, "{query}: {names:?}");
            format!("{{{}}}", names.join(","))
        };
        let names = of_words(
            "SELECT DISTINCT n FROM pg_catalog.unnest($1::pg_catalog.text[]) AS n
             WHERE n IN (SELECT proname::pg_catalog.text FROM pg_catalog.pg_proc)
                OR n IN (SELECT relname::pg_catalog.text FROM pg_catalog.pg_class)",
        );
        client.batch_execute(TABLES).unwrap();
        client
            .batch_execute(&format!(
                "CREATE ROLE {role} LOGIN SUPERUSER; CREATE SCHEMA {role};
                 CREATE SEQUENCE public.ran"
            ))
            .unwrap();
        for schema in ["public", &role] {
            let sql = HOSTILE.replace("{schema}", schema).replace("{names}", &names);
            let sql = sql.replace("{operators}", "{=,<>,<,>,<=,>=,||,->,->>,+,-,~~,~}");
            client.batch_execute(&sql).unwrap_or_else(|e| panic!("{e:?}"));
        }
        let log_before = server.log().len();
        Self { server, database, role, slot, log_before }
    }

    fn admin(&self) -> Client {
        self.database.client()
    }

    fn run(&self, statement: &str) {
        self.admin().batch_execute(statement).unwrap_or_else(|e| panic!("{statement}: {e:?}"));
    }

    /// Returns the connection string of the role whose schema is hostile too.
    fn dsn(&self) -> String {
        self.database.dsn().replace("user=postgres", &format!("user={}", self.role))
    }

    fn builder(&self) -> ReaderBuilder {
        Reader::builder(&self.dsn()).slot(&self.slot).publication("p")
    }

    fn end(&self) -> Lsn {
        let query = "SELECT pg_catalog.pg_current_wal_flush_lsn()::pg_catalog.text";
        self.admin().query_one(query, &[]).unwrap().get::<_, &str>(0).parse().unwrap()
    }

    /// Returns the names of the functions that have run so far.
    fn ran(&self) -> BTreeSet<String> {
        let log = self.server.log();
        let lines = log[self.log_before..].lines();
        let logged: BTreeSet<_> = lines
            .filter_map(|line| line.split_once("hostile: "))
            .filter(|(before, _)| before.contains("LOG"))
            .map(|(_, name)| name.to_owned())
            .collect();
        // A sequence is not rolled back with a transaction, so it counts calls that no log shows.
        let counted = self.admin().query_one("SELECT is_called FROM public.ran", &[]).unwrap();
        assert_eq!(counted.get::<_, bool>(0), !logged.is_empty(), "{logged:?}");
        logged
    }

    /// Drops the slot once it is released.
    fn drop_slot(&self) {
        let free = "SELECT FROM pg_catalog.pg_replication_slots WHERE active
                    AND slot_name OPERATOR(pg_catalog.=) $1::pg_catalog.text::pg_catalog.name";
        eventually("the slot to be free", || {
            self.admin().query_opt(free, &[&self.slot]).unwrap().is_none().then_some(())
        });
        let query =
            "SELECT pg_catalog.pg_drop_replication_slot($1::pg_catalog.text::pg_catalog.name)";
        self.admin().execute(query, &[&self.slot]).unwrap();
    }

    fn check(&self, doing: &str) {
        let ran = self.ran();
        assert!(ran.is_empty(), "{}, {doing}: {ran:?}", self.server.version());
    }
}

/// Runs `check` with the most dangerous settings.
fn everywhere(check: impl Fn(&Hostile<'_>)) {
    for major in [14, 18] {
        let hostile = Hostile::new(shared(major).unwrap());
        check(&hostile);
        hostile.check("with the default search path");
        // Worse than any user can make it: these schemas are searched first.
        let (role, name) = (&hostile.role, hostile.database.name());
        hostile.run(&format!(
            "ALTER ROLE {role} SET search_path = public, {role}, pg_catalog;
             ALTER DATABASE \"{name}\" SET search_path = public, pg_catalog"
        ));
        check(&hostile);
        hostile.check("with a search path that begins with public");
        hostile.run(&format!(
            "ALTER DATABASE \"{name}\" RESET search_path; DROP OWNED BY {role}; DROP ROLE {role}"
        ));
    }
}

#[test]
fn a_call_of_a_hostile_function_is_detected() {
    let hostile = Hostile::new(shared(18).unwrap());
    assert_eq!(hostile.ran(), BTreeSet::new());
    hostile.run("SET search_path = public; SELECT unnest('{a}'::pg_catalog.text[])");
    assert_eq!(hostile.ran(), BTreeSet::from(["unnest".to_owned()]));
    hostile.run("SET search_path = public; SELECT typelem <> 0 FROM pg_catalog.pg_type");
    let expected = ["unnest", "oid <> int4"].map(str::to_owned);
    assert_eq!(hostile.ran(), BTreeSet::from(expected));
    let role = &hostile.role;
    hostile.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn no_hostile_function_runs_in_the_reader() {
    everywhere(|hostile| {
        let idle = Duration::from_millis(50);
        let mut reader = hostile
            .builder()
            .slot_creation(SlotCreation::IfMissing)
            .options(StreamOptions::new().messages(true))
            .idle(Idle::Message { prefix: "idle".into(), interval: idle })
            .reconnect(Reconnect::default().initial_delay(Duration::from_millis(1)))
            .connect()
            .unwrap_or_else(|e| panic!("{e}"));
        hostile.check("connecting");
        hostile.run(&format!("INSERT INTO public.t VALUES (1, {ROW})"));
        reader.next_in_time().unwrap().unwrap_or_else(|e| panic!("{e}"));
        hostile.check("describing a table");
        // The value does not fit the known description of its type, so the catalogue is queried
        // again.
        hostile.run("ALTER TYPE public.pair ADD ATTRIBUTE n pg_catalog.text");
        hostile.run("INSERT INTO public.t (id, p) VALUES (2, '(1,ok,n)')");
        reader.next_in_time().unwrap().unwrap_or_else(|e| panic!("{e}"));
        hostile.check("describing types again");
        assert!(reader.slot_status().unwrap().active);
        hostile.check("the status of the slot");
        // Until its own message has come back.
        let before = hostile.end();
        eventually("a message of its own", || {
            assert!(matches!(reader.next_timeout(idle).unwrap(), Next::TimedOut));
            (reader.slot_status().unwrap().confirmed_flush_lsn? > before).then_some(())
        });
        hostile.check("messages while nothing comes");
        let kill = "SELECT pg_catalog.pg_terminate_backend(active_pid)
                    FROM pg_catalog.pg_replication_slots
                    WHERE slot_name OPERATOR(pg_catalog.=) $1::pg_catalog.text::pg_catalog.name";
        hostile.admin().execute(kill, &[&hostile.slot]).unwrap();
        hostile.run("INSERT INTO public.t (id) VALUES (3)");
        reader.next_in_time().unwrap().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(reader.health().reconnects, 1);
        hostile.check("connecting again");
        // PostgreSQL 18 continues without a missing publication, and the reader queries it.
        hostile.run("ALTER PUBLICATION p RENAME TO q; INSERT INTO public.t (id) VALUES (4)");
        assert!(reader.next_in_time().unwrap().is_err());
        hostile.run("ALTER PUBLICATION q RENAME TO p");
        drop(reader);
        hostile.check("a missing publication");

        hostile.drop_slot();
        hostile.run("TRUNCATE public.t; ALTER TYPE public.pair DROP ATTRIBUTE n");
    });
}

/// The settings of the role last until the first statement of each transaction.
#[test]
fn no_hostile_function_runs_in_polls() {
    everywhere(|hostile| {
        let interval = Duration::from_millis(20);
        let mut reader = hostile
            .builder()
            .slot_creation(SlotCreation::IfMissing)
            .options(StreamOptions::new().messages(true))
            .idle(Idle::Message { prefix: "idle".into(), interval: Duration::from_millis(50) })
            .reconnect(Reconnect::default().initial_delay(Duration::from_millis(1)))
            .poll(interval)
            .connect()
            .unwrap_or_else(|e| panic!("{e}"));
        hostile.check("connecting");
        hostile.run(&format!("INSERT INTO public.t VALUES (1, {ROW})"));
        reader.next_in_time().unwrap().unwrap_or_else(|e| panic!("{e}"));
        hostile.check("describing a table");
        hostile.run("ALTER TYPE public.pair ADD ATTRIBUTE n pg_catalog.text");
        hostile.run("INSERT INTO public.t (id, p) VALUES (2, '(1,ok,n)')");
        reader.next_in_time().unwrap().unwrap_or_else(|e| panic!("{e}"));
        hostile.check("describing types again");
        let before = hostile.end();
        eventually("the slot to advance", || {
            assert!(matches!(reader.next_timeout(interval).unwrap(), Next::TimedOut));
            (reader.slot_status().unwrap().confirmed_flush_lsn? > before).then_some(())
        });
        hostile.check("polls while nothing comes");
        reader.stop().unwrap();
        hostile.check("the end");
        hostile.drop_slot();
        hostile.run("TRUNCATE public.t; ALTER TYPE public.pair DROP ATTRIBUTE n");
    });
}

/// Reads up to the end of a copy, and returns the number of its rows.
fn copied(reader: &mut Reader) -> usize {
    let mut rows = 0;
    loop {
        let event = reader.next_in_time().expect("an event").unwrap_or_else(|e| panic!("{e}"));
        match event.op() {
            Op::SnapshotRow => rows += 1,
            Op::SnapshotEnd => return rows,
            _ => {}
        }
    }
}

#[test]
fn no_hostile_function_runs_in_copies() {
    everywhere(|hostile| {
        hostile.run(&format!(
            "INSERT INTO public.t VALUES (1, {ROW}), (2, {ROW});
             CREATE TABLE public.later (id pg_catalog.int4 PRIMARY KEY, p public.pair);
             INSERT INTO public.later VALUES (1, '(1,ok)')"
        ));
        for jobs in [1, 3] {
            let snapshot = |snapshot: Snapshot| snapshot.jobs(NonZeroU32::new(jobs).unwrap());
            let some = [SnapshotTable::new("public", "t").filter("id > 1 AND v || 'y' = 'xy'")];
            let mut reader = Reader::builder(&hostile.dsn())
                .publication("p")
                .options(StreamOptions::new().binary(true))
                .snapshot(snapshot(Snapshot::alone().only(some)))
                .connect()
                .unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(copied(&mut reader), 1);
            hostile.check("a copy alone");
            let mut reader = hostile
                .builder()
                .slot_creation(SlotCreation::IfMissing)
                .snapshot(snapshot(Snapshot::initial().and_added(true)))
                .connect()
                .unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(copied(&mut reader), 2);
            hostile.check("an initial copy");
            hostile.run("ALTER PUBLICATION p ADD TABLE public.later");
            assert_eq!(copied(&mut reader), 1);
            hostile.check("a copy of an added table");
            drop(reader);
            hostile.run("ALTER PUBLICATION p DROP TABLE public.later");
            hostile.drop_slot();
        }
        hostile.run("TRUNCATE public.t; DROP TABLE public.later");
    });
}

#[test]
fn no_hostile_function_runs_in_the_checks_before_a_stream() {
    everywhere(|hostile| {
        let dsn = hostile.dsn();
        let mut connection = Connection::connect(&dsn.parse().unwrap()).unwrap();
        assert!(!connection.slot_exists(&hostile.slot).unwrap());
        drop(connection);
        let missing = hostile.builder().connect().unwrap_err();
        let kind = missing.kind();
        assert!(matches!(kind, ErrorKind::Setup(SetupError::SlotMissing { .. })), "{missing}");
        for creation in [SlotCreation::IfMissing, SlotCreation::Temporary] {
            let other = Reader::builder(&dsn).slot(&hostile.slot).publication("none");
            assert!(other.slot_creation(creation).connect().is_err());
        }
        for wanted in [
            TargetSessionAttrs::Primary,
            TargetSessionAttrs::ReadWrite,
            TargetSessionAttrs::PreferStandby,
        ] {
            let config: Config = dsn.parse().unwrap();
            let config = config.target_session_attrs(wanted);
            drop(Connection::connect(&config).unwrap());
            let mut client = config.connect_postgres().unwrap();
            client.batch_execute("CREATE PUBLICATION mine; DROP PUBLICATION mine").unwrap();
        }
        hostile.check("connections");
    });
}

#[test]
fn no_hostile_function_runs_in_the_program() {
    everywhere(|hostile| {
        let dsn = format!("{} options='-c search_path=public,pg_catalog'", hostile.dsn());
        let tail = || {
            let end = hostile.end().to_string();
            let mut program = Command::new(env!("CARGO_BIN_EXE_tail"));
            program.args(["tail", "--create-slot", "--dsn", &dsn, "--until-lsn", &end]);
            program.args(["--slot", &hostile.slot, "--publication", "p"]);
            let output = pgoutput_harness::output(&mut program);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let doctor = |arguments: &[&str]| {
            let mut program = Command::new(env!("CARGO_BIN_EXE_tail"));
            program.args(["doctor", "--dsn", &dsn]).args(arguments);
            let output = pgoutput_harness::output(&mut program);
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(!text.contains("could not be checked"), "{text}");
        };
        doctor(&[]);
        doctor(&["--slot", &hostile.slot, "--publication", "p", "--publication", "none"]);
        assert_eq!(tail(), "");
        hostile.run(&format!("INSERT INTO public.t VALUES (1, {ROW})"));
        doctor(&["--slot", &hostile.slot, "--publication", "p"]);
        let printed = tail();
        assert!(printed.contains(r#""type_name":"mood[]""#), "{printed}");
        hostile.check("the program");
        hostile.drop_slot();
        hostile.run("TRUNCATE public.t");
    });
}

#[test]
fn no_hostile_function_runs_in_the_programs_commands() {
    everywhere(|hostile| {
        let dsn = format!("{} options='-c search_path=public,pg_catalog'", hostile.dsn());
        let run = |arguments: &[&str]| {
            let mut program = Command::new(env!("CARGO_BIN_EXE_tail"));
            program.args(arguments).args(["--dsn", &dsn]);
            let output = pgoutput_harness::output(&mut program);
            (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let slot = hostile.slot.as_str();
        for arguments in [
            &["slot", "create", slot][..],
            &["slot", "list"],
            &["slot", "advance", slot, "--to-current"],
            &["slot", "drop", slot],
            &["publication", "create", "q", "--table", "public.t", "--allow-failing-updates"],
            &["publication", "list"],
            &["publication", "drop", "q"],
        ] {
            let (succeeds, stderr) = run(arguments);
            // Slots cannot be moved before PostgreSQL 11.
            let is_old = stderr.contains("needs PostgreSQL 11 or later");
            assert!(succeeds || is_old, "{arguments:?}: {stderr}");
            hostile.check(&arguments.join(" "));
        }
        let (found, _) = run(&["slot", "drop", slot]);
        assert!(!found);
        hostile.check("a slot that does not exist");
    });
}
