//! `schema = "public"` in the manifest: names that are qualified with a schema of the application lead to the tenant's, whose name is not
//! known here, by losing the qualification. The search path begins with the tenant's schema wherever they run.
//!
//! Invariant: a statement keeps its lines, and texts change only where PostgreSQL reads a name in them (`'public.a'::regclass`,
//! `nextval('public.a_id_seq')`) or where the catalog's name of a schema is compared (`table_schema = 'public'`); in other texts the same words may be data. What is left in a text is told, not changed.

use std::ops::Range;

use crate::model::blueprint::split::Piece;
use crate::model::blueprint::token::{Lexer, Token, TokenKind};

/// What means something else without a schema before it.
const KEYWORDS: &str = "\
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast \
    char character check coalesce collate collation column concurrently constraint create cross current_catalog \
    current_date current_role current_schema current_time current_timestamp current_user dec decimal default deferrable \
    desc distinct do else end except exists extract false fetch float for foreign freeze from full grant greatest group \
    grouping having ilike in initially inner inout int integer intersect interval into is isnull join json json_array \
    json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize json_table json_value \
    lateral leading least left like limit localtime localtimestamp merge_action national natural nchar none normalize not \
    notnull null nullif numeric offset on only or order out outer overlaps overlay placing position precision primary real \
    references returning right row select session_user setof similar smallint some substring symmetric system_user table \
    tablesample then time timestamp to trailing treat trim true union unique user using values varchar variadic verbose \
    when where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot \
    xmlserialize xmltable";

/// Calls whose first argument is a name in a text.
const READS_A_NAME: [&str; 9] = [
    "currval",
    "nextval",
    "pg_get_serial_sequence",
    "setval",
    "to_regclass",
    "to_regproc",
    "to_regprocedure",
    "to_regtype",
    "pg_relation_size",
];

/// Columns of the catalog's tables and views that have the name of a schema.
const SCHEMA_COLUMNS: [&str; 11] = [
    "constraint_schema",
    "event_object_schema",
    "nspname",
    "routine_schema",
    "schema_name",
    "schemaname",
    "sequence_schema",
    "specific_schema",
    "table_schema",
    "trigger_schema",
    "view_schema",
];

/// Code in code in code is as deep as anybody writes; behind it a text is left as it is, whatever a hostile file nests.
const DEEPEST: usize = 3;

/// The statement with the names as they are in a tenant; `None` if nothing in it is qualified with the schema.
pub(super) fn map(statement: &str, schemas: &[String]) -> Option<String> {
    let mapping = Mapping { schemas };
    let levels = if mapping.holds_code(statement) { DEEPEST } else { 0 };
    let mapped = mapping.text(statement, levels)?;
    (mapped != statement).then_some(mapped)
}

/// Maps each of the statements, and returns whether that changed one.
pub(super) fn map_all(pieces: &mut [Piece], schemas: &[String]) -> bool {
    let mut is_changed = false;
    for piece in pieces {
        let Some(text) = map(&piece.statement.text, schemas) else { continue };
        // The same tokens, but for those that are gone.
        if let Some(tokens) = tokens(&text) {
            piece.statement.text = text;
            piece.tokens = tokens;
            is_changed = true;
        }
    }
    is_changed
}

/// Whether the statement, or code in it, names `schema.name`.
pub(super) fn names(statement: &str, schema: &str, name: &str) -> bool {
    let is_named = |text: &str, tokens: &[Token]| {
        let word = |token: &Token| &text[token.start..token.end];
        let is = |token: &Token, expect: &str| word(token).trim_matches('"').eq_ignore_ascii_case(expect);
        tokens.windows(3).any(|three| is(&three[0], schema) && word(&three[1]) == "." && is(&three[2], name))
    };
    fn search(text: &str, levels: usize, is_named: &impl Fn(&str, &[Token]) -> bool) -> bool {
        let Some(tokens) = tokens(text) else { return false };
        let inner = |token: &Token| {
            let quoted = &text[token.start..token.end];
            levels > 0
                && token.kind == TokenKind::DollarText
                && search(&quoted[inside(quoted)], levels - 1, is_named)
        };
        is_named(text, &tokens) || tokens.iter().any(inner)
    }
    search(statement, DEEPEST, &is_named)
}

/// Whether a function's body or a `do` block in the statement names something in the schema.
pub(super) fn is_in_code(statement: &str, schema: &str) -> bool {
    // Most statements have no code in them.
    if !statement.contains('$') || !statement.contains(schema) {
        return false;
    }
    let schemas = [schema.to_owned()];
    let mapping = Mapping { schemas: &schemas };
    let Some(tokens) = tokens(statement).filter(|_| mapping.holds_code(statement)) else { return false };
    tokens.iter().filter(|token| token.kind == TokenKind::DollarText).any(|token| {
        let quoted = &statement[token.start..token.end];
        let inner = &quoted[inside(quoted)];
        mapping.text(inner, DEEPEST - 1).is_some_and(|mapped| mapped != inner)
    })
}

