//! Every entry point of the decoder under a name of its own, for a search in the optimized
//! assembly.
#![no_std]

#[cfg(feature = "values")]
mod values;

use core::panic::PanicInfo;

use pgoutput_decode::message::{OidsIter, RelationColumnsIter};
use pgoutput_decode::{
    ColumnFlags, Columns, CopyData, DecodeError, Decoder, HotStandbyFeedback, KeyTuple, Message,
    Oid, StandbyStatusUpdate, StreamAbortForm, TupleColumn, TupleData,
};

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(no_mangle)]
pub fn probe_decode<'a>(
    decoder: &mut Decoder,
    frame: &'a [u8],
) -> Result<Message<'a>, DecodeError> {
    decoder.decode(frame)
}

#[unsafe(no_mangle)]
pub fn probe_decode_prefix<'a>(
    decoder: &mut Decoder,
    frame: &'a [u8],
    form: StreamAbortForm,
) -> Result<(Message<'a>, &'a [u8]), DecodeError> {
    decoder.decode_prefix(frame, form)
}

#[unsafe(no_mangle)]
pub fn probe_copy_data(payload: &[u8]) -> Result<CopyData<'_>, DecodeError> {
    CopyData::decode(payload)
}

#[unsafe(no_mangle)]
pub fn probe_status(payload: &[u8]) -> Result<StandbyStatusUpdate, DecodeError> {
    StandbyStatusUpdate::decode(payload)
}

#[unsafe(no_mangle)]
pub fn probe_status_out(status: &StandbyStatusUpdate) -> [u8; StandbyStatusUpdate::LEN] {
    status.to_bytes()
}

#[unsafe(no_mangle)]
pub fn probe_feedback(payload: &[u8]) -> Result<HotStandbyFeedback, DecodeError> {
    HotStandbyFeedback::decode(payload)
}

#[unsafe(no_mangle)]
pub fn probe_feedback_out(feedback: &HotStandbyFeedback) -> [u8; HotStandbyFeedback::LEN] {
    feedback.to_bytes()
}

#[unsafe(no_mangle)]
pub fn probe_columns<'a>(columns: &mut Columns<'a>) -> Option<TupleColumn<'a>> {
    columns.next()
}

#[unsafe(no_mangle)]
pub fn probe_column<'a>(tuple: &TupleData<'a>, index: usize) -> Option<TupleColumn<'a>> {
    tuple.get(index)
}

#[unsafe(no_mangle)]
pub fn probe_key<'a>(
    key: &KeyTuple<'a>,
    flags: &[ColumnFlags],
) -> Option<(usize, TupleColumn<'a>)> {
    key.columns(flags.iter().copied()).last()
}

#[unsafe(no_mangle)]
pub fn probe_relation_columns(columns: &mut RelationColumnsIter<'_>) -> Option<Oid> {
    columns.next().map(|column| column.type_oid)
}

#[unsafe(no_mangle)]
pub fn probe_oids(oids: &mut OidsIter<'_>) -> Option<Oid> {
    oids.next()
}

#[cfg(feature = "control-panic")]
#[unsafe(no_mangle)]
pub fn probe_control(frame: &[u8], index: usize) -> u8 {
    frame[index]
}
