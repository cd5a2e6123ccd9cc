//! Rows as earlier builds stored them: each column of JSON in the control database, one row for each shape that it can have.
//!
//! They are frozen. A row is never changed here, however the types change: a row that does not read back as it was would be
//! lost from the registry or the journal of an installation that is upgraded.

#![allow(clippy::unwrap_used, clippy::panic)]

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::isolation::{Depth, Grade};
use tenantry_protocol::operation::OperationKind;

use super::{StoredOperationState, StoredReport, StoredStep, StoredTenantState};
use crate::model::operation::Event;

/// Each row is read, and written again as it was.
fn read_back<T: DeserializeOwned + Serialize>(rows: &[&str]) {
    for row in rows {
        let stored: Value = serde_json::from_str(row).unwrap();
        let read: T = serde_json::from_value(stored.clone()).unwrap_or_else(|error| panic!("{row}: {error}"));
        assert_eq!(serde_json::to_value(read).unwrap(), stored);
    }
}

/// A row that was stored before a field was added is read too, and a missing field has the value given here.
fn read_as<T: DeserializeOwned + Serialize>(row: &str, now: &str) {
    let read: T = serde_json::from_str(row).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), serde_json::from_str::<Value>(now).unwrap());
}

/// `tenant.state_detail` with `tenant.state` as its name; `operation.state_before` has both.
#[test]
fn states_of_tenants_are_read() {
    read_back::<StoredTenantState>(&[
        r#"{"name":"provisioning"}"#,
        r#"{"name":"active"}"#,
        r#"{"name":"suspended"}"#,
        r#"{"name":"rolling_back"}"#,
        r#"{"name":"rolled_back","reason":"V5__comments.sql:12 syntax error at or near \"TABEL\" (42601)"}"#,
        r#"{"name":"retiring"}"#,
        r#"{"name":"retiring","purge_after":"2026-12-29T06:15:00Z"}"#,
        r#"{"name":"retired"}"#,
        r#"{"name":"needs_attention","reason":"the server is gone","next_command":"tenantry operation retry 01997af2"}"#,
    ]);
}

/// `operation.state_detail` with `operation.state` as its name.
#[test]
fn states_of_operations_are_read() {
    read_back::<StoredOperationState>(&[
        r#"{"name":"queued"}"#,
        r#"{"name":"running"}"#,
        r#"{"name":"succeeded"}"#,
        r#"{"name":"cancelled"}"#,
        r#"{"name":"unwinding","failure":{"step":"verify","message":"the isolation does not hold"}}"#,
        r#"{"name":"rolled_back","failure":{"step":"migrations","file":"V2__teams.sql","line":3,"statement":2,"sqlstate":"42601",
            "message":"syntax error","hint":"fix the file, and raise the version"}}"#,
        r#"{"name":"needs_attention","failure":{"step":"drop_objects","message":"refused"},"left":"2 roles",
            "next_command":"tenantry operation retry 01997af2"}"#,
    ]);
}

/// An element of `operation.steps`.
#[test]
fn steps_of_operations_are_read() {
    read_back::<StoredStep>(&[
        r#"{"step":"roles","title":"create the marker and the tenant's roles","status":"waiting","atomic":true}"#,
        r#"{"step":"migrations","title":"apply the blueprint's migrations","status":"running","atomic":true,"count":{"done":3,"total":11}}"#,
        r#"{"step":"commit","title":"commit","status":"done","atomic":true,"duration_ms":4.25}"#,
        r#"{"step":"verify","title":"attack","status":"failed","atomic":false,"count":{"done":7,"total":8},"duration_ms":12.5}"#,
        r#"{"step":"roles","title":"create the marker and the tenant's roles","status":"undone","atomic":true,"duration_ms":5.0}"#,
    ]);
}

