use std::path::PathBuf;

use super::Search;
use crate::fake;
use crate::folder::TempFolder;
use crate::install::Origin;

/// Returns a search of a machine that has only what the test puts into the folder.
fn bare(folder: &TempFolder) -> Search {
    let root = folder.path().join("root");
    Search {
        explicit: Vec::new(),
        cache: root.join("target/postgresql"),
        root,
        path: "".into(),
        fetcher: None,
    }
}

#[test]
fn installed_servers_are_found_in_all_known_folders() {
    let folder = TempFolder::for_tests();
    let mut search = bare(&folder);
    for (place, version) in [
        ("usr/lib/postgresql/15/bin", "15.3 (Debian 15.3-1)"),
        ("usr/lib/postgresql/9.6/bin", "9.6.24"),
        ("usr/pgsql-14/bin", "14.1"),
        ("opt/homebrew/opt/postgresql@17/bin", "17.2"),
        ("usr/local/pgsql/bin", "12.0"),
        ("elsewhere/bin", "11.7"),
        ("from_config/bin", "16.0"),
    ] {
        fake::server(&search.root.join(place), version);
    }
    let config = search.root.join("tools/pg_config");
    fake::program(&config, &format!("echo {}", search.root.join("from_config/bin").display()));
    search.path =
        std::env::join_paths([search.root.join("tools"), search.root.join("elsewhere/bin")])
            .unwrap();
    let majors: Vec<u32> = search.installed().into_keys().collect();
    assert_eq!(majors, [9, 11, 12, 14, 15, 16, 17]);
}

#[test]
fn named_servers_come_before_installed_and_kept_ones() {
    let folder = TempFolder::for_tests();
    let mut search = bare(&folder);
    let kept = search.cache.join("15/npm-15.18.0-beta.17/native/bin");
    let installed = search.root.join("usr/lib/postgresql/15/bin");
    let named: PathBuf = folder.path().join("named");
    fake::server(&kept, "15.18");
    assert_eq!(found(&search), (kept.clone(), Origin::Fetched));
    fake::server(&installed, "15.2");
    assert_eq!(found(&search), (installed.clone(), Origin::Installed));
    fake::server(&named.join("bin"), "15.1");
    search = search.at(&named);
    assert_eq!(found(&search), (named.join("bin"), Origin::Explicit));
    // The `bin` folder itself is accepted too, and a named server of another major is ignored.
    search.explicit = vec![named.join("bin")];
    assert_eq!(found(&search).1, Origin::Explicit);
    fake::server(&named.join("bin"), "14.1");
    assert_eq!(found(&search), (installed, Origin::Installed));
}

fn found(search: &Search) -> (PathBuf, Origin) {
    let install = search.find(15).unwrap();
    (install.bin().to_owned(), install.origin())
}

#[test]
fn the_error_lists_the_searched_places_and_the_remedies() {
    let folder = TempFolder::for_tests();
    let search = bare(&folder);
    fake::server(&search.root.join("usr/lib/postgresql/15/bin"), "15.3");
    fake::program(&search.root.join("usr/lib/postgresql/13/bin/postgres"), "exit 1");
    fake::program(
        &search.root.join("usr/pgsql-12/bin/postgres"),
        "echo no libfoo.so >&2; exit 127",
    );
    fake::program(&search.root.join("usr/pgsql-12/bin/initdb"), "true");
    let text = search.at("/nowhere/at/all").find(16).unwrap_err().to_string();
    for part in [
        "no PostgreSQL 16 server found",
        "/nowhere/at/all: no postgres program",
        "usr/lib/postgresql/15/bin: PostgreSQL 15.3",
        "usr/lib/postgresql/13/bin: postgres without initdb",
        "usr/pgsql-12/bin: postgres --version: exit status: 127 no libfoo.so",
        "target/postgresql/16: nothing there",
        "install PostgreSQL 16",
        "PGOUTPUT_TEST_SERVER_PATH=",
        "install npm",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}
