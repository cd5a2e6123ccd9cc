//! What a pool may be: every object, right, key and stored expression in its schema is checked against a list of what is
//! allowed. Everything that is not on the list is refused by name.
//!
//! Invariants: after a pool is built, no code of its blueprint runs with the rights of its owner, who bypasses row-level
//! security in referential actions. No key, right or object lets one tenant see, change or guess the rows of another. The
//! rules only read the catalog. They evaluate nothing that the pool's owner made.

use std::sync::LazyLock;

use sqlx::PgConnection;
use tenantry_protocol::name::PlacementName;

use crate::postgres::dependencies::{ELSEWHERE, INSIDE};
use crate::postgres::error::{Result, doing};
use crate::postgres::pool_ddl::POLICY;

mod code;
mod cover;
mod keys;
mod kinds;
mod references;
mod rights;

/// Raised whenever a rule is added or changed. A pool that was checked against earlier rules is checked again
/// before the next tenant joins it.
pub(super) const RULES_VERSION: i32 = 3;

/// How far the build of the pool has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::postgres) enum Stage {
    /// The blueprint's files have run. The daemon's policies are still missing.
    Uncovered,
    /// The pool has its policies, and its build is finished or about to be.
    Finished,
}

/// The rules that the pool breaks, one sentence each, in alphabetical order and at most [`MOST`]; empty if it keeps all rules.
pub(in crate::postgres) async fn broken(
    connection: &mut PgConnection,
    pool: &PlacementName,
    stage: Stage,
) -> Result<Vec<String>> {
    static ALL: LazyLock<String> = LazyLock::new(all);
    sqlx::query_scalar(sqlx::AssertSqlSafe(ALL.as_str()))
        .persistent(false)
        .bind(pool.as_str())
        .bind((stage == Stage::Finished).then_some(POLICY))
        .fetch_all(connection)
        .await
        .map_err(doing("hold the pool against its rules"))
}

/// How many sentences are reported at a time. The blueprint's author fixes these problems and tries again.
const MOST: usize = 50;

fn all() -> String {
    let rules =
        [keys::RULES, code::RULES, rights::RULES, kinds::RULES, references::RULES, cover::RULES].concat();
    let rules = rules.join(" union all ");
    format!(
        "with recursive {POOL}, {INSIDE}, {ROOT}, {ELSEWHERE}, {PARTS} select left(said, 600) from ({rules}) as rule (said) order by 1 limit {MOST}"
    )
}

/// The pool, identified by its schema.
const POOL: &str = "
    pool as materialized (
        select n.oid as schema, n.nspacl, r.oid as owner, a.oid as app
        from pg_namespace n join pg_roles r on r.rolname = n.nspname join pg_roles a on a.rolname = n.nspname || '_app'
        where n.nspname = $1),
    home (oid) as (select schema from pool)";

/// The objects that must not depend on anything else.
const ROOT: &str = "
    root as (
        select classid, objid from inside union all select 'pg_namespace'::regclass, schema from pool)";

