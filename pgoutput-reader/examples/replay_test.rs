//! A program that processes changes, and its unit test, which replays a capture without a server.
//!
//! ```text
//! cargo test --example replay_test
//! cargo run --example replay_test -- examples/orders.pgocap
//! ```
//!
//! The capture was written with the slot and the publication of a test database:
//!
//! ```text
//! pgoutput capture orders.pgocap --dsn postgresql://app@localhost/shop --slot my_slot \
//!     --publication my_publication --mask public.orders.email
//! ```

use std::collections::BTreeMap;

use pgoutput_reader::{ChangeEvent, Error, Op, Reader};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The state of each order, and the number of its changes.
type Orders = BTreeMap<i32, (String, u32)>;

/// Follows the orders of a shop. The events may come from a server or from a capture.
fn follow(events: impl Iterator<Item = std::result::Result<ChangeEvent, Error>>) -> Result<Orders> {
    let mut orders = Orders::new();
    for event in events {
        let event = event?;
        if event.op() == Op::Delete {
            let id: i32 = event.before().ok_or("no key")?.get("id")?;
            orders.remove(&id);
        } else if let Some(row) = event.after() {
            let order = orders.entry(row.get("id")?).or_default();
            order.0 = row.get("state")?;
            order.1 += 1;
        }
    }
    Ok(orders)
}

fn main() -> Result<()> {
    let path = std::env::args().nth(1).ok_or("usage: replay_test FILE")?;
    for (id, (state, changes)) in follow(Reader::replay(path).open()?)? {
        println!("order {id}: {state}, {changes} changes");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A capture that is committed beside the program.
    const CAPTURE: &[u8] = include_bytes!("orders.pgocap");

    #[test]
    fn an_order_that_is_returned_stays_and_one_that_is_deleted_does_not() {
        let orders = follow(Reader::replay_from(CAPTURE).open().unwrap()).unwrap();
        let expected = [(1, ("paid".to_owned(), 2)), (3, ("returned".to_owned(), 2))];
        assert_eq!(orders, expected.into());
    }

    #[test]
    fn addresses_are_masked() {
        let first = Reader::replay_from(CAPTURE).open().unwrap().next().unwrap().unwrap();
        assert_eq!(first.after().unwrap().get::<&str>("email").unwrap(), "masked");
    }
}
