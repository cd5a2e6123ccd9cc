//! Objects of the tenant's that stand on somebody else's.

use super::Lint;

pub(super) const LINT: Lint = Lint {
    name: "cross_references",
    meaning: "the tenant reads or calls what belongs to others, or others cannot be removed",
    sql: r"
with others as (
    select 'pg_constraint'::regclass as class, c.oid, f.relnamespace as elsewhere
    from owned o join pg_constraint c on c.conrelid = o.objid join pg_class f on f.oid = c.confrelid
    where o.classid = 'pg_class'::regclass
    union all
    select 'pg_trigger'::regclass, t.oid, p.pronamespace
    from owned o join pg_trigger t on t.tgrelid = o.objid join pg_proc p on p.oid = t.tgfoid
    where o.classid = 'pg_class'::regclass and not t.tgisinternal
    union all
    select 'pg_class'::regclass, i.inhrelid, c.relnamespace
    from owned o join pg_inherits i on i.inhrelid = o.objid join pg_class c on c.oid = i.inhparent
    where o.classid = 'pg_class'::regclass
    union all
    select 'pg_rewrite'::regclass, w.oid, coalesce(c.relnamespace, p.pronamespace)
    from owned o join pg_rewrite w on w.ev_class = o.objid
    join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
    left join pg_class c on d.refclassid = 'pg_class'::regclass and c.oid = d.refobjid
    left join pg_proc p on d.refclassid = 'pg_proc'::regclass and p.oid = d.refobjid
    where o.classid = 'pg_class'::regclass)
select distinct format('%s stands on schema %s', pg_describe_object(class, oid, 0), elsewhere::regnamespace)
from others
where elsewhere <> to_regnamespace('{own}') and elsewhere <> 'pg_catalog'::regnamespace
  and elsewhere is distinct from to_regnamespace('tenantry_ext')",
};
