//! Integers that `serde`'s floats would round, taken out of a buffer that tells nobody what was asked for.

use serde::de::Deserialize;

use super::failure::{Details, Failure, Reason};
use super::find::Seen;
use super::{RowColumn, RowDeserializer, StandIn, number};
use crate::value::marks::Watch;
use crate::value::{ValueError, ValueErrorKind, type_oid};

/// What is put in the place of such an integer: who refuses it says what was expected.
pub(super) const QUESTION: &str = "$pgoutput_decode::row::Question";

/// The error, if this column holds such an integer and `T` reads it as a float: found out by reading the row once more.
pub(super) fn refused<'a, T: Deserialize<'a>>(
    row: RowDeserializer<'a, '_>,
    column: &RowColumn<'a>,
) -> Option<Failure> {
    let ty = column.ty.without_domains();
    let field = column.field().filter(|_| matches!(ty.oid(), type_oid::INT8 | type_oid::XID8))?;
    if number::float_of(field.get().ok()?).is_some() {
        return None;
    }
    let asked = RowDeserializer { stand_in: Some(StandIn::Question(column.index)), ..row };
    let watch = Watch::start();
    let answer = T::deserialize(asked);
    watch.end();
    let Err(failure) = answer else { return None };
    let Details { reason: Reason::Message(answer), seen: Some(Seen::Str(what)), .. } = *failure.0
    else {
        return None;
    };
    let floats = [(", expected f64", "f64"), (", expected f32", "f32")];
    let (_, target) =
        floats.into_iter().find(|(end, _)| *what == *QUESTION && answer.ends_with(end))?;
    let error = ValueError::new(ValueErrorKind::Inexact { target }, 0);
    Some(error.within(ty.oid(), field.format()).into())
}
