//! Access rights: the users and groups of this machine to which the configuration gives a role.
//!
//! Invariant: names are resolved to numbers once, at the start. A name that the machine does not know is an error, and never a
//! rule that silently matches nobody. Users who are not named are denied.

use std::io;
use std::ops::Range;

use nix::unistd::{Group, User};
use tenantry_protocol::session::Role;
use toml::Spanned;

use super::error::{ConfigError, PrincipalKind, Problem};
use super::file::{FileAccess, Source};

/// The roles that the configuration grants, in addition to root and the daemon's own user.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    viewers: Vec<Principal>,
    operators: Vec<Principal>,
    admins: Vec<Principal>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    User { uid: u32, name: String },
    Group { gid: u32, name: String },
}

impl Access {
    /// The highest role granted to a user with these groups; none if no rule names the user or a group.
    pub fn role_of(&self, uid: u32, gids: &[u32]) -> Option<Role> {
        let ladder =
            [(Role::Admin, &self.admins), (Role::Operator, &self.operators), (Role::Viewer, &self.viewers)];
        ladder.into_iter().find(|(_, list)| list.iter().any(|p| p.matches(uid, gids))).map(|(role, _)| role)
    }

    pub(super) fn resolve(file: &FileAccess, source: &Source<'_>) -> Result<Self, ConfigError> {
        let list = |key: &str, names: &[Spanned<String>]| -> Result<Vec<Principal>, ConfigError> {
            let resolve = |name: &Spanned<String>| {
                let span: Range<usize> = name.span();
                Principal::resolve(name.get_ref())
                    .map_err(|problem| source.error(span, format!("access.{key}"), problem))
            };
            names.iter().map(resolve).collect()
        };
        Ok(Self {
            viewers: list("viewers", &file.viewers)?,
            operators: list("operators", &file.operators)?,
            admins: list("admins", &file.admins)?,
        })
    }
}

impl Principal {
    /// `name` is a user, `@name` a group.
    fn resolve(text: &str) -> Result<Self, Problem> {
        let lookup = |errno: nix::errno::Errno| Problem::Lookup(io::Error::from(errno));
        let shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
        if let Some(name) = text.strip_prefix('@') {
            let group = Group::from_name(name).map_err(lookup)?;
            let unknown = Problem::Unknown { kind: PrincipalKind::Group, name: shown };
            let group = group.ok_or(unknown)?;
            return Ok(Self::Group { gid: group.gid.as_raw(), name: group.name });
        }
        let user = User::from_name(text).map_err(lookup)?;
        let user = user.ok_or(Problem::Unknown { kind: PrincipalKind::User, name: shown })?;
        Ok(Self::User { uid: user.uid.as_raw(), name: user.name })
    }

    fn matches(&self, uid: u32, gids: &[u32]) -> bool {
        match self {
            Self::User { uid: own, .. } => *own == uid,
            Self::Group { gid, .. } => gids.contains(gid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_role_counts_and_nobody_else_gets_in() {
        let user = |uid| Principal::User { uid, name: format!("u{uid}") };
        let group = |gid| Principal::Group { gid, name: format!("g{gid}") };
        let access =
            Access { viewers: vec![group(100)], operators: vec![user(7), group(200)], admins: vec![user(8)] };
        assert_eq!(access.role_of(7, &[100]), Some(Role::Operator));
        assert_eq!(access.role_of(9, &[5, 100]), Some(Role::Viewer));
        assert_eq!(access.role_of(8, &[100, 200]), Some(Role::Admin));
        assert_eq!(access.role_of(9, &[5]), None);
        assert_eq!(access.role_of(100, &[7]), None, "a uid is not a gid");
    }
}
