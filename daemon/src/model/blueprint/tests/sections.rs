//! Sections: which part of a file runs, with the lines of the file, and what is wrong with its directives. Each case goes
//! through the splitter as well, because a statement must never be cut at the wrong place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::model::blueprint::split::split;

/// The statements that run, as `line: text`.
fn check(sections: Sections, content: &str, expect: &[&str]) {
    let up = up(sections, content).unwrap_or_else(|faults| panic!("{content:?}: {faults:?}"));
    assert_eq!(up.masked.len(), content.len(), "{content:?}");
    let pieces = split(&up.masked).unwrap();
    assert_eq!(up.cuts(&pieces), None, "{content:?}");
    let found: Vec<String> =
        pieces.iter().map(|piece| format!("{}: {}", piece.statement.line, piece.statement.text)).collect();
    assert_eq!(found, expect, "{content:?}");
    for piece in pieces {
        let at = piece.statement.offset;
        assert_eq!(&content[at..at + piece.statement.text.len()], piece.statement.text, "{content:?}");
    }
}

/// The faults, as `code:line`.
fn check_faults(sections: Sections, content: &str, expect: &[&str]) {
    let faults = match up(sections, content) {
        Err(faults) => faults.iter().map(|fault| format!("{}:{}", fault.code, fault.line)).collect(),
        Ok(_) => Vec::new(),
    };
    assert_eq!(faults, expect, "{content:?}");
}

#[test]
fn only_the_way_up_of_dbmate_runs() {
    use Sections::Dbmate;
    check(
        Dbmate,
        "-- migrate:up\ncreate table a (x int);\n\n-- migrate:down\ndrop table a;\n",
        &["2: create table a (x int)"],
    );
    check(
        Dbmate,
        "-- by hand\n\n--migrate:up transaction:true  \nselect 1;\nselect\n 2",
        &["4: select 1", "5: select\n 2"],
    );
    check(Dbmate, "-- migrate:up\n-- migrate:down transaction:false\nselect 1;", &[]);
    check(
        Dbmate,
        "/* ä */\r\n-- migrate:up\r\nselect 'ä';\r\n-- migrate:down\r\nselect 'ö",
        &["3: select 'ä'"],
    );
    check(Dbmate, "\u{feff}-- migrate:up\nselect 1 -- migrate:down\n;", &["2: select 1"]);
    // The last line may end without a line break.
    check(Dbmate, "-- migrate:up", &[]);
}

#[test]
fn faults_of_dbmates_directives_have_their_lines() {
    use Sections::Dbmate;
    check_faults(Dbmate, "select 1;", &["missing_up:1"]);
    check_faults(Dbmate, "\n-- migrate:down\nselect 1;", &["missing_up:1"]);
    check_faults(Dbmate, "-- migrate:up\nselect 1;\n-- migrate:donw\nselect 2;", &["unknown_directive:3"]);
    check_faults(Dbmate, "-- Migrate:UP\nselect 1;", &["unknown_directive:1"]);
    check_faults(Dbmate, "-- migrate:up\n  -- migrate:down\n", &["unknown_directive:2"]);
    let outside = |sections, content| up(sections, content).unwrap().is_outside;
    assert!(outside(Dbmate, "-- x\n-- migrate:up transaction:false\nselect 1;"));
    assert!(!outside(Dbmate, "-- migrate:up transaction:true\n-- migrate:down transaction:false\nselect 1;"));
    check_faults(Dbmate, "-- migrate:up env:REGION\nselect 1;", &["unknown_directive:1"]);
    check_faults(Dbmate, "-- migrate:down\n-- migrate:up\n", &["section_order:2"]);
    check_faults(Dbmate, "-- migrate:up\n-- migrate:up\n", &["doubled_section:2"]);
    check_faults(Dbmate, "-- x\nselect 1;\n-- migrate:up\nselect 2;", &["outside_sections:2"]);
    check_faults(Dbmate, "-- x\n\n$$\n-- migrate:up\nselect 2;", &["outside_sections:3"]);
}

