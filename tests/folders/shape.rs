//! What a schema holds, in lines that do not name it: to compare a tenant with the database in which the files ran by themselves.

use std::collections::BTreeSet;

use sqlx::PgConnection;

/// The objects of a schema with their definitions. `$1` is its name. Names that the search path leads to come unqualified.
const OBJECTS: &str = "
    with home as (select oid from pg_namespace where nspname = $1)
    select format('column %s.%s %s not null=%s default=%s identity=%s generated=%s', c.relname, a.attname,
                  format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated)
        from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
        where c.relnamespace = (select oid from home) and a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f')
    union all select format('relation %s %s persistence=%s rls=%s partition=%s options=%s', c.relname, c.relkind, c.relpersistence,
                  c.relrowsecurity, pg_get_expr(c.relpartbound, c.oid), c.reloptions)
        from pg_class c where c.relnamespace = (select oid from home) and c.relkind not in ('i', 'I', 't')
    union all select format('constraint %s %s %s validated=%s', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated)
        from pg_constraint where connamespace = (select oid from home) and contype <> 'n'
    union all select format('index %s valid=%s', pg_get_indexdef(indexrelid), indisvalid)
        from pg_index where indrelid in (select oid from pg_class where relnamespace = (select oid from home) and relkind <> 't')
    union all select format('view %s %s', relname, pg_get_viewdef(oid)) from pg_class
        where relnamespace = (select oid from home) and relkind in ('v', 'm')
    union all select format('routine %s', pg_get_functiondef(oid)) from pg_proc
        where pronamespace = (select oid from home) and prokind in ('f', 'p', 'w') and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')
    union all select format('aggregate %s', oid::regprocedure) from pg_proc where pronamespace = (select oid from home) and prokind = 'a'
          and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')
    union all select format('trigger %s', pg_get_triggerdef(t.oid)) from pg_trigger t join pg_class c on c.oid = tgrelid
        where c.relnamespace = (select oid from home) and not tgisinternal
    union all select format('enum %s %s', t.typname, string_agg(e.enumlabel, ',' order by e.enumsortorder)) from pg_type t
        join pg_enum e on e.enumtypid = t.oid where t.typnamespace = (select oid from home) group by t.typname
    union all select format('domain %s %s not null=%s', typname, format_type(typbasetype, typtypmod), typnotnull) from pg_type
        where typnamespace = (select oid from home) and typtype = 'd'
    union all select format('sequence %s start=%s by=%s cycle=%s last=%s', sequencename, start_value, increment_by, cycle, last_value)
        from pg_sequences where schemaname = $1
    union all select format('policy %s %s %s %s', c.relname, polname, polcmd, pg_get_expr(polqual, polrelid)) from pg_policy
        join pg_class c on c.oid = polrelid where c.relnamespace = (select oid from home)
    union all select format('rule %s', pg_get_ruledef(r.oid)) from pg_rewrite r join pg_class c on c.oid = ev_class
        where c.relnamespace = (select oid from home) and rulename <> '_RETURN'
    union all select format('comment %s %s', pg_describe_object(classoid, objoid, objsubid), description) from pg_description
        where (classoid = 'pg_class'::regclass and objoid in (select oid from pg_class where relnamespace = (select oid from home)))
           or (classoid = 'pg_proc'::regclass and objoid in (select oid from pg_proc where pronamespace = (select oid from home)))";

/// The schema's objects, and how many rows each table has. The schemas named besides are part of it.
pub(crate) async fn shape(connection: &mut PgConnection, schema: &str, others: &[&str]) -> BTreeSet<String> {
    let path = std::iter::once(schema).chain(others.iter().copied()).chain(["tenantry_ext"]);
    let path: Vec<String> = path.map(|name| format!("\"{name}\"")).collect();
    let set = format!("set search_path = {}", path.join(", "));
    sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(&mut *connection).await.unwrap();
    let mut lines = BTreeSet::new();
    for home in std::iter::once(schema).chain(others.iter().copied()) {
        let found: Vec<String> =
            sqlx::query_scalar(OBJECTS).bind(home).fetch_all(&mut *connection).await.unwrap();
        lines.extend(found);
        let tables: Vec<String> = sqlx::query_scalar(
            "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = relnamespace where nspname = $1 and relkind in ('r', 'p', 'm')",
        )
        .bind(home)
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        for table in tables {
            let count = format!("select format('rows {table} %s', count(*)) from {table}");
            let line: String =
                sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&mut *connection).await.unwrap();
            lines.insert(line);
        }
    }
    let names = std::iter::once(schema).chain(others.iter().copied()).chain(["tenantry_ext", "public"]);
    let names: Vec<String> = names.map(str::to_owned).collect();
    lines.into_iter().map(|line| without(&line, &names)).collect()
}

/// The line without these schemas, and without the path that a function runs with.
fn without(line: &str, names: &[String]) -> String {
    let mut plain = line.to_owned();
    for name in names {
        plain = plain.replace(&format!("\"{name}\"."), "").replace(&format!("{name}."), "");
    }
    let lines = plain.lines().filter(|line| !line.trim_start().starts_with("SET search_path TO"));
    lines.collect::<Vec<_>>().join("\n")
}
