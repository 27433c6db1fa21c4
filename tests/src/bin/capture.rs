//! Records the captures in `tests/captures` and their readings.
//!
//! ```text
//! cargo run -p pgoutput-tests --bin capture            # every major, 10 to 18
//! cargo run -p pgoutput-tests --bin capture -- 15 18   # these majors
//! cargo run -p pgoutput-tests --bin capture -- --seeds # fuzz seeds, from the committed captures
//! ```
//!
//! Transaction ids, LSNs, object ids and times are new in each run, so every file changes. Record
//! again only when the workload or a server has changed.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use pgoutput_tests::capture;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--seeds"] => capture::write_seeds().map_err(Into::into),
        ref majors => make(majors),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "capture: {error}");
            ExitCode::FAILURE
        }
    }
}

fn make(majors: &[&str]) -> Result<(), Box<dyn Error>> {
    let majors: Vec<u32> = if majors.is_empty() {
        pgoutput_harness::MAJORS.collect()
    } else {
        let parse =
            |major: &&str| major.parse().map_err(|_| format!("{major} is no major version"));
        majors.iter().map(parse).collect::<Result<_, _>>()?
    };
    for major in majors {
        let captures = capture::record(major).map_err(|error| format!("{major}: {error}"))?;
        for (name, capture) in captures {
            let name = format!("{major}/{name}");
            capture::store(&name, &capture)?;
            let frames = capture.frames().count();
            writeln!(std::io::stderr(), "tests/captures/{name}.hex: {frames} messages")?;
        }
    }
    Ok(())
}
