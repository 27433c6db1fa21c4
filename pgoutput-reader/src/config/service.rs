//! The connection service file
//! ([PostgreSQL manual, 34.17](https://www.postgresql.org/docs/18/libpq-pgservice.html)).

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::account;
use super::error::{ConfigError, ConfigErrorKind, ParameterOrigin};
use super::keyword;
use super::parameters::Parameters;
use super::variables::Lookup;

/// The directories of the system's service file if `PGSYSCONFDIR` is not set: Debian's, Red Hat's,
/// and that of a server built from source. A libpq has one of them built in.
const SYSTEM_FOLDERS: [&str; 3] =
    ["/etc/postgresql-common", "/etc/sysconfig/pgsql", "/usr/local/pgsql/etc"];

/// If a service is named, gives every parameter without a value that of the service.
pub(crate) fn fill(parameters: &mut Parameters, lookup: Lookup<'_>) -> Result<(), ConfigError> {
    let Some(service) = parameters.get("service").filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    let service = service.to_owned();
    for (path, must_exist) in files(lookup) {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error)
                if !must_exist
                    && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                continue;
            }
            Err(error) => return Err(refuse(&path, None, &error.to_string())),
        };
        if take(&text, &service, parameters)
            .map_err(|(line, why)| refuse(&path, Some(line), &why))?
        {
            return Ok(());
        }
    }
    let message = "no service file defines this service; searched PGSERVICEFILE or \
                   ~/.pg_service.conf, then pg_service.conf in PGSYSCONFDIR";
    Err(ConfigError::new(ConfigErrorKind::Service, message).named("service"))
}

/// The files to search, in order, and whether each must exist.
fn files(lookup: Lookup<'_>) -> Vec<(PathBuf, bool)> {
    let variable = |name| lookup(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let mut files = Vec::new();
    if let Some(path) = variable("PGSERVICEFILE") {
        files.push((path, true));
    } else if let Some(home) = account::home(lookup) {
        files.push((home.join(".pg_service.conf"), false));
    }
    let folders = match variable("PGSYSCONFDIR") {
        Some(folder) => vec![folder],
        None => SYSTEM_FOLDERS.map(PathBuf::from).to_vec(),
    };
    files.extend(folders.into_iter().map(|folder| (folder.join("pg_service.conf"), false)));
    files
}

fn refuse(path: &Path, line: Option<usize>, why: &str) -> ConfigError {
    let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
    let message = format!("{}{line}: {why}", path.display());
    ConfigError::new(ConfigErrorKind::Service, message).named("service")
}

/// Takes the parameters of the first section with this name; false if there is none. An error has
/// its line number.
fn take(text: &str, service: &str, parameters: &mut Parameters) -> Result<bool, (usize, String)> {
    let mut found = false;
    for (index, line) in text.lines().enumerate() {
        let fail = |why: &str| Err((index + 1, why.to_owned()));
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            if found {
                break;
            }
            found = name.split(']').next() == Some(service) && name.contains(']');
            continue;
        }
        if !found {
            continue;
        }
        // The line may contain a password, so no part of it is shown.
        let Some((name, value)) = line.split_once('=') else {
            return fail(if line.starts_with("ldap") {
                "services from LDAP are not supported; write the parameters here"
            } else {
                "not keyword=value"
            });
        };
        match keyword::find(name) {
            None => {
                return fail("unknown parameter; there must be no spaces around the equals sign");
            }
            Some(keyword) if keyword.name == "service" => {
                return fail("a service cannot refer to another one");
            }
            Some(keyword) if !parameters.has(keyword.name) => {
                parameters.set(keyword, value.to_owned(), ParameterOrigin::ServiceFile, None);
            }
            Some(_) => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::config::{Config, env};

    const FILE: &str = "# services\n[other]\nhost=elsewhere\n\n[shop]\n  host=db\nport=5433\n\
                        dbname=it = so\npassword=hunter2\n[shop]\nuser=never\n[bad]\nhost = x\n\
                        [nested]\nservice=shop\n[ldap]\nldap://x\n";

    fn configure(dsn: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let name =
            format!("pgoutput-service-{}-{:?}", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, FILE).unwrap();
        let lookup = |name: &str| -> Option<OsString> {
            let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
            Some(value.replace('@', path.to_str().unwrap()).into())
        };
        let config = env::from_dsn_or_env(Some(dsn), &lookup);
        fs::remove_file(&path).unwrap();
        config
    }

    #[test]
    fn a_service_ranks_between_the_string_and_the_environment() {
        let variables = [("PGSERVICEFILE", "@"), ("PGPORT", "1"), ("PGUSER", "alice")];
        let config = configure("service=shop dbname=mine", &variables).unwrap();
        let expected = "host=db port=5433 user=alice password=hunter2 dbname=mine";
        assert_eq!(config.to_conninfo(), expected);
        let named = [&variables[..], &[("PGSERVICE", "shop")]].concat();
        let config = configure("user=bob", &named).unwrap();
        let expected = "host=db port=5433 user=bob password=hunter2 dbname='it = so'";
        assert_eq!(config.to_conninfo(), expected);
    }

    #[test]
    fn an_unusable_service_is_an_error_that_shows_no_value() {
        for (service, why) in [
            ("absent", "no service file defines this service"),
            ("bad", "line 13: unknown parameter"),
            ("nested", "line 15: a service cannot refer to another one"),
            ("ldap", "line 17: services from LDAP are not supported"),
        ] {
            let error = configure(
                &format!("service={service}"),
                &[("PGSERVICEFILE", "@"), ("PGSYSCONFDIR", "/nonexistent")],
            )
            .unwrap_err();
            assert_eq!(
                (error.kind(), error.parameter()),
                (ConfigErrorKind::Service, Some("service"))
            );
            assert!(error.to_string().contains(why), "{error}");
        }
        let missing = configure("service=shop", &[("PGSERVICEFILE", "/nonexistent/file")]);
        assert_eq!(missing.unwrap_err().kind(), ConfigErrorKind::Service);
    }
}
