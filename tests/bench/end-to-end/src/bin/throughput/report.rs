//! The results as a table.

use pgoutput_end_to_end::consumer::Consumer;
use pgoutput_end_to_end::median;
use pgoutput_end_to_end::usage::Usage;
use pgoutput_end_to_end::workload::Workload;

/// Prints a line for each consumer, compared with the first.
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
        // The rounds one by one: other work on the machine affects all consumers of a round.
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

/// Formats a figure, or a dash if the run was too short for it.
fn known(figure: f64, width: usize, digits: usize) -> String {
    if figure.is_finite() { format!("{figure:width$.digits$}") } else { format!("{:>width$}", "-") }
}
