//! Decodes a transaction and a value without the standard library, `alloc` or an allocator.
//!
//! Exits with 0, or with the number of the step that failed.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;

use pgoutput_decode::{CopyData, Decoder, ErrorKind, Message, TupleColumn};

// The C start files call `main`. Nothing else of the C library is used.
#[link(name = "c")]
unsafe extern "C" {}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    match run() {
        Ok(()) => 0,
        Err(step) => step,
    }
}

const BEGIN: &[u8] = b"B\0\0\0\0\x01\x58\xFA\xC8\x00\x02\x78\x8C\xCF\xCA\x01\xDE\0\0\x03\x09";
const RELATION: &[u8] = b"R\0\0\x40\x13public\0readme\0d\0\x01\x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF";
const INSERT: &[u8] = b"w\0\0\0\0\x01\x58\xFA\xC8\0\0\0\0\x01\x58\xFA\xC8\0\0\0\0\0\0\0\0\
    I\0\0\x40\x13N\0\x01t\0\0\0\x0242";

fn run() -> Result<(), i32> {
    let mut decoder = Decoder::new();
    match decoder.decode(black_box(BEGIN)) {
        Ok(Message::Begin(body)) if body.xid.as_u32() == 777 => {}
        _ => return Err(1),
    }
    match decoder.decode(black_box(RELATION)) {
        Ok(Message::Relation(body)) => {
            let column = body.columns.iter().next().ok_or(2)?;
            if (body.name, column.name, column.flags.is_key()) != ("readme", "id", true) {
                return Err(3);
            }
        }
        _ => return Err(4),
    }
    let Ok(CopyData::XLogData(envelope)) = CopyData::decode(black_box(INSERT)) else {
        return Err(5);
    };
    let Ok(Message::Insert(insert)) = decoder.decode(envelope.data) else { return Err(6) };
    let Some(TupleColumn::Text(text)) = insert.new.get(0) else { return Err(7) };
    let value: Option<i32> = core::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    if value != Some(42) {
        return Err(8);
    }
    match decoder.decode(black_box(b"E")) {
        Err(error) if error.kind() == ErrorKind::StrayStreamStop => Ok(()),
        _ => Err(9),
    }
}