#[test]
fn only_the_way_up_of_goose_runs() {
    use Sections::Goose;
    check(
        Goose,
        "-- +goose Up\nselect 1;\nselect 2;\n-- +goose Down\ndrop table a;\n",
        &["2: select 1", "3: select 2"],
    );
    check(Goose, "--+goose   up\r\nselect 1;\r\n\r\n--  +goose DOWN\r\n", &["2: select 1"]);
    check(Goose, "-- +goose ENVSUB OFF\n-- +goose Up\nselect 1", &["3: select 1"]);
}

#[test]
fn a_block_of_goose_ends_a_statement() {
    use Sections::Goose;
    let function = "create function f() returns int language sql as $$ select 1; select 2 $$";
    check(
        Goose,
        &format!("-- +goose Up\n-- +goose StatementBegin\n{function}\n-- +goose StatementEnd\nselect 1;\n"),
        &[&format!("3: {function}"), "5: select 1"],
    );
    check(
        Goose,
        "-- +goose Up\n-- +goose StatementBegin\nselect 1;\nselect 2;\n-- +goose StatementEnd\n\
         -- +goose StatementBegin\nselect 3\n-- +goose StatementEnd",
        &["3: select 1", "4: select 2", "7: select 3"],
    );
    // A block has no meaning in the way down, but it must end.
    let down = "-- +goose Up\nselect 1;\n-- +goose Down\n-- +goose StatementBegin\ndrop table a;\n";
    check(Goose, &format!("{down}-- +goose StatementEnd\n"), &["2: select 1"]);
    check_faults(Goose, down, &["statement_block:4"]);
}

#[test]
fn faults_of_gooses_directives_have_their_lines() {
    use Sections::Goose;
    check_faults(Goose, "select 1;", &["missing_up:1"]);
    check_faults(Goose, "-- +goose Up\nselect 1;\n-- +goose Dwon\n", &["unknown_directive:3"]);
    check_faults(Goose, "-- +goose Up\n -- +goose Down\n", &["unknown_directive:2"]);
    check_faults(Goose, "-- +goose Up\n-- +GOOSE DOWN\n", &["unknown_directive:2"]);
    check_faults(
        Goose,
        "-- +goose Up\n-- +goose\n-- +goose Down;",
        &["unknown_directive:2", "unknown_directive:3"],
    );
    assert!(up(Goose, "-- +goose NO TRANSACTION\n-- +goose Up\nselect 1;").unwrap().is_outside);
    check_faults(Goose, "-- +goose ENVSUBST ON\n-- +goose Up\nselect 1;", &["placeholder:1"]);
    check_faults(Goose, "-- +goose ENVSUB ON\n-- +goose Up\nselect 1;", &["placeholder:1"]);
    check_faults(Goose, "-- +goose Up\n\n-- +goose StatementBegin\nselect 1;\n", &["statement_block:3"]);
    check_faults(
        Goose,
        "-- +goose Up\n-- +goose StatementBegin\nselect 1;\n-- +goose Down\n-- +goose StatementEnd\n",
        &["statement_block:2", "statement_block:5"],
    );
    check_faults(Goose, "-- +goose Up\n-- +goose StatementEnd\n", &["statement_block:2"]);
    check_faults(
        Goose,
        "-- +goose Up\n-- +goose StatementBegin\n-- +goose StatementBegin\n-- +goose StatementEnd\n",
        &["statement_block:3"],
    );
    check_faults(
        Goose,
        "-- +goose StatementBegin\n-- +goose StatementEnd\n-- +goose Up\n",
        &["statement_block:1"],
    );
    check_faults(
        Goose,
        "-- +goose Down\n-- +goose Up\n-- +goose Up",
        &["section_order:2", "doubled_section:3"],
    );
}

