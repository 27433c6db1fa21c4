//! The cleanup after this process, however it ends.
//!
//! Statics are not dropped, and a killed process runs nothing at all. So a small shell waits on a
//! pipe whose other end this process holds and the kernel closes when the process ends. The shell
//! then stops the server and removes its folder.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::error::Error;

/// The shell's script. `$1` is the folder. Each line is the id of the running server, or empty
/// after it was stopped.
///
/// SIGQUIT is PostgreSQL's immediate shutdown. A folder that the first try does not remove was
/// still being written to by an initdb that outlived this process. A server whose id could not be
/// written ends within a minute, because its folder is gone.
const SCRIPT: &str = r#"
trap '' HUP INT TERM QUIT
server=
while read -r line; do server=$line; done
if [ -n "$server" ] && kill -QUIT "$server" 2>/dev/null; then
    left=100
    while [ $left -gt 0 ] && kill -0 "$server" 2>/dev/null; do sleep 0.1; left=$((left - 1)); done
    kill -KILL "$server" 2>/dev/null
fi
for try in 1 2 3 4 5; do rm -rf "$1" && break; sleep 1; done
"#;

#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// Watches over `folder` until dropped. The folder is removed in any case.
    pub(crate) fn watch(folder: &Path) -> Result<Self, Error> {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "pgoutput-harness-watchdog"])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            // A reader of our output must not wait for the shell.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A Ctrl-C at the terminal is meant for the tests, not for the shell.
            .process_group(0)
            .spawn()
            .map_err(|e| Error::io("run", "sh", e))?;
        Ok(Self { shell })
    }

    /// Sets the process to be stopped from now on.
    pub(crate) fn server(&mut self, pid: Option<u32>) -> io::Result<()> {
        let Some(pipe) = &mut self.shell.stdin else { return Ok(()) };
        let line = pid.map_or_else(|| "\n".to_owned(), |pid| format!("{pid}\n"));
        pipe.write_all(line.as_bytes())
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
