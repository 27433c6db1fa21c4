//! Integers that `serde`'s floats would round, taken out of a buffer that tells nobody what was asked for.
//!
//! A buffer gives an integer to whatever number a field is, and no field says that it was a float.
//! Only a refusal tells what was asked for: so the row is read once more, with a question in the
//! place of all such integers. The first field that asks for one of them refuses it and says what
//! it expected.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use serde::de::{Deserialize, IntoDeserializer};

use super::error_column::Seen;
use super::failure::{Failure, FailureDetails, FailureReason};
use super::{RowColumn, RowDeserializer, StandIn, number};
use crate::row::Row;
use crate::value::placeholder_counts::Watch;
use crate::value::{Field, ValueError, ValueErrorKind, type_oid};

/// Starts what stands in the place of such an integer; the place of its column follows.
const QUESTION: &str = "$pgoutput_decode::row::Question";

/// What a column is asked with.
pub(super) fn question(column: usize) -> impl for<'de> IntoDeserializer<'de, Failure> {
    let mut question = String::from(QUESTION);
    // Writing to a String cannot fail.
    let _ = write!(question, "{column}");
    question
}

/// The value of a column that holds an integer which an `f64` would round.
fn inexact<'a>(column: &RowColumn<'a>) -> Option<Field<'a>> {
    let ty = column.ty.without_domains();
    let field = column.field().filter(|_| matches!(ty.oid(), type_oid::INT8 | type_oid::XID8))?;
    number::float_of(field.get().ok()?).is_none().then_some(field)
}

/// The error, if the first field that asks for such an integer reads it as a float.
pub(super) fn refused<'a, T: Deserialize<'a>>(row: RowDeserializer<'a, '_>) -> Option<Failure> {
    let columns: Vec<usize> = row
        .row
        .columns()
        .filter(|column| inexact(column).is_some())
        .map(|column| column.index)
        .collect();
    if columns.is_empty() {
        return None;
    }
    let asked = RowDeserializer { stand_in: Some(StandIn::Questions(&columns)), ..row };
    let watch = Watch::start();
    let answer = T::deserialize(asked);
    watch.end();
    let Err(failure) = answer else { return None };
    refused_as_float(row.row, &failure)
}

fn refused_as_float(row: &Row<'_>, failure: &Failure) -> Option<Failure> {
    let FailureDetails {
        reason: FailureReason::Message(answer), seen: Some(Seen::Str(what)), ..
    } = &*failure.0
    else {
        return None;
    };
    let column = row.column(what.strip_prefix(QUESTION)?.parse::<usize>().ok()?)?;
    let floats = [(", expected f64", "f64"), (", expected f32", "f32")];
    let (_, target) = floats.into_iter().find(|(end, _)| answer.ends_with(end))?;
    let field = inexact(&column)?;
    let error = ValueError::new(ValueErrorKind::Inexact { target }, 0);
    let error = error.within(field.ty().without_domains().oid(), field.format());
    Some(Failure::from(error).in_column(column.index))
}
