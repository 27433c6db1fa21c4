//! Amounts of `money`. The number of their fractional digits is a fact of the catalogue.

use pgoutput_decode::value::{FieldType, TypeSet, type_oid};
use pgoutput_decode::{Oid, Relation};

/// The number of digits with `lc_monetary` C, and that of tables without amounts.
pub(super) const DEFAULT_DIGITS: u8 = 2;

/// Returns whether a column of the table holds amounts of `money`. `types` describes those types of
/// its columns that are not built in.
pub(super) fn is_in(relation: &Relation, types: &TypeSet) -> bool {
    relation.columns().iter().any(|column| is_money(column.type_oid))
        || types.iter().any(holds_money)
}

fn is_money(oid: Oid) -> bool {
    matches!(oid, type_oid::MONEY | type_oid::MONEY_ARRAY)
}

/// Returns whether a value of this type holds amounts directly. A set also contains every type that
/// its types are made of.
fn holds_money(ty: FieldType<'_>) -> bool {
    ty.kind().parts().any(|part| is_money(part.oid()))
}

#[cfg(test)]
mod tests {
    use pgoutput_decode::value::{Attribute, AttributeList, TypeInfo, TypeKind};

    use super::*;

    fn has_amounts(kind: TypeKind<'_>) -> bool {
        let info = TypeInfo::new(Oid::new(20_000), "", kind);
        TypeSet::new(&[info]).iter().any(holds_money)
    }

    #[test]
    fn amounts_inside_other_types_are_found() {
        let [integer, money, amounts] =
            [type_oid::INT4, type_oid::MONEY, type_oid::MONEY_ARRAY].map(FieldType::new);
        let domain = TypeKind::Domain(amounts);
        let info = TypeInfo::new(Oid::new(20_001), "", domain);
        let inner = FieldType::described(&info);
        let attributes = [Attribute::new("a", integer), Attribute::new("b", inner)];
        let composite = |attributes| TypeKind::Composite(AttributeList::new(attributes));
        for kind in [
            domain,
            composite(&attributes),
            TypeKind::Array { element: inner, delimiter: b',' },
            TypeKind::Range(money),
            TypeKind::Multirange(inner),
        ] {
            assert!(has_amounts(kind), "{kind:?}");
        }
        assert!(!has_amounts(composite(&attributes[..1])));
        assert!(!has_amounts(TypeKind::Enum));
    }
}
