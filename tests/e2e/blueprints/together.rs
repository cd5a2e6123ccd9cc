//! Files that only define things are sent together, and nobody can tell but by the time.

use tenantry_harness::{Env, Folder};

/// Of each file that a build applied, in their order.
async fn history(env: &Env, placement: &str) -> Vec<(i32, String, bool)> {
    sqlx::query_as(
        "select rank, file, duration_us > 0 from tenantry.migration_history where placement = $1 order by rank",
    )
    .bind(placement)
    .fetch_all(&mut env.target().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn each_of_the_files_that_are_sent_together_is_on_record() {
    let env = Env::new().await;
    let mut folder = Folder::new(&env.dir, "shop", "1.0");
    for number in 0..70 {
        let sql = format!("create table t{number} (id int primary key); create index on t{number} (id);");
        folder = folder.migration(&format!("t{number}"), &sql);
    }
    // One that runs code, between others that do not.
    folder = folder.migration("rows", "insert into t0 select generate_series(1, 3);");
    folder = folder.migration("last", "alter table t0 add column name text;");
    env.add_blueprint(folder.path()).await;
    let acme = env.provision_of("acme", "shop").await;
    let history = history(&env, acme.tenant.placement.as_str()).await;
    assert_eq!(history.len(), 72);
    for (at, (rank, file, took_time)) in history.iter().enumerate() {
        assert_eq!(*rank, i32::try_from(at).unwrap());
        assert!(file.starts_with(&format!("V{}__", at + 1)) && *took_time, "{rank} {file}");
    }
}

#[tokio::test]
async fn an_error_in_one_of_several_files_is_told_with_its_place_and_nothing_is_left() {
    let env = Env::new().await;
    let broken = Folder::new(&env.dir, "broken", "1.0")
        .migration("one", "create table one (id int primary key);")
        .migration("two", "create table two (id int);\ncreate table two (id int);")
        .migration("three", "create table three (id int);");
    env.add_blueprint(broken.path()).await;
    let refused = env.tenantry(&["tenant", "create", "acme", "--blueprint", "broken"]).await.assert_status(1);
    refused.assert_says(&["V2__two.sql:2", "relation \"two\" already exists", "nothing is left"]);
}

/// A default is evaluated for the rows that are there, which the words of the file do not tell.
#[tokio::test]
async fn a_file_that_takes_the_place_of_what_runs_the_files_does_not_get_the_next_one() {
    let env = Env::new().await;
    let takes_over = r"create table one (id int);
        insert into one values (1);
        create table caught (by text);
        create function take_over() returns int language plpgsql as $$
        begin
            execute format('create or replace function %1$I.%2$I(statements text[]) returns void language plpgsql as
                            %3$L', current_schema(), current_schema() || '_run',
                           'begin insert into caught values (session_user || current_user); end');
            return 1;
        end $$;";
    let odd = Folder::new(&env.dir, "odd", "1.0")
        .migration("one", takes_over)
        .migration("two", "alter table one add column taken int default take_over();")
        .migration("three", "create table three (id int primary key);")
        .migration("four", "create table four (id int primary key);");
    env.add_blueprint(odd.path()).await;
    let acme = env.provision_of("acme", "odd").await;
    let placement = acme.tenant.placement.as_str();
    assert_eq!(history(&env, placement).await.len(), 4);
    let sql = format!(
        "select (select count(*) from {placement}.caught) + (select count(*) from {placement}.three)
              + (select count(*) from {placement}.four)"
    );
    let mut admin = env.cluster.superuser(&env.target_db).await;
    let caught: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut admin).await.unwrap();
    assert_eq!(caught, 0);
}