/// The position of a quoted text that is the schema's name, or begins with it as a name would.
pub(super) fn left_in_a_text(statement: &str, schema: &str) -> Option<usize> {
    left_within(statement, schema, DEEPEST)
}

fn left_within(statement: &str, schema: &str, levels: usize) -> Option<usize> {
    let tokens = tokens(statement)?;
    let begins = |text: &str| {
        let inner = text.trim_start_matches(['e', 'E']).trim_matches('\'');
        inner == schema
            || inner.strip_prefix(schema).is_some_and(|rest| rest.starts_with('.') && is_name(&rest[1..]))
    };
    for token in tokens {
        let text = &statement[token.start..token.end];
        match token.kind {
            TokenKind::Text if begins(text) => return Some(token.start),
            TokenKind::DollarText if levels > 0 => {
                let inner = inside(text);
                if let Some(at) = left_within(&text[inner.clone()], schema, levels - 1) {
                    return Some(token.start + inner.start + at);
                }
            }
            _ => {}
        }
    }
    None
}

struct Mapping<'a> {
    schemas: &'a [String],
}

impl Mapping<'_> {
    /// The text with `levels` of code in it mapped as well; `None` if it cannot be read as SQL, as the body of a function in another
    /// language.
    fn text(&self, text: &str, levels: usize) -> Option<String> {
        let tokens = tokens(text)?;
        let mut mapped = String::with_capacity(text.len());
        let mut copied = 0;
        let mut at = 0;
        while at < tokens.len() {
            let found = self
                .qualified(text, &tokens, at)
                .or_else(|| self.path_of_a_function(text, &tokens, at))
                .or_else(|| self.name_in_a_text(text, &tokens, at))
                .or_else(|| self.code(text, &tokens, at, levels));
            let Some((range, instead)) = found else {
                at += 1;
                continue;
            };
            mapped.push_str(&text[copied..range.start]);
            mapped.push_str(&instead);
            copied = range.end;
            at += tokens[at..].iter().take_while(|token| token.start < range.end).count();
        }
        mapped.push_str(&text[copied..]);
        Some(mapped)
    }

    fn is_schema(&self, text: &str, token: Token) -> bool {
        let word = &text[token.start..token.end];
        match token.kind {
            TokenKind::Word => self.schemas.iter().any(|schema| word.eq_ignore_ascii_case(schema)),
            TokenKind::QuotedWord => self.schemas.iter().any(|schema| word.trim_matches('"') == schema),
            _ => false,
        }
    }

    /// `public.a` → `a`. Quoted if it is a keyword: `user` is reserved without its schema, and `time` the server's own type.
    fn qualified(&self, text: &str, tokens: &[Token], at: usize) -> Option<(Range<usize>, String)> {
        let [schema, dot, name] = tokens.get(at..at + 3)? else { return None };
        let is_first = at == 0 || tokens[at - 1].kind != TokenKind::Symbol(b'.');
        if !is_first || dot.kind != TokenKind::Symbol(b'.') || !self.is_schema(text, *schema) {
            return None;
        }
        let word = &text[name.start..name.end];
        let lines = text[schema.start..name.start].matches('\n').count();
        let name_alone = match name.kind {
            TokenKind::Word if KEYWORDS.split(' ').any(|known| known.eq_ignore_ascii_case(word)) => {
                format!("\"{}\"", word.to_lowercase())
            }
            TokenKind::Word => word.to_owned(),
            TokenKind::QuotedWord => word.to_owned(),
            _ => return None,
        };
        Some((schema.start..name.end, format!("{}{name_alone}", "\n".repeat(lines))))
    }

    /// `set search_path = public, pg_temp` of a function → `set search_path from current`, which is the tenant's. An empty path needs
    /// every name qualified, which none is any more.
    fn path_of_a_function(&self, text: &str, tokens: &[Token], at: usize) -> Option<(Range<usize>, String)> {
        let is = |at: usize, words: &[&str]| {
            let token = tokens.get(at)?;
            let word = &text[token.start..token.end];
            words.iter().any(|known| known.eq_ignore_ascii_case(word)).then_some(())
        };
        is(at, &["set"])?;
        is(at + 1, &["search_path"])?;
        is(at + 2, &["=", "to"])?;
        // Of a statement of its own the path is the session's.
        (at > 0 && is(0, &["create", "alter"]).is_some()).then_some(())?;
        let mut last = at + 3;
        let element = |at: usize| {
            let known = [
                "''",
                "pg_temp",
                "pg_catalog",
                "'pg_temp'",
                "'pg_catalog'",
                "\"$user\"",
                "tenantry_ext",
                "extensions",
            ];
            let is_quoted = |token: &Token| {
                let inner =
                    text[token.start..token.end].strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
                inner.is_some_and(|inner| self.schemas.iter().any(|schema| schema == inner))
            };
            tokens
                .get(at)
                .filter(|token| is(at, &known).is_some() || is_quoted(token) || self.is_schema(text, **token))
        };
        element(last)?;
        while tokens.get(last + 1).is_some_and(|token| token.kind == TokenKind::Symbol(b',')) {
            element(last + 2)?;
            last += 2;
        }
        Some((tokens[at].start..tokens[last].end, "set search_path from current".to_owned()))
    }

    /// `'public.a'::regclass`, `nextval('public.a')` → the same without the schema.
    fn name_in_a_text(&self, text: &str, tokens: &[Token], at: usize) -> Option<(Range<usize>, String)> {
        let token = tokens.get(at).filter(|token| token.kind == TokenKind::Text)?;
        let word = |at: usize| tokens.get(at).map_or("", |token| &text[token.start..token.end]);
        let is_cast = word(at + 1) == ":"
            && word(at + 2) == ":"
            && word(at + 3).to_ascii_lowercase().starts_with("reg");
        let is_argument = at >= 2
            && word(at - 1) == "("
            && READS_A_NAME.iter().any(|known| known.eq_ignore_ascii_case(word(at - 2)));
        // In the catalog, the schema is told by its name.
        let column = |at: usize| SCHEMA_COLUMNS.iter().any(|known| known.eq_ignore_ascii_case(word(at)));
        let is_compared = (at >= 2 && word(at - 1) == "=" && column(at - 2))
            || (word(at + 1) == "=" && last_of_name(at + 2, &word).is_some_and(column));
        // In a table of the application it is data.
        let asks_the_catalog = || {
            text.contains("information_schema") || text.contains("pg_") || text.contains("INFORMATION_SCHEMA")
        };
        if is_compared && asks_the_catalog() {
            let inner = word(at).strip_prefix('\'')?.strip_suffix('\'')?;
            self.schemas.iter().find(|known| *known == inner)?;
            return Some((token.start..token.end, "current_schema()".to_owned()));
        }
        if !is_cast && !is_argument {
            return None;
        }
        let name = word(at).strip_prefix('\'')?.strip_suffix('\'')?;
        let (schema, name) = name.split_once('.').filter(|(_, name)| is_name(name))?;
        self.schemas.iter().find(|known| *known == schema)?;
        Some((token.start..token.end, format!("'{name}'")))
    }

    /// What stands between dollars in a function or a `do` block.
    fn code(&self, text: &str, tokens: &[Token], at: usize, levels: usize) -> Option<(Range<usize>, String)> {
        let inner_levels = levels.checked_sub(1)?;
        let token = tokens.get(at).filter(|token| token.kind == TokenKind::DollarText)?;
        let quoted = &text[token.start..token.end];
        let inner = inside(quoted);
        let mapped = self.text(&quoted[inner.clone()], inner_levels)?;
        Some((token.start..token.end, format!("{}{mapped}{}", &quoted[..inner.start], &quoted[inner.end..])))
    }

    /// Whether a dollar-quoted text in the statement is code rather than data.
    fn holds_code(&self, statement: &str) -> bool {
        let Some(tokens) = tokens(statement) else { return false };
        let word = |at: usize| tokens.get(at).map_or("", |token: &Token| &statement[token.start..token.end]);
        let is = |at: usize, known: &[&str]| known.iter().any(|one| one.eq_ignore_ascii_case(word(at)));
        let kind = if is(1, &["or"]) { 3 } else { 1 };
        is(0, &["do"]) || (is(0, &["create"]) && is(kind, &["function", "procedure"]))
    }
}

/// The position of the last part of a name such as `n.nspname`.
fn last_of_name<'a>(at: usize, word: &impl Fn(usize) -> &'a str) -> Option<usize> {
    let is_qualified = word(at + 1) == ".";
    let last = if is_qualified { at + 2 } else { at };
    (!word(last).is_empty()).then_some(last)
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut lexer = Lexer::new(text);
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next().ok()? {
        tokens.push(token);
    }
    Some(tokens)
}

/// The range between the delimiters of a dollar-quoted text.
fn inside(quoted: &str) -> Range<usize> {
    let delimiter = quoted[1..].find('$').map_or(0, |end| end + 2);
    delimiter..quoted.len().saturating_sub(delimiter).max(delimiter)
}

/// A name as PostgreSQL reads it in a text, perhaps in double quotes.
fn is_name(name: &str) -> bool {
    let bare = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
    !bare.is_empty() && bare.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
}

#[cfg(test)]
#[path = "../tests/mapping.rs"]
mod tests;