#[test]
fn a_directive_inside_a_statement_is_found() {
    for content in [
        "-- +goose Up\nselect 1\n-- +goose StatementBegin\n+ 2;\n-- +goose StatementEnd\n",
        "-- +goose Up\nselect 'a\n-- +goose StatementBegin\nb';\n-- +goose StatementEnd\n",
    ] {
        let up = up(Sections::Goose, content).unwrap();
        assert_eq!(
            up.cuts(&split(&up.masked).unwrap()),
            content.find("-- +goose StatementBegin"),
            "{content:?}"
        );
    }
    let content = "-- +goose Up\n-- +goose StatementBegin\nselect $$\n-- +goose StatementEnd\n$$;\n";
    let up = up(Sections::Goose, content).unwrap();
    assert_eq!(up.cuts(&split(&up.masked).unwrap()), content.find("-- +goose StatementEnd"));
}

#[test]
fn random_directives_never_move_a_statement() {
    const LINES: &[&str] = &[
        "-- +goose Up",
        "-- +goose Up",
        "-- +goose Down",
        "-- +goose StatementBegin",
        "-- +goose StatementEnd",
        "select 1;",
        "select 'ä",
        "$$ x",
        "', $$;",
        "/* ",
        " */ select 2",
        "-- ; x",
        "",
        "\u{feff}",
    ];
    let mut state = 20_241_001_u64;
    let mut below = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % end
    };
    let mut cut = 0;
    for _ in 0..40_000 {
        let count = 2 + below(7);
        let lines: Vec<&str> = (0..count).map(|_| LINES[below(LINES.len())]).collect();
        let content = lines.join(["\n", "\r\n"][below(2)]);
        let Ok(up) = up(Sections::Goose, &content) else { continue };
        assert_eq!(up.masked.len(), content.len(), "{content:?}");
        let Ok(pieces) = split(&up.masked) else { continue };
        if up.cuts(&pieces).is_some() {
            continue;
        }
        cut += 1;
        for piece in pieces {
            let (at, line) = (piece.statement.offset, piece.statement.line);
            assert_eq!(&content[at..at + piece.statement.text.len()], piece.statement.text, "{content:?}");
            assert_eq!(line, line_of(&content, at), "{content:?}");
            assert!(up.range.contains(&at), "{content:?}");
        }
    }
    assert!(cut > 1_000, "only {cut} of the random files could be cut at all");
}

#[test]
fn only_the_way_up_of_node_pg_migrate_runs() {
    use Sections::NodePgMigrate;
    check(
        NodePgMigrate,
        "-- Up Migration\ncreate table a (id int primary key);\n-- Down Migration\ndrop table a;\n",
        &["2: create table a (id int primary key)"],
    );
    check(
        NodePgMigrate,
        "--- UP migration: tables\nselect 1;\n  -- down   Migration\nselect 2;",
        &["2: select 1"],
    );
    check(NodePgMigrate, "select 1;\nselect 2;", &["1: select 1", "2: select 2"]);
    // The tool would run all of it.
    check_faults(NodePgMigrate, "select 1;\n-- Down Migration\nselect 2;", &["missing_up:1"]);
    check_faults(
        NodePgMigrate,
        "-- Down Migration\nselect 2;\n-- Up Migration\nselect 1;",
        &["section_order:3", "outside_sections:2"],
    );
}

