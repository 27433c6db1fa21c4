//! Standard output as a file whose writes cannot fail silently.

use std::fs::{File, Metadata, metadata};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use rustix::fs::{OFlags, fcntl_getfl};

/// The file that replaces a standard descriptor that was closed when a Rust program started.
const NULL: &str = "/dev/null";

/// Opens standard output for changes that are acknowledged once they are written.
///
/// The standard library's own handle is not suitable: it treats a write to a descriptor that is not
/// open for writing as successful.
///
/// # Errors
/// Standard output was closed at the start of the program, or cannot be written to.
pub(crate) fn open() -> Result<File, String> {
    let failed = |error: io::Error| format!("standard output: {error}");
    let file = File::from(io::stdout().as_fd().try_clone_to_owned().map_err(failed)?);
    let flags = fcntl_getfl(&file).map_err(|error| failed(error.into()))?;
    let access = flags & OFlags::RWMODE;
    if access == OFlags::RDONLY {
        return Err("standard output is open for reading only: redirect it to a file or a pipe; \
                    nothing was done"
            .into());
    }
    if access == OFlags::RDWR && is_null(&file.metadata().map_err(failed)?) {
        return Err(format!(
            "standard output is closed, or is {NULL} opened for reading and writing: redirect it \
             to a file or a pipe, or with >{NULL} to discard the output; nothing was done"
        ));
    }
    Ok(file)
}

/// Rust opens the null device for reading and writing in place of a closed standard descriptor. A
/// shell's redirection opens it for writing only; nothing else distinguishes the two.
fn is_null(output: &Metadata) -> bool {
    output.file_type().is_char_device()
        && metadata(NULL).is_ok_and(|null| null.rdev() == output.rdev())
}
