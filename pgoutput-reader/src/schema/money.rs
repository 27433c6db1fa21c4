//! Amounts of `money`, whose fractional digits the catalogue knows.

use pgoutput_decode::Relation;
use pgoutput_decode::value::{TypeInfo, TypeKind, type_oid};

/// The number of digits with `lc_monetary` C, and that of tables without amounts.
pub(super) const DEFAULT_DIGITS: u8 = 2;

/// Whether a column of the table holds amounts of `money`. `types` describes those of its types that
/// are not built in.
pub(super) fn is_in(relation: &Relation, types: &[TypeInfo<'static>]) -> bool {
    let is_money = |oid| matches!(oid, type_oid::MONEY | type_oid::MONEY_ARRAY);
    relation.columns().iter().any(|column| is_money(column.type_oid))
        || types.iter().any(holds_money)
}

/// Whether values of this type hold amounts. Descriptions have a bounded depth.
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
