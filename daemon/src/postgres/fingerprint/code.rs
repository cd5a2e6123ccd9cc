//! What runs: views, functions, triggers, policies and rules; and the types.
//!
//! A definition is written by the server out of what it keeps, and is never parsed again.

use super::{DefinitionQuery, ObjectCatalog};

pub(super) const VIEWS: DefinitionQuery = DefinitionQuery {
    of: ObjectCatalog::Relations,
    sql: "
select {kind}, c.oid::regclass::text, null, format(E'create %s %s as\\n%s', {kind}, c.oid::regclass, pg_get_viewdef(c.oid)),
    array_remove(array[format('owner to %I', pg_get_userbyid(c.relowner))]
      || array(select format('set (%s)', o) from unnest(c.reloptions) o order by 1), null)
from pg_class c where c.oid = any ($1) and c.relkind in ('v', 'm') and $2 is not null",
};

/// The function that runs the files of a build is there only meanwhile. What makes values of a range comes and goes with its type.
pub(super) const FUNCTIONS: DefinitionQuery = DefinitionQuery {
    of: ObjectCatalog::Functions,
    sql: "
select case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end, p.oid::regprocedure::text, null,
    case when p.prokind <> 'a' then pg_get_functiondef(p.oid) else (
        select format('create aggregate %s (sfunc = %s, stype = %s%s%s%s%s%s%s, parallel = %s)', p.oid::regprocedure,
            a.aggtransfn, format_type(a.aggtranstype, null),
            case when a.aggfinalfn <> 0 then ', finalfunc = ' || a.aggfinalfn else '' end,
            case when a.aggcombinefn <> 0 then ', combinefunc = ' || a.aggcombinefn else '' end,
            coalesce(', initcond = ' || quote_literal(a.agginitval), ''),
            case when a.aggsortop <> 0 then ', sortop = ' || a.aggsortop::regoperator else '' end,
            case when a.aggmtransfn <> 0 then format(', msfunc = %s, minvfunc = %s, mstype = %s', a.aggmtransfn, a.aggminvtransfn,
                format_type(a.aggmtranstype, null)) else '' end,
            case a.aggkind when 'h' then ', hypothetical' else '' end,
            case p.proparallel when 's' then 'safe' when 'r' then 'restricted' else 'unsafe' end)
        from pg_aggregate a where a.aggfnoid = p.oid) end,
    array[format('owner to %I', pg_get_userbyid(p.proowner))]
from pg_proc p where p.oid = any ($1) and p.proname <> $2 || '_run'
  and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid
                  and d.refclassid = 'pg_type'::regclass and d.deptype = 'i')",
};

pub(super) const TRIGGERS: DefinitionQuery = DefinitionQuery {
    of: ObjectCatalog::Relations,
    sql: "
select 'trigger', format('%s.%I', c.oid::regclass, g.tgname), {kind} || ' ' || c.oid::regclass, pg_get_triggerdef(g.oid),
    array_remove(array[case g.tgenabled when 'D' then format('disable trigger %I', g.tgname)
        when 'R' then format('enable replica trigger %I', g.tgname) when 'A' then format('enable always trigger %I', g.tgname) end], null)
from pg_class c join pg_trigger g on g.tgrelid = c.oid
where c.oid = any ($1) and not g.tgisinternal and g.tgparentid = 0 and $2 is not null",
};

pub(super) const POLICIES: DefinitionQuery = DefinitionQuery {
    of: ObjectCatalog::Relations,
    sql: "
select 'policy', format('%s.%I', c.oid::regclass, y.polname), {kind} || ' ' || c.oid::regclass,
    format('create policy %I on %s as %s for %s to %s%s%s', y.polname, c.oid::regclass,
        case when y.polpermissive then 'permissive' else 'restrictive' end,
        case y.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
        (select string_agg(role, ', ' order by role) from (
            select case r when 0 then 'public' else quote_ident(pg_get_userbyid(r)) end from unnest(y.polroles) r) roles (role)),
        coalesce(' using (' || pg_get_expr(y.polqual, y.polrelid) || ')', ''),
        coalesce(' with check (' || pg_get_expr(y.polwithcheck, y.polrelid) || ')', '')),
    '{}'::text[]
from pg_class c join pg_policy y on y.polrelid = c.oid where c.oid = any ($1) and $2 is not null",
};

/// The rule of a view is its definition.
pub(super) const RULES: DefinitionQuery = DefinitionQuery {
    of: ObjectCatalog::Relations,
    sql: "
select 'rule', format('%s.%I', c.oid::regclass, w.rulename), {kind} || ' ' || c.oid::regclass, pg_get_ruledef(w.oid),
    array_remove(array[case w.ev_enabled when 'D' then format('disable rule %I', w.rulename)
        when 'R' then format('enable replica rule %I', w.rulename) when 'A' then format('enable always rule %I', w.rulename) end], null)
from pg_class c join pg_rewrite w on w.ev_class = c.oid
where c.oid = any ($1) and w.rulename <> '_RETURN' and $2 is not null",
};

pub(super) const TYPES: DefinitionQuery = DefinitionQuery {
    of: ObjectCatalog::Types,
    sql: "
select case t.typtype when 'd' then 'domain' else 'type' end, format_type(t.oid, null), null,
    case t.typtype
        when 'e' then format('create type %s as enum', format_type(t.oid, null))
        when 'c' then format('create type %s as ()', format_type(t.oid, null))
        when 'd' then format('create domain %s as %s%s', format_type(t.oid, null), format_type(t.typbasetype, t.typtypmod),
            case when t.typcollation <> b.typcollation then ' collate ' || t.typcollation::regcollation else '' end)
        when 'r' then (
            select format('create type %s as range (subtype = %s%s%s%s)', format_type(t.oid, null), format_type(r.rngsubtype, null),
                case when r.rngcollation <> 0 then ', collation = ' || r.rngcollation::regcollation else '' end,
                case when r.rngcanonical <> 0 then ', canonical = ' || r.rngcanonical else '' end,
                case when r.rngsubdiff <> 0 then ', subtype_diff = ' || r.rngsubdiff else '' end)
            from pg_range r where r.rngtypid = t.oid)
        else format('create type %s', format_type(t.oid, null)) end,
    array_remove(array[
        format('owner to %I', pg_get_userbyid(t.typowner)),
        case when t.typtype = 'd' and t.typnotnull then 'not null' end,
        case when t.typtype = 'd' then 'default ' || t.typdefault end]
      || array(select 'value ' || quote_literal(e.enumlabel) from pg_enum e where e.enumtypid = t.oid order by e.enumsortorder)
      || array(select format('attribute %I %s', a.attname, format_type(a.atttypid, a.atttypmod)) from pg_attribute a
               where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped order by a.attnum)
      || array(select format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid)) from pg_constraint k
               where k.contypid = t.oid and k.contype <> 'n' order by k.conname), null)
from pg_type t left join pg_type b on b.oid = t.typbasetype where t.oid = any ($1) and t.typtype <> 'm' and $2 is not null",
};
