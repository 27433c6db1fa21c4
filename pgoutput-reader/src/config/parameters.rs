//! Parameters by keyword, before they become a `Config`: from a connection string and from the
//! environment.

use super::Config;
use super::error::{ConfigError, ConfigErrorKind, ParameterOrigin, Problem};
use super::keyword::{self, Keyword, Treatment};

/// Values in the order in which their keywords first appeared. Not `Debug`, since one may be a
/// password.
#[derive(Default)]
pub(crate) struct Parameters(Vec<Given>);

struct Given {
    keyword: &'static Keyword,
    value: String,
    origin: ParameterOrigin,
    position: Option<usize>,
}

impl Parameters {
    /// Sets a value. The last value for a keyword counts.
    pub(crate) fn set(
        &mut self,
        keyword: &'static Keyword,
        value: String,
        origin: ParameterOrigin,
        position: Option<usize>,
    ) {
        let given = Given { keyword, value, origin, position };
        match self.0.iter_mut().find(|old| old.keyword.name == keyword.name) {
            Some(old) => *old = given,
            None => self.0.push(given),
        }
    }

    /// Returns whether the keyword was given, even with an empty value. The environment is then not
    /// used for it.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|given| given.keyword.name == name)
    }

    /// The value given for a keyword.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|given| given.keyword.name == name).map(|given| given.value.as_str())
    }

    /// Checks every value and stores it in a `Config`.
    pub(crate) fn into_config(self) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        for given in &self.0 {
            let locate = |problem| given.locate(ConfigError::of(given.keyword.name, problem));
            if given.value.contains('\0') {
                return Err(locate(Problem::invalid(
                    "the value contains a zero byte, which is not allowed",
                )));
            }
            if !given.value.is_empty() {
                given.keyword.treatment.apply(&mut config, &given.value).map_err(locate)?;
            }
        }
        // Lists that do not match are known only now; the error points at the parameter it names.
        config.validate().map_err(|error| {
            match self.0.iter().find(|given| Some(given.keyword.name) == error.parameter()) {
                Some(given) => given.locate(error),
                None => error,
            }
        })?;
        Ok(config)
    }
}

impl Given {
    fn locate(&self, error: ConfigError) -> ConfigError {
        let error = error.with_origin(self.origin);
        match self.position {
            Some(position) => error.at(position),
            None => error,
        }
    }
}

impl Treatment {
    fn apply(&self, config: &mut Config, value: &str) -> Result<(), Problem> {
        match self {
            Self::Text(store) => {
                *config = store(std::mem::take(config), value);
                Ok(())
            }
            Self::Parsed(store) => store(config, value),
            Self::Only { accepted, because } => {
                if accepted.iter().any(|word| word.eq_ignore_ascii_case(value)) {
                    return Ok(());
                }
                Err(Problem::unsupported(format!("{because}; accepted: {}", accepted.join(", "))))
            }
            Self::Expanded => Ok(()),
            Self::Never { because } => Err(Problem::unsupported(*because)),
        }
    }
}

/// The error for a word that is not a keyword. The word is shown only if it is `harmless`, that is
/// not part of a password, and looks like a keyword. Otherwise only its position is reported.
pub(crate) fn unknown(
    word: &str,
    harmless: bool,
    origin: ParameterOrigin,
    position: usize,
) -> ConfigError {
    const LONGEST: usize = 40;
    let looks_like_one = !word.is_empty()
        && word.len() <= LONGEST
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let hint = match keyword::nearest(word) {
        _ if !(harmless && looks_like_one) => {
            "unknown parameter (not shown: it may be part of a password that lacks quotes or \
             percent-encoding)"
                .to_owned()
        }
        _ if keyword::is_foreign(word) => {
            "a parameter of another library, which libpq does not have: remove it".to_owned()
        }
        Some(meant) => format!("unknown parameter; did you mean {meant}?"),
        None => "unknown parameter; libpq does not have it either".to_owned(),
    };
    let error =
        ConfigError::new(ConfigErrorKind::UnknownKeyword, hint).with_origin(origin).at(position);
    if harmless && looks_like_one { error.named(word.to_owned()) } else { error }
}
