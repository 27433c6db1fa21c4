//! What was measured, as a table.

use pgoutput_end_to_end::consumer::Consumer;
use pgoutput_end_to_end::median;
use pgoutput_end_to_end::usage::Usage;
use pgoutput_end_to_end::workload::Workload;

/// One line for each consumer, beside the first.
pub(crate) fn print(workload: Workload, rows: u32, runs: &[(&Consumer, Vec<Usage>)]) {
    let Some((_, first)) = runs.first() else { return };
    println!("\n{}: {rows} rows, {}", workload.name(), workload.rows_are());
    println!(
        "{:<20} {:>8} {:>7} {:>8} {:>7} {:>8} {:>7} {:>8} {:>10}",
        "", "us/row", "ratio", "sender", "ratio", "wall s", "ratio", "MB", "waits/1000"
    );
    let rows = f64::from(rows);
    for (consumer, runs) in runs {
        let middle = |figure: fn(&Usage) -> f64| median(runs.iter().map(figure).collect());
        // Each round by itself: what else the machine did then, it did to all of them.
        let ratio = |figure: fn(&Usage) -> f64| {
            median(runs.iter().zip(first).map(|(run, first)| figure(run) / figure(first)).collect())
        };
        println!(
            "{:<20} {} {} {} {} {} {} {} {}",
            consumer.name(),
            known(middle(|usage| usage.cpu) * 1e6 / rows, 8, 3),
            known(ratio(|usage| usage.cpu), 7, 2),
            known(middle(|usage| usage.sender) * 1e6 / rows, 8, 3),
            known(ratio(|usage| usage.sender), 7, 2),
            known(middle(|usage| usage.wall), 8, 2),
            known(ratio(|usage| usage.wall), 7, 2),
            known(middle(|usage| usage.memory) / 1024.0, 8, 1),
            known(middle(|usage| usage.waits) * 1000.0 / rows, 10, 1),
        );
    }
}

/// A figure, or a dash where a run was too short for it.
fn known(figure: f64, width: usize, digits: usize) -> String {
    if figure.is_finite() { format!("{figure:width$.digits$}") } else { format!("{:>width$}", "-") }
}
