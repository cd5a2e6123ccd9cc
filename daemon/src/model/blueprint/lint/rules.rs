//! The rules that look at one statement only. Codes are stable: they are part of a plan's hash.
//!
//! A rule returns the position of its finding in the statement, at most one. It must not look beyond the statement.

use super::words::Words;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// The blueprint would fail, or is refused.
    Error,
    Warning,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) code: &'static str,
    pub(super) weight: Weight,
    pub(super) message: &'static str,
    /// The position of the token that determines the line of the finding.
    pub(super) finds: fn(&Words<'_>) -> Option<usize>,
}

pub(super) const PUBLIC_REFERENCE: &str = "public_reference";
pub(super) const NAMES_PUBLIC: &str = "this name, and each other that is qualified with public., leads to a schema that all tenants share, \
                                       where they may make nothing: add schema = \"public\" to blueprint.toml, and the tenant's schema takes \
                                       its place, or leave out public.";

pub(super) const RULES: &[Rule] = &[
    Rule {
        code: "transaction_control",
        weight: Weight::Error,
        message: "a tenant is made in one transaction, which a migration may not begin, end or divide: remove this \
                  statement",
        finds: |words| {
            start(
                words,
                &[
                    &["begin|commit|end|rollback|abort|savepoint|release"],
                    &["start|prepare|set", "transaction"],
                    &["set", "session", "characteristics"],
                ],
            )
        },
    },
    Rule {
        code: "session_control",
        weight: Weight::Error,
        message: "a migration runs as the tenant's owner and may not change its role or session: remove this statement",
        finds: session_control,
    },
    Rule {
        code: "search_path",
        weight: Weight::Warning,
        message: "the search path is already set to the tenant's schema, and changing it sends the statements that \
                  follow elsewhere: remove this statement",
        finds: search_path,
    },
    Rule {
        code: "role_statements",
        weight: Weight::Error,
        message: "roles belong to the whole server and are made for each tenant by the daemon: remove this statement",
        finds: role_statements,
    },
    Rule {
        code: "owner_change",
        weight: Weight::Error,
        message: "everything in a tenant belongs to the tenant's own owner role: remove OWNER TO (a dump made with \
                  --no-owner has none)",
        finds: owner_change,
    },
    Rule {
        code: "schema_statements",
        weight: Weight::Error,
        message: "a tenant has exactly one schema, which the daemon makes and names: remove this statement, and leave \
                  the schema out of all names",
        finds: schema_statements,
    },
    Rule {
        code: "create_extension",
        weight: Weight::Error,
        message: "extensions are installed once on each target, by an administrator: remove this statement, and have the \
                  extension in the manifest if the tables need it",
        finds: |words| start(words, &[&["create|alter|drop", "extension"]]),
    },
    Rule {
        code: "needs_administrator",
        weight: Weight::Error,
        message: "this statement needs rights on the whole database or server, which a tenant's owner never has: \
                  have an administrator run it on the target",
        finds: needs_administrator,
    },
    Rule {
        code: "client_copy",
        weight: Weight::Error,
        message: "COPY … TO STDOUT needs a client that takes rows, and a migration has none: remove this statement",
        finds: |words| start(words, &[&["copy"]]).and_then(|_| words.find(&["to", "stdout"])),
    },
    Rule {
        code: "placeholder",
        weight: Weight::Error,
        message: "placeholders such as ${name}, {{ name }}, <%= name %> and :name are not filled in: write the SQL as it has to run",
        finds: placeholder,
    },
    Rule {
        code: PUBLIC_REFERENCE,
        weight: Weight::Error,
        message: NAMES_PUBLIC,
        finds: |words| {
            (0..words.len()).find(|at| {
                let qualified =
                    words.is_symbol(at + 1, b'.') && words.name(*at).is_some_and(|name| name == "public");
                qualified && !(*at > 0 && words.is_symbol(at - 1, b'.'))
            })
        },
    },
    Rule {
        code: "security_definer_search_path",
        weight: Weight::Warning,
        message: "a SECURITY DEFINER routine runs with its owner's rights and takes names from its caller's search \
                  path, temporary tables first: add SET search_path FROM CURRENT",
        finds: unsafe_security_definer,
    },
    Rule {
        code: "grant_to_public",
        weight: Weight::Warning,
        message: "PUBLIC means every role on the server, those of other tenants too: remove the grant, since the \
                  tenant's own roles get theirs from the daemon",
        finds: |words| grantees(words).into_iter().find(|(_, name)| name == "public").map(|(at, _)| at),
    },
    Rule {
        code: "grant_to_role",
        weight: Weight::Warning,
        message: "this grant names a role that must exist on the server and is then shared by all tenants: remove it, \
                  since the tenant's own roles get their rights from the daemon",
        finds: |words| {
            let own = |name: &str| matches!(name, "public" | "current_user" | "current_role");
            grantees(words).into_iter().find(|(_, name)| !own(name)).map(|(at, _)| at)
        },
    },
];

/// Position 0, if the statement begins with one of the patterns.
fn start(words: &Words<'_>, patterns: &[&[&str]]) -> Option<usize> {
    patterns.iter().any(|pattern| words.starts_with(pattern)).then_some(0)
}

