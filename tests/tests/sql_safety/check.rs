//! No SQL text in the sources resolves a function, an operator or a type through the search path.

use crate::literals;

/// The folders whose SQL is not checked: those of the tests themselves. Their SQL runs only on
/// throwaway servers, as the owner of all objects, and often imitates what users write.
const TESTS: &[&str] = &["pgoutput-reader/tests", "tests/harness/tests", "tests/tests"];

/// Some of the checked folders, as a test that the search finds them.
const CHECKED: &[&str] = &[
    "pgoutput-decode/examples",
    "pgoutput-decode/src",
    "pgoutput-reader/examples",
    "pgoutput-reader/src",
    "tests/bench/decode",
    "tests/bench/end-to-end/src",
    "tests/fuzz-bodies/src",
    "tests/harness/src",
    "tests/bench/peers/src",
    "tests/src",
];

/// Words that may precede `(` and are not functions found through the search path.
const NOT_FUNCTIONS: &str = " \
    all and any array as by case cast check coalesce column copy current distinct else enum except \
    exists extract filter foreign from greatest group having in include intersect into join key \
    lateral least not on only operator or over overlay partition position primary range \
    returning row rows select set some substring table then trim union unique using values when \
    where with within bit char character dec decimal float interval numeric time timestamp \
    varchar varying ";

/// Words before a name that is defined or written to, not called.
const BEFORE_RELATIONS: &str = " \
    into table as on references index exists recursive only function aggregate procedure \
    publication type domain copy ";

/// Types in the grammar itself, which are always those of `pg_catalog`.
const GRAMMAR_TYPES: &str = " \
    bigint bit boolean char character dec decimal double float int integer interval numeric real \
    smallint time timestamp varchar pg_catalog ";

