//! Names that reach SQL, files or screens, parsed once at the edge into types that cannot hold anything else.
//!
//! A [`NameError`] is a sentence for the person who typed the name: what is wrong and what is allowed.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a text is not a valid name of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} '{shown}' {problem}")]
pub struct NameError {
    what: &'static str,
    shown: String,
    problem: &'static str,
}

impl NameError {
    fn new(what: &'static str, text: &str, problem: &'static str) -> Self {
        // Control and bidirectional characters must not reach a terminal through our own error.
        let shown = text.chars().take(64).flat_map(char::escape_debug).collect();
        Self { what, shown, problem }
    }
}

/// A tenant's name for people: `[a-z][a-z0-9-]{1,38}[a-z0-9]`, unique among living tenants.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Slug(String);

/// A blueprint's name; the grammar of a slug.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct BlueprintName(String);

/// A target's name in the configuration; the grammar of a slug.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct TargetName(String);

/// `MAJOR.MINOR`, each at most 65535; ordered by number, so 1.10 is later than 1.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct BlueprintVersion {
    major: u16,
    minor: u16,
}

/// What a tenant is called on its target: `t_` and 13 characters of lower-case base32. Says nothing about the customer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct PlacementName(String);

const SLUG_RULE: &str = "is not allowed: use 3 to 40 characters, lower-case letters, digits and hyphens, \
                         beginning with a letter and not ending with a hyphen";

fn is_slug(text: &str) -> bool {
    let bytes = text.as_bytes();
    (3..=40).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes[bytes.len() - 1] != b'-'
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

impl Slug {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if is_slug(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::new("tenant name", text, SLUG_RULE))
        }
    }

    /// The slug that a display name suggests (`Acme GmbH` → `acme-gmbh`); `None` if too little is left of it.
    pub fn suggest(display_name: &str) -> Option<Self> {
        let mut text = String::new();
        for c in deunicode::deunicode(display_name).chars().map(|c| c.to_ascii_lowercase()) {
            if c.is_ascii_lowercase() || (c.is_ascii_digit() && !text.is_empty()) {
                text.push(c);
            } else if !text.is_empty() && !text.ends_with('-') {
                text.push('-');
            }
        }
        text.truncate(40);
        Self::parse(text.trim_end_matches('-')).ok()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl BlueprintName {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if is_slug(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::new("blueprint name", text, SLUG_RULE))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TargetName {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if is_slug(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::new("target name", text, SLUG_RULE))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl BlueprintVersion {
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    pub const fn major(self) -> u16 {
        self.major
    }

    pub const fn minor(self) -> u16 {
        self.minor
    }

    pub fn parse(text: &str) -> Result<Self, NameError> {
        let numbers = text.split_once('.').and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
        match numbers {
            Some((major, minor)) => Ok(Self { major, minor }),
            None => Err(NameError::new("version", text, "is not allowed: use MAJOR.MINOR, for example 1.0")),
        }
    }
}

/// A number as a person writes it: no sign, no leading zero, so that equal versions have equal text.
fn number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

impl PlacementName {
    /// The placement name that 64 random bits spell: 13 characters of 5 bits each.
    pub fn from_random(random: [u8; 8]) -> Self {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut bits = u64::from_be_bytes(random);
        let mut name = String::from("t_");
        for _ in 0..13 {
            name.push(char::from(ALPHABET[(bits & 31) as usize]));
            bits >>= 5;
        }
        Self(name)
    }

    pub fn parse(text: &str) -> Result<Self, NameError> {
        let ok = text.strip_prefix("t_").is_some_and(|rest| {
            rest.len() == 13 && rest.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
        });
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::new("placement name", text, "is not t_ and 13 base32 characters"))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for BlueprintName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for PlacementName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for BlueprintVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl TryFrom<String> for Slug {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for BlueprintName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for TargetName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for BlueprintVersion {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for PlacementName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<Slug> for String {
    fn from(name: Slug) -> Self {
        name.0
    }
}

impl From<BlueprintName> for String {
    fn from(name: BlueprintName) -> Self {
        name.0
    }
}

impl From<TargetName> for String {
    fn from(name: TargetName) -> Self {
        name.0
    }
}

impl From<PlacementName> for String {
    fn from(name: PlacementName) -> Self {
        name.0
    }
}

impl From<BlueprintVersion> for String {
    fn from(version: BlueprintVersion) -> Self {
        version.to_string()
    }
}

impl FromStr for BlueprintVersion {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_follow_the_grammar() {
        for good in ["abc", "acme", "a-1", "acme-gmbh-2", &"a".repeat(40)] {
            assert_eq!(Slug::parse(good).map(|s| s.to_string()), Ok(good.to_owned()));
        }
        let long = "a".repeat(41);
        for bad in ["", "ab", "1abc", "-abc", "abc-", "Acme", "a_b", "a b", "ä-b", "acme;drop", &long] {
            assert!(Slug::parse(bad).is_err(), "{bad:?} must not be a slug");
        }
    }

    #[test]
    fn a_bad_slug_is_shown_without_its_control_characters() {
        let message = Slug::parse("\u{1b}[31m\u{202e}x").map_err(|e| e.to_string());
        assert!(
            message
                .is_err_and(|m| !m.contains('\u{1b}') && !m.contains('\u{202e}') && m.contains("lower-case"))
        );
    }

    #[test]
    fn a_display_name_suggests_a_slug() {
        let slug = |name| Slug::suggest(name).map(|s| s.to_string());
        assert_eq!(slug("Acme GmbH"), Some("acme-gmbh".into()));
        assert_eq!(slug("  4 Dogs & a Cat!  "), Some("dogs-a-cat".into()));
        assert_eq!(slug("Über Größe & Söhne"), Some("uber-grosse-sohne".into()));
        assert_eq!(slug("!?"), None);
    }

    #[test]
    fn versions_are_ordered_by_number() {
        let version = |text| BlueprintVersion::parse(text).ok();
        assert!(version("1.9") < version("1.10"));
        for bad in ["", "1", "1.", ".1", "1.0.0", "01.1", "1.00", "-1.0", "+1.0", "1.70000"] {
            assert_eq!(version(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn placement_names_are_opaque_and_parse_back() {
        for random in [[0; 8], [255; 8], *b"12345678"] {
            let name = PlacementName::from_random(random);
            assert_eq!(PlacementName::parse(name.as_str()), Ok(name));
        }
        assert!(PlacementName::parse("t_abc").is_err());
        assert!(PlacementName::parse("t_ABCDEFGHIJKLM").is_err());
    }
}
