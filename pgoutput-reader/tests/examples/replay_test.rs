//! The example `replay_test`, on its committed capture. `cargo test` also runs its unit tests.

use std::path::Path;

use pgoutput_harness::output;

use crate::example;

#[test]
fn it_prints_the_orders_of_its_capture() {
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/orders.pgocap");
    let ended = output(example("replay_test").arg(capture));
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{stderr}");
    let expected = "order 1: paid, 2 changes\norder 3: returned, 2 changes\n";
    assert_eq!(String::from_utf8(ended.stdout).unwrap(), expected);
}
