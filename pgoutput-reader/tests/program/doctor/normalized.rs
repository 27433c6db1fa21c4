//! Texts without what differs from run to run.

/// Replacements of names and numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Normalized {
    replacements: Vec<(String, String)>,
}

/// Words before a number that differs, and what replaces it.
const NUMBERS: &[(&str, &str)] = &[
    ("process ", "4711"),
    ("pid ", "4711"),
    ("PID ", "4711"),
    ("session ", "4711"),
    ("pg_terminate_backend(", "4711"),
    ("pg_cancel_backend(", "4711"),
    ("keeps ", "96"),
    ("invalidated after ", "16"),
    ("invalidates it in ", "1"),
    ("system identifier ", "7400000000000000001"),
    ("came from ", "7400000000000000002"),
    ("database \"shop\", ", "0"),
    ("not read for ", "60"),
];

impl Normalized {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Replaces a text everywhere. An earlier replacement comes first.
    pub(super) fn replace(mut self, text: &str, with: &str) -> Self {
        self.replacements.push((text.into(), with.into()));
        self
    }

    pub(super) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.replacements {
            text = text.replace(from, to);
        }
        for (word, number) in NUMBERS.iter().copied() {
            text = numbers_after(&text, word, number);
        }
        // The system's words for a name that is unknown.
        let unknown = "failed to lookup address information: ";
        if let Some(at) = text.find(unknown) {
            text.replace_range(at + unknown.len().., "Name or service not known");
        }
        minor_versions(&times(&lsns(&text)))
    }
}

/// Replaces the digits that follow a word.
fn numbers_after(text: &str, word: &str, number: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = rest.split_at(at + word.len());
        out += before;
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() < after.len() {
            out += number;
        }
    }
    out + rest
}

/// Replaces `15.18` by `15` after these words.
fn minor_versions(text: &str) -> String {
    ["PostgreSQL ", "the server is "].iter().fold(text.to_owned(), |text, word| {
        let mut out = String::new();
        let mut rest = &*text;
        while let Some(at) = rest.find(word) {
            let (before, after) = rest.split_at(at + word.len());
            out += before;
            let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            let (major, minor) = after.split_at(end);
            out += major;
            let number = minor.strip_prefix('.').unwrap_or_default();
            let end = number.trim_start_matches(|c: char| c.is_ascii_digit());
            rest = if major.is_empty() || end.len() == number.len() { minor } else { end };
        }
        out + rest
    })
}

/// Replaces positions as PostgreSQL writes them.
fn lsns(text: &str) -> String {
    let is_lsn = |word: &str| {
        word.split_once('/').is_some_and(|(high, low)| {
            let hex = |text: &str| {
                !text.is_empty() && text.chars().all(|c| matches!(c, '0'..='9' | 'A'..='F'))
            };
            hex(high) && hex(low) && low.len() >= 5
        })
    };
    let words = text.split(' ').map(|word| {
        let bare = word.trim_end_matches([',', ';', ':', ')']);
        // That one is an example in a message.
        if is_lsn(bare) && bare != "0/158FAC8" {
            word.replace(bare, "0/1A2B3C8")
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Replaces times as PostgreSQL writes them, `2026-11-30 23:20:10.123456+00`.
fn times(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let is_date = word.len() == 10 && digits == 8 && word.matches('-').count() == 2;
        let is_time = digits >= 8 && word.matches(':').count() == 2 && word.contains('+');
        if is_date {
            words.push("2026-01-02".into());
        } else if is_time {
            let end = word.trim_start_matches(|c: char| !matches!(c, ',' | ')'));
            words.push(format!("03:04:05+00{end}"));
        } else {
            words.push(word.into());
        }
    }
    words.join(" ")
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    let normalized = Normalized::new().replace("shop_7", "shop");
    for (text, expected) in [
        ("database shop_7, process 12 (x)", "database shop, process 4711 (x)"),
        ("at 0/158FAC9, and pid 7", "at 0/1A2B3C8, and pid 4711"),
        ("since 2026-11-30 23:20:10.123456+00, user x", "since 2026-01-02 03:04:05+00, user x"),
        ("PostgreSQL 15.18 at", "PostgreSQL 15 at"),
        (
            "needs PostgreSQL 14 or later, and the server is 10.23: x",
            "needs PostgreSQL 14 or later, and the server is 10: x",
        ),
        (
            "SELECT pg_catalog.pg_terminate_backend(99)",
            "SELECT pg_catalog.pg_terminate_backend(4711)",
        ),
    ] {
        assert_eq!(normalized.text(text), expected);
    }
}