#[test]
fn only_the_way_up_of_sql_migrate_and_its_like_runs() {
    use Sections::{Micrate, Rambler, SqlMigrate};
    check(
        SqlMigrate,
        "-- +migrate Up\n-- +migrate StatementBegin\nselect 1;\nselect 2\n-- +migrate StatementEnd\n-- +migrate Down\ndrop table a;\n",
        &["3: select 1", "4: select 2"],
    );
    check(
        SqlMigrate,
        "-- +migrate Up\n-- +migrate StatementBegin\nselect 1;\n\u{feff}-- +migrate StatementEnd\nselect 2;\n",
        &["3: select 1", "5: select 2"],
    );
    check(Micrate, "-- +micrate Up\nselect 1;\n\n-- +micrate Down\nselect 2;\n", &["2: select 1"]);
    check(Rambler, "-- rambler up\nselect 1;\n-- rambler down\nselect 2;\n", &["2: select 1"]);
    assert!(up(SqlMigrate, "-- +migrate Up notransaction\nselect 1;").unwrap().is_outside);
    let divided = "-- +migrate Up\nselect 1;\n-- +migrate Down notransaction\nselect 2;";
    assert!(!up(SqlMigrate, divided).unwrap().is_outside);
    assert!(down(SqlMigrate, divided).unwrap().is_outside);

    check_faults(SqlMigrate, "select 1;", &["missing_up:1"]);
    check_faults(SqlMigrate, "-- +migrate Up\n-- +migrate Dwon\n", &["unknown_directive:2"]);
    check_faults(SqlMigrate, "-- +migrate Up\n -- +migrate Down\n", &["unknown_directive:2"]);
    check_faults(SqlMigrate, "-- +migrate Up twice\n", &["unknown_directive:1"]);
    check_faults(SqlMigrate, "-- +migrate Up\n-- +migrate StatementEnd\n", &["unknown_directive:2"]);
    check_faults(
        SqlMigrate,
        "-- +migrate Up\n-- +migrate StatementBegin\nselect 1;\n",
        &["statement_block:2"],
    );
    check_faults(Rambler, "-- rambler up\n-- rambler StatementBegin\n", &["unknown_directive:2"]);
    check_faults(Micrate, "-- +micrate Up\n-- +micrate Up\n", &["doubled_section:2"]);
}

#[test]
fn what_stands_below_the_line_of_tern_or_mybatis_does_not_run() {
    use Sections::{MyBatis, Tern};
    let tern = "create table a (id int);\n---- create above / drop below ----\ndrop table a;\n";
    check(Tern, tern, &["1: create table a (id int)"]);
    assert_eq!(down(Tern, tern).unwrap().masked.trim(), "drop table a;");
    check(Tern, "select 1;\nselect 2;", &["1: select 1", "2: select 2"]);
    assert!(up(Tern, "---- tern: disable-tx ----\nselect 1;").unwrap().is_outside);
    assert!(!up(Tern, tern).unwrap().is_outside);
    check(MyBatis, "-- // a title\nselect 1;\n\n-- //@UNDO\nselect 2;\n", &["2: select 1"]);
    check_faults(MyBatis, "select 1;\n-- //@UNDO\nselect 2;\n-- //@UNDO\n", &["doubled_section:4"]);
}

#[test]
fn the_way_down_of_other_tools_is_known_by_their_markers() {
    for (line, tool) in [
        ("-- +migrate Down", "sql-migrate"),
        ("-- +micrate Down", "micrate"),
        ("-- rambler down", "rambler"),
        ("-- //@UNDO", "MyBatis Migrations"),
        ("--//@UNDO", "MyBatis Migrations"),
        ("-- // --- @UNDO", "MyBatis Migrations"),
        ("--liquibase formatted sql", "Liquibase"),
        ("---- create above / drop below ----", "tern"),
        ("-- !Downs", "Play evolutions"),
        ("-- ====  DOWN  ====", "shmig"),
        ("-- Down", UNKNOWN),
        ("-- @undo", UNKNOWN),
        ("-- down migration", "node-pg-migrate"),
    ] {
        let content = format!("create table a (id int);\n{line}\ndrop table a;");
        let found: Vec<(String, u32)> =
            markers(&content).map(|marker| (marker.sections.to_string(), marker.line)).collect();
        assert_eq!(found, [(tool.to_owned(), 2)], "{line}");
    }
    for plain in
        ["-- Download links", "-- down the road", "-- roll back by hand", "-- up", "-- goose", "-- undoes 3"]
    {
        assert_eq!(markers(plain).count(), 0, "{plain}");
    }
}
