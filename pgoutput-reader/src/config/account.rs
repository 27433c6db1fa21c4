//! The operating system account of this process: the default user, and the home of the password
//! file.

use std::path::PathBuf;

use super::variables::Lookup;

/// The two fields of a passwd(5) line that are needed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) home: String,
}

impl Account {
    /// The account of the effective user id, as in libpq. `None` if `/etc/passwd` does not have it,
    /// as with accounts of a directory service.
    #[cfg(unix)]
    pub(crate) fn current() -> Option<Self> {
        let passwd = std::fs::read(PathBuf::from("/etc/passwd")).ok()?;
        Self::find(&String::from_utf8_lossy(&passwd), rustix::process::geteuid().as_raw())
    }

    /// Other systems have no `/etc/passwd`.
    #[cfg(not(unix))]
    pub(crate) fn current() -> Option<Self> {
        None
    }

    /// The first line of `passwd` with this user id.
    #[cfg_attr(not(unix), allow(dead_code))]
    fn find(passwd: &str, uid: u32) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next().filter(|name| !name.is_empty())?;
            let id = fields.nth(1)?;
            let home = fields.nth(2)?;
            (id.parse() == Ok(uid)).then(|| Self { name: name.to_owned(), home: home.to_owned() })
        })
    }
}

/// The home directory: `HOME`, or that of the account.
pub(crate) fn home(lookup: Lookup<'_>) -> Option<PathBuf> {
    let home = lookup("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    home.or_else(|| Account::current().map(|account| account.home.into()))
}

#[cfg(test)]
mod tests {
    use super::Account;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n# a comment\nbroken\n\
                          postgres:x:101:103:PostgreSQL,,,:/var/lib/postgresql:/bin/bash\n\
                          again:x:101:1::/x:\n";

    #[test]
    fn an_account_is_found_by_its_id() {
        let found = Account::find(PASSWD, 101).unwrap();
        assert_eq!((found.name.as_str(), found.home.as_str()), ("postgres", "/var/lib/postgresql"));
        assert_eq!(Account::find(PASSWD, 7), None);
    }
}