fn holds(words: &str, word: &str) -> bool {
    words.contains(&format!(" {word} "))
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// An unquoted word, in lower case.
    Word(String),
    /// A literal, a parameter, a quoted name, or a placeholder of a format string.
    Value(String),
    Number,
    Operator(String),
    /// Anything else, including `::`.
    Mark(&'static str),
}

use Token::{Mark, Number, Operator, Value, Word};

/// Returns the tokens of an SQL text. Bodies in dollar quotes are read as SQL too.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let span = |of: fn(char) -> bool| rest.find(|c| !of(c)).unwrap_or(rest.len());
        let quoted = |mark: char| rest[1..].find(mark).map_or(rest.len(), |end| end + 2);
        let length = match first {
            '\'' => {
                tokens.push(Value(String::new()));
                quoted('\'')
            }
            '"' => {
                tokens.push(Value(rest[..quoted('"')].to_owned()));
                quoted('"')
            }
            '{' => {
                tokens.push(Value("{}".to_owned()));
                quoted('}')
            }
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '$' => {
                let length = 1 + rest[1..].find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(0);
                if rest[length..].starts_with('$') {
                    length + 1
                } else {
                    tokens.push(Value(String::new()));
                    length.max(2).min(rest.len())
                }
            }
            _ if first.is_ascii_digit() => {
                tokens.push(Number);
                span(|c| c.is_ascii_alphanumeric() || c == '.')
            }
            _ if first.is_alphabetic() || first == '_' => {
                let length = span(|c| c.is_alphanumeric() || c == '_');
                tokens.push(Word(rest[..length].to_lowercase()));
                length
            }
            ':' if rest.starts_with("::") => {
                tokens.push(Mark("::"));
                2
            }
            _ if "+-*/<>=~!@#%^&|?:".contains(first) => {
                let length = span(|c| "+-*/<>=~!@#%^&|?:".contains(c));
                // A sign is a token of its own.
                let operator = match &rest[..length] {
                    two if two.len() == 2 && two.ends_with('-') && !two.starts_with('|') => {
                        &two[..1]
                    }
                    all => all,
                };
                tokens.push(Operator(operator.to_owned()));
                operator.len()
            }
            _ => {
                let marks = ["(", ")", ",", ".", ";", "[", "]"];
                let mark = marks.into_iter().find(|mark| rest.starts_with(mark));
                tokens.extend(mark.map(Mark));
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    tokens
}

/// Returns whether a literal is SQL, or begins like it.
fn is_sql(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    let [first, second] = words[..] else { return false };
    let starts = "SELECT INSERT UPDATE DELETE WITH VALUES CREATE ALTER DROP SET COPY BEGIN DO \
                  TRUNCATE COMMIT GRANT REVOKE FROM WHERE";
    let is_upper = starts.split_whitespace().any(|word| word == first) && second != "and";
    let pairs = " insert into delete from create table create publication alter table drop table \
                 set search_path ";
    is_upper
        || first == "select"
        || pairs.contains(&format!(" {first} {second} "))
        || (text.contains("SELECT ") && text.contains("FROM "))
        || text.contains("FROM pg_")
}

/// Returns the names that depend on the search path.
fn faults(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let word = |at: Option<usize>| match at.and_then(|at| tokens.get(at)) {
        Some(Word(word)) => word.as_str(),
        _ => "",
    };
    let mut found = Vec::new();
    // In these statements `=` assigns or sets an option, until a clause with expressions begins.
    let mut assigns = false;
    let mut statement_begins = true;
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1);
        let next = tokens.get(at + 1);
        match token {
            Mark(";") => {
                statement_begins = true;
                continue;
            }
            Word(name) => {
                if statement_begins {
                    assigns = matches!(name.as_str(), "set" | "alter" | "create");
                }
                match name.as_str() {
                    "set" => assigns = true,
                    "select" | "where" | "check" | "from" | "when" | "using" => assigns = false,
                    _ => {}
                }
                let is_qualified = before.is_some_and(|at| tokens[at] == Mark("."));
                let is_call = next == Some(&Mark("("));
                let resolves = match name.as_str() {
                    "in" => is_call && !is_qualified,
                    "using" => is_call && tokens[..at].contains(&Word("join".into())),
                    "between" | "like" | "ilike" | "similar" | "nullif" | "natural" => {
                        !is_qualified
                    }
                    "distinct" => next == Some(&Word("from".into())),
                    "case" => next != Some(&Word("when".into())),
                    _ => false,
                };
                // `name (columns) AS (`, as in WITH.
                let closed = tokens[at..].iter().position(|token| *token == Mark(")"));
                let is_named = closed.is_some_and(|end| {
                    tokens[at + end..].get(1..3) == Some(&[Word("as".into()), Mark("(")])
                });
                let defines =
                    is_named || before.is_some_and(|at| holds(BEFORE_RELATIONS, word(Some(at))));
                if resolves {
                    found.push(format!("{name} chooses an operator by its name"));
                } else if is_call && !is_qualified && !defines && !holds(NOT_FUNCTIONS, name) {
                    found.push(format!("{name}() is not qualified"));
                }
            }
            Operator(name) => {
                let before = before.map(|at| &tokens[at]);
                let is_qualified = before == Some(&Mark("."))
                    && word(at.checked_sub(2)) == "pg_catalog"
                    && word(at.checked_sub(4)) == "operator";
                let has_operand = matches!(before, Some(Value(_) | Number | Mark(")" | "]")))
                    || matches!(before, Some(Word(word))
                        if !holds(NOT_FUNCTIONS, word) && word != "return");
                let is_sign =
                    matches!(name.as_str(), "-" | "+") && next == Some(&Number) && !has_operand;
                let is_all_columns = name == "*" && !has_operand;
                let is_assignment =
                    matches!(name.as_str(), ":=" | "=>") || (name == "=" && assigns);
                if !(is_qualified || is_sign || is_all_columns || is_assignment) {
                    found.push(format!("{name} is not qualified"));
                }
            }
            Mark("::") => match next {
                Some(Word(ty)) if !holds(GRAMMAR_TYPES, ty) => {
                    found.push(format!("the type {ty} is not qualified"));
                }
                Some(Value(ty)) if ty.starts_with('"') => {
                    found.push(format!("the type {ty} is not qualified"));
                }
                _ => {}
            },
            _ => {}
        }
        statement_begins = false;
    }
    found
}

