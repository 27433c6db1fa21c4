//! Instructions per message, counted by valgrind's callgrind, which gives the same figure on a busy
//! machine.
//!
//! ```text
//! alias instructions='cargo run --release -p pgoutput-bench --bin instructions --'
//! instructions             # compare with the committed table
//! instructions --write     # write the table
//! instructions --only bulk # some inputs
//! ```
//!
//! The comparison fails if a figure is more than 5 % above the table's. Another compiler or another
//! instruction set gives other counts. The table names the compiler that it was made with.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::{env, fs, io};

use pgoutput_bench::{
    Frame, Input, buffered_columns, bulk_relation, captured, columns, decoded_columns,
    decoded_utf8_columns, generated, large_values, utf8_columns, values, walk,
};
use pgoutput_decode::row::{Row, RowError};
use pgoutput_decode::{Message, Relation};

/// The factor by which a figure may rise.
const ALLOWED: f64 = 1.05;

/// Run counts of a measure. The difference is what is counted, so that start and end of the program
/// cancel out.
const RUNS: [u32; 2] = [2, 6];

const MEASURES: [&str; 6] = [
    "bare walk",
    "decode",
    "decode with columns",
    "decode, text as UTF-8",
    "decode with UTF-8 columns",
    "buffer to columns",
];

/// Further measures, of the inputs `bulk` and `bulk binary`.
const VALUE_MEASURES: [&str; 3] = ["row.get", "each column as Value", "row.deserialize"];

type Problem = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] => check(""),
        ["--write"] => count_all("").and_then(|figures| Ok(fs::write(table(), written(&figures))?)),
        // The inputs whose name starts with `input`.
        ["--only", input] => check(input),
        // The run that valgrind measures.
        ["run", measure, input, times] => run(measure, input, times),
        _ => Err("usage: instructions [--write | --only INPUT]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn table() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("instructions.tsv")
}

fn inputs() -> Result<Vec<Input>, Problem> {
    let mut inputs = generated();
    inputs.push(captured(15)?);
    inputs.push(large_values(100_000));
    Ok(inputs)
}

/// Counts and compares with the table.
fn check(only: &str) -> Result<(), Problem> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("left out: valgrind is not installed");
        return Ok(());
    }
    let committed = fs::read_to_string(table())?;
    if let Some(made) = committed.lines().next().filter(|made| *made != compiler()) {
        println!("the table was made with another compiler: {made}; here {}", compiler());
    }
    let mut committed = parse(&committed)?;
    let figures = count_all(only)?;
    if figures.is_empty() {
        return Err(format!("no input has a name that starts with {only:?}").into());
    }
    let (mut worse, mut better) = (Vec::new(), 0);
    for (name, count) in figures {
        let Some(before) = committed.remove(&name) else {
            return Err(format!("{name:?} is not in the table; write it with --write").into());
        };
        println!("{name:<50} {count:10.1} {:7.3} x", count / before);
        if count > before * ALLOWED {
            worse.push(format!("{name}: {before:.1} before, {count:.1} now"));
        }
        better += u32::from(count * ALLOWED < before);
    }
    for name in committed.keys().filter(|name| name.starts_with(only)) {
        println!("{name:<50} in the table, but not counted");
    }
    if better > 0 {
        println!("{better} of these are so much lower that --write should keep them so");
    }
    if worse.is_empty() { Ok(()) } else { Err(worse.join("\n").into()) }
}

fn compiler() -> String {
    let version = Command::new("rustc").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    format!("# {}, {}", version.unwrap_or_default(), env::consts::ARCH)
}

fn parse(text: &str) -> Result<BTreeMap<String, f64>, Problem> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, count) =
                line.rsplit_once('\t').ok_or("a line of the table without a tab")?;
            Ok((name.to_owned(), count.parse()?))
        })
        .collect()
}

fn written(figures: &[(String, f64)]) -> String {
    let mut text = format!("{}\n# input, measure: instructions a message\n", compiler());
    for (name, count) in figures {
        let _ = writeln!(text, "{name}\t{count:.1}");
    }
    text
}

fn measures(input: &Input) -> impl Iterator<Item = &'static str> {
    let has_values = input.name.starts_with("bulk");
    MEASURES.into_iter().chain(VALUE_MEASURES.into_iter().filter(move |_| has_values))
}

/// All measures of the inputs whose name starts with `only`.
fn count_all(only: &str) -> Result<Vec<(String, f64)>, Problem> {
    let mut figures = Vec::new();
    for input in inputs()?.iter().filter(|input| input.name.starts_with(only)) {
        for measure in measures(input) {
            let [few, many] = RUNS.map(|times| count(measure, &input.name, times));
            let messages = f64::from(RUNS[1] - RUNS[0]) * f64::from(u32::try_from(input.len())?);
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            let each = (many? - few?) as f64 / messages;
            figures.push((format!("{}, {measure}", input.name), each));
        }
    }
    Ok(figures)
}

/// Counts the instructions of this program while it runs a measure `times` times.
fn count(measure: &str, input: &str, times: u32) -> Result<u64, Problem> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["run", measure, input, &times.to_string()])
        .output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind failed: {stderr}").into());
    }
    let collected = stderr.lines().find_map(|line| line.split_once("Collected :"));
    let (_, count) = collected.ok_or_else(|| io::Error::other(stderr.to_string()))?;
    Ok(count.trim().parse()?)
}

fn run(measure: &str, name: &str, times: &str) -> Result<(), Problem> {
    let inputs = inputs()?;
    let input = inputs.iter().find(|input| input.name == name).ok_or("no such input")?;
    let frames: Vec<_> = input.frames().collect();
    for _ in 0..times.parse()? {
        match measure {
            "bare walk" => {
                for frame in &frames {
                    // SAFETY: all inputs are whole messages, each decoded by a test of this
                    // package.
                    black_box(unsafe { walk::unchecked(black_box(frame.bytes), frame.in_stream) });
                }
            }
            "decode" => {
                for frame in &frames {
                    let message = Message::decode(black_box(frame.bytes), frame.in_stream)?;
                    black_box(columns(&message));
                }
            }
            "decode with columns" => {
                for frame in &frames {
                    black_box(decoded_columns(black_box(frame.bytes), frame.in_stream));
                }
            }
            "decode, text as UTF-8" => {
                for frame in &frames {
                    let message = Message::decode(black_box(frame.bytes), frame.in_stream)?;
                    black_box(utf8_columns(&message));
                }
            }
            "decode with UTF-8 columns" => {
                for frame in &frames {
                    black_box(decoded_utf8_columns(black_box(frame.bytes), frame.in_stream));
                }
            }
            "buffer to columns" => {
                black_box(buffered_columns(black_box(input.stream())));
            }
            "row.get" => read(&frames, values::get)?,
            "each column as Value" => read(&frames, values::get_any)?,
            "row.deserialize" => read(&frames, values::deserialize)?,
            _ => return Err("no such measure".into()),
        }
    }
    Ok(())
}

/// Applies `read` to the row of each frame.
fn read(frames: &[Frame<'_>], read: fn(Row<'_>) -> Result<(), RowError>) -> Result<(), Problem> {
    let description = bulk_relation();
    let Message::Relation(body) = Message::decode(&description, false)? else {
        return Err("a Relation message was expected".into());
    };
    let relation = Relation::from(&body);
    for frame in frames {
        read(values::row(&relation, frame))?;
    }
    Ok(())
}
