//! Generated messages: the same bytes in every run.

use std::fmt::Display;

use crate::Input;

/// The size of each input, which stays in the cache of one core.
const WINDOW: usize = 256 * 1024;

/// The columns of one row.
#[derive(Default)]
struct Row {
    columns: u16,
    bytes: Vec<u8>,
}

impl Row {
    fn value(mut self, kind: u8, value: &[u8]) -> Self {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&u32::try_from(value.len()).expect("short").to_be_bytes());
        self.bytes.extend_from_slice(value);
        self.columns += 1;
        self
    }

    fn text(self, value: impl Display) -> Self {
        self.value(b't', format!("{value}").as_bytes())
    }

    fn null(mut self) -> Self {
        self.bytes.push(b'n');
        self.columns += 1;
        self
    }

    fn tuple(&self, kind: u8) -> Vec<u8> {
        [&[kind][..], &self.columns.to_be_bytes(), &self.bytes].concat()
    }
}

fn change(tag: u8, xid: Option<u32>, relation: u32, tuples: &[Vec<u8>]) -> Vec<u8> {
    let xid = xid.map(u32::to_be_bytes);
    let xid: &[u8] = xid.as_ref().map_or(&[], |xid| xid);
    [&[tag][..], xid, &relation.to_be_bytes(), &tuples.concat()].concat()
}

fn insert(row: &Row) -> Vec<u8> {
    change(b'I', None, 16_403, &[row.tuple(b'N')])
}

/// A Begin (with the xid) or a Commit (without): flags, LSNs, a timestamp.
fn bound(tag: u8, number: u64) -> Vec<u8> {
    let (lsn, time) =
        ((0x1_0000_0000 + number).to_be_bytes(), [0, 3, 3, 0xe0, 0xcb, 0x83, 0x1c, 0x7e]);
    match tag {
        b'B' => [&b"B"[..], &lsn, &time, &[0, 0, 3, 9]].concat(),
        _ => [&b"C\0"[..], &lsn, &lsn, &time].concat(),
    }
}

/// Returns pseudo-random numbers that are the same in every run.
fn numbers() -> impl FnMut(u64) -> u64 {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    }
}

fn fill(name: &str, mut frames: impl FnMut(&mut Input)) -> Input {
    let mut input = Input::new(name);
    while input.stream().len() < WINDOW {
        frames(&mut input);
    }
    input
}

/// Returns every kind of workload, each 256 KiB.
pub fn generated() -> Vec<Input> {
    vec![narrow(), bulk(), bulk_binary(), wide(), full(), streamed()]
}

/// pgbench: three updates without old rows and an insert in each transaction.
fn narrow() -> Input {
    let mut number = numbers();
    let filler = " ".repeat(84);
    fill("narrow", |input| {
        let (account, teller, delta) = (number(100_000), number(10), number(10_000));
        let update = |row: &Row| change(b'U', None, 16_400, &[row.tuple(b'N')]);
        let balance = number(1_000_000);
        let accounts = Row::default().text(account).text(1).text(balance).text(&filler);
        let tellers = Row::default().text(teller).text(1).text(balance).null();
        let branches = Row::default().text(1).text(balance).null();
        let history = Row::default().text(teller).text(1).text(account).text(delta);
        let history = history.text("2026-01-14 17:22:10.298334").null();
        input.push(&bound(b'B', input.len() as u64), false);
        for row in [&accounts, &tellers, &branches] {
            input.push(&update(row), false);
        }
        input.push(&insert(&history), false);
        input.push(&bound(b'C', input.len() as u64), false);
    })
}

/// One large transaction of rows with 6 columns.
fn bulk() -> Input {
    let mut number = numbers();
    fill("bulk", |input| input.push(&insert(&bulk_row(number(1_000_000))), false))
}

fn bulk_row(id: u64) -> Row {
    Row::default()
        .text(id)
        .text("some text of a row")
        .text(id * 7)
        .text("2026-01-14 17:22:10.298334+00")
        .text(format_args!("{id}.25"))
        .text(if id.is_multiple_of(2) { "t" } else { "f" })
}

/// Like [`bulk`], with `binary 'true'`.
fn bulk_binary() -> Input {
    let mut number = numbers();
    fill("bulk binary", |input| {
        let id = number(1_000_000);
        let int4 = u32::try_from(id).expect("small").to_be_bytes();
        let row = Row::default()
            .value(b'b', &int4)
            .value(b'b', b"some text of a row")
            .value(b'b', &(id * 7).to_be_bytes())
            .value(b'b', &id.to_be_bytes())
            .value(b'b', &[0, 2, 0, 0, 0, 0, 0, 2, 0, 12, 11, 0xB8])
            .value(b'b', &[1]);
        input.push(&insert(&row), false);
    })
}

/// Rows of 100 columns, one in ten of them NULL.
fn wide() -> Input {
    let mut number = numbers();
    fill("wide", |input| {
        let row = (0..100).fold(Row::default(), |row, column| match column % 10 {
            9 => row.null(),
            _ => row.text(number(100_000)),
        });
        input.push(&insert(&row), false);
    })
}

/// Updates with `REPLICA IDENTITY FULL`.
fn full() -> Input {
    let mut number = numbers();
    fill("full identity", |input| {
        let (old, new) = (number(1_000_000), number(1_000_000));
        let tuples = [bulk_row(old).tuple(b'O'), bulk_row(new).tuple(b'N')];
        input.push(&change(b'U', None, 16_403, &tuples), false);
    })
}

/// Chunks of 100 rows, each with the xid of its subtransaction.
fn streamed() -> Input {
    let mut number = numbers();
    fill("streamed", |input| {
        input.push(b"S\0\0\x03\x09\x01", false);
        for subtransaction in 0..100 {
            let row = Row::default().text(number(1_000_000)).text("text").null();
            let xid = Some(778 + subtransaction / 10);
            input.push(&change(b'I', xid, 16_403, &[row.tuple(b'N')]), true);
        }
        input.push(b"E", true);
    })
}

/// Rows with one value of 10 bytes and one of `bytes`.
pub fn large_values(bytes: usize) -> Input {
    let mut input = Input::new(format!("values of {bytes} bytes"));
    let large = "x".repeat(bytes);
    for id in 0..8_u32 {
        input.push(&insert(&Row::default().text(1_000_000_000 + id).text(&large)), false);
    }
    input
}

/// The columns of the inputs `bulk`, `bulk binary` and `full identity`: names and type oids.
pub const BULK_COLUMNS: [(&str, u32); 6] =
    [("id", 23), ("a", 25), ("b", 20), ("c", 1184), ("d", 1700), ("e", 16)];

/// Returns the Relation message of those inputs' table.
pub fn bulk_relation() -> Vec<u8> {
    let mut frame = b"R\0\0\x40\x13public\0t\0d\0\x06".to_vec();
    for (number, (name, type_id)) in BULK_COLUMNS.into_iter().enumerate() {
        frame.push(u8::from(number == 0));
        frame.extend_from_slice(name.as_bytes());
        frame.push(0);
        frame.extend_from_slice(&type_id.to_be_bytes());
        frame.extend_from_slice(&(-1_i32).to_be_bytes());
    }
    frame
}