#[test]
fn names_that_depend_on_the_search_path_are_found() {
    for (text, expected) in [
        ("SELECT unnest($1::pg_catalog.text[])", &["unnest() is not qualified"][..]),
        ("SELECT typelem <> 0 FROM pg_catalog.pg_type", &["<> is not qualified"]),
        ("SELECT a ->> 'b', -1, *, pg_catalog.count(*)", &["->> is not qualified"]),
        ("SELECT 'x = y()', \"a=b\" -- c = d()\n", &[]),
        ("SELECT a OPERATOR(pg_catalog.=) b", &[]),
        ("SELECT a OPERATOR(public.=) b", &["= is not qualified"]),
        (
            "SELECT a::text, b::int, c::pg_catalog.\"char\", d::\"char\"",
            &["the type text is not qualified", "the type \"char\" is not qualified"],
        ),
        ("SELECT CASE a WHEN 1 THEN 2 END", &["case chooses an operator by its name"]),
        ("SELECT CASE WHEN true THEN coalesce(a, (b)) END", &[]),
        ("SELECT FROM t WHERE a IN (1)", &["in chooses an operator by its name"]),
        ("SELECT FROM t JOIN u USING (a)", &["using chooses an operator by its name"]),
        ("UPDATE t SET a = 1 WHERE b = 2", &["= is not qualified"]),
        ("INSERT INTO t (a) VALUES (now())", &["now() is not qualified"]),
        ("CREATE TABLE t (a varchar(3), b timestamptz DEFAULT now())", &["now() is not qualified"]),
        ("ALTER ROLE r SET x = 1; SELECT 1 = 1", &["= is not qualified"]),
        ("CREATE PUBLICATION p FOR TABLE t (a) WITH (publish = 'insert')", &[]),
        ("DO $x$ BEGIN n := f(1); END $x$", &["f() is not qualified"]),
        ("COPY (SELECT e(f) FROM t) TO STDOUT", &["e() is not qualified"]),
        ("SELECT a IS DISTINCT FROM b", &["distinct chooses an operator by its name"]),
        ("SELECT n-1 FROM t", &["- is not qualified"]),
        ("WITH a (b) AS (SELECT 1), c (d) AS (SELECT e(f))", &["e() is not qualified"]),
    ] {
        assert!(is_sql(text), "{text}");
        assert_eq!(faults(text), expected, "{text}");
    }
    assert!(!is_sql("create the slot first (see above)"));
    assert!(!is_sql("UPDATE and DELETE will fail: see above"));
}

#[test]
fn sql_in_the_sources_is_qualified() {
    let literals = literals::of_workspace(TESTS);
    for folder in CHECKED {
        let is_below = |literal: &literals::Literal| literal.file.starts_with(folder);
        assert!(literals.iter().any(is_below), "no literals below {folder}");
    }
    // The SQLite example runs SQL only on SQLite.
    let is_ours = |literal: &&literals::Literal| {
        !literal.file.ends_with("examples/sqlite.rs") && !literal.file.ends_with("examples/sink.rs")
    };
    let sql: Vec<_> =
        literals.iter().filter(is_ours).filter(|literal| is_sql(&literal.text)).collect();
    assert!(sql.len() > 50, "{} literals are SQL", sql.len());
    let found: Vec<String> = sql
        .iter()
        .flat_map(|literal| {
            let context = format!("{}:{}", literal.file.display(), literal.line);
            faults(&literal.text).into_iter().map(move |fault| format!("{context}: {fault}"))
        })
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}