/// The objects that the rules are about. `$1` is the pool. `$2` is the daemon's policy, or null while the tables have none.
const PARTS: &str = "
    relation as materialized (
        select c.*, (select a.attnum from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id'
                     and a.attnotnull and a.atttypid = 'uuid'::regtype) as tenant
        from inside join pg_class c on classid = 'pg_class'::regclass and c.oid = objid),
    -- The types of its own, of its rows, and of arrays of these.
    own_type as (
        select objid as oid from inside where classid = 'pg_type'::regclass union select reltype from relation where reltype <> 0),
    shape as materialized (
        select oid from own_type union select t.typarray from own_type join pg_type t using (oid) where t.typarray <> 0),
    base as (select * from relation where relkind in ('r', 'p')),
    reference as (
        select k.*, b.relname, b.relkind, b.relispartition, b.tenant, o.tenant as other
        from pg_constraint k join base b on b.oid = k.conrelid left join relation o on o.oid = k.confrelid
        where k.contype = 'f'),
    -- PostgreSQL's own, which come with a range type.
    constructor as materialized (
        select i.objid as oid from inside i join pg_depend d on d.classid = i.classid and d.objid = i.objid
        where i.classid = 'pg_proc'::regclass and d.refclassid = 'pg_type'::regclass and d.deptype = 'i'),
    routine as materialized (
        select f.oid, f.proname, f.prosecdef, f.proacl, f.proowner
        from inside join pg_proc f on classid = 'pg_proc'::regclass and f.oid = objid
        -- What runs the files of a build; it goes before the end.
        where not (f.proname = $1 || '_run' and f.proargtypes = '1009'::oidvector)
          and f.oid not in (select oid from constructor)),
    granted as (
        select c.relname::text as object, case c.relkind when 'S' then 'sequence' else 'table' end as kind, a.*
        from relation c, aclexplode(c.relacl) a where c.relkind in ('r', 'p', 'v', 'S')
        union all
        select format('column %s of %s', t.attname, c.relname), 'column', a.*
        from relation c join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a where t.attacl is not null
        union all
        select format('function %s', f.proname), 'function', a.*
        from routine f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
        union all
        select format('type %s', t.typname), 'type', a.*
        from inside join pg_type t on classid = 'pg_type'::regclass and t.oid = objid, aclexplode(t.typacl) a
        union all
        select 'the schema', 'schema', a.* from pool, aclexplode(nspacl) a),
    -- The functions that a stored expression calls stand in its tree by number. None may be of the blueprint's: `i` is for what
    -- PostgreSQL evaluates by itself, which must be immutable, and `s` for what it evaluates for whoever writes.
    expression as materialized (
        select format('the index %s of table %s', x.relname, b.relname) as what, 'i' as volatility,
               concat(i.indexprs, i.indpred) as tree
        from base b join pg_index i on i.indrelid = b.oid join pg_class x on x.oid = i.indexrelid
        where i.indexprs is not null or i.indpred is not null
        union all
        select format('the statistics %s of table %s', s.stxname, b.relname), 'i', s.stxexprs::text
        from base b join pg_statistic_ext s on s.stxrelid = b.oid where s.stxexprs is not null
        union all
        select format('the partition key of table %s', b.relname), 'i', k.partexprs::text
        from base b join pg_partitioned_table k on k.partrelid = b.oid where k.partexprs is not null
        union all
        select format('the generated column %s of table %s', a.attname, b.relname), 'i', d.adbin::text
        from base b join pg_attribute a on a.attrelid = b.oid join pg_attrdef d on d.adrelid = b.oid and d.adnum = a.attnum
        where a.attgenerated <> ''
        union all
        select format('the check %s of table %s', k.conname, b.relname), 's', k.conbin::text
        from base b join pg_constraint k on k.conrelid = b.oid where k.contype = 'c'
        union all
        select format('the check %s of domain %s', k.conname, t.typname), 's', k.conbin::text
        from inside join pg_type t on classid = 'pg_type'::regclass and t.oid = objid
        join pg_constraint k on k.contypid = t.oid where k.contype = 'c'),
    -- A foreign key that does something, with what its action does to the rows of its own table.
    action as materialized (
        select r.*, r.confdeltype = 'c' as deletes,
               r.confdeltype in ('n', 'd') or r.confupdtype in ('c', 'n', 'd') as updates,
               concat_ws(', ', case r.confdeltype when 'c' then 'on delete cascade' when 'n' then 'on delete set null'
                                                  when 'd' then 'on delete set default' end,
                         case r.confupdtype when 'c' then 'on update cascade' when 'n' then 'on update set null'
                                            when 'd' then 'on update set default' end) as does
        from reference r where r.confdeltype in ('c', 'n', 'd') or r.confupdtype in ('c', 'n', 'd')),
    -- The triggers that such an action fires, one row each. A row that it moves to another partition is inserted there.
    fired as materialized (
        select distinct on (t.oid) t.oid, t.tgname, t.tgfoid, t.tgisinternal, t.tgqual::text as tree, a.relname, a.conname, a.does,
               a.confrelid::regclass::text as above
        from action a join pg_trigger t on t.tgrelid = a.conrelid
        where a.deletes and t.tgtype & 8 <> 0 or a.updates and t.tgtype & 16 <> 0
           or a.updates and (a.relkind = 'p' or a.relispartition) and t.tgtype & (4 | 8) <> 0
        order by t.oid, a.conname),
    -- A stable function that takes and gives plain values reads a setting or the clock. Others can run a query that stands in a
    -- text: query_to_xml and its kind. Some that take anything do no more than write it down.
    plain (type) as (
        select unnest('{bool,int2,int4,int8,float4,float8,numeric,text,varchar,bpchar,bytea,uuid,date,time,timetz,timestamp,
            timestamptz,interval,tsvector,tsquery,json,jsonb}'::regtype[])::oid),
    -- Whatever has a body as text finds what it calls by name, on the search path of whoever runs it, even if it is an
    -- extension's. A body that the server parsed names its functions by number; they are held to the same.
    reached (what, volatility, in_condition_of, function) as (
        select what, volatility, in_condition_of, number[1]::oid
        from (select what, volatility, null::oid as in_condition_of, tree from expression
              union all select '', 's', oid, tree from fired) stored,
             regexp_matches(tree, ':(?:funcid|opfuncid|hashfuncid|negfuncid|aggfnoid|winfnoid) ([0-9]+)', 'g') as number
        union all
        select format('the range type %s', t.typname), 'i', null, f
        from inside join pg_type t on classid = 'pg_type'::regclass and t.oid = objid join pg_range r on r.rngtypid = t.oid,
             unnest(array[r.rngcanonical, r.rngsubdiff]::oid[]) f
        where f <> 0
        union
        select what, 's', in_condition_of, number[1]::oid
        from reached join pg_proc f on f.oid = function and f.pronamespace in ('pg_catalog'::regnamespace, 'tenantry_ext'::regnamespace),
             regexp_matches(f.prosqlbody::text, ':(?:funcid|opfuncid|hashfuncid|negfuncid|aggfnoid|winfnoid) ([0-9]+)', 'g') as number),
    called as materialized (
        select what, f.proname, volatility, in_condition_of, case
                when f.oid in (select oid from constructor) then 'i'
                when f.pronamespace not in ('pg_catalog'::regnamespace, 'tenantry_ext'::regnamespace)
                    or l.lanname not in ('internal', 'c') and f.prosqlbody is null then 'v'
                when f.provolatile = 'i' then 'i'
                when f.provolatile = 's' and f.pronamespace = 'pg_catalog'::regnamespace
                    and (f.proname in ('format', 'concat', 'concat_ws') or f.prorettype in (select type from plain)
                        and not exists (select from unnest(f.proargtypes::oid[]) as argument
                                        where argument not in (select type from plain)))
                then 's' else 'v' end as grade
        from reached join pg_proc f on f.oid = function join pg_language l on l.oid = f.prolang)";
