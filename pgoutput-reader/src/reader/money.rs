//! The unit that amounts of `money` are counted in.

use pgoutput_decode::Relation;
use pgoutput_decode::value::{TypeInfo, TypeKind, type_oid};

use crate::Error;
use crate::catalog::Catalog;

/// What `lc_monetary` C has, and what is said of tables without an amount.
const UNASKED: u8 = 2;

/// How many digits an amount has behind its decimal point, asked of a server when a table has amounts.
#[derive(Debug, Default)]
pub(super) struct MoneyDigits(Option<u8>);

impl MoneyDigits {
    /// The digits of the amounts in this table.
    pub(super) fn of(
        &mut self,
        relation: &Relation,
        types: &[TypeInfo<'static>],
        catalog: &mut Catalog,
    ) -> Result<u8, Error> {
        let is_money = |oid| matches!(oid, type_oid::MONEY | type_oid::MONEY_ARRAY);
        let mut columns = relation.columns().iter();
        if !columns.any(|column| is_money(column.type_oid)) && !types.iter().any(holds_money) {
            return Ok(UNASKED);
        }
        if let Some(digits) = self.0 {
            return Ok(digits);
        }
        let digits = catalog.money_digits()?;
        self.0 = Some(digits);
        Ok(digits)
    }
}

/// Whether there are amounts in values of this type. Descriptions by the catalogue end.
fn holds_money(info: &TypeInfo<'_>) -> bool {
    match info.kind {
        TypeKind::Composite(attributes) => {
            attributes.iter().any(|attribute| holds_money(attribute.ty))
        }
        TypeKind::Domain(part)
        | TypeKind::Array { element: part, .. }
        | TypeKind::Range(part)
        | TypeKind::Multirange(part) => holds_money(part),
        _ => matches!(info.oid, type_oid::MONEY | type_oid::MONEY_ARRAY),
    }
}

#[cfg(test)]
mod tests {
    use pgoutput_decode::Oid;
    use pgoutput_decode::value::Attribute;

    use super::*;

    #[test]
    fn amounts_are_looked_for_inside_of_other_types() {
        const MONEY: TypeInfo<'_> =
            TypeInfo { oid: type_oid::MONEY, name: "money", kind: TypeKind::Base };
        const AMOUNTS: TypeInfo<'_> =
            TypeInfo { oid: type_oid::MONEY_ARRAY, name: "money[]", kind: TypeKind::Base };
        const INTEGER: TypeInfo<'_> =
            TypeInfo { oid: type_oid::INT4, name: "integer", kind: TypeKind::Base };
        let user = |kind| TypeInfo { oid: Oid::new(20_000), name: "", kind };
        let domain = user(TypeKind::Domain(&AMOUNTS));
        let attributes =
            [Attribute { name: "a", ty: &INTEGER }, Attribute { name: "b", ty: &domain }];
        let composite = user(TypeKind::Composite(&attributes));
        let array = user(TypeKind::Array { element: &composite, delimiter: b',' });
        let range = user(TypeKind::Range(&MONEY));
        for info in [&domain, &composite, &array, &range, &user(TypeKind::Multirange(&range))] {
            assert!(holds_money(info), "{info:?}");
        }
        assert!(!holds_money(&user(TypeKind::Composite(&attributes[..1]))));
        assert!(!holds_money(&user(TypeKind::Enum)));
    }
}
