//! Messages in every form of input.

use std::fmt::Write as _;

/// A message and its LSN.
pub(crate) struct Message {
    pub(crate) lsn: String,
    pub(crate) bytes: Vec<u8>,
}

/// A form of input: its name, whether it has LSNs, and messages in this form.
pub(crate) struct Form {
    pub(crate) name: &'static str,
    pub(crate) has_lsn: bool,
    pub(crate) input: Vec<u8>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("\\x"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the messages as pg_recvlogical writes them.
pub(crate) fn recvlogical(messages: &[Message]) -> Vec<u8> {
    messages.iter().flat_map(|message| message.bytes.iter().copied().chain([b'\n'])).collect()
}

/// Returns the messages in each form of text, as psql and COPY write them.
pub(crate) fn text(messages: &[Message]) -> Vec<Form> {
    let rows: Vec<(&str, String)> =
        messages.iter().map(|message| (&*message.lsn, hex(&message.bytes))).collect();
    let lines = |line: &dyn Fn(&str, &str) -> String| -> String {
        rows.iter().map(|(lsn, data)| line(lsn, data)).collect()
    };
    let count = format!("({} row{})\n", rows.len(), if rows.len() == 1 { "" } else { "s" });
    let width = rows.iter().map(|(_, data)| data.len()).max().unwrap_or(4);
    let aligned = lines(&|lsn, data| format!(" {lsn:10} | 728 | {data:width$}\n"));
    let rule = format!("------------+-----+-{}\n", "-".repeat(width));
    let header = format!("    lsn     | xid | {:^width$}\n", "data");
    let expanded = |separator: &'static str| {
        move |lsn: &str, data: &str| {
            format!("lsn{separator}{lsn}\nxid{separator}728\ndata{separator}{data}\n")
        }
    };
    let record = "-[ RECORD 1 ]----------------------------\n";
    let with_lsn = [
        ("aligned", format!("{header}{rule}{aligned}{count}\n")),
        ("aligned, tuples only", format!("{aligned}\n")),
        (
            "aligned, unicode",
            format!("{header}{rule}{aligned}{count}\n").replace('|', "│").replace('+', "┼"),
        ),
        (
            "aligned, border 2",
            format!(
                "+{rule}|{header}+{rule}{}+{rule}{count}\n",
                lines(&|lsn, data| format!("| {lsn:10} | 728 | {data:width$} |\n"))
            ),
        ),
        (
            "unaligned",
            format!("lsn|xid|data\n{}{count}", lines(&|lsn, data| format!("{lsn}|728|{data}\n"))),
        ),
        ("unaligned, tuples only", lines(&|lsn, data| format!("{lsn}|728|{data}\n"))),
        ("CSV", format!("lsn,xid,data\n{}", lines(&|lsn, data| format!("{lsn},728,{data}\n")))),
        (
            "CRLF",
            format!("lsn,xid,data\n{}", lines(&|lsn, data| format!("{lsn},728,{data}\n")))
                .replace('\n', "\r\n"),
        ),
        ("expanded", lines(&|lsn, data| record.to_owned() + &expanded(" | ")(lsn, data)) + "\n"),
        ("expanded, tuples only", lines(&|lsn, data| expanded(" | ")(lsn, data) + "\n")),
        ("expanded, unaligned", lines(&|lsn, data| expanded("|")(lsn, data) + "\n")),
        (
            "expanded, data first",
            lines(&|lsn, data| format!("{record}data | {data}\nlsn  | {lsn}\n")),
        ),
        ("COPY", lines(&|lsn, data| format!("{lsn}\t728\t\\{data}\n")) + "\\.\n"),
        ("one value", lines(&|lsn, data| format!(" ({lsn},728,\"\\{data}\")\n")) + &count),
        (
            "two statements",
            format!(
                "SET\n{header}{rule}{aligned}{count}\nTime: 1.234 ms\n{header}{rule}(0 rows)\n\n"
            ),
        ),
    ];
    let without_lsn = [
        ("digits", lines(&|_, data| format!("{data}\n"))),
        (
            "digits, one column",
            format!(" data \n------\n{}{count}\n", lines(&|_, data| format!(" {data}\n"))),
        ),
    ];
    let form = |has_lsn| {
        move |(name, text): (&'static str, String)| Form { name, has_lsn, input: text.into_bytes() }
    };
    with_lsn.into_iter().map(form(true)).chain(without_lsn.into_iter().map(form(false))).collect()
}