/// `operation_event.event`
#[test]
fn the_journal_is_read() {
    read_back::<Event>(&[
        r#"{"event":"begun","kind":{"provision":{"seed":"with"}}}"#,
        r#"{"event":"begun","kind":{"provision":{"seed":"without","outside":"with"}}}"#,
        r#"{"event":"begun","kind":{"provision":{"seed":"without","tenancy":"shared"}}}"#,
        r#"{"event":"begun","kind":{"provision":{"seed":"without","tenancy":"database"}}}"#,
        r#"{"event":"begun","kind":{"rollback":{"archive":"with"}}}"#,
        r#"{"event":"begun","kind":{"retire":{"archive":"without"}}}"#,
        r#"{"event":"begun","kind":"suspend"}"#,
        r#"{"event":"begun","kind":"resume"}"#,
        r#"{"event":"begun","kind":"update"}"#,
        r#"{"event":"begun","kind":"purge"}"#,
        r#"{"event":"begun","kind":"issue_credentials"}"#,
        r#"{"event":"begun","kind":"rotate_credentials"}"#,
        r#"{"event":"begun","kind":"finish_rotation"}"#,
        r#"{"event":"begun","kind":"verify"}"#,
        r#"{"event":"begun","kind":"upgrade"}"#,
        r#"{"event":"step_failed","step":"migrations","failure":{"step":"migrations","message":"refused"}}"#,
        r#"{"event":"interrupted","failure":{"step":"verify","message":"cancelled by uid 0"}}"#,
        r#"{"event":"cancelled"}"#,
        r#"{"event":"rebuilt"}"#,
        r#"{"event":"taken_up","committed":true}"#,
        r#"{"event":"undone"}"#,
        r#"{"event":"found_done"}"#,
        r#"{"event":"stuck","failure":{"step":"drop_roles","message":"refused"},"left":"the role t_aaaaaaaaaaaaa"}"#,
    ]);
    let steps = [
        "reserve",
        "create_database",
        "pool",
        "roles",
        "schema",
        "join",
        "migrations",
        "seed",
        "commit",
        "outside",
        "verify",
        "activate",
        "close_logins",
        "end_sessions",
        "archive",
        "drop_objects",
        "drop_roles",
        "confirm_absence",
        "open_logins",
        "apply_settings",
        "set_secret",
        "close_old_login",
        "close_probe",
        "upgrade",
    ];
    for step in steps {
        read_back::<Event>(&[&format!(r#"{{"event":"step_done","step":"{step}"}}"#)]);
    }
}

/// `isolation_report.report`
#[test]
fn isolation_reports_are_read() {
    read_back::<StoredReport>(&[r#"{
        "battery_version":8,"at":"2026-11-29T06:15:00Z","depth":"full","tenancy":"shared","server_version":"15.18",
        "verdicts":[{"probe":"read","meaning":"…","held":true,"expected":["42501"],"got":"42501","evidence":"denied"},
                    {"probe":"advisory_locks","meaning":"…","held":false,"expected":[],"evidence":"taken","remedy":"closed by an administrator"}],
        "lints":14,"findings":[{"lint":"foreign_grants","evidence":"t_aaaaaaaaaaaaa_app has SELECT"}],"left_out":3,
        "gifts":["t_bbbbbbbbbbbbb gave a large object"],
        "residual":[{"name":"catalog_names","meaning":"names of others can be read"}],
        "victim_unchanged":true,"duration_ms":812.5}"#]);
    // Of the first release of the battery.
    read_as::<StoredReport>(
        r#"{"battery_version":1,"at":"2026-11-20T06:15:00Z","verdicts":[],"victim_unchanged":true,"duration_ms":7.5}"#,
        r#"{"battery_version":1,"at":"2026-11-20T06:15:00Z","depth":"core","tenancy":"schema","server_version":"","verdicts":[],
            "lints":0,"findings":[],"residual":[],"victim_unchanged":true,"duration_ms":7.5}"#,
    );
}

/// `operation.kind`, `tenant.tenancy`, `tenant.isolation_depth` and `tenant.isolation_grade` hold names alone.
#[test]
fn names_are_read() {
    read_back::<OperationKind>(&[
        r#""provision""#,
        r#""rollback""#,
        r#""suspend""#,
        r#""resume""#,
        r#""update""#,
        r#""retire""#,
        r#""purge""#,
        r#""issue_credentials""#,
        r#""rotate_credentials""#,
        r#""finish_rotation""#,
        r#""verify""#,
    ]);
    read_back::<Tenancy>(&[r#""schema""#, r#""shared""#, r#""database""#]);
    read_back::<Depth>(&[r#""core""#, r#""full""#]);
    read_back::<Grade>(&[r#""A""#, r#""B""#, r#""F""#]);
}