/// `${name}`, `{{ name }}` of templates, `<%= name %>` and `<% … %>`, and psql's `:name` and `:'name'`.
fn placeholder(words: &Words<'_>) -> Option<usize> {
    let follows = |at: usize, first: u8, second: u8| {
        words.is_symbol(at, first) && words.is_symbol(at + 1, second) && words.touches_next(at)
    };
    // In an array, a colon stands between the bounds of a slice.
    let mut brackets = 0_usize;
    (0..words.len()).find(|at| {
        brackets += usize::from(words.is_symbol(*at, b'['));
        brackets = brackets.saturating_sub(usize::from(words.is_symbol(*at, b']')));
        let is_behind_colon = *at > 0 && words.is_symbol(at - 1, b':');
        let is_variable = || {
            brackets == 0
                && words.is_symbol(*at, b':')
                && !is_behind_colon
                && words.touches_next(*at)
                && (words.is_word(at + 1) || words.is_text(at + 1))
        };
        follows(*at, b'$', b'{')
            || follows(*at, b'{', b'{')
            // pg_trgm's operator has no sign behind it.
            || (follows(*at, b'<', b'%') && (follows(at + 1, b'%', b'=') || words.find(&["end"]).is_some()))
            || is_variable()
    })
}

fn session_control(words: &Words<'_>) -> Option<usize> {
    let statement = start(
        words,
        &[
            &["set", "role|session_authorization"],
            &["set", "session|local", "role|session_authorization"],
            &["set", "session", "authorization"],
            &["set", "session|local", "session", "authorization"],
            &["reset", "role|session_authorization"],
            &["reset", "session", "authorization"],
            &["discard"],
        ],
    );
    statement.or_else(|| set_config(words, &["'role'", "'session_authorization'"]))
}

fn search_path(words: &Words<'_>) -> Option<usize> {
    let statement = start(
        words,
        &[
            &["set", "search_path"],
            &["set", "session|local", "search_path"],
            &["set", "schema"],
            &["reset", "search_path|all"],
        ],
    );
    statement.or_else(|| set_config(words, &["'search_path'"]))
}

/// A call such as `set_config('role', …)`.
fn set_config(words: &Words<'_>, parameters: &[&str]) -> Option<usize> {
    (0..words.len()).find(|at| {
        let parameter = words.text(at + 2);
        words.is(*at, "set_config")
            && words.is_symbol(at + 1, b'(')
            && parameters.iter().any(|known| parameter.eq_ignore_ascii_case(known))
    })
}

fn role_statements(words: &Words<'_>) -> Option<usize> {
    let is_mapping = words.starts_with(&["create|alter|drop", "user", "mapping"]);
    let statement = start(words, &[&["create|alter|drop", "role|user|group"], &["drop|reassign", "owned"]]);
    let membership = || start(words, &[&["grant|revoke"]]).filter(|_| words.find(&["on"]).is_none());
    statement.filter(|_| !is_mapping).or_else(membership)
}

fn owner_change(words: &Words<'_>) -> Option<usize> {
    start(words, &[&["alter"]])?;
    words.find(&["owner", "to"]).filter(|at| !words.is(at + 2, "current_user|current_role"))
}

fn schema_statements(words: &Words<'_>) -> Option<usize> {
    let statement = start(words, &[&["create|alter|drop", "schema"], &["comment", "on", "schema"]]);
    let grant = || start(words, &[&["grant|revoke"]]).and_then(|_| words.find(&["on", "schema"]));
    statement.or_else(grant)
}

fn needs_administrator(words: &Words<'_>) -> Option<usize> {
    let statement = start(
        words,
        &[
            &["create|alter|drop", "event", "trigger"],
            &["create|alter|drop", "language"],
            &["create", "or", "replace", "language"],
            &["create", "trusted|procedural", "language"],
            &["create", "foreign", "data"],
            &["create|alter|drop", "publication"],
            &["create", "access", "method"],
            &["alter", "database"],
            &["load"],
        ],
    );
    let server_file = || {
        start(words, &[&["copy"]])?;
        (1..words.len())
            .find(|at| words.is(*at, "from|to") && (words.is_text(at + 1) || words.is(at + 1, "program")))
    };
    statement.or_else(server_file)
}

fn unsafe_security_definer(words: &Words<'_>) -> Option<usize> {
    start(
        words,
        &[
            &["create|alter", "function|procedure|routine"],
            &["create", "or", "replace", "function|procedure"],
        ],
    )?;
    let definer = words.find(&["security", "definer"])?;
    let path = words.find(&["set", "search_path"]).map(|at| at + 2);
    let is_safe = path.is_some_and(|at| {
        // Unless the path names the schema for temporary tables, that schema is searched first, and anyone can create
        // objects in it.
        words.matches(at, &["from", "current"])
            || (at..words.len()).any(|at| words.is(at, "pg_temp") && !words.is_symbol(at + 1, b','))
    });
    (!is_safe).then_some(definer)
}

/// The roles to which a GRANT gives rights on objects, including a GRANT of default privileges.
fn grantees(words: &Words<'_>) -> Vec<(usize, String)> {
    let is_grant = words.starts_with(&["grant"]) || words.starts_with(&["alter", "default", "privileges"]);
    let on = words.find(&["grant"]).filter(|_| is_grant).and_then(|_| words.find(&["on"]));
    let Some(on) = on else { return Vec::new() };
    let Some(to) = (on..words.len()).find(|at| words.is(*at, "to")) else { return Vec::new() };
    let mut grantees = Vec::new();
    let mut at = to + 1;
    loop {
        at = words.skip(at, &[&["group"]]);
        let Some(name) = words.name(at) else { return grantees };
        grantees.push((at, name));
        if !words.is_symbol(at + 1, b',') {
            return grantees;
        }
        at += 2;
    }
}
