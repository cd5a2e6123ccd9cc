//! The splitter, case by case, and against random text. The expected results were compared with the server's own reading
//! of the same texts, on PostgreSQL 15 and 18.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn check(sql: &str, expect: &[&str]) {
    let texts: Vec<String> = statements(sql).unwrap().into_iter().map(|s| s.text).collect();
    assert_eq!(texts, expect, "{sql:?}");
}

fn check_error(sql: &str, line: u32, problem: SplitProblem) {
    assert_eq!(statements(sql), Err(SplitError { line, problem }), "{sql:?}");
}

#[test]
fn statements_end_at_semicolons() {
    check("select 1; select 2;", &["select 1", "select 2"]);
    check("select 1;\n-- done\nselect 2 -- last\n", &["select 1", "select 2"]);
    check(";;\n; select 1;; ;", &["select 1"]);
    check("", &[]);
    check(" \n-- only ; this\n/* and ; this */\n", &[]);
    check("\u{feff}select 1", &["select 1"]);
    check("select 1;\r\nselect\r\n2;\r\n", &["select 1", "select\r\n2"]);
}

#[test]
fn quotes_hide_semicolons() {
    check("select 'a;b''; c'; x", &["select 'a;b''; c'", "x"]);
    check(r"select '\'; x", &[r"select '\'", "x"]);
    check(r"select E'\'; y', e'\\'; x", &[r"select E'\'; y', e'\\'", "x"]);
    check(r"select U&'\0061;', B'01;', X'1;', N';'; x", &[r"select U&'\0061;', B'01;', X'1;', N';'", "x"]);
    check(r#"select ";""; ", U&"a;"; x"#, &[r#"select ";""; ", U&"a;""#, "x"]);
    // Backslashes are special only if the whole word is E.
    check(r"select a.te'\'; x", &[r"select a.te'\'", "x"]);
}

#[test]
fn a_text_goes_on_after_a_line_break_with_the_same_escapes() {
    check("select E'a' -- ;\n '\\'; b'; x", &["select E'a' -- ;\n '\\'; b'", "x"]);
    check("select 'a'\n '\\'; x", &["select 'a'\n '\\'", "x"]);
    // A text does not continue on the same line, nor after a block comment.
    check("select E'a' '\\'; x", &["select E'a' '\\'", "x"]);
    check("select E'a' /**/\n '\\'; x", &["select E'a' /**/\n '\\'", "x"]);
}

#[test]
fn dollar_quotes_hide_semicolons() {
    check("do $$ a; b $$; x", &["do $$ a; b $$", "x"]);
    check("do $a$ ; $$ ; $b$ ; $a $a$; x", &["do $a$ ; $$ ; $b$ ; $a $a$", "x"]);
    check("do $ü_1$ ; $ü$ $ü_1$; x", &["do $ü_1$ ; $ü$ $ü_1$", "x"]);
    check("do $a$$$a$; x", &["do $a$$$a$", "x"]);
    // Tags are case-sensitive.
    check("do $a$ ; $A$ ; $a$; x", &["do $a$ ; $A$ ; $a$", "x"]);
}

#[test]
fn not_every_dollar_opens_a_text() {
    check("select $1; select $2$$;$$", &["select $1", "select $2$$;$$"]);
    check("select a$b$; select c$$; x", &["select a$b$", "select c$$", "x"]);
    check("select 1$$;$$; x", &["select 1$$;$$", "x"]);
    check("select ${a}; x", &["select ${a}", "x"]);
    check("select $9a$; x", &["select $9a$", "x"]);
}

#[test]
fn comments_hide_semicolons_and_nest() {
    check("select 1 /* ; /* ; */ ; ' */ + 2; x", &["select 1 /* ; /* ; */ ; ' */ + 2", "x"]);
    check("select 1 -- ; ' $$\n + 2; x", &["select 1 -- ; ' $$\n + 2", "x"]);
    check("select 5*/* ; */2, 1+-- ;\n2; x", &["select 5*/* ; */2, 1+-- ;\n2", "x"]);
    check("select 1 -- ends at a carriage return;\r; x", &["select 1", "x"]);
}

#[test]
fn bodies_of_routines_keep_their_semicolons() {
    let body = "create function f() returns int begin atomic select case when a then case b when 1 then 2 end end; \
                select 1 as case, t.end as end; return 1; end";
    check(&format!("{body}; x"), &[body, "x"]);
    let nothing = "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC END";
    check(&format!("{nothing}; x"), &[nothing, "x"]);
    let label = "create function f() returns int begin atomic select 1 end; select 2; end";
    check(&format!("{label}; x"), &[label, "x"]);
    check(
        "create function f() returns int return case when a then 1 end; x",
        &["create function f() returns int return case when a then 1 end", "x"],
    );
}

#[test]
fn begin_and_end_mean_nothing_elsewhere() {
    check("begin; select 1; end; x", &["begin", "select 1", "end", "x"]);
    // Here `begin` is a column and `atomic` its label.
    check(
        "create view v as select begin atomic from t; x",
        &["create view v as select begin atomic from t", "x"],
    );
    check(
        "create function f(begin int) returns int language sql as 'select 1'; x",
        &["create function f(begin int) returns int language sql as 'select 1'", "x"],
    );
}

#[test]
fn rules_keep_the_semicolons_in_their_parentheses() {
    let rule = "create rule r as on insert to t do also (insert into a values (1); delete from b;)";
    check(&format!("{rule}; x"), &[rule, "x"]);
    check("select 1); x", &["select 1)", "x"]);
}

#[test]
fn what_never_ends_is_reported_where_it_begins() {
    check_error("select 1;\nselect 'a\n\n", 2, SplitProblem::OpenText);
    check_error("select\n E'a\\'\n", 2, SplitProblem::OpenText);
    check_error("select E'\\", 1, SplitProblem::OpenText);
    check_error("select \"a\n", 1, SplitProblem::OpenQuotedName);
    check_error("\n\ndo $a$ $b$", 3, SplitProblem::OpenDollarText);
    check_error("select 1; /* a /* b */\nselect 2;", 1, SplitProblem::OpenComment);
}

#[test]
fn commands_of_psql_are_refused() {
    check_error("select 1;\n\\i other.sql\n", 2, SplitProblem::PsqlCommand);
    check_error("\\copy t from 'f'", 1, SplitProblem::PsqlCommand);
    check_error("select 1 \\gexec", 1, SplitProblem::PsqlCommand);
    check_error(
        "select 1;\ncopy t (a) FROM stdin with (format csv);\n1,'\n\\.\n",
        2,
        SplitProblem::CopyFromStdin,
    );
    check_error("copy t\nfrom stdin", 1, SplitProblem::CopyFromStdin);
    check_error("select 1;\n\0", 2, SplitProblem::ZeroByte);
    check("copy t from '/tmp/x'; x", &["copy t from '/tmp/x'", "x"]);
}

#[test]
fn statements_know_their_lines() {
    let lines = |sql| statements(sql).unwrap().iter().map(|s| (s.line, s.offset)).collect::<Vec<_>>();
    assert_eq!(lines("a;\n\n-- c\nb; c\n;d"), [(1, 0), (4, 9), (4, 12), (5, 15)]);
    assert_eq!(lines("\u{feff}\r\na;\r\nb;\rc"), [(2, 5), (3, 9), (4, 12)]);
}

#[test]
fn a_position_of_the_server_gives_the_line_in_the_file() {
    let all = statements("-- ä\nselect 'ä',\n  b,\n  c;").unwrap();
    let line = |position| all[0].line_at(position);
    assert_eq!((line(1), line(8), line(15), line(20), line(999), line(0)), (2, 2, 3, 4, 4, 2));
}

/// A small generator of its own, so that a failure can be reproduced.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

const PIECES: &[&str] = &[
    "'",
    "''",
    "\"",
    "$$",
    "$a$",
    "$",
    "$1",
    "--",
    "/*",
    "*/",
    ";",
    ";",
    ";",
    "(",
    ")",
    "\n",
    "\r\n",
    "\r",
    " ",
    "e'",
    "E'a\\'",
    "u&'",
    "u&\"",
    "x",
    "begin atomic ",
    "end",
    " end;",
    "case ",
    "create function f() ",
    "1",
    "1.5",
    "as ",
    "ä",
    "\u{a0}",
    "\u{feff}",
    ".",
    "*",
    "-",
    "select ",
    "copy t from ",
    "stdin",
    "\t",
    "€'",
    "_",
    "a$b$",
];

#[test]
fn random_text_is_cut_without_losing_anything() {
    let mut random = Random(20_240_817);
    let mut cut = 0;
    for _ in 0..60_000 {
        let length = random.below(14);
        let sql: String = (0..length).map(|_| PIECES[random.below(PIECES.len())]).collect();
        let Ok(all) = statements(&sql) else { continue };
        cut += 1;
        let mut end = 0;
        for statement in &all {
            assert_between(&sql, end, statement.offset);
            end = statement.offset + statement.text.len();
            assert_eq!(&sql[statement.offset..end], statement.text, "{sql:?}");
            assert_eq!(statement.line, line_of(&sql, statement.offset), "{sql:?}");
            // Parsed by itself, a statement is read as it was in the file; a byte order mark counts only at a file's
            // beginning.
            if statement.text.starts_with('\u{feff}') {
                continue;
            }
            let again = statements(&statement.text).unwrap();
            assert!(again.len() == 1 && again[0].text == statement.text, "{sql:?} {again:?}");
        }
        assert_between(&sql, end, sql.len());
    }
    assert!(cut > 10_000, "only {cut} of the random texts could be cut at all");
}

/// Checks that the server would read nothing between statements.
fn assert_between(sql: &str, from: usize, to: usize) {
    let mut lexer = Lexer::new(&sql[from..to]);
    while let Some(token) = lexer.next().unwrap() {
        assert_eq!(token.kind, TokenKind::Symbol(b';'), "{sql:?} from {from} to {to}");
    }
}
